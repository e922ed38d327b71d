/** Merging writes into the blocks of the memory engine, in steps.
 *
 * @module
 */

import { nextTurn } from "../runtime/turn.ts";
import { type Block, blockOf, type Entries, LARGE_BYTES } from "./_memory_block.ts";
import { EntryBuffer } from "./_memory_buffer.ts";
import { compareParts } from "./_memory_bytes.ts";
import type { Writes } from "./engine.ts";

/** A block ends about here: large enough that there are few of them, small enough that a single write copies
 * little. */
const BLOCK_BYTES = 8 * 1024;
/** A block that is smaller than this takes in the next one, so that deletions do not leave many small blocks. */
const BLOCK_BYTES_MIN = 2 * 1024;
/** What an entry takes besides its bytes, so that a block of tiny entries does not have too many. */
const ENTRY_BYTES = 32;
/** A step ends when blocks of so many bytes are made, which takes 1 to 3 ms… */
const STEP_BYTES = 1024 * 1024;
/** … where looking for the place of a write counts for as much as these. */
const WRITE_BYTES = 256;

/** Returns what entries become by writes. The entries stay as they are, and share with the result all blocks
 * to which nothing is written.
 *
 * Costs O(m log n) for m writes, and a few nanoseconds for each block that is shared.
 *
 * @param writes Sorted by key, each key once.
 * @throws {TypeError} They are not sorted, or a key is there twice.
 */
export async function mergeWrites(old: Entries, writes: Writes): Promise<Entries> {
  const { blocks, firsts } = old;
  let { keys, bytes } = old;
  const builder = new BlockBuilder(old);
  /** The block that is being merged; everything before its entry `from` is in the builder. */
  let at = 0;
  let from = 0;
  let lastChunk: Uint8Array | undefined;
  let lastStart = 0;
  let lastEnd = 0;
  let stepEnd = STEP_BYTES;
  for (let i = 0; i < writes.length; i++) {
    const chunk = writes.chunk(i);
    const start = writes.keyStart(i);
    const end = start + writes.keyLength(i);
    const valueLength = writes.valueLength(i);
    // Out of order, a write would be lost in the wrong block.
    if (
      lastChunk !== undefined &&
      compareParts(lastChunk, lastStart, lastEnd, chunk, start, end) >= 0
    ) {
      throw new TypeError(`Cannot apply writes: number ${i} is not above the one before`);
    }
    lastChunk = chunk;
    lastStart = start;
    lastEnd = end;

    if (at + 1 < blocks.length && firsts.compareKey(at + 1, chunk, start, end) <= 0) {
      const next = blockOf(old, chunk, start, end, at + 1);
      builder.addUpTo(next, at, from);
      at = next;
      from = 0;
    }
    const block = blocks[at];
    if (block !== undefined) {
      const index = block.lowerBound(chunk, start, end, from);
      builder.addRun(at, from, index);
      from = index;
      if (index < block.length && block.compareKey(index, chunk, start, end) === 0) {
        keys--;
        bytes -= block.entryLength(index);
        from++;
      }
    }
    if (valueLength >= 0) {
      keys++;
      bytes += end - start + valueLength;
      builder.add(chunk, start, end, end + valueLength);
    }

    const work = builder.bytesMade + i * WRITE_BYTES;
    if (work < stepEnd) continue;
    stepEnd = work + STEP_BYTES;
    await nextTurn();
  }
  builder.addUpTo(blocks.length, at, from);
  return { ...builder.end(), keys, bytes };
}

/** Makes blocks of entries that come in key order. */
class BlockBuilder {
  readonly #old: Entries;
  readonly #blocks: Block[] = [];
  readonly #firsts = new EntryBuffer();
  /** The entries that are not in a block yet. */
  readonly #pending = new EntryBuffer();
  #bytesMade = 0;

  constructor(old: Entries) {
    this.#old = old;
  }

  /** The bytes of new blocks so far. */
  get bytesMade(): number {
    return this.#bytesMade;
  }

  /** Adds the entry that lies in some bytes: a key from `start` to `keyEnd`, its value from there to `end`. */
  add(bytes: Uint8Array, start: number, keyEnd: number, end: number): void {
    const isLarge = end - start > LARGE_BYTES;
    if (isLarge) this.#endBlock();
    this.#pending.add(bytes, start, keyEnd, end);
    if (isLarge) this.#endBlock();
    else this.#cut();
  }

  /** Adds some entries of a block of the old ones. */
  addRun(at: number, from: number, to: number): void {
    if (from >= to) return;
    const block = this.#old.blocks[at]!;
    if (block.isLarge) return this.#share(at, at + 1);
    this.#pending.addRun(block, from, to);
    this.#cut();
  }

  /** Adds the old entries from one of a block on, up to another block. */
  addUpTo(to: number, at: number, from: number): void {
    const { blocks } = this.#old;
    let next = at;
    if (from > 0) {
      this.addRun(next, from, blocks[next]!.length);
      next++;
    }
    if (next < to && this.#pending.count > 0 && this.#weight() < BLOCK_BYTES_MIN) {
      this.addRun(next, 0, blocks[next]!.length);
      next++;
    }
    if (next < to) this.#share(next, to);
  }

  /** Returns all blocks, and the first key of each. */
  end(): { blocks: Block[]; firsts: Block } {
    this.#endBlock();
    return { blocks: this.#blocks, firsts: this.#firsts.take() };
  }

  #share(from: number, to: number): void {
    this.#endBlock();
    for (let at = from; at < to; at++) this.#blocks.push(this.#old.blocks[at]!);
    this.#firsts.addRun(this.#old.firsts, from, to);
  }

  /** Returns what the first entries that are pending take, or all of them. */
  #weight(count: number = this.#pending.count): number {
    return this.#pending.bytes(count) + ENTRY_BYTES * count;
  }

  /** Makes blocks of what is pending, as long as what is left for the last one is not small. */
  #cut(): void {
    while (this.#weight() >= BLOCK_BYTES + BLOCK_BYTES_MIN) {
      let count = 1;
      while (this.#weight(count + 1) <= BLOCK_BYTES) count++;
      this.#push(this.#pending.take(count));
    }
  }

  #endBlock(): void {
    if (this.#pending.count > 0) this.#push(this.#pending.take());
  }

  #push(block: Block): void {
    this.#blocks.push(block);
    this.#bytesMade += block.bytes.length;
    this.#firsts.add(block.bytes, 0, block.starts[1]!, block.starts[1]!);
  }
}
