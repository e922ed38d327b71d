/** What a transaction has read: keys and ranges.
 *
 * @module
 */

import type { Router } from "../../codec/route.ts";
import { Memtable } from "../memtable/memtable.ts";
import type { ReadKeys } from "../memtable/recent_writes.ts";
import { rangeBehind, type Scan } from "../range.ts";
import type { RowKind } from "../read/merge.ts";

interface ReadRange {
  readonly start: Uint8Array;
  readonly end: Uint8Array | undefined;
}

/** The keys and the ranges that a transaction has read. Whether it found something there does not matter. */
export class ReadSet implements ReadKeys {
  /** As deletions, which have no bytes but those of the key. */
  readonly #keys: Memtable;
  readonly #ranges: ReadRange[] = [];

  constructor(router: Router) {
    this.#keys = new Memtable(router);
  }

  /** Notes that a key was read.
   *
   * @param hash The key's hash.
   */
  addKey(key: Uint8Array, hash: number): void {
    if (this.#keys.find(key, hash) < 0) this.#keys.set(key, hash, key.slice(), 0, -1);
  }

  /** Notes that all of a range was read. */
  addRange({ start, end }: ReadRange): void {
    this.#ranges.push({ start, end });
  }

  /** Yields the pages of a scan, and notes each as a range: what was not asked for was not read. */
  *noting<Row>(
    pages: Iterable<Row[]>,
    kind: RowKind<Row>,
    { range, limit }: Scan,
  ): Generator<Row[]> {
    let rest = range;
    let left = limit;
    for (const page of pages) {
      const read = rest;
      // As a copy: the row belongs to the caller, who may write over it.
      rest = rangeBehind(rest, kind.key(page.at(-1)!).slice());
      this.addRange(range.reverse ? { ...read, start: rest.end! } : { ...read, end: rest.start });
      left -= page.length;
      yield page;
    }
    if (left > 0) this.addRange(rest);
  }

  findIn(memtable: Memtable): Uint8Array | undefined {
    if (memtable.size === 0) return undefined;
    for (let id = 0; id < this.#keys.size; id++) {
      if (memtable.findFrom(this.#keys, id) >= 0) return this.#keys.copyKey(id);
    }
    for (const { start, end } of this.#ranges) {
      const [found] = memtable.ranges(start, end);
      if (found !== undefined) return memtable.copyKey(found.ids[found.from]!);
    }
    return undefined;
  }
}
