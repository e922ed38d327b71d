/** What every contestant can do, whichever store is behind it.
 *
 * @module
 */

import type { KeySet, Prefix } from "../_data.ts";

/** The form in which a contestant takes keys: bytes, or parts. Made before the clock runs. */
export type Key = unknown;

/** An open store, used as its own documentation advises.
 *
 * Methods that return no promise are synchronous. Each is one operation; `putAll` is a loop of the
 * contestant's own, since that is where they differ.
 */
export interface Session {
  keysOf(keys: KeySet): readonly Key[];
  /** Sets a value; done when it is acknowledged. */
  put(key: Key, value: Uint8Array): unknown;
  /** Sets many values, which need not become visible together, as fast as the store takes them; done
   * when all are acknowledged. */
  putAll(keys: readonly Key[], values: readonly Uint8Array[]): Promise<void>;
  /** Sets some values together or not at all. */
  putBatch(keys: readonly Key[], values: readonly Uint8Array[]): unknown;
  /** Done when everything acknowledged is where it stays, and on disk. */
  settle(): Promise<unknown>;
  get(key: Key): unknown;
  /** As `get`, where there is a synchronous form beside it. */
  getSync(key: Key): unknown;
  /** Reads all rows with a prefix into an array and returns how many there are. */
  scan(prefix: Prefix): number | Promise<number>;
  /** Reads up to `limit` rows from a key on into an array and returns how many there are. */
  scanFrom(key: Key, limit: number): number | Promise<number>;
  /** Walks over all rows, keys and values, and returns how many there are. */
  scanAll(): number | Promise<number>;
  /** Adds 1 to a counter of 64 bits. */
  add(key: Key): unknown;
  /** Adds 1 to a number of 32 bits with a point. */
  update(key: Key): unknown;
  delete(key: Key): unknown;
  /** Takes a snapshot, gets a value from it, disposes of it, and returns the value. Absent where there are
   * no snapshots. */
  getInSnapshot?(key: Key): unknown;
  close(): Promise<void>;
}

/** Opens a store in a directory that exists; a new one where it is empty. */
export type Open = (directory: string) => Promise<Session>;

/** Writes of one batch of a bulk load; more of them together gain nothing. */
const BATCH_WRITES = 1_000;

/** Puts all keys in batches, which are begun one after the other without waiting. */
export async function putInBatches(
  keys: readonly Uint8Array[],
  values: readonly Uint8Array[],
  putBatch: (keys: readonly Uint8Array[], values: readonly Uint8Array[]) => Promise<void>,
): Promise<void> {
  const batches: Promise<void>[] = [];
  for (let i = 0; i < keys.length; i += BATCH_WRITES) {
    const end = i + BATCH_WRITES;
    batches.push(putBatch(keys.slice(i, end), values.slice(i, end)));
  }
  await Promise.all(batches);
}

/** Adds 1 to a counter's value, 8 bytes little-endian; an absent one counts as 0. */
export function increased(value: Uint8Array | undefined): Uint8Array {
  const next = new Uint8Array(8);
  const count = value === undefined ? 0n : viewOf(value).getBigUint64(0, true);
  viewOf(next).setBigUint64(0, count + 1n, true);
  return next;
}

/** Adds 1 to a number's value, 4 bytes little-endian; an absent one counts as 0. */
export function updated(value: Uint8Array | undefined): Uint8Array {
  const next = new Uint8Array(4);
  viewOf(next).setFloat32(
    0,
    (value === undefined ? 0 : viewOf(value).getFloat32(0, true)) + 1,
    true,
  );
  return next;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
