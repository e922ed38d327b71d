/** What was written since the oldest open transaction began.
 *
 * @module
 */

import type { Memtable } from "./memtable.ts";

/** Small memtables become one, up to this many bytes of the journal: to merge so much takes about 2 ms. */
const MERGED_BYTES_MAX = 1024 * 1024;
/** So many memtables more than twice as many as after the last time, and neighbours are merged. */
const MORE_BEFORE_MERGING = 32;

/** What looks for a key that matters to it. */
export interface ReadKeys {
  /** Returns a key that was read and is in a memtable. */
  findIn(memtable: Memtable): Uint8Array | undefined;
}

/** What keeps a transaction from committing. */
export interface Conflict {
  /** A key that it read and that was written since; none where what was written is no longer known. */
  readonly key?: Uint8Array;
}

/** The memtables that were active one after the other. They are numbered; the numbers of what was merged follow
 * each other. */
interface Kept {
  readonly first: number;
  readonly last: number;
  readonly memtable: Memtable;
}

/** Keeps the memtables that were active since the oldest open transaction began, and looks in them for what a
 * transaction has read.
 *
 * Nothing is noted of a write. A transaction reads a moment, and the write that follows seals what the moment
 * shares: what was written since is what is in the memtables that became active since.
 */
export class RecentWrites {
  readonly #bytesMax: number;
  readonly #empty: () => Memtable;
  /** Oldest first, the active one last. Empty while no transaction is open. */
  #kept: Kept[] = [];
  /** The number of the active memtable. */
  #number = 0;
  /** For how many open transactions a memtable is the first whose writes they did not see. The first entry is
   * the oldest: numbers only grow. */
  readonly #starts = new Map<number, number>();
  #mergeAbove = MORE_BEFORE_MERGING;
  /** Memtables up to this number were dropped although a transaction was open. */
  #lost = -1;

  /**
   * @param bytesMax Bytes of the journal in the memtables that are kept; with more, the oldest are dropped.
   * @param empty Returns a new memtable.
   */
  constructor(bytesMax: number, empty: () => Memtable) {
    this.#bytesMax = bytesMax;
    this.#empty = empty;
  }

  /** The open transactions. */
  get transactions(): number {
    let count = 0;
    for (const transactions of this.#starts.values()) count += transactions;
    return count;
  }

  /** Bytes of the journal in the memtables that are kept. */
  get bytes(): number {
    return this.#kept.reduce((bytes, { memtable }) => bytes + memtable.bytes, 0);
  }

  /** Notes that a transaction begins, which reads a moment of now. No group is open.
   *
   * @param active The active memtable.
   * @returns What `find` and `end` are to be given.
   */
  begin(active: Memtable): number {
    if (this.#starts.size === 0) {
      this.#kept = [{ first: this.#number, last: this.#number, memtable: active }];
      this.#mergeAbove = MORE_BEFORE_MERGING;
    }
    // What is in the active one already is part of the moment, and the next write seals it.
    const start = active.bytes === 0 ? this.#number : this.#number + 1;
    this.#starts.set(start, (this.#starts.get(start) ?? 0) + 1);
    return start;
  }

  /** Notes that a transaction is over. */
  end(start: number): void {
    const left = this.#starts.get(start)! - 1;
    if (left > 0) {
      this.#starts.set(start, left);
      return;
    }
    this.#starts.delete(start);
    const [oldest = Infinity] = this.#starts.keys();
    this.#kept = this.#kept.filter(({ last }) => last >= oldest);
  }

  /** Notes that another memtable is active now. */
  sealed(active: Memtable): void {
    this.#number++;
    if (this.#starts.size === 0) return;
    this.#kept.push({ first: this.#number, last: this.#number, memtable: active });
    let { bytes } = this;
    while (bytes > this.#bytesMax && this.#kept.length > 1) {
      const { last, memtable } = this.#kept.shift()!;
      this.#lost = last;
      bytes -= memtable.bytes;
    }
    if (this.#kept.length <= this.#mergeAbove) return;
    this.#merge();
    this.#mergeAbove = 2 * this.#kept.length + MORE_BEFORE_MERGING;
  }

  /** Returns what keeps a transaction from committing, `undefined` if nothing does.
   *
   * @param start What `begin` returned.
   */
  find(start: number, reads: ReadKeys): Conflict | undefined {
    if (start <= this.#lost) return {};
    for (const { last, memtable } of this.#kept) {
      const key = last < start ? undefined : reads.findIn(memtable);
      if (key !== undefined) return { key };
    }
    return undefined;
  }

  /** Merges neighbours, unless a transaction sees only one of them, or it is the active one. */
  #merge(): void {
    const merged: Kept[] = [];
    const active = this.#kept.at(-1)!;
    for (const next of this.#kept) {
      const before = merged.at(-1);
      const isApart = next === active || this.#starts.has(next.first);
      const bytes = (before?.memtable.bytes ?? 0) + next.memtable.bytes;
      if (before === undefined || isApart || bytes > MERGED_BYTES_MAX) {
        merged.push(next);
        continue;
      }
      const memtable = this.#empty();
      for (const _ of memtable.setAll([before.memtable, next.memtable]));
      merged.splice(-1, 1, { first: before.first, last: next.last, memtable });
    }
    this.#kept = merged;
  }
}
