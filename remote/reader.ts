/** Reads: what stores, their parts, snapshots and transactions share.
 *
 * @module
 */

import type { Entry } from "../backends/engine.ts";
import { abortable } from "../runtime/abortable.ts";
import { copied } from "../runtime/copy.ts";
import type { KeySpace } from "../store/key_space.ts";
import { describe, toBytes } from "../store/limits.ts";
import type { OrderedReader } from "../store/ordered_store.ts";
import {
  isEmpty,
  type KeyRange,
  rangeBehind,
  resolvePageSize,
  resolveRange,
} from "../store/range.ts";
import type { BytesLike, PageSize, ScanRange } from "../store/types.ts";
import type { Result, Statement } from "./statement.ts";
import type { Tables } from "./tables.ts";
import { nameOf } from "./write_tasks.ts";

/** Rows of the first page of a scan, whose rest may not be wanted, and of the largest one. */
const FIRST_ROWS = 64;
const ROWS_MAX = 4096;
/** What pages grow towards. */
const PAGE_BYTES_AIM = 1024 * 1024;

/** How old what is read may be.
 *
 * @category RemoteStore
 */
export interface StaleOptions {
  /** Milliseconds, an integer from 1 on: the state of so long ago, at most, read from whichever replica is near.
   * Without it, the newest state. */
  staleMs?: number;
}

/** Where reads go. */
export interface ReadSource {
  readonly tables: Tables;
  /** @throws {StoreError} `CLOSED`. */
  requireOpen(what: string): void;
  /** Reads some keys. */
  readKeys(what: string, keys: readonly Uint8Array[], statement: Statement): Promise<Result>;
  /** Reads a range. */
  readRange(what: string, statement: Statement): Promise<Result>;
}

/** A row: a key, and its value where it is wanted. */
type Row = [key: Uint8Array, value: Uint8Array];

/** Reads of a table, or of a part of it. */
export abstract class RemoteReader implements OrderedReader {
  readonly #keys: KeySpace;

  /** @internal */
  constructor(keys: KeySpace) {
    this.#keys = keys;
  }

  /** Returns where a read goes.
   *
   * @throws {TypeError | RangeError | StoreError} The options are not valid; `CLOSED`.
   * @internal
   */
  protected abstract source(what: string, options?: StaleOptions): ReadSource;

