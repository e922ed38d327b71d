/** The memtable: writes that are in the journal and not yet in the engines, ordered by key.
 *
 * Keys and values stay where the journal record was built. An entry is a few numbers in one typed array,
 * found by the hash of its key, so that a write makes no object, no string and no view, and the garbage
 * collector has nothing to walk.
 *
 * @module
 */

import type { EngineName, Router } from "../../codec/route.ts";
import { type Copy, copyWhole } from "../../runtime/copy.ts";
import { hashKey } from "./key_hash.ts";
import { sortByKey } from "./sort.ts";

// An entry, in words of 32 bits: the hash of its key, the index of the chunk that holds it, where in the
// chunk the key begins, its length, that of the value behind it (one more; 0: deleted), its engine.
const WORDS = 6;
const CHUNK = 1;
const KEY_START = 2;
const KEY_LENGTH = 3;
const VALUE_LENGTH = 4;
const ENGINE = 5;

const ENGINES: readonly EngineName[] = ["append", "btree"];
const ENTRIES_MIN = 16;
/** Setting so many entries takes about 2 ms. */
const STEP_ENTRIES = 16_384;
/** For ordered reads a run has to be so many times as long as the next shorter one: few runs to look
 * into, and no entry is sorted often, however reads and writes alternate. */
const RUN_RATIO = 4;

/** Entries in key order, from one index to before another. */
export interface MemtableRange {
  readonly memtable: Memtable;
  readonly ids: Uint32Array;
  readonly from: number;
  readonly to: number;
}

/** A map from keys to their latest write that can be read in key order.
 *
 * Entries have ids from 0 on, in the order in which their keys came. New entries are sorted when they are
 * read in order; runs of sorted entries become few ones then, or one, when the order of all is asked for.
 */
export class Memtable {
  /** Bytes of the journal that went into it, overwritten values included. */
  bytes = 0;
  /** How many moments read it while it is the active one: the next write seals it. */
  moments = 0;
  readonly #router: Router;
  readonly #chunks: Uint8Array[] = [];
  #entries = new Uint32Array(WORDS * ENTRIES_MIN);
  #size = 0;
  /** The ids of entries, one more each, by their hashes; a taken slot sends on to the next one. At most half
   * of them are taken. */
  #slots = new Uint32Array(2 * ENTRIES_MIN);
  /** Ids in key order. The arrays are replaced, rather than changed, so that ranges keep theirs. */
  #runs: readonly Uint32Array[] = [];
  /** Entries with smaller ids are in runs. */
  #sorted = 0;
  /** Entries with smaller ids stay when what was set is taken back. */
  #kept = 0;
  /** What was replaced since the last `keep`: an id, its chunk, where its key began, the length of its value. */
  #replaced: number[] = [];

  constructor(router: Router) {
    this.#router = router;
  }

  /** The number of keys. */
  get size(): number {
    return this.#size;
  }

  /** The number of chunks of bytes that it keeps, with writes that were replaced among them. */
  get chunks(): number {
    return this.#chunks.length;
  }

  /** Returns the id of a key's entry, -1 where there is none.
   *
   * @param hash The key's hash.
   */
  find(key: Uint8Array, hash: number = hashKey(key)): number {
    return this.#find(hash, key, 0, key.length);
  }

  /** Returns the id of the entry that has the key of another memtable's entry, -1 where there is none. */
  findFrom(other: Memtable, id: number): number {
    const hash = other.#entries[WORDS * id]!;
    return this.#find(hash, other.chunk(id), other.keyStart(id), other.keyLength(id));
  }

  /** Sets the latest write of a key.
   *
   * @param key The key, which is not kept.
   * @param hash Its hash.
   * @param bytes Where the key stands, and behind it the value. They never change.
   * @param keyStart Where in `bytes`.
   * @param valueLength -1 for a deletion.
   * @returns The entry's id.
   */
  set(
    key: Uint8Array,
    hash: number,
    bytes: Uint8Array,
    keyStart: number,
    valueLength: number,
  ): number {
    const known = this.#find(hash, key, 0, key.length);
    const chunk = this.#chunkOf(bytes);
    if (known >= 0) return this.#replace(known, chunk, keyStart, valueLength + 1);
    const engine = this.#router.routeOf(key) === "append" ? 0 : 1;
    return this.#add(hash, chunk, keyStart, key.length, valueLength + 1, engine);
  }

