/** The read surface that a store and its snapshots share.
 *
 * @module
 */

import type { Entry, KeyRange } from "../../backends/engine.ts";
import { copyShort } from "../../runtime/copy.ts";
import { answer, answerBytes } from "../../runtime/turn.ts";
import type { KeySpace } from "../key_space.ts";
import { describe, toBytes } from "../limits.ts";
import { resolvePageSize, resolveRange } from "../range.ts";
import { OPERATIONS, type Surface } from "../operation.ts";
import type { BytesLike, PageSize, ScanRange } from "../types.ts";
import {
  ENTRY_ROWS,
  hasKey,
  KEY_ROWS,
  readPage,
  type ReadSource,
  readValue,
  type RowKind,
} from "./merge.ts";
import { allRows, pages, type Paging, rowsOf, rowsOfAsync, turning } from "./scan.ts";

/** What a reader reads. */
export interface ReadSurface extends Surface {
  /** The keys that callers name. */
  readonly keys: KeySpace;
  /** Returns what to read; a scan asks again for each page.
   *
   * @param what What was asked, as the beginning of a message.
   * @throws {StoreError} `CLOSED`.
   */
  source(what: string): ReadSource;
}

/** The reads of an ordered store, which `HybridStore` and `Snapshot` share. The bytes that they return belong to
 * the caller.
 *
 * @category HybridStore
 */
export abstract class StoreReader {
  readonly #surface: ReadSurface;

  /** @internal */
  constructor(surface: ReadSurface) {
    this.#surface = surface;
  }

  /** Returns the first rows of a range, for an entry point that cuts its scans into pages itself. It ends with the
   * row that reaches `rows` rows or `bytes` bytes; if it has fewer of both, there are no more.
   *
   * @param range The bounds as the caller names them. They are not checked.
   * @returns Rows whose keys may be views of longer ones.
   * @throws {StoreError} `CLOSED`, `CORRUPT`, `IO`.
   * @internal
   */
  static page<Row>(
    reader: StoreReader,
    kind: RowKind<Row>,
    range: KeyRange,
    rows: number,
    bytes: number,
  ): Row[] {
    const surface = reader.#surface;
    return OPERATIONS.scanPages.sync(surface, undefined, (what) => {
      const { keys } = surface;
      return keys.views(
        readPage(surface.source(what), kind, keys.range(range), rows, bytes),
        kind,
      );
    });
  }

