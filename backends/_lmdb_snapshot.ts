/** The pages of an LMDB data file as one meta page describes them, with a note of what uses each.
 *
 * @module
 */

import type { DataFile } from "./_data_file.ts";
import type { FaultList } from "./_lmdb_faults.ts";
import type { Meta } from "./_lmdb_meta.ts";

/** Pages before the first that a tree may use. */
const META_PAGES = 2;
/** A healthy file ends before its last page where that page was never written; the same bound as
 * where the file is opened. */
const MISSING_BYTES_MAX = 2 ** 30;
/** Pages that a loop over a run notes before it pauses; much less than a millisecond. */
const NOTES_PER_STEP = 8192;

/** One bit for each page. */
class PageSet {
  readonly #words: Uint32Array;

  constructor(pages: number) {
    this.#words = new Uint32Array(Math.ceil(pages / 32));
  }

  has(page: number): boolean {
    return (this.#words[page >>> 5]! & (1 << (page & 31))) !== 0;
  }

  add(page: number): void {
    this.#words[page >>> 5]! |= 1 << (page & 31);
  }
}

/** What a transaction left in the file. Each page may have one use: in a tree, or in the free list.
 *
 * The generators yield where the caller may pause.
 */
export class Snapshot {
  readonly pageBytes: number;
  /** No page in use is of a later transaction. */
  readonly transaction: number;
  /** Pages of the file, those included that are free, and those behind its end that never were
   * written. */
  readonly pages: number;
  readonly #file: DataFile;
  readonly #filePages: number;
  readonly #faults: FaultList;
  readonly #used: PageSet;
  readonly #free: PageSet;
  #usedCount = META_PAGES;
  #freeCount = 0;

  /** @param meta The meta page that is believed. The file has its size of now for good. */
  constructor(meta: Meta, file: DataFile, faults: FaultList) {
    this.pageBytes = meta.pageBytes;
    this.transaction = Number(meta.transaction);
    this.#file = file;
    this.#filePages = Math.floor(file.size / meta.pageBytes);
    this.#faults = faults;
    // A damaged number of pages must not decide how much memory this takes.
    const pagesMax = this.#filePages + MISSING_BYTES_MAX / meta.pageBytes;
    this.pages = Math.min(Number(meta.lastPage) + 1, pagesMax);
    this.#used = new PageSet(this.pages);
    this.#free = new PageSet(this.pages);
    if (Number(meta.lastPage) >= pagesMax) {
      this.fault(meta.page, `has ${meta.lastPage} as its last page of ${this.#filePages}`);
    }
  }

  /** Pages in use so far, the meta pages included. */
  get usedCount(): number {
    return this.#usedCount;
  }

  /** Pages whose use is known so far. */
  get knownCount(): number {
    return this.#usedCount + this.#freeCount;
  }

  fault(page: number, reason: string): void {
    this.#faults.add(page, reason);
  }

  /** Fills `bytes` from an offset within a page or the run that begins with it. */
  read(page: number, bytes: Uint8Array, offset = 0): boolean {
    const reason = this.#file.read(bytes, page * this.pageBytes + offset);
    if (reason !== undefined) this.fault(page, reason);
    return reason === undefined;
  }

  /** Notes that page `from` uses a run of pages, and returns whether it can be right in that. */
  *use(first: number, count: number, from: number): Generator<void, boolean> {
    if (!this.#isInside(first, count)) {
      this.fault(from, `points to ${runName(first, count)}, outside of 2 to ${this.pages - 1}`);
      return false;
    }
    if (first + count > this.#filePages) {
      this.fault(first, `is behind the end of the file, and page ${from} points to it`);
      return false;
    }
    for (let page = first; page < first + count; page++) {
      if (this.#used.has(page)) {
        this.fault(page, `is used twice, the second time by page ${from}`);
        return false;
      }
      if (this.#free.has(page)) {
        this.fault(page, `is used by page ${from} and in the free list`);
        return false;
      }
      this.#used.add(page);
      this.#usedCount++;
      if (this.#usedCount % NOTES_PER_STEP === 0) yield;
    }
    return true;
  }

  /** Notes that the free list has a run of pages, according to page `from`. */
  *release(first: number, count: number, from: number): Generator<void, void> {
    if (!this.#isInside(first, count)) {
      this.fault(from, `frees ${runName(first, count)}, outside of 2 to ${this.pages - 1}`);
      return;
    }
    for (let page = first; page < first + count; page++) {
      if (this.#free.has(page)) this.fault(from, `frees page ${page}, which is free already`);
      if (this.#used.has(page)) this.fault(page, `is used, and freed by page ${from}`);
      this.#free.add(page);
      this.#freeCount++;
      if (this.#freeCount % NOTES_PER_STEP === 0) yield;
    }
  }

  #isInside(first: number, count: number): boolean {
    return first >= META_PAGES && count >= 1 && first + count <= this.pages;
  }
}

function runName(first: number, count: number): string {
  return count === 1 ? `page ${first}` : `${count} pages from ${first}`;
}
