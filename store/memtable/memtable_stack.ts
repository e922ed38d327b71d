/** The memtables of a store, and their order.
 *
 * @module
 */

import type { Router } from "../../codec/route.ts";
import { Memtable } from "./memtable.ts";
import { RecentWrites } from "./recent_writes.ts";

/** A memtable that takes no more writes, and the journal position at which it ends. */
export interface SealedMemtable {
  readonly memtable: Memtable;
  readonly end: bigint;
  /** What the engines note with it. */
  readonly note: string | undefined;
}

/** What a moment reads of memory. */
export interface SharedLayers {
  /** Newest first. They take no more writes. */
  readonly layers: readonly Memtable[];
  /** Called once, when the moment is over. */
  release(): void;
}

/** Sealed memtables wait for others until they hold this much together: an apply of less would mostly wait for
 * the disk. */
const APPLY_BYTES_MIN = 256 * 1024;
/** Those that wait longer become no larger ones than this: to merge so much takes about 2 ms. */
const MERGED_BYTES_MAX = 1024 * 1024;
/** Of the small ones that wait, each has so many times the bytes of the next newer one: few layers for a read
 * to look into, and no entry is merged often. */
const SIZE_RATIO = 4;

/** While transactions are open, what was written is kept for them up to this many times a full memtable. */
const RECENT_MEMTABLES = 4;

/** The memtables of a store: the active one, which takes writes, over the sealed ones, which wait for
 * the applier. A higher memtable is newer and hides those below.
 *
 * A moment shares the active memtable with the writes, until one of them comes: only then is it sealed.
 */
export class MemtableStack {
  readonly #router: Router;
  readonly #dueBytes: number;
  readonly #mergedBytesMax: number;
  #active: Memtable;
  #sealed: readonly SealedMemtable[] = [];
  #layers: readonly Memtable[];
  /** What was written while transactions were open. */
  readonly recent: RecentWrites;
  /** How many of the oldest are being applied. */
  #claimed = 0;
  #droppedEnd = 0n;

  /** @param memtableBytes Bytes of a full memtable. */
  constructor(router: Router, memtableBytes: number) {
    this.#router = router;
    this.#dueBytes = Math.min(memtableBytes, APPLY_BYTES_MIN);
    this.#mergedBytesMax = Math.min(memtableBytes, MERGED_BYTES_MAX);
    this.#active = new Memtable(router);
    this.#layers = [this.#active];
    this.recent = new RecentWrites(RECENT_MEMTABLES * memtableBytes, () => this.empty());
  }

  /** The memtable that takes writes. */
  get active(): Memtable {
    return this.#active;
  }

  /** The sealed memtables, oldest first. The array is replaced, never changed. */
  get sealed(): readonly SealedMemtable[] {
    return this.#sealed;
  }

  /** All memtables, newest first, for reads. The array is replaced, never changed. */
  get layers(): readonly Memtable[] {
    return this.#layers;
  }

  /** Bytes of the journal that all memtables hold. */
  get bytes(): number {
    let bytes = 0;
    for (const memtable of this.#layers) bytes += memtable.bytes;
    return bytes;
  }

  /** Whether enough is sealed for an apply. */
  get isDue(): boolean {
    let bytes = 0;
    for (const { memtable } of this.#sealed) bytes += memtable.bytes;
    return bytes >= this.#dueBytes;
  }

  /** Up to where of the journal memtables were dropped. */
  get droppedEnd(): bigint {
    return this.#droppedEnd;
  }

  /** Returns what a moment reads. No group is open. */
  share(): SharedLayers {
    const shared = this.#active;
    if (shared.bytes === 0) return { layers: this.#layers.slice(1), release() {} };
    shared.moments++;
    return { layers: this.#layers, release: () => shared.moments-- };
  }

  /** Seals the active memtable, unless nothing of the journal went into it, and starts another.
   *
   * A memtable without keys is sealed too: a record that is replayed may hold nothing that an engine lacks,
   * but the engines have to note that they are past it.
   *
   * @param end The journal position behind its last write.
   * @param note What the engines are to note with it.
   */
  seal(end: bigint, note?: string): void {
    if (this.#active.bytes === 0) return;
    this.#sealed = mergeSmall([...this.#sealed, { memtable: this.#active, end, note }], {
      from: this.#claimed,
      bytesMax: this.#mergedBytesMax,
      empty: () => this.empty(),
    });
    this.#active = new Memtable(this.#router);
    this.recent.sealed(this.#active);
    this.#stack();
  }

  /** Returns a memtable with nothing in it, which is not of the stack. */
  empty(): Memtable {
    return new Memtable(this.#router);
  }

  /** Returns the oldest sealed memtable, and those behind it that together are no larger than some bytes. They
   * stay as they are until they are dropped, or released. */
  claim(bytesMax: number): readonly SealedMemtable[] {
    let bytes = 0;
    this.#claimed = 0;
    for (const { memtable } of this.#sealed) {
      bytes += memtable.bytes;
      if (this.#claimed > 0 && bytes > bytesMax) break;
      this.#claimed++;
    }
    return this.#sealed.slice(0, this.#claimed);
  }

  /** Gives back what was claimed, and was not dropped. */
  release(): void {
    this.#claimed = 0;
  }

  /** Drops what was claimed, which the engines now hold. */
  drop(): void {
    this.#droppedEnd = this.#sealed[this.#claimed - 1]!.end;
    this.#sealed = this.#sealed.slice(this.#claimed);
    this.#claimed = 0;
    this.#stack();
  }

  #stack(): void {
    this.#layers = [this.#active, ...this.#sealed.map(({ memtable }) => memtable).reverse()];
  }
}

/** Merges the newest of sealed memtables with the one before it for as long as that is not much larger. What
 * moments read stays as it is.
 *
 * @param sealed Oldest first.
 * @param options.from Those before it stay.
 * @param options.bytesMax What is merged is no larger.
 */
function mergeSmall(
  sealed: SealedMemtable[],
  { from, bytesMax, empty }: { from: number; bytesMax: number; empty: () => Memtable },
): SealedMemtable[] {
  while (sealed.length - from >= 2) {
    const [older, newer] = sealed.slice(-2).map(({ memtable }) => memtable) as [Memtable, Memtable];
    if (older.bytes + newer.bytes > bytesMax || older.bytes >= SIZE_RATIO * newer.bytes) break;
    const merged = empty();
    for (const _ of merged.setAll([older, newer]));
    const { end, note } = sealed.at(-1)!;
    sealed.splice(-2, 2, { memtable: merged, end, note });
  }
  return sealed;
}