  /** Returns the value of a key, `undefined` if there is none.
   *
   * @throws {TypeError | RangeError} An argument is not valid.
   * @throws {StoreError} `UNREACHABLE`, `SCHEMA`, `CLOSED`; `UNSUPPORTED`: no read can be stale there.
   */
  async get(key: BytesLike, options?: StaleOptions): Promise<Uint8Array | undefined> {
    const what = "Cannot get key";
    const source = this.source(what, options);
    const bytes = copied(this.#keys.key(what, key));
    const { rows } = await source.readKeys(what, [bytes], source.tables.get(bytes));
    return rows[0]?.[0] as Uint8Array | undefined;
  }

  /** Returns whether there is a key. Throws as {@linkcode RemoteReader.get} does. */
  async has(key: BytesLike, options?: StaleOptions): Promise<boolean> {
    const what = "Cannot look for key";
    const source = this.source(what, options);
    const bytes = copied(this.#keys.key(what, key));
    const { rows } = await source.readKeys(what, [bytes], source.tables.has(bytes));
    return rows.length > 0;
  }

  /** Returns the values of some keys, in their order, all at one moment: one round trip. Throws as
   * {@linkcode RemoteReader.get} does. */
  async getMany(
    keys: readonly BytesLike[],
    options?: StaleOptions,
  ): Promise<(Uint8Array | undefined)[]> {
    const what = "Cannot get keys";
    const source = this.source(what, options);
    if (!Array.isArray(keys)) {
      throw new TypeError(`${what}: the keys are ${describe(keys)}, not an array`);
    }
    const all = keys.map((key) => copied(this.#keys.key(what, key)));
    if (all.length === 0) return [];
    const { rows } = await source.readKeys(what, all, source.tables.getMany(all));
    const values = new Map((rows as unknown as Row[]).map(([key, value]) => [nameOf(key), value]));
    const given = new Set<string>();
    return all.map((key) => {
      const name = nameOf(key);
      const value = values.get(name);
      // Whoever asks twice gets two.
      if (value === undefined || !given.has(name)) return given.add(name), value;
      return value.slice();
    });
  }

  /** Yields the entries of a range, in byte order or in reverse, in pages each of which shows one moment. While a page
   * is worked on, the next one is on its way.
   *
   * @throws {TypeError | RangeError} The range is not valid.
   * @throws {StoreError} As {@linkcode RemoteReader.get} does.
   */
  async *scan(range?: ScanRange, options?: StaleOptions): AsyncIterableIterator<Entry> {
    for await (const page of this.#rows("Cannot scan", range, options, true)) {
      for (const [key, value] of page) yield { key: this.#keys.outside(key), value };
    }
  }

  /** Yields the entries of a range in pages. Throws as {@linkcode RemoteReader.scan} does. */
  async *scanPages(
    range?: ScanRange,
    size?: PageSize,
    options?: StaleOptions,
  ): AsyncIterableIterator<Entry[]> {
    const what = "Cannot scan pages";
    const limits = resolvePageSize(what, size);
    let page: Entry[] = [];
    let bytes = 0;
    for await (const rows of this.#rows(what, range, options, true)) {
      for (const [key, value] of rows) {
        page.push({ key: this.#keys.outside(key), value });
        bytes += key.length + value.length;
        if (page.length < limits.rows && bytes < limits.bytes) continue;
        yield page;
        page = [];
        bytes = 0;
      }
    }
    if (page.length > 0) yield page;
  }

  /** Yields the keys of a range. Throws as {@linkcode RemoteReader.scan} does. */
  async *keys(range?: ScanRange, options?: StaleOptions): AsyncIterableIterator<Uint8Array> {
    for await (const page of this.#rows("Cannot scan keys", range, options, false)) {
      for (const [key] of page) yield this.#keys.outside(key);
    }
  }

  /** Returns all entries whose key begins with a prefix, ascending, at one moment: all of them are in memory. Throws
   * as {@linkcode RemoteReader.scan} does. */
  async scanPrefix(prefix: BytesLike): Promise<Entry[]> {
    const what = "Cannot scan prefix";
    const source = this.source(what);
    const { range } = resolveRange(what, this.#keys, {
      prefix: toBytes(what, "the prefix", prefix),
    });
    const { rows } = await source.readRange(what, source.tables.page(range, Infinity, true));
    return (rows as unknown as Row[]).map(([key, value]) => ({
      key: this.#keys.outside(key),
      value,
    }));
  }

  /** Counts the keys of a range: the server reads all of them. Throws as {@linkcode RemoteReader.scan} does. */
  async count(range?: ScanRange, options?: StaleOptions): Promise<number> {
    const what = "Cannot count keys";
    const source = this.source(what, options);
    const { range: bounds, limit, signal } = resolveRange(what, this.#keys, range);
    signal?.throwIfAborted();
    if (isEmpty(bounds) || limit === 0) return 0;
    const { tables } = source;
    const statement = limit === Infinity ? tables.count(bounds) : tables.countSome(bounds, limit);
    const { rows } = await abortable(source.readRange(what, statement), signal);
    return Number(rows[0]![0]);
  }

  async *#rows(
    what: string,
    range: ScanRange | undefined,
    options: StaleOptions | undefined,
    hasValues: boolean,
  ): AsyncGenerator<readonly Row[]> {
    const source = this.source(what, options);
    const scan = resolveRange(what, this.#keys, range);
    const { signal, limit } = scan;
    signal?.throwIfAborted();
    if (isEmpty(scan.range)) return;
    let left = limit;
    let wanted = Math.min(limit <= ROWS_MAX ? limit : FIRST_ROWS, ROWS_MAX);
    let bounds = scan.range;
    let next = left === 0 ? undefined : read(source, what, bounds, wanted, hasValues);
    while (next !== undefined) {
      const page = await abortable(next, signal);
      const isLast = page.length < wanted || (left -= page.length) <= 0;
      next = undefined;
      if (!isLast) {
        const last = page.at(-1)![0];
        // Once the page is yielded, the key is the caller's.
        bounds = rangeBehind(bounds, last.slice());
        wanted = Math.min(nextRows(page), left);
        next = read(source, what, bounds, wanted, hasValues);
        // Whoever leaves the loop does not hear of it.
        next.catch(() => {});
      }
      if (page.length > 0) yield page;
      signal?.throwIfAborted();
      source.requireOpen(what);
    }
  }
}

async function read(
  source: ReadSource,
  what: string,
  bounds: KeyRange,
  rows: number,
  hasValues: boolean,
): Promise<readonly Row[]> {
  const result = await source.readRange(what, source.tables.page(bounds, rows, hasValues));
  return result.rows as unknown as readonly Row[];
}

/** Returns how many rows the next page has, by the lengths of those of this one. */
function nextRows(page: readonly Row[]): number {
  let bytes = 0;
  for (const [key, value] of page) bytes += key.length + (value?.length ?? 0) + 32;
  const inAim = Math.floor(PAGE_BYTES_AIM * page.length / bytes);
  return Math.max(1, Math.min(inAim, page.length * 8, ROWS_MAX));
}
