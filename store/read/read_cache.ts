/** The read cache of the B-tree side: values that were read recently, in two arenas of bytes.
 *
 * A hash of its bytes finds a key, and entries are bytes in an arena. So keeping one allocates nothing, the
 * cache has exactly the size that was asked for, and the garbage collector does not walk its entries.
 *
 * @module
 */

import type { EngineReader, Entry, KeyRange, Writes } from "../../backends/engine.ts";
import { type Copy, copyWhole } from "../../runtime/copy.ts";
import { hashKey } from "../memtable/key_hash.ts";

/** An entry is the length of its key (2 bytes), that of its value (4 bytes), the key and the value. */
const HEADER_BYTES = 6;
/** A value that would take more than this part of an arena is not kept. */
const LARGEST_SHARE = 8;
/** Forgetting so many keys takes about 2 ms. */
const STEP_ENTRIES = 16_384;
/** One slot of the index for this many bytes of the arena, so that some stay free. */
const BYTES_PER_SLOT = 64;

/** Point reads of an engine through a bounded cache of the values read last.
 *
 * It is exact without hearing of single writes: an engine changes only where a memtable is applied. Until
 * then the memtable hides the key, and before the memtable is dropped, `forget` drops its keys from here.
 *
 * Two generations take the place of a list in order of use: a value that is read moves to the young one. When
 * that is full, it becomes the old one, and the content of the previous old one is dropped.
 */
export class CachedReader implements EngineReader {
  readonly #engine: EngineReader;
  readonly #generationBytes: number;
  #young: Generation;
  #old: Generation;

  /**
   * @param engine The engine that is read on a miss.
   * @param bytes The most bytes that the arenas hold, 0 for no cache. Their indexes take a sixteenth to an
   * eighth more.
   */
  constructor(engine: EngineReader, bytes: number) {
    this.#engine = engine;
    this.#generationBytes = Math.floor(bytes / 2);
    this.#young = new Generation(this.#generationBytes);
    this.#old = new Generation(this.#generationBytes);
  }

