/** Steps on the way of a write, of a checkpoint, of a creation and of a close, at which a process kills
 * itself. They are found where the store lets its parts be replaced: at the journal's file access and at
 * the engines. Production code knows nothing of them.
 */

import process from "node:process";
import { basename } from "@std/path";
import type { Engine, Write, Writes } from "../../backends/engine.ts";
import { listWrites } from "../../backends/writes.ts";
import { nextTurn } from "../../runtime/turn.ts";
import type { HybridStore, OpenOptions } from "../../mod.ts";
import type { EngineName } from "../../codec/route.ts";
import {
  type JournalFile,
  type JournalFileSystem,
  nodeFileSystem,
} from "../../journal/file_system.ts";
import { SEGMENT_HEADER_BYTES } from "../../journal/segment.ts";
import { openParts } from "../../store/directory/lifecycle.ts";
import { resolveOptions } from "../../store/options.ts";
import { startStore } from "../support/store.ts";

/** A step, and how many times it is passed before it kills. */
export interface StepChoice {
  readonly name: string;
  readonly passes: number;
}

let chosen: StepChoice | undefined;
let passed = 0;
let beforeDeath = () => {};

/** Returns whether this is where the process has to die. */
function isDue(name: string): boolean {
  return name === chosen?.name && passed++ === chosen.passes;
}

function die(): never {
  beforeDeath();
  process.kill(process.pid, "SIGKILL");
  // The signal may take a moment, in which nothing more may happen.
  for (;;);
}

function step(name: string): void {
  if (isDue(name)) die();
}

function around<T>(name: string, action: () => T): T {
  step(`before ${name}`);
  const result = action();
  step(`after ${name}`);
  return result;
}

/** Opens a store that kills the process at a step.
 *
 * @param onDeath Called right before.
 */
export async function openWithSteps(
  directory: string,
  options: OpenOptions,
  choice: StepChoice,
  onDeath: () => void,
): Promise<HybridStore> {
  if (chosen === undefined) interceptFiles(directory);
  chosen = choice;
  beforeDeath = onDeath;
  const settings = resolveOptions(options);
  const parts = await openParts(directory, settings);
  const engines = {
    append: new SteppedEngine("append", parts.engines.append),
    btree: new SteppedEngine("btree", parts.engines.btree),
  };
  engines.append.other = engines.btree;
  engines.btree.other = engines.append;
  const lock = { release: () => around("lock release", () => parts.lock.release()) };
  return await startStore(directory, { ...parts, engines, lock }, settings);
}

/** Puts the steps into the file access that every journal of this process uses. */
function interceptFiles(directory: string): void {
  const real: JournalFileSystem = { ...nodeFileSystem };
  const nameOf = (path: string) => path === directory ? "store" : basename(path);
  Object.assign(
    nodeFileSystem,
    {
      makeDirectory: (path) =>
        around(`${nameOf(path)} directory creation`, () => real.makeDirectory(path)),
      open: (path, access) => new SteppedFile(path, real.open(path, access)),
      create: (path) =>
        around(`${kindOf(path)} creation`, () => new SteppedFile(path, real.create(path))),
      remove: (path) => around(`${kindOf(path)} removal`, () => real.remove(path)),
      syncDirectory: (path) =>
        around(`${nameOf(path)} directory sync`, () => real.syncDirectory(path)),
      syncDirectoryAsync: async (path) => {
        step(`before ${nameOf(path)} directory sync`);
        await real.syncDirectoryAsync!(path);
        step(`after ${nameOf(path)} directory sync`);
      },
    } satisfies Partial<JournalFileSystem>,
  );
}

function kindOf(path: string): string {
  return basename(path) === ".durable" ? "mark" : "segment";
}

class SteppedFile implements JournalFile {
  readonly #kind: string;
  readonly #file: JournalFile;

  constructor(path: string, file: JournalFile) {
    this.#kind = kindOf(path);
    this.#file = file;
  }

