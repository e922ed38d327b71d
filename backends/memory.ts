/** An engine in memory: a sorted list of blocks, each of which has some entries and never changes.
 *
 * An apply makes new blocks of those that its writes fall into, and a new list. So a view is the list that was
 * there, and an apply shows nothing of its writes before it has all of them.
 *
 * @module
 */

import { StoreError } from "../codec/error.ts";
import { MAX_KEY_BYTES } from "../codec/limits.ts";
import { type Block, blockOf, type Entries, NO_ENTRIES } from "./_memory_block.ts";
import { mergeWrites } from "./_memory_merge.ts";
import type { Engine, EngineStats, EngineView, Entry, KeyRange, Write, Writes } from "./engine.ts";
import { type Moment, SharedViews } from "./shared_view.ts";
import { packWrites } from "./writes.ts";

/** An entry of a block. Its index may be that behind the last one. */
interface Place {
  readonly at: number;
  readonly index: number;
}

/** The entries at one moment. */
class MemoryMoment implements Moment {
  readonly #entries: Entries;

  constructor(entries: Entries) {
    this.#entries = entries;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    const { at, index } = this.#placeOf(key);
    return this.#isAt(at, index, key) ? this.#entries.blocks[at]!.value(index) : undefined;
  }

  has(key: Uint8Array): boolean {
    const { at, index } = this.#placeOf(key);
    return this.#isAt(at, index, key);
  }

  range(range: KeyRange, rows: number, bytes?: number): Entry[] {
    const entryOf = (block: Block, index: number) => ({
      key: block.key(index),
      value: block.value(index),
    });
    return this.#collect(range, entryOf, (block, index) => block.entryLength(index), rows, bytes);
  }

  keys(range: KeyRange, rows: number, bytes?: number): Uint8Array[] {
    const keyOf = (block: Block, index: number) => block.key(index);
    return this.#collect(range, keyOf, (block, index) => block.keyLength(index), rows, bytes);
  }

  end(): void {}

  /** Returns where the first key at or above a key is, or would be. */
  #placeOf(key: Uint8Array): Place {
    const at = blockOf(this.#entries, key, 0, key.length);
    return { at, index: this.#entries.blocks[at]?.lowerBound(key, 0, key.length) ?? 0 };
  }

  #isAt(at: number, index: number, key: Uint8Array): boolean {
    const block = this.#entries.blocks[at];
    return block !== undefined && index < block.length &&
      block.compareKey(index, key, 0, key.length) === 0;
  }

  /** Returns the first rows of a range, in its direction. */
  #collect<Row>(
    { start, end, reverse }: KeyRange,
    rowOf: (block: Block, index: number) => Row,
    sizeOf: (block: Block, index: number) => number,
    rows: number,
    bytes: number = Infinity,
  ): Row[] {
    const found: Row[] = [];
    if (rows <= 0) return found;
    const blocks = this.#entries.blocks;
    const from = this.#placeOf(start);
    const to = end === undefined ? { at: blocks.length, index: 0 } : this.#placeOf(end);
    const last = Math.min(to.at, blocks.length - 1);
    let left = bytes;
    for (let i = 0; i <= last - from.at; i++) {
      const at = reverse ? last - i : from.at + i;
      const block = blocks[at]!;
      const first = at === from.at ? from.index : 0;
      const behind = at === to.at ? to.index : block.length;
      for (let j = 0; j < behind - first; j++) {
        const index = reverse ? behind - 1 - j : first + j;
        found.push(rowOf(block, index));
        left -= sizeOf(block, index);
        if (found.length >= rows || left <= 0) return found;
      }
    }
    return found;
  }
}

/** {@linkcode openMemoryEngine} opens it. */
export class MemoryEngine implements Engine {
  #entries = NO_ENTRIES;
  #position = 0n;
  #note: string | undefined;
  #now = new MemoryMoment(NO_ENTRIES);
  #applying: Promise<Entries> | undefined;
  #closing: Promise<void> | undefined;
  readonly #views = new SharedViews(() => this.#now);

  get keyBytesMax(): number {
    return MAX_KEY_BYTES;
  }

  get position(): bigint {
    return this.#position;
  }

  get note(): string | undefined {
    return this.#note;
  }

  get failure(): StoreError | undefined {
    return undefined;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    this.#requireOpen();
    return this.#now.get(key);
  }

  has(key: Uint8Array): boolean {
    this.#requireOpen();
    return this.#now.has(key);
  }

  range(range: KeyRange, rows: number, bytes?: number): Entry[] {
    this.#requireOpen();
    return this.#now.range(range, rows, bytes);
  }

  keys(range: KeyRange, rows: number, bytes?: number): Uint8Array[] {
    this.#requireOpen();
    return this.#now.keys(range, rows, bytes);
  }

  async apply(
    writes: Writes | readonly Write[],
    position: bigint,
    note = this.#note,
  ): Promise<void> {
    this.#requireOpen();
    this.#applying = mergeWrites(this.#entries, packWrites(writes));
    try {
      this.#entries = await this.#applying;
    } finally {
      this.#applying = undefined;
    }
    this.#position = position;
    this.#note = note;
    this.#now = new MemoryMoment(this.#entries);
    this.#views.engineChanges();
  }

  view(): EngineView {
    this.#requireOpen();
    return this.#views.take();
  }

  /** Returns the number of keys, and the bytes of keys and values. */
  stats(): EngineStats {
    this.#requireOpen();
    const { keys, bytes } = this.#entries;
    return { keys, bytes };
  }

  // deno-lint-ignore require-await
  async check(): Promise<string[]> {
    this.#requireOpen();
    return [];
  }

  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  async #close(): Promise<void> {
    await this.#applying?.catch(() => {});
    this.#views.endAll();
    this.#entries = NO_ENTRIES;
    this.#now = new MemoryMoment(NO_ENTRIES);
  }

  #requireOpen(): void {
    if (this.#closing !== undefined) {
      throw new StoreError("CLOSED", "Cannot use engine: it is closed");
    }
  }
}

/** Opens an engine whose contents live in memory and go with it. */
export function openMemoryEngine(): Engine {
  return new MemoryEngine();
}
