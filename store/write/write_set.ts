/** The writes of a batch or a transaction, until they are committed.
 *
 * @module
 */

import type { Router } from "../../codec/route.ts";
import { MAX_BATCH_BYTES } from "../limits.ts";
import { lookupKey, Memtable, type MemtableEntry } from "../memtable/memtable.ts";
import { KEY_ROWS, type ReadSource } from "../read/merge.ts";
import { allRows, type Scan } from "../read/scan.ts";
import { WRITE_HEADER_BYTES } from "./payload.ts";

const ARENA_BYTES = 4096;

/** The writes of a batch or a transaction before they are committed: one per key, the last wins. */
export class WriteSet {
  /** The writes as a memtable, so that a transaction can read them over those of the store. */
  readonly memtable: Memtable;
  /** Whether a commit was begun, which can be done once. */
  isCommitted = false;
  #arena: Uint8Array = new Uint8Array(0);
  #used = 0;
  #bytes = 0;
  /** Ranges whose keys are deleted when it is committed, unless they are written behind that. */
  readonly #ranges: Scan[] = [];

  constructor(router: Router) {
    this.memtable = new Memtable(router);
  }

  /** Bytes that the writes take in a payload. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Takes a write, as a copy.
   *
   * @throws {RangeError} The set would grow past the limit of a batch; it is then left as it was.
   */
  add(what: string, key: Uint8Array, value: Uint8Array | undefined): void {
    const length = key.length + (value?.length ?? 0);
    const lookup = lookupKey(key);
    const previous = this.memtable.get(lookup);
    const added = WRITE_HEADER_BYTES + length -
      (previous === undefined ? 0 : encodedBytes(previous));
    this.#requireRoom(what, this.#bytes + added);
    if (this.#used + length > this.#arena.length) {
      this.#arena = new Uint8Array(Math.max(length, ARENA_BYTES));
      this.#used = 0;
    }
    const start = this.#used;
    this.#arena.set(key, start);
    if (value !== undefined) this.#arena.set(value, start + key.length);
    this.#used += length;
    const valueLength = value === undefined ? -1 : value.length;
    this.memtable.set(key, lookup, this.#arena, start, valueLength);
    this.memtable.keep();
    this.#bytes += added;
  }

  /** Takes the deletion of a range. What the set itself has written in it goes now, and what the store has when
   * it is committed.
   *
   * @throws {RangeError} As `add` does.
   */
  addRange(what: string, scan: Scan): void {
    const { start, end } = scan.range;
    const own = this.memtable.ranges(lookupKey(start), end && lookupKey(end))
      .flatMap(({ entries, from, to }) => entries.slice(from, to))
      .filter(({ isDeleted }) => !isDeleted);
    for (const { key } of own) this.add(what, key, undefined);
    this.#ranges.push(scan);
  }

  /** Adds deletions of what is there of the ranges. What the set has written since they were taken stays.
   *
   * @throws {RangeError} As `add` does: nothing is added then.
   */
  resolveRanges(what: string, source: () => ReadSource): void {
    const found = new Map<string, Uint8Array>();
    for (const scan of this.#ranges) {
      for (const key of allRows(source, KEY_ROWS, scan)) {
        const lookup = lookupKey(key);
        if (this.memtable.get(lookup) === undefined) found.set(lookup, key);
      }
    }
    this.deleteAll(what, [...found.values()]);
  }

  /** Takes deletions of distinct keys, all of them or none.
   *
   * @throws {RangeError} As `add` does.
   */
  deleteAll(what: string, keys: readonly Uint8Array[]): void {
    const added = keys.reduce((sum, key) => {
      const previous = this.memtable.get(lookupKey(key));
      return sum + WRITE_HEADER_BYTES + key.length -
        (previous === undefined ? 0 : encodedBytes(previous));
    }, 0);
    this.#requireRoom(what, this.#bytes + added);
    for (const key of keys) this.add(what, key, undefined);
  }

  /** The writes in key order. */
  writes(): readonly MemtableEntry[] {
    return this.memtable.entries();
  }

  #requireRoom(what: string, bytes: number): void {
    if (bytes <= MAX_BATCH_BYTES) return;
    throw new RangeError(
      `${what}: the writes would take ${bytes} bytes together, more than the limit of ` +
        `${MAX_BATCH_BYTES}; commit them in parts`,
    );
  }
}

function encodedBytes(entry: MemtableEntry): number {
  return WRITE_HEADER_BYTES + entry.keyLength + Math.max(0, entry.valueLength);
}