  size(): number {
    return this.#file.size();
  }

  read(target: Uint8Array, position: number): number {
    return this.#file.read(target, position);
  }

  write(bytes: Uint8Array, position: number): number {
    const isHeader = this.#kind === "segment" && position < SEGMENT_HEADER_BYTES;
    const name = isHeader ? "segment header write" : `${this.#kind} write`;
    if (isDue(`half of ${name}`)) {
      this.#file.write(bytes.subarray(0, bytes.length >> 1), position);
      die();
    }
    return around(name, () => this.#file.write(bytes, position));
  }

  truncate(size: number): void {
    around(`${this.#kind} cut`, () => this.#file.truncate(size));
  }

  async sync(): Promise<void> {
    step(`before ${this.#kind} sync`);
    await this.#file.sync();
    step(`after ${this.#kind} sync`);
  }

  syncNow(): void {
    around(`${this.#kind} sync`, () => this.#file.syncNow());
  }

  close(): void {
    around(`${this.#kind} close`, () => this.#file.close());
  }
}

/** Returns writes with one in their midst that nobody survives. */
function dieHalfway(writes: readonly Write[]): Write[] {
  const deadly: Write = {
    get key() {
      return die();
    },
    value: undefined,
  };
  return [...writes.slice(0, writes.length >> 1), deadly];
}

class SteppedEngine implements Engine {
  /** The engine that applies at the same time. */
  other!: SteppedEngine;
  readonly #name: EngineName;
  readonly #engine: Engine;
  #applying: Promise<void> = Promise.resolve();

  constructor(name: EngineName, engine: Engine) {
    this.#name = name;
    this.#engine = engine;
  }

  get failure() {
    return this.#engine.failure;
  }

  get keyBytesMax(): number {
    return this.#engine.keyBytesMax;
  }

  get position(): bigint {
    return this.#engine.position;
  }

  get(key: Uint8Array) {
    return this.#engine.get(key);
  }

  has(key: Uint8Array) {
    return this.#engine.has(key);
  }

  range(...args: Parameters<Engine["range"]>) {
    return this.#engine.range(...args);
  }

  keys(...args: Parameters<Engine["keys"]>) {
    return this.#engine.keys(...args);
  }

  get note(): string | undefined {
    return this.#engine.note;
  }

  apply(writes: Writes | readonly Write[], position: bigint, note?: string): Promise<void> {
    return this.#applying = this.#apply(listWrites(writes), position, note);
  }

  async #apply(writes: readonly Write[], position: bigint, note?: string): Promise<void> {
    const name = `${this.#name} apply`;
    step(`before ${name}`);
    if (isDue(`within ${name}`)) {
      this.#engine.apply(writes, position, note).catch(() => {});
      await nextTurn();
      die();
    }
    if (isDue(`half of the writes of ${name}`)) {
      // In the midst of a transaction.
      await this.#engine.apply(dieHalfway(writes), position, note);
    }
    if (isDue(`half of ${name}`)) {
      // As an engine does it: the transactions before the last one carry neither position nor note.
      await this.#engine.apply(writes.slice(0, writes.length >> 1), this.#engine.position);
      die();
    }
    if (isDue(`all but the position of ${name}`)) {
      await this.#engine.apply(writes, this.#engine.position);
      die();
    }
    if (isDue(`the other engine's apply alone, instead of ${name}`)) {
      // The other one may begin later than this one.
      await nextTurn();
      await this.other.#applying;
      die();
    }
    await this.#engine.apply(writes, position, note);
    step(`after ${name}`);
  }

  view() {
    return this.#engine.view();
  }

  stats() {
    return this.#engine.stats();
  }

  check(onProgress: (done: number, total: number) => void) {
    return this.#engine.check(onProgress);
  }

  async close(): Promise<void> {
    step(`before ${this.#name} close`);
    await this.#engine.close();
    step(`after ${this.#name} close`);
  }
}