  /** Sets the latest write of a key as another memtable has it.
   *
   * @param bytes Where the key stands, and behind it the value.
   * @param keyStart Where in `bytes`.
   */
  setFrom(other: Memtable, id: number, bytes: Uint8Array, keyStart: number): void {
    this.#setFrom(other, id, this.#chunkOf(bytes), bytes, keyStart);
  }

  /** Sets all that other memtables have, oldest first, in steps of a few milliseconds. The bytes are shared. */
  *setAll(others: readonly Memtable[]): Generator<void> {
    this.reserve(others.reduce((keys, { size }) => keys + size, this.#size));
    for (const other of others) {
      // Small memtables that follow each other mostly share a chunk.
      const chunks = other.#chunks.map((chunk) => this.#chunkOf(chunk));
      for (let id = 0; id < other.#size; id++) {
        const chunk = chunks[other.#entries[WORDS * id + CHUNK]!]!;
        this.#setFrom(other, id, chunk, this.#chunks[chunk]!, other.keyStart(id));
        if (id % STEP_ENTRIES === STEP_ENTRIES - 1) yield;
      }
      this.bytes += other.bytes;
    }
  }

  /** Makes room for so many keys, which is else made little by little. */
  reserve(keys: number): void {
    let capacity = this.#entries.length / WORDS;
    while (capacity < keys) capacity *= 2;
    this.#grow(capacity, this.#size);
  }

  /** Makes final what was set so far: `takeBack` returns to this state. */
  keep(): void {
    this.#kept = this.#size;
    if (this.#replaced.length > 0) this.#replaced = [];
  }

  /** Takes back what was set since the last `keep`. Ranges that were read since then are not to be used. */
  takeBack(): void {
    for (let i = this.#replaced.length - 4; i >= 0; i -= 4) {
      const at = WORDS * this.#replaced[i]!;
      this.#entries[at + CHUNK] = this.#replaced[i + 1]!;
      this.#entries[at + KEY_START] = this.#replaced[i + 2]!;
      this.#entries[at + VALUE_LENGTH] = this.#replaced[i + 3]!;
    }
    this.#replaced = [];
    // Rare enough (a failed write) to go through the runs and to fill all slots anew.
    this.#size = this.#kept;
    this.#runs = this.#runs.map((run) => run.filter((id) => id < this.#kept))
      .filter(({ length }) => length > 0);
    this.#sorted = Math.min(this.#sorted, this.#kept);
    this.#fillSlots(this.#slots.length);
  }

  /** Returns the hash of an entry's key. */
  hash(id: number): number {
    return this.#entries[WORDS * id]!;
  }

  /** Returns the engine of an entry's key. */
  engine(id: number): EngineName {
    return ENGINES[this.#entries[WORDS * id + ENGINE]!]!;
  }

  /** Returns the bytes that hold an entry's key and, behind it, its value. */
  chunk(id: number): Uint8Array {
    return this.#chunks[this.#entries[WORDS * id + CHUNK]!]!;
  }

  keyStart(id: number): number {
    return this.#entries[WORDS * id + KEY_START]!;
  }

  keyLength(id: number): number {
    return this.#entries[WORDS * id + KEY_LENGTH]!;
  }

  /** Returns the bytes of a value, -1 where the key was deleted. */
  valueLength(id: number): number {
    return this.#entries[WORDS * id + VALUE_LENGTH]! - 1;
  }

  isDeleted(id: number): boolean {
    return this.#entries[WORDS * id + VALUE_LENGTH] === 0;
  }

  /** Returns a view of a key. */
  key(id: number): Uint8Array {
    const start = this.keyStart(id);
    return this.chunk(id).subarray(start, start + this.keyLength(id));
  }

  /** Returns a copy of a key. */
  copyKey(id: number, copy: Copy = copyWhole): Uint8Array {
    const start = this.keyStart(id);
    return copy(this.chunk(id), start, start + this.keyLength(id));
  }

  /** Returns a view of a value, `undefined` where the key was deleted. */
  value(id: number): Uint8Array | undefined {
    if (this.isDeleted(id)) return undefined;
    const start = this.keyStart(id) + this.keyLength(id);
    return this.chunk(id).subarray(start, start + this.valueLength(id));
  }

  /** Returns a copy of a value, `undefined` where the key was deleted. */
  copyValue(id: number, copy: Copy = copyWhole): Uint8Array | undefined {
    if (this.isDeleted(id)) return undefined;
    const start = this.keyStart(id) + this.keyLength(id);
    return copy(this.chunk(id), start, start + this.valueLength(id));
  }

  /** Returns four bytes of a key as a big-endian number; behind its end they are zero. */
  keyWord(id: number, at: number): number {
    const entry = WORDS * id;
    const bytes = this.#chunks[this.#entries[entry + CHUNK]!]!;
    const start = this.#entries[entry + KEY_START]! + at;
    const left = this.#entries[entry + KEY_LENGTH]! - at;
    if (left >= 4) {
      return (bytes[start]! << 24 | bytes[start + 1]! << 16 | bytes[start + 2]! << 8 |
        bytes[start + 3]!) >>> 0;
    }
    let word = 0;
    for (let i = 0; i < left; i++) word |= bytes[start + i]! << 24 - 8 * i;
    return word >>> 0;
  }

  /** Compares two keys that are the same up to a byte. */
  compareFrom(a: number, b: number, at: number): number {
    return this.#compare(a, this.chunk(b), this.keyStart(b), this.keyLength(b), at);
  }

  /** Returns all ids, in key order. */
  order(): Uint32Array {
    for (const _ of this.ordering());
    return this.#runs[0] ?? new Uint32Array(0);
  }

  /** Puts the entries in order, in steps of a few milliseconds. Nothing may be set between the steps. */
  *ordering(): Generator<void> {
    if (this.#isOrdered()) return;
    const ids = new Uint32Array(this.#size);
    for (let id = 0; id < ids.length; id++) ids[id] = id;
    for (const _ of sortByKey(this, ids)) {
      yield;
      // A caller that could not wait may have put everything in order meanwhile.
      if (this.#isOrdered()) return;
    }
    this.#runs = [ids];
    this.#sorted = this.#size;
  }

  /** Returns the entries from `start` (inclusive) to `end` (exclusive), as ranges that share no key. None of
   * them is empty. */
  ranges(start: Uint8Array, end: Uint8Array | undefined): MemtableRange[] {
    this.#sortFresh();
    return this.#runs
      .map((ids) => ({
        memtable: this,
        ids,
        from: this.#lowerBound(ids, start),
        to: end === undefined ? ids.length : this.#lowerBound(ids, end),
      }))
      .filter(({ from, to }) => from < to);
  }

  #find(hash: number, bytes: Uint8Array, keyStart: number, keyLength: number): number {
    const slots = this.#slots;
    const entries = this.#entries;
    const mask = slots.length - 1;
    for (let slot = hash & mask;; slot = (slot + 1) & mask) {
      const id = slots[slot]! - 1;
      if (id < 0) return -1;
      const at = WORDS * id;
      if (entries[at] !== hash || entries[at + KEY_LENGTH] !== keyLength) continue;
      const chunk = this.#chunks[entries[at + CHUNK]!]!;
      const start = entries[at + KEY_START]!;
      let i = 0;
      while (i < keyLength && chunk[start + i] === bytes[keyStart + i]) i++;
      if (i === keyLength) return id;
    }
  }

  #setFrom(
    other: Memtable,
    id: number,
    chunk: number,
    bytes: Uint8Array,
    keyStart: number,
  ): void {
    const entries = other.#entries;
    const at = WORDS * id;
    const hash = entries[at]!;
    const keyLength = entries[at + KEY_LENGTH]!;
    const valueLength = entries[at + VALUE_LENGTH]!;
    const known = this.#find(hash, bytes, keyStart, keyLength);
    if (known >= 0) this.#replace(known, chunk, keyStart, valueLength);
    else this.#add(hash, chunk, keyStart, keyLength, valueLength, entries[at + ENGINE]!);
  }

  #chunkOf(bytes: Uint8Array): number {
    const last = this.#chunks.length - 1;
    return last >= 0 && this.#chunks[last] === bytes ? last : this.#chunks.push(bytes) - 1;
  }

  #replace(id: number, chunk: number, keyStart: number, valueLength: number): number {
    const entries = this.#entries;
    const at = WORDS * id;
    if (id < this.#kept) {
      this.#replaced.push(
        id,
        entries[at + CHUNK]!,
        entries[at + KEY_START]!,
        entries[at + VALUE_LENGTH]!,
      );
    }
    entries[at + CHUNK] = chunk;
    entries[at + KEY_START] = keyStart;
    entries[at + VALUE_LENGTH] = valueLength;
    return id;
  }

  #add(
    hash: number,
    chunk: number,
    keyStart: number,
    keyLength: number,
    valueLength: number,
    engine: number,
  ): number {
    const id = this.#size++;
    const at = WORDS * id;
    // It has no hash yet.
    if (at === this.#entries.length) this.#grow(2 * id, id);
    const entries = this.#entries;
    entries[at] = hash;
    entries[at + CHUNK] = chunk;
    entries[at + KEY_START] = keyStart;
    entries[at + KEY_LENGTH] = keyLength;
    entries[at + VALUE_LENGTH] = valueLength;
    entries[at + ENGINE] = engine;
    this.#takeSlot(hash, id);
    return id;
  }

  #takeSlot(hash: number, id: number): void {
    const slots = this.#slots;
    const mask = slots.length - 1;
    let slot = hash & mask;
    while (slots[slot] !== 0) slot = (slot + 1) & mask;
    slots[slot] = id + 1;
  }

  #grow(capacity: number, size: number): void {
    const entries = new Uint32Array(WORDS * capacity);
    entries.set(this.#entries);
    this.#entries = entries;
    this.#fillSlots(2 * capacity, size);
  }

  #fillSlots(count: number, size: number = this.#size): void {
    this.#slots = new Uint32Array(count);
    for (let id = 0; id < size; id++) this.#takeSlot(this.#entries[WORDS * id]!, id);
  }

  #isOrdered(): boolean {
    return this.#sorted === this.#size && this.#runs.length <= 1;
  }

