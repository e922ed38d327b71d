/** Entries that are going to be blocks of the memory engine.
 *
 * @module
 */

import { Block } from "./_memory_block.ts";
import { copyPart } from "./_memory_bytes.ts";

/** Entries in key order, to which others are added at the end and from which blocks are made at the
 * beginning. It is laid out as a block and grows as it needs to. */
export class EntryBuffer {
  #bytes = new Uint8Array(4096);
  #starts = new Uint32Array(256);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** Returns the bytes of the first entries, of all of them unless told otherwise. */
  bytes(count: number = this.#count): number {
    return this.#starts[2 * count]!;
  }

  /** Adds the entry that lies in some bytes: a key from `start` to `keyEnd`, its value from there to `end`. */
  add(bytes: Uint8Array, start: number, keyEnd: number, end: number): void {
    const length = this.bytes();
    this.#grow(1, end - start);
    copyPart(this.#bytes, length, bytes, start, end);
    this.#starts[2 * this.#count + 1] = length + keyEnd - start;
    this.#starts[2 * this.#count + 2] = length + end - start;
    this.#count++;
  }

  /** Adds some entries of a block. */
  addRun({ bytes, starts }: Block, from: number, to: number): void {
    const start = starts[2 * from]!;
    const end = starts[2 * to]!;
    const target = 2 * this.#count;
    const shift = this.bytes() - start;
    this.#grow(to - from, end - start);
    copyPart(this.#bytes, start + shift, bytes, start, end);
    for (let i = 1; i <= 2 * (to - from); i++) {
      this.#starts[target + i] = starts[2 * from + i]! + shift;
    }
    this.#count += to - from;
  }

  /** Makes a block of the first entries, of all of them unless told otherwise, and removes them from here. */
  take(count: number = this.#count): Block {
    const end = this.bytes(count);
    const block = new Block(count, end);
    block.starts.set(this.#starts.subarray(0, 2 * count + 1));
    block.bytes.set(this.#bytes.subarray(0, end));
    this.#bytes.copyWithin(0, end, this.bytes());
    this.#count -= count;
    for (let i = 0; i <= 2 * this.#count; i++) this.#starts[i] = this.#starts[i + 2 * count]! - end;
    return block;
  }

  #grow(count: number, bytes: number): void {
    const starts = 2 * (this.#count + count) + 1;
    if (starts > this.#starts.length) {
      const grown = new Uint32Array(Math.max(starts, 2 * this.#starts.length));
      grown.set(this.#starts);
      this.#starts = grown;
    }
    const length = this.bytes() + bytes;
    if (length > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(length, 2 * this.#bytes.length));
      grown.set(this.#bytes);
      this.#bytes = grown;
    }
  }
}
