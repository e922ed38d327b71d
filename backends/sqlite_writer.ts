/** How entries get into the B-tree side: statements, slices, and the count of keys.
 *
 * @module
 */

import { now } from "../runtime/timers.ts";
import type { Write } from "./engine.ts";
import type { Connection } from "./sqlite_connection.ts";
import { putMeta } from "./sqlite_schema.ts";

/** A slice of an apply takes writes for this long; its commit takes another 2 ms or so. */
const SLICE_MS_MAX = 3;
/** Looking at the clock costs as much as a tenth of a row. */
const ROWS_PER_CLOCK_READ = 32;
const BYTES_PER_CLOCK_READ = 64 * 1024;

// A value that is empty arrives as NULL in some versions of Node.
const INSERT = "INSERT OR IGNORE INTO entries VALUES (?, ifnull(?, x''))";
const UPDATE = "UPDATE entries SET value = ifnull(?, x'') WHERE key = ?";
const DELETE = "DELETE FROM entries WHERE key = ?";

/** Writes the entries of applies, slice by slice, and keeps count of the keys. */
export class SqliteWriter {
  #keys: number;
  /** Whether the last key that was put was a new one: the next one probably is the same. One statement for
   * both would not tell which it was. */
  #isNew = true;

  /** @param keys How many there are. */
  constructor(keys: number) {
    this.#keys = keys;
  }

  /** How many keys there are. */
  get keys(): number {
    return this.#keys;
  }

  /** Applies writes in one transaction, from an index on until the time of a slice is over, and behind the
   * last one notes the position; returns the next index.
   *
   * @throws {StoreError} `NO_SPACE`, `CORRUPT`, `IO`; nothing is written.
   */
  writeSlice(
    connection: Connection,
    writes: readonly Write[],
    first: number,
    position: bigint,
  ): number {
    const keys = this.#keys;
    try {
      return connection.transact(() => this.#writeSlice(connection, writes, first, position));
    } catch (error) {
      this.#keys = keys;
      throw error;
    }
  }

  #writeSlice(
    connection: Connection,
    writes: readonly Write[],
    first: number,
    position: bigint,
  ): number {
    const deadline = now() + SLICE_MS_MAX;
    let next = first;
    let rows = 0;
    let bytes = 0;
    while (next < writes.length) {
      const { key, value } = writes[next++]!;
      if (value === undefined) this.#keys -= connection.write(DELETE, key);
      else this.#put(connection, key, value);
      bytes += value?.length ?? 0;
      if (++rows < ROWS_PER_CLOCK_READ && bytes < BYTES_PER_CLOCK_READ) continue;
      if (now() > deadline) break;
      rows = bytes = 0;
    }
    const keys = this.#keys;
    putMeta(connection, next === writes.length ? { keys, position } : { keys });
    return next;
  }

  #put(connection: Connection, key: Uint8Array, value: Uint8Array): void {
    if (!this.#tryPut(connection, key, value)) {
      this.#isNew = !this.#isNew;
      this.#tryPut(connection, key, value);
    }
    if (this.#isNew) this.#keys++;
  }

  #tryPut(connection: Connection, key: Uint8Array, value: Uint8Array): boolean {
    const rows = this.#isNew
      ? connection.write(INSERT, key, value)
      : connection.write(UPDATE, value, key);
    return rows > 0;
  }
}