  /** Sorts the new entries into a run, and together with it the runs that are about as long. */
  #sortFresh(): void {
    if (this.#sorted === this.#size) return;
    const runs = [...this.#runs];
    let count = this.#size - this.#sorted;
    let first = runs.length;
    while (first > 0 && runs[first - 1]!.length < RUN_RATIO * count) {
      count += runs[--first]!.length;
    }
    const ids = new Uint32Array(count);
    let used = 0;
    for (const run of runs.splice(first)) {
      ids.set(run, used);
      used += run.length;
    }
    for (let id = this.#sorted; id < this.#size; id++) ids[used++] = id;
    for (const _ of sortByKey(this, ids));
    this.#runs = [...runs, ids];
    this.#sorted = this.#size;
  }

  #lowerBound(ids: Uint32Array, key: Uint8Array): number {
    let low = 0;
    let high = ids.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#compare(ids[middle]!, key, 0, key.length, 0) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Compares the key of an entry with another one that is the same up to a byte. */
  #compare(id: number, bytes: Uint8Array, start: number, length: number, at: number): number {
    const own = this.chunk(id);
    const ownStart = this.keyStart(id);
    const ownLength = this.keyLength(id);
    const common = Math.min(ownLength, length);
    for (let i = at; i < common; i++) {
      const difference = own[ownStart + i]! - bytes[start + i]!;
      if (difference !== 0) return difference;
    }
    return ownLength - length;
  }
}
