import { cpSync } from "node:fs";
import { setImmediate as nextTurn } from "node:timers/promises";
import { assertEquals, assertInstanceOf, assertRejects, assertThrows } from "@std/assert";
import {
  assertionKey,
  type HybridStore,
  mvKey,
  StoreError,
  type StoreErrorCode,
} from "../../mod.ts";

const encoder = new TextEncoder();

/** Returns text as bytes. */
export function bytes(text: string): Uint8Array {
  return encoder.encode(text);
}

/** Returns a key of the append side. Keys sort as their numbers do. */
export function appendKey(number: number): Uint8Array {
  return assertionKey("subject", `${number}`.padStart(6, "0"));
}

/** Returns a key of the B-tree side. Keys sort as their numbers do, behind those of the other side. */
export function btreeKey(number: number): Uint8Array {
  return mvKey("subject", `${number}`.padStart(6, "0"));
}

/** Fails unless the call throws, or its promise rejects with, a `StoreError` of a code. */
export async function assertCode(
  call: () => unknown,
  code: StoreErrorCode,
  ...messageIncludes: string[]
): Promise<StoreError> {
  const error = await assertRejects(async () => await call(), StoreError);
  assertInstanceOf(error, StoreError);
  assertEquals(error.code, code, error.message);
  for (const part of messageIncludes) {
    assertEquals(error.message.includes(part), true, `${part} in: ${error.message}`);
  }
  return error;
}

/** Fails unless the call throws a `StoreError` of a code at once. */
export function assertThrowsCode(call: () => unknown, code: StoreErrorCode): void {
  assertEquals(assertThrows(call, StoreError).code, code);
}

/** Resolves once nothing is being applied to the engines. */
export async function idle(store: HybridStore): Promise<void> {
  while (store.stats().memtable.memtables > 1) await nextTurn();
}

/** Copies the files of an open store, as they would be found after its process died. */
export async function crashImage(store: HybridStore, target: string): Promise<string> {
  // A file that LMDB is writing cannot be copied.
  await idle(store);
  cpSync(store.path, target, { recursive: true });
  return target;
}

/** Returns the keys of entries. */
export function keysOf(entries: Iterable<{ key: Uint8Array }>): Uint8Array[] {
  return Array.from(entries, ({ key }) => key);
}
