/** The memtable: writes that are in the journal and not yet in the engines, ordered by key.
 *
 * A key is looked up as a string of its bytes (Latin-1): the runtimes hash and compare such strings
 * natively, and their order is that of the bytes. Values stay where the journal record was built; the
 * memtable only remembers where.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { EngineName } from "../codec/route.ts";

type Latin1Slice = (this: Uint8Array, start: number, end: number) => string;
const latin1Slice = (Buffer.prototype as unknown as { latin1Slice: Latin1Slice }).latin1Slice;

/** Returns the string under which a key is looked up. */
export function lookupKey(bytes: Uint8Array, start = 0, end: number = bytes.length): string {
  return latin1Slice.call(bytes, start, end);
}

/** The latest write of one key. The bytes are those of a journal record and never change. */
export class MemtableEntry {
  constructor(
    readonly bytes: Uint8Array,
    readonly keyStart: number,
    readonly keyLength: number,
    /** -1: the key was deleted. */
    readonly valueLength: number,
    readonly engine: EngineName,
  ) {}

  get isDeleted(): boolean {
    return this.valueLength < 0;
  }

  /** A view of the key. */
  get key(): Uint8Array {
    return this.bytes.subarray(this.keyStart, this.keyStart + this.keyLength);
  }

  /** A view of the value, `undefined` where the key was deleted. */
  get value(): Uint8Array | undefined {
    if (this.isDeleted) return undefined;
    const start = this.keyStart + this.keyLength;
    return this.bytes.subarray(start, start + this.valueLength);
  }

  /** A copy of the value, `undefined` where the key was deleted. */
  copyValue(): Uint8Array | undefined {
    const value = this.value;
    return value && new Uint8Array(value);
  }
}

/** A write that a memtable took, and the one that it replaced. */
export interface Change {
  readonly key: string;
  readonly previous: MemtableEntry | undefined;
}

/** New keys are folded into the sorted ones when there are this many, plus a part of the sorted. */
const UNSORTED_KEYS_MIN = 1024;
const SORTED_PER_UNSORTED = 8;
/** Up to this many new keys are inserted one by one; more are sorted and merged. */
const INSERTED_KEYS_MAX = 16;

/** A map from keys to their latest write that can be read in key order.
 *
 * Keys are sorted in portions as they come in, so that neither a write nor the first ordered read
 * pays for all of them.
 */
export class Memtable {
  /** Bytes of the journal that went into it, overwritten values included. */
  bytes = 0;
  readonly #entries = new Map<string, MemtableEntry>();
  #sorted: string[] = [];
  #unsorted: string[] = [];

  /** The number of keys. */
  get size(): number {
    return this.#entries.size;
  }

  /** Returns the keys, as they are looked up, in no order. */
  lookupKeys(): Iterable<string> {
    return this.#entries.keys();
  }

  /** Returns the latest write of a key. */
  get(key: string): MemtableEntry | undefined {
    return this.#entries.get(key);
  }

  /** Sets the latest write of a key and returns the one before. */
  set(key: string, entry: MemtableEntry): MemtableEntry | undefined {
    const previous = this.#entries.get(key);
    this.#entries.set(key, entry);
    if (previous === undefined) {
      this.#unsorted.push(key);
      const limit = UNSORTED_KEYS_MIN + this.#sorted.length / SORTED_PER_UNSORTED;
      if (this.#unsorted.length > limit) this.#sort();
    }
    return previous;
  }

  /** Takes back the latest calls of `set`, given in their order. */
  takeBack(changes: readonly Change[]): void {
    const added = new Set<string>();
    for (let i = changes.length - 1; i >= 0; i--) {
      const { key, previous } = changes[i]!;
      if (previous !== undefined) {
        this.#entries.set(key, previous);
      } else {
        this.#entries.delete(key);
        added.add(key);
      }
    }
    // Rare enough (a failed write) to look through the lists, though not once for each key.
    this.#unsorted = this.#unsorted.filter((key) => !added.has(key));
    this.#sorted = this.#sorted.filter((key) => !added.has(key));
  }

  /** Yields the entries from `start` (inclusive) to `end` (exclusive), in byte order or against it.
   * Writes made meanwhile may or may not be seen.
   */
  *range(start: string, end: string | undefined, reverse: boolean): Generator<MemtableEntry> {
    this.#sort();
    const keys = this.#sorted;
    const from = lowerBound(keys, start);
    const to = end === undefined ? keys.length : lowerBound(keys, end);
    for (let i = from; i < to; i++) {
      const entry = this.#entries.get(keys[reverse ? from + to - 1 - i : i]!);
      // A write that failed meanwhile was taken back.
      if (entry !== undefined) yield entry;
    }
  }

  /** Returns whether a range holds any entry. */
  hasRange(start: string, end: string | undefined): boolean {
    this.#sort();
    const first = this.#sorted[lowerBound(this.#sorted, start)];
    return first !== undefined && (end === undefined || first < end);
  }

  /** Replaces the list of sorted keys, rather than changing it, so that running ranges keep theirs. */
  #sort(): void {
    if (this.#unsorted.length === 0) return;
    const added = this.#unsorted.sort();
    this.#unsorted = [];
    this.#sorted = added.length <= INSERTED_KEYS_MAX
      ? insertAll(this.#sorted, added)
      : merge(this.#sorted, added);
  }
}

function insertAll(sorted: readonly string[], added: readonly string[]): string[] {
  const result = sorted.slice();
  for (const key of added) result.splice(lowerBound(result, key), 0, key);
  return result;
}

function merge(a: readonly string[], b: readonly string[]): string[] {
  const result = new Array<string>(a.length + b.length);
  let i = 0;
  let j = 0;
  for (let k = 0; k < result.length; k++) {
    result[k] = j === b.length || (i < a.length && a[i]! < b[j]!) ? a[i++]! : b[j++]!;
  }
  return result;
}

function lowerBound(keys: readonly string[], key: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (keys[middle]! < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
