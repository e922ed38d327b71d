/** How entries get into the B-tree side: statements for many rows at a time, slices, and the count of keys.
 *
 * @module
 */

import { now } from "../runtime/timers.ts";
import type { Writes } from "./engine.ts";
import type { Connection } from "./sqlite_connection.ts";
import { putMeta, type SqliteMeta } from "./sqlite_schema.ts";
import { keyOf, valueOf } from "./writes.ts";

/** A slice of an apply takes writes for this long; its commit takes another 2 ms or so. */
const SLICE_MS_MAX = 3;
/** Rows and bytes of one statement, which takes about 1 ms. */
const PACK_ROWS_MAX = 512;
const PACK_BYTES_MAX = 256 * 1024;
/** A larger write gets a statement of its own. */
const PACKED_BYTES_MAX = 32 * 1024;

// In place of a call for each row, with objects for its key and its value: one parameter has the bytes of all
// rows, the other one is a JSON array with a number for each. From the lowest bit on: 20 bits are the length
// of the value, 12 the length of the key, the rest is where the key begins in the bytes, counted from 1; the
// value is behind it. Parameters without numbers: some versions of Node take numbers for names.
const PACK = "(SELECT ? AS bytes) AS pack, json_each(?) AS row";
const KEY = "substr(pack.bytes, row.value >> 32, row.value >> 20 & 4095)";
const VALUE =
  "substr(pack.bytes, (row.value >> 32) + (row.value >> 20 & 4095), row.value & 1048575)";
const KEY_UNIT = 2 ** 20;
const START_UNIT = 2 ** 32;
const INSERT_PACK = `INSERT OR IGNORE INTO entries SELECT ${KEY}, ${VALUE} FROM ${PACK}`;
const UPDATE_PACK = `UPDATE entries SET value = ${VALUE} FROM ${PACK} WHERE entries.key = ${KEY}`;
const DELETE_PACK = `DELETE FROM entries WHERE key IN (SELECT ${KEY} FROM ${PACK})`;

// A value that is empty arrives as NULL in some versions of Node.
const INSERT = "INSERT OR IGNORE INTO entries (value, key) VALUES (ifnull(?, x''), ?)";
const UPDATE = "UPDATE entries SET value = ifnull(?, x'') WHERE key = ?";
const DELETE = "DELETE FROM entries WHERE key = ?";

/** Writes the entries of applies, slice by slice, and keeps count of the keys. */
export class SqliteWriter {
  #keys: number;
  /** Whether the last keys that were put were new ones: the next ones probably are the same. One statement for
   * both would not tell how many were. */
  #areNew = true;
  /** The bytes of a pack. Made when there is one. */
  #bytes: Uint8Array | undefined;

  /** @param keys How many there are. */
  constructor(keys: number) {
    this.#keys = keys;
  }

  /** How many keys there are. */
  get keys(): number {
    return this.#keys;
  }

  /** Applies writes in one transaction, from an index on until the time of a slice is over, and behind the
   * last one notes what there is to note; returns the next index.
   *
   * @throws {StoreError} `NO_SPACE`, `CORRUPT`, `IO`; nothing is written.
   */
  writeSlice(
    connection: Connection,
    writes: Writes,
    first: number,
    noted: Pick<SqliteMeta, "position"> & Partial<Pick<SqliteMeta, "note">>,
  ): number {
    const before = this.#keys;
    try {
      return connection.transact(() => {
        const deadline = now() + SLICE_MS_MAX;
        let next = first;
        while (next < writes.length) {
          next = isPacked(writes, next)
            ? this.#writePack(connection, writes, next)
            : this.#writeSingle(connection, writes, next);
          if (now() > deadline) break;
        }
        const keys = this.#keys;
        putMeta(connection, next === writes.length ? { keys, ...noted } : { keys });
        return next;
      });
    } catch (error) {
      this.#keys = before;
      throw error;
    }
  }

  /** Writes as many rows as a statement takes, and returns the next index. */
  #writePack(connection: Connection, writes: Writes, first: number): number {
    const bytes = this.#bytes ??= new Uint8Array(PACK_BYTES_MAX);
    const puts: number[] = [];
    const deletions: number[] = [];
    const end = Math.min(writes.length, first + PACK_ROWS_MAX);
    let used = 0;
    let next = first;
    for (; next < end && isPacked(writes, next); next++) {
      const keyLength = writes.keyLength(next);
      const valueLength = writes.valueLength(next);
      const length = keyLength + Math.max(0, valueLength);
      if (used + length > PACK_BYTES_MAX) break;
      const start = writes.keyStart(next);
      bytes.set(writes.chunk(next).subarray(start, start + length), used);
      const place = (used + 1) * START_UNIT + keyLength * KEY_UNIT;
      if (valueLength < 0) deletions.push(place);
      else puts.push(place + valueLength);
      used += length;
    }
    const filled = bytes.subarray(0, used);
    this.#put(connection, puts.length, [INSERT_PACK, UPDATE_PACK], filled, JSON.stringify(puts));
    if (deletions.length > 0) {
      this.#keys -= connection.write(DELETE_PACK, filled, JSON.stringify(deletions));
    }
    return next;
  }

  #writeSingle(connection: Connection, writes: Writes, index: number): number {
    const key = keyOf(writes, index);
    const value = valueOf(writes, index);
    if (value === undefined) this.#keys -= connection.write(DELETE, key);
    else this.#put(connection, 1, [INSERT, UPDATE], value, key);
    return index + 1;
  }

  /** Puts rows, first as what they probably are. A statement leaves the others as they are. */
  #put(
    connection: Connection,
    rows: number,
    [insert, update]: readonly [string, string],
    ...parameters: [Uint8Array, Uint8Array | string]
  ): void {
    let left = rows;
    for (let attempt = 0; left > 0 && attempt < 2; attempt++) {
      if (attempt > 0) this.#areNew = !this.#areNew;
      const written = connection.write(this.#areNew ? insert : update, ...parameters);
      if (this.#areNew) this.#keys += written;
      left -= written;
    }
  }
}

function isPacked(writes: Writes, index: number): boolean {
  return writes.keyLength(index) + writes.valueLength(index) <= PACKED_BYTES_MAX;
}
