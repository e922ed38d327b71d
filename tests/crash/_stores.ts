/** Stores to back up, to damage and to verify. */

import { createHash } from "node:crypto";
import * as fs from "node:fs";
import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import {
  assertionKey,
  type HybridStore,
  mvKey,
  StoreError,
  type StoreErrorCode,
} from "../../mod.ts";
import { pattern } from "../conformance/_kit.ts";

/** Returns a key of each side. */
export function keysOf(number: number): [Uint8Array, Uint8Array] {
  const name = `${number}`.padStart(6, "0");
  return [assertionKey("s", name), mvKey("s", name)];
}

/** Returns a key of the B-tree side by a name. */
export function mvKeyOf(name: string): Uint8Array {
  return mvKey("s", name);
}

/** Puts values of some bytes under the keys of some numbers, in batches over both sides. */
export async function putMany(
  store: HybridStore,
  from: number,
  to: number,
  valueBytes: number,
  seed = 0,
): Promise<void> {
  for (let number = from; number < to;) {
    const batch = store.batch();
    for (let count = 0; count < 100 && number < to; count++, number++) {
      for (const key of keysOf(number)) batch.put(key, pattern(valueBytes, number + seed));
    }
    await batch.commit();
  }
}

/** Returns everything that a store holds, in order, as text that can be compared quickly. */
export function dump(store: Pick<HybridStore, "scanSync">): string[] {
  const decoder = new TextDecoder("latin1");
  return Array.from(
    store.scanSync(),
    ({ key, value }) => `${decoder.decode(key)}=${decoder.decode(value)}`,
  );
}

/** Fails unless a call rejects with a `StoreError` of a code. */
export async function rejects(
  call: () => Promise<unknown>,
  code: StoreErrorCode,
  message?: RegExp,
): Promise<StoreError> {
  const error = await call().then(() => undefined, (error: unknown) => error);
  assert(error instanceof StoreError, `${error}`);
  assertEquals(error.code, code, error.message);
  if (message !== undefined) assert(message.test(error.message), error.message);
  return error;
}

/** The files of a store's engines. */
export const LMDB_FILE = join("append", "data.mdb");
/** The files of a store's engines. */
export const SQLITE_FILE = join("btree", "data.sqlite");

/** Returns the page size of the file of an engine, as the file says. */
export function pageBytesOf(content: Uint8Array): number {
  const view = new DataView(content.buffer, content.byteOffset, content.length);
  const isSqlite = new TextDecoder().decode(content.subarray(0, 6)) === "SQLite";
  return isSqlite ? view.getUint16(16) : view.getUint32(48, true);
}

/** Returns the journal's segments, in order. */
export function segmentsOf(directory: string): string[] {
  const journal = join(directory, "journal");
  return fs.readdirSync(journal).filter((name) => name.endsWith(".seg")).sort()
    .map((name) => join(journal, name));
}

/** Returns a short text that differs where what two stores hold differs. */
export function digest(store: Pick<HybridStore, "scanSync">): string {
  const hash = createHash("sha256");
  for (const entry of dump(store)) hash.update(`${entry.length} `).update(entry, "latin1");
  return hash.digest("hex");
}
