/** Blocks of the memory engine: some KiB of entries in key order, which never change.
 *
 * A block is one buffer, however many entries it has. So the garbage collector has little to walk, and entries
 * are copied as runs of bytes.
 *
 * @module
 */

import { compareParts } from "./_memory_bytes.ts";

/** An entry with more bytes than this is alone in its block, so that writes of its neighbours do not copy
 * it. */
export const LARGE_BYTES = 2048;

/** Some entries, in key order. */
export class Block {
  /** Where each key and each value begins, in turn, and where the last value ends. */
  readonly starts: Uint32Array;
  /** The entries, one behind the other, each a key and its value. */
  readonly bytes: Uint8Array;

  /** Makes room for entries; the caller that makes a block fills it. */
  constructor(count: number, bytes: number) {
    const startsBytes = (2 * count + 1) * Uint32Array.BYTES_PER_ELEMENT;
    const buffer = new ArrayBuffer(startsBytes + bytes);
    this.starts = new Uint32Array(buffer, 0, 2 * count + 1);
    this.bytes = new Uint8Array(buffer, startsBytes);
  }

  /** The number of entries. */
  get length(): number {
    return this.starts.length >>> 1;
  }

  /** Whether it is the block of one large entry. */
  get isLarge(): boolean {
    return this.starts.length === 3 && this.bytes.length > LARGE_BYTES;
  }

  keyLength(index: number): number {
    return this.starts[2 * index + 1]! - this.starts[2 * index]!;
  }

  entryLength(index: number): number {
    return this.starts[2 * index + 2]! - this.starts[2 * index]!;
  }

  /** Returns a copy of a key. */
  key(index: number): Uint8Array {
    return this.bytes.slice(this.starts[2 * index], this.starts[2 * index + 1]);
  }

  /** Returns a copy of a value. */
  value(index: number): Uint8Array {
    return this.bytes.slice(this.starts[2 * index + 1], this.starts[2 * index + 2]);
  }

  /** Compares a key with one that lies in some bytes. */
  compareKey(index: number, bytes: Uint8Array, start: number, end: number): number {
    const from = this.starts[2 * index]!;
    return compareParts(this.bytes, from, this.starts[2 * index + 1]!, bytes, start, end);
  }

  /** Returns the index of the first entry, from one on, whose key is at or above one that lies in some
   * bytes. */
  lowerBound(bytes: Uint8Array, start: number, end: number, from = 0): number {
    let low = from;
    let high = this.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.compareKey(middle, bytes, start, end) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** All entries at one moment. */
export interface Entries {
  /** The blocks, in key order. None is empty. */
  readonly blocks: readonly Block[];
  /** The first key of each block, without a value: a search among these stays within few pages of memory. */
  readonly firsts: Block;
  /** The number of entries. */
  readonly keys: number;
  /** The bytes of keys and values. */
  readonly bytes: number;
}

export const NO_ENTRIES: Entries = { blocks: [], firsts: new Block(0, 0), keys: 0, bytes: 0 };

/** Returns the index of the block that a key belongs in: the last one that begins at or below it, the first
 * one where all begin above it.
 *
 * @param from A block that begins at or below the key, or the first one.
 */
export function blockOf(
  { firsts }: Entries,
  bytes: Uint8Array,
  start: number,
  end: number,
  from = 0,
): number {
  const above = firsts.lowerBound(bytes, start, end, from);
  const isFirst = above < firsts.length && firsts.compareKey(above, bytes, start, end) === 0;
  return isFirst ? above : Math.max(0, above - 1);
}
