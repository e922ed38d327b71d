/** What the parts of the suite share. */

import { test } from "node:test";
import { assertEquals } from "@std/assert";
import type { Engine, EngineOptions, Entry, KeyRange, Write } from "../../backends/mod.ts";
import { compareBytes } from "../../codec/bytes.ts";
import { tempDirectory } from "../support/temp.ts";

/** How the suite gets at one kind of engine. */
export interface EngineKind {
  /** The beginning of the tests' names. */
  readonly name: string;
  /** Whether what is applied outlives the engine object. */
  readonly isPersistent: boolean;
  /** Opens the engine in a directory, which stands for nothing where it is not persistent. */
  open(directory: string, options: EngineOptions): Promise<Engine>;
}

/** An engine under test. */
export interface Subject {
  readonly engine: Engine;
  readonly directory: string;
  /** Closes the engine and opens it again. */
  reopen(): Promise<Engine>;
}

export const IDENTITY = "the identity of a store";
const TIMEOUT_MS = 600_000;

/** Registers a test that gets a new engine, which is closed and removed after it. */
export function engineTest(
  kind: EngineKind,
  name: string,
  body: (subject: Subject) => Promise<void>,
): void {
  test(`${kind.name} ${name}`, { timeout: TIMEOUT_MS }, () => withEngine(kind, body));
}

/** Runs `body` with a new engine, and removes the engine afterwards. */
export async function withEngine(
  kind: EngineKind,
  body: (subject: Subject) => Promise<void>,
): Promise<void> {
  using temp = tempDirectory();
  let engine = await kind.open(temp.path, { identity: IDENTITY, create: true });
  try {
    await body({
      directory: temp.path,
      get engine() {
        return engine;
      },
      reopen: async () => {
        await engine.close();
        engine = await kind.open(temp.path, { identity: IDENTITY, create: false });
        return engine;
      },
    });
  } finally {
    await engine.close();
  }
}

export function bytes(...values: number[]): Uint8Array {
  return Uint8Array.from(values);
}

/** Returns `length` bytes that differ from those of another seed, and from a shifted part. */
export function pattern(length: number, seed = 0): Uint8Array {
  const result = new Uint8Array(length);
  for (let i = 0; i < length; i++) result[i] = (i * 31 + (i >>> 8) * 7 + seed) & 0xff;
  return result;
}

/** Returns the key of a number, in the order of the numbers. */
export function numberedKey(number: number): Uint8Array {
  return new TextEncoder().encode(`key ${String(number).padStart(8, "0")}`);
}

export function put(key: Uint8Array, value: Uint8Array): Write {
  return { key, value };
}

export function remove(key: Uint8Array): Write {
  return { key, value: undefined };
}

/** Returns writes in the order in which an engine wants them. */
export function sorted(writes: readonly Write[]): Write[] {
  return [...writes].sort((a, b) => compareBytes(a.key, b.key));
}

/** Returns a range, of everything unless told otherwise. */
export function rangeOf(part: Partial<KeyRange> = {}): KeyRange {
  return { start: new Uint8Array(0), end: undefined, reverse: false, ...part };
}

export function all(engine: Pick<Engine, "range">): Entry[] {
  return engine.range(rangeOf(), Infinity);
}

/** Checks that bytes are no `Buffer` or the like. */
export function assertPlain(value: Uint8Array | undefined): void {
  assertEquals(Object.getPrototypeOf(value), Uint8Array.prototype);
}
