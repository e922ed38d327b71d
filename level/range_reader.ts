/** Reading a range in pages, at one moment.
 *
 * @module
 */

import { compareBytes } from "../codec/bytes.ts";
import { isTurnOver, nextTurn } from "../runtime/turn.ts";
import { LiveStore } from "../store/live_store.ts";
import { type KeyRange, rangeBehind } from "../store/range.ts";
import { isLast, type RowKind } from "../store/read/merge.ts";
import { StoreReader } from "../store/read/reader.ts";
import { nextPageRows } from "../store/read/scan.ts";
import type { Snapshot } from "../store/read/snapshot.ts";
import { isWithin, rangeFrom } from "./range.ts";

/** What is read when the reader is made. Many ranges are no longer than this, and need no snapshot then. */
const FIRST_ROWS = 16;
const FIRST_BYTES = 16 * 1024;
/** The most that a page has. */
const PAGE_ROWS_MAX = 2048;
const PAGE_BYTES = 4 * 1024 * 1024;

/** What a reader reads. */
export interface Source<Row> {
  /** The store, which is read as it is now; or a snapshot that somebody else holds. */
  readonly of: LiveStore | Snapshot;
  readonly kind: RowKind<Row>;
  readonly range: KeyRange;
  /** The most rows that are wanted. */
  readonly limit: number;
}

/** Rows of a range, as they were when the reader was made.
 *
 * The first rows are read at once. If these are all, nothing else is held. Otherwise a snapshot is taken in the
 * same step, so it shows the moment that the first rows are of.
 */
export class RangeReader<Row> {
  readonly #kind: RowKind<Row>;
  readonly #range: KeyRange;
  readonly #of: StoreReader;
  /** The snapshot that is its own. */
  readonly #held: Snapshot | undefined;
  /** Whether `#rows` has the whole range: then nothing else shows the moment. */
  readonly #hasAll: boolean = false;
  readonly #failure: { error: unknown } | undefined;
  #left: number;
  #rows: Row[] = [];
  #at = 0;
  /** What is behind the rows, `undefined` if there is nothing more. */
  #rest: KeyRange | undefined;

  constructor({ of, kind, range, limit }: Source<Row>) {
    this.#kind = kind;
    this.#range = range;
    this.#of = of;
    this.#left = limit;
    if (limit === 0) return;
    this.#rest = range;
    if (!(of instanceof LiveStore)) return;
    try {
      this.#read(Math.min(limit, FIRST_ROWS), FIRST_BYTES);
      this.#hasAll = this.#rest === undefined;
      if (!this.#hasAll) this.#of = this.#held = of.snapshotSync();
    } catch (error) {
      // Whoever made it learns of it when rows are asked for, as of any other failed read.
      this.#failure = { error };
    }
  }

  /** Whether its rows may be asked for again. They have to be copied before they belong to a caller. */
  get keepsRows(): boolean {
    return this.#hasAll;
  }

  /** Returns the next row: at once, where it was read already. */
  next(): Row | undefined | Promise<Row | undefined> {
    if (this.#at === this.#rows.length) {
      if (this.#failure !== undefined) throw this.#failure.error;
      if (this.#rest === undefined) return undefined;
      // While rows are at hand nobody waits for the event loop.
      if (isTurnOver()) return nextTurn().then(() => this.#nextRead());
      return this.#nextRead();
    }
    return this.#takeOne();
  }

  /** Returns the next rows, from one read where they are not at hand: none only if there are no more.
   *
   * @param size The most rows that are wanted.
   */
  async nextPage(size: number): Promise<Row[]> {
    if (this.#failure !== undefined) throw this.#failure.error;
    const rows = this.#take(size);
    if (rows.length === size || this.#rest === undefined) return rows;
    if (isTurnOver()) await nextTurn();
    // It may have been closed meanwhile.
    if (this.#rest === undefined) return rows;
    this.#read(Math.min(size - rows.length, this.#left, PAGE_ROWS_MAX), PAGE_BYTES);
    const more = this.#take(size - rows.length);
    return rows.length === 0 ? more : rows.concat(more);
  }

  /** Continues at the first row at or behind a key, in the direction of the range; at its end, if the key is
   * outside of it. */
  seek(key: Uint8Array): void {
    if (this.#failure !== undefined || this.#left === 0) return;
    if (this.#hasAll) {
      this.#at = isWithin(this.#range, key) ? this.#indexOf(key, 0) : this.#rows.length;
      return;
    }
    if (!isWithin(this.#range, key)) {
      this.#rows = [];
      this.#at = 0;
      this.#rest = undefined;
      return;
    }
    // Rows that were taken belong to the caller, so only those that are still here can be looked at.
    const isAtHand = this.#at < this.#rows.length &&
      this.#order(key, this.#rows[this.#at]!) >= 0 && this.#order(key, this.#rows.at(-1)!) <= 0;
    if (isAtHand) {
      this.#at = this.#indexOf(key, this.#at);
      return;
    }
    this.#rows = [];
    this.#at = 0;
    this.#rest = rangeFrom(this.#range, key);
  }

  /** Releases what it holds. It has no more rows then. */
  close(): void {
    this.#rows = [];
    this.#at = 0;
    this.#rest = undefined;
    this.#left = 0;
    this.#held?.close();
  }

  #nextRead(): Row | undefined {
    if (this.#rest === undefined) return undefined;
    const rows = this.#rows.length === 0 ? FIRST_ROWS : nextPageRows(this.#kind, this.#rows);
    this.#read(Math.min(Math.max(rows, FIRST_ROWS), this.#left), PAGE_BYTES);
    return this.#takeOne();
  }

  #takeOne(): Row | undefined {
    const row = this.#rows[this.#at];
    if (row === undefined) return undefined;
    this.#at++;
    if (--this.#left === 0) this.close();
    return row;
  }

  #take(count: number): Row[] {
    const rows = this.#rows.slice(this.#at, this.#at + Math.min(count, this.#left));
    this.#at += rows.length;
    this.#left -= rows.length;
    // Seeking does not give further rows either.
    if (this.#left === 0) this.close();
    return rows;
  }

  #read(rows: number, bytes: number): void {
    const range = this.#rest!;
    this.#rows = StoreReader.page(this.#of, this.#kind, range, rows, bytes);
    this.#at = 0;
    this.#rest = isLast(this.#kind, this.#rows, rows, bytes)
      ? undefined
      : rangeBehind(range, this.#kind.key(this.#rows.at(-1)!).slice());
  }

  /** Returns where the first row at or behind a key is, or would be. */
  #indexOf(key: Uint8Array, from: number): number {
    let low = from;
    let high = this.#rows.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#order(key, this.#rows[middle]!) > 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Returns a negative number where a key comes before a row, in the direction of the range. */
  #order(key: Uint8Array, row: Row): number {
    const order = compareBytes(key, this.#kind.key(row));
    return this.#range.reverse ? -order : order;
  }
}
