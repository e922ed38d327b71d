/** The writes of a batch or a transaction, until they are committed.
 *
 * @module
 */

import type { Router } from "../../codec/route.ts";
import { MAX_BATCH_BYTES } from "../limits.ts";
import { lookupKey, Memtable, type MemtableEntry } from "../memtable/memtable.ts";
import { KEY_ROWS, type ReadSource } from "../read/merge.ts";
import { pages, type Scan } from "../read/scan.ts";
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
    const lookup = lookupKey(key);
    const length = key.length + (value?.length ?? 0);
    const added = this.#bytesAdded(lookup, length);
    this.#requireRoom(what, this.#bytes + added);
    this.#add(key, lookup, value, added);
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

  /** Deletes what a store has of the ranges that were taken. What the set has written since then stays.
   *
   * @throws {RangeError} As `deleteFound` does.
   */
  resolveRanges(what: string, source: () => ReadSource): void {
    this.deleteFound(
      what,
      source,
      this.#ranges,
      (lookup) => this.memtable.get(lookup) === undefined,
    );
  }

  /** Takes the deletion of the keys that are found in some ranges.
   *
   * @param isMeant Whether a key is to be deleted; all are unless told otherwise.
   * @returns How many keys there were.
   * @throws {RangeError} The set would grow past the limit of a batch; none is deleted then.
   */
  deleteFound(
    what: string,
    source: () => ReadSource,
    scans: readonly Scan[],
    isMeant: (lookup: string) => boolean = () => true,
  ): number {
    const found = new Map<string, Uint8Array>();
    let bytes = this.#bytes;
    for (const scan of scans) {
      for (const keys of pages(source, KEY_ROWS, scan, "large")) {
        for (const key of keys) {
          const lookup = lookupKey(key);
          if (found.has(lookup) || !isMeant(lookup)) continue;
          found.set(lookup, key);
          bytes += this.#bytesAdded(lookup, key.length);
        }
        this.#requireRoom(what, bytes);
      }
    }
    for (const [lookup, key] of found) {
      this.#add(key, lookup, undefined, this.#bytesAdded(lookup, key.length));
    }
    return found.size;
  }

  /** The writes in key order. */
  writes(): readonly MemtableEntry[] {
    return this.memtable.entries();
  }

  #add(key: Uint8Array, lookup: string, value: Uint8Array | undefined, added: number): void {
    const length = key.length + (value?.length ?? 0);
    this.#bytes += added;
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
  }

  /** Bytes by which a write of a key, with so many bytes of key and value, makes the payload longer. */
  #bytesAdded(lookup: string, length: number): number {
    const previous = this.memtable.get(lookup);
    const replaced = previous === undefined ? 0 : encodedBytes(previous);
    return WRITE_HEADER_BYTES + length - replaced;
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