  get(key: Uint8Array, copy: Copy = copyWhole): Uint8Array | undefined {
    if (this.#generationBytes === 0) return this.#engine.get(key, copy);
    const hash = hashKey(key);
    const young = this.#young.find(hash, key, 0, key.length);
    if (young !== 0) return this.#young.copyValue(young, copy);
    const old = this.#old.find(hash, key, 0, key.length);
    const value = old === 0 ? this.#engine.get(key, copy) : this.#old.copyValue(old, copy);
    if (value !== undefined) this.#keep(hash, key, value);
    return value;
  }

  has(key: Uint8Array): boolean {
    return this.#engine.has(key);
  }

  range(range: KeyRange, rows: number, bytes?: number, copy?: Copy): Entry[] {
    return this.#engine.range(range, rows, bytes, copy);
  }

  keys(range: KeyRange, rows: number, bytes?: number): Uint8Array[] {
    return this.#engine.keys(range, rows, bytes);
  }

  /** Drops the keys of writes that the engine now holds. */
  *forgetting(writes: Writes): Generator<void> {
    if (this.#young.isEmpty && this.#old.isEmpty) return;
    for (let i = 0; i < writes.length; i++) {
      const bytes = writes.chunk(i);
      const keyStart = writes.keyStart(i);
      const keyLength = writes.keyLength(i);
      const hash = hashKey(bytes, keyStart, keyLength);
      this.#young.remove(hash, bytes, keyStart, keyLength);
      this.#old.remove(hash, bytes, keyStart, keyLength);
      if (i % STEP_ENTRIES === STEP_ENTRIES - 1) yield;
    }
  }

  #keep(hash: number, key: Uint8Array, value: Uint8Array): void {
    const bytes = HEADER_BYTES + key.length + value.length;
    if (bytes > this.#generationBytes / LARGEST_SHARE) return;
    if (!this.#young.hasRoom(bytes)) {
      const emptied = this.#old;
      emptied.clear();
      this.#old = this.#young;
      this.#young = emptied;
    }
    this.#young.add(hash, key, value);
  }
}

/** Entries in an arena, and an index of where they start. A key has two slots that it can be in; where
 * both are taken, an entry takes the place of another.
 */
class Generation {
  readonly #bytes: number;
  readonly #slotMask: number;
  // Made when there is something to keep: many stores are only written, or read by scans.
  #arena: Uint8Array = new Uint8Array(0);
  /** Where in the arena the entry of a slot starts; 0: it is free. */
  #slots: Uint32Array = new Uint32Array(0);
  /** The first byte is left out, so that no entry starts at 0. */
  #used = 1;

  constructor(bytes: number) {
    this.#bytes = bytes;
    this.#slotMask = 2 ** Math.max(1, Math.ceil(Math.log2(bytes / BYTES_PER_SLOT))) - 1;
  }

  get isEmpty(): boolean {
    return this.#used === 1;
  }

  hasRoom(bytes: number): boolean {
    return this.#used + bytes <= this.#bytes;
  }

  /** Returns where the entry of a key starts, 0 where there is none. */
  find(hash: number, bytes: Uint8Array, keyStart: number, keyLength: number): number {
    const slot = this.#slotOf(hash, bytes, keyStart, keyLength);
    return slot < 0 ? 0 : this.#slots[slot]!;
  }

  /** Returns a copy of an entry's value. */
  copyValue(start: number, copy: Copy): Uint8Array {
    const arena = this.#arena;
    const length = arena[start + 2]! | arena[start + 3]! << 8 | arena[start + 4]! << 16 |
      arena[start + 5]! << 24;
    const valueStart = start + HEADER_BYTES + this.#keyLength(start);
    return copy(arena, valueStart, valueStart + length);
  }

  /** Adds the entry of a key that is not there. */
  add(hash: number, key: Uint8Array, value: Uint8Array): void {
    if (this.#arena.length === 0) {
      this.#arena = new Uint8Array(this.#bytes);
      this.#slots = new Uint32Array(this.#slotMask + 1);
    }
    const arena = this.#arena;
    const start = this.#used;
    arena[start] = key.length;
    arena[start + 1] = key.length >>> 8;
    arena[start + 2] = value.length;
    arena[start + 3] = value.length >>> 8;
    arena[start + 4] = value.length >>> 16;
    arena[start + 5] = value.length >>> 24;
    arena.set(key, start + HEADER_BYTES);
    arena.set(value, start + HEADER_BYTES + key.length);
    this.#used += HEADER_BYTES + key.length + value.length;
    const slot = hash & this.#slotMask;
    this.#slots[this.#slots[slot] === 0 ? slot : slot ^ 1] = start;
  }

  remove(hash: number, bytes: Uint8Array, keyStart: number, keyLength: number): void {
    const slot = this.#slotOf(hash, bytes, keyStart, keyLength);
    if (slot >= 0) this.#slots[slot] = 0;
  }

  clear(): void {
    this.#slots.fill(0);
    this.#used = 1;
  }

  /** Returns the slot of a key, -1 where it is in none. */
  #slotOf(hash: number, bytes: Uint8Array, keyStart: number, keyLength: number): number {
    if (this.#used === 1) return -1;
    const slot = hash & this.#slotMask;
    if (this.#isAt(this.#slots[slot]!, bytes, keyStart, keyLength)) return slot;
    if (this.#isAt(this.#slots[slot ^ 1]!, bytes, keyStart, keyLength)) return slot ^ 1;
    return -1;
  }

  #isAt(start: number, bytes: Uint8Array, keyStart: number, keyLength: number): boolean {
    if (start === 0 || this.#keyLength(start) !== keyLength) return false;
    const arena = this.#arena;
    // From the end: keys of one subject begin alike.
    for (let i = keyLength - 1, at = start + HEADER_BYTES; i >= 0; i--) {
      if (arena[at + i] !== bytes[keyStart + i]) return false;
    }
    return true;
  }

  #keyLength(start: number): number {
    return this.#arena[start]! | this.#arena[start + 1]! << 8;
  }
}