  /** Returns the value of a key at once, for an entry point that gives its bytes to no caller. Otherwise as `getSync`.
   *
   * @internal
   */
  static innerValue(reader: StoreReader, key: Uint8Array): Uint8Array | undefined {
    return OPERATIONS.getSync.sync(reader.#surface, key, getInnerValue);
  }

  /** Returns the value of a key, `undefined` if there is none. Costs one lookup.
   *
   * @throws {TypeError | RangeError} The key is not valid.
   * @throws {StoreError} `CLOSED`, `CORRUPT`, `IO`.
   */
  get(key: BytesLike): Promise<Uint8Array | undefined> {
    return OPERATIONS.get.promise(this.#surface, key, undefined, getKey);
  }

  /** Returns the value of a key at once. No read waits for anything, so this is the faster form of `get`.
   * Throws as `get` does. */
  getSync(key: BytesLike): Uint8Array | undefined {
    return OPERATIONS.getSync.sync(this.#surface, key, getKeySync);
  }

  /** Returns whether the store has a key, without copying its value. Throws as `get` does. */
  has(key: BytesLike): Promise<boolean> {
    return OPERATIONS.has.promise(this.#surface, key, undefined, hasKeyAsync);
  }

  /** Returns at once whether the store has a key. Throws as `get` does. */
  hasSync(key: BytesLike): boolean {
    return OPERATIONS.hasSync.sync(this.#surface, key, hasKeySync);
  }

  /** Returns the values of some keys, in the order of the keys, all at one moment. Throws as `get` does. */
  getMany(keys: readonly BytesLike[]): Promise<(Uint8Array | undefined)[]> {
    return OPERATIONS.getMany.promise(this.#surface, undefined, undefined, (what) => {
      const source = this.#surface.source(what);
      const wanted = requireKeys(what, this.#surface.keys, keys);
      return answer(wanted.map((key) => readValue(source, key)));
    });
  }

  /** Yields the entries of a range, over both engines, in byte order or in reverse.
   *
   * Reads in pages of up to 2048 rows, which end with the row that reaches 4 MiB; the first page is small. So
   * a scan holds one page at a time, and between pages the event loop can turn. On a store, each page shows
   * one moment, and never half a batch; writes may become visible between pages. To see one moment over the
   * whole range, scan a `snapshot()`.
   *
   * @throws {TypeError | RangeError} The range is not valid.
   * @throws {StoreError} `CLOSED`, `CORRUPT`, `IO`; also while the scan is iterated.
   */
  scan(range?: ScanRange): AsyncIterableIterator<Entry> {
    return OPERATIONS.scan.rowsAsync(this.#surface, (what) => {
      return rowsOfAsync(this.#pages(what, ENTRY_ROWS, range, "small first"));
    });
  }

  /** Yields the entries of a range without letting the event loop turn. Otherwise as `scan`. */
  scanSync(range?: ScanRange): IterableIterator<Entry> {
    return OPERATIONS.scanSync.rows(this.#surface, (what) => {
      return rowsOf(this.#pages(what, ENTRY_ROWS, range, "small first"));
    });
  }

  /** Yields the keys of a range, without reading their values. Otherwise as `scan`. */
  keys(range?: ScanRange): AsyncIterableIterator<Uint8Array> {
    return OPERATIONS.keys.rowsAsync(this.#surface, (what) => {
      return rowsOfAsync(this.#pages(what, KEY_ROWS, range, "small first"));
    });
  }

  /** Yields the entries of a range in pages, for work on many entries at a time: the answer to a request, a
   * transfer. Each page shows one moment. Otherwise as `scan`.
   *
   * @param size How large the pages are.
   * @throws {RangeError} A size is not an integer from 1 on.
   *
   * @example
   * ```ts
   * import { HybridStore } from "@hybrid/store";
   * import { assertEquals } from "@std/assert";
   *
   * await using store = await HybridStore.openTemp();
   * for (let i = 0; i < 25; i++) store.put(`key ${i}`, "");
   * const pages = await Array.fromAsync(store.scanPages({ prefix: "key" }, { rows: 10 }));
   * assertEquals(pages.map(({ length }) => length), [10, 10, 5]);
   * ```
   */
  scanPages(range?: ScanRange, size?: PageSize): AsyncIterableIterator<Entry[]> {
    return OPERATIONS.scanPages.rowsAsync(this.#surface, (what) => {
      const paging = resolvePageSize(what, size);
      return turning(this.#pages(what, ENTRY_ROWS, range, paging));
    });
  }

  /** Returns all entries whose key begins with a prefix, over both engines, at one moment. The empty prefix
   * matches every key. Takes memory for all of them and holds the event loop meanwhile; `scan` does not.
   *
   * @throws {TypeError} The prefix is neither bytes nor a string, its buffer is detached, or the string is not
   * well-formed.
   * @throws {StoreError} `CLOSED`, `CORRUPT`, `IO`.
   */
  scanPrefix(prefix: BytesLike): Promise<Entry[]> {
    return OPERATIONS.scanPrefix.promise(this.#surface, prefix, undefined, (what) => {
      const range = { prefix: toBytes(what, "the prefix", prefix) };
      return answer(allRows(this.#pages(what, ENTRY_ROWS, range, "large")));
    });
  }

  /** Counts the keys of a range. Reads all of them, in pages, as `keys` does. */
  count(range?: ScanRange): Promise<number> {
    return OPERATIONS.count.promise(this.#surface, undefined, undefined, async (what) => {
      let count = 0;
      for await (const page of turning(this.#storedPages(what, KEY_ROWS, range, "large"))) {
        count += page.length;
      }
      return count;
    });
  }

  /** Returns the pages of a scan, with the keys as the caller names them. */
  #pages<Row>(
    what: string,
    kind: RowKind<Row>,
    range: ScanRange | undefined,
    paging: Paging,
  ): Generator<Row[]> {
    return this.#surface.keys.pages(this.#storedPages(what, kind, range, paging), kind);
  }

  /** Checks that the source may be read now, and returns the pages of a scan, with the keys of the store. */
  #storedPages<Row>(
    what: string,
    kind: RowKind<Row>,
    range: ScanRange | undefined,
    paging: Paging,
  ): Generator<Row[]> {
    const surface = this.#surface;
    surface.source(what);
    const scan = resolveRange(what, surface.keys, range);
    return pages(() => surface.source(what), kind, scan, paging);
  }
}

function getKey(
  what: string,
  surface: ReadSurface,
  key: BytesLike,
): Promise<Uint8Array | undefined> {
  return answerBytes(getKeySync(what, surface, key));
}

function getKeySync(what: string, surface: ReadSurface, key: BytesLike): Uint8Array | undefined {
  return readValue(surface.source(what), surface.keys.key(what, key));
}

function getInnerValue(what: string, surface: ReadSurface, key: Uint8Array) {
  return readValue(surface.source(what), surface.keys.key(what, key), copyShort);
}

function hasKeyAsync(what: string, surface: ReadSurface, key: BytesLike): Promise<boolean> {
  return answer(hasKeySync(what, surface, key), true);
}

function hasKeySync(what: string, surface: ReadSurface, key: BytesLike): boolean {
  return hasKey(surface.source(what), surface.keys.key(what, key));
}

/** Returns the bytes of some keys.
 *
 * @throws {TypeError | RangeError} They are not an array, or one of them is not valid.
 */
export function requireKeys(
  what: string,
  space: KeySpace,
  keys: readonly BytesLike[],
): Uint8Array[] {
  if (Array.isArray(keys)) return keys.map((key: BytesLike) => space.key(what, key));
  const advice = Symbol.iterator in Object(keys) ? "; spread it: [...keys]" : "";
  throw new TypeError(`${what}: the keys are ${describe(keys)}, not an array of keys${advice}`);
}
