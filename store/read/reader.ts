/** The read surface that a store and its snapshots share.
 *
 * @module
 */

import type { Entry } from "../../backends/engine.ts";
import { answer, answerBytes } from "../../runtime/turn.ts";
import { describe, keyBytes, toBytes } from "../limits.ts";
import { OPERATIONS, type Surface } from "../operation.ts";
import type { BytesLike, PageSize, ScanRange } from "../types.ts";
import { ENTRY_ROWS, hasKey, KEY_ROWS, type ReadSource, readValue } from "./merge.ts";
import {
  allRows,
  pagesAsync,
  prefixScan,
  resolvePageSize,
  resolveRange,
  rows,
  rowsAsync,
} from "./scan.ts";

/** What a reader reads. */
export interface ReadSurface extends Surface {
  /** Returns what is there at the moment; a scan asks anew for each page.
   *
   * @param what What was asked, as the beginning of a message.
   * @throws {StoreError} `CLOSED`.
   */
  source(what: string): ReadSource;
}

/** Reads of an ordered store: what `HybridStore` and `Snapshot` have in common. Bytes that come out belong to the
 * caller.
 */
export abstract class StoreReader {
  readonly #surface: ReadSurface;

  /** @internal */
  constructor(surface: ReadSurface) {
    this.#surface = surface;
  }

  /** Returns the value of a key, `undefined` where there is none. Costs one lookup.
   *
   * @throws {TypeError | RangeError} The key is not valid.
   * @throws {StoreError} `CLOSED`, `CORRUPT`, `IO`.
   */
  get(key: BytesLike): Promise<Uint8Array | undefined> {
    return OPERATIONS.get.promise(this.#surface, key, undefined, (what) => {
      return answerBytes(readValue(this.#surface.source(what), keyBytes(what, key)));
    });
  }

  /** Returns the value of a key at once. Reads never wait, so this is the faster form of `get`. */
  getSync(key: BytesLike): Uint8Array | undefined {
    return OPERATIONS.getSync.sync(this.#surface, key, (what) => {
      return readValue(this.#surface.source(what), keyBytes(what, key));
    });
  }

  /** Returns whether a key is there, without copying its value. Throws as `get` does. */
  has(key: BytesLike): Promise<boolean> {
    return OPERATIONS.has.promise(this.#surface, key, undefined, (what) => {
      return answer(hasKey(this.#surface.source(what), keyBytes(what, key)), true);
    });
  }

  /** Returns whether a key is there, at once. Throws as `get` does. */
  hasSync(key: BytesLike): boolean {
    return OPERATIONS.hasSync.sync(this.#surface, key, (what) => {
      return hasKey(this.#surface.source(what), keyBytes(what, key));
    });
  }

  /** Returns the values of some keys, in their order, all as of one moment. Throws as `get` does. */
  getMany(keys: readonly BytesLike[]): Promise<(Uint8Array | undefined)[]> {
    return OPERATIONS.getMany.promise(this.#surface, undefined, undefined, (what) => {
      return answer(readMany(what, this.#surface.source(what), keys));
    });
  }

  /** Yields the entries of a range, over both engines, in byte order or against it.
   *
   * Reads in pages of up to 2048 rows, which end with the row that reaches 4 MiB, so that memory stays
   * constant whatever the values are, and the event loop gets its turns; the first page is small. On a store,
   * each page shows one moment, and never half a batch; between pages, writes may be seen. For one moment
   * over all of it, scan a `snapshot()`.
   *
   * @throws {TypeError | RangeError} The range is not valid.
   * @throws {StoreError} `CLOSED`, `CORRUPT`, `IO`; also while it is iterated.
   */
  scan(range?: ScanRange): AsyncIterableIterator<Entry> {
    return OPERATIONS.scan.rowsAsync(this.#surface, (what) => {
      return rowsAsync(this.#sources(what), ENTRY_ROWS, resolveRange(what, range));
    });
  }

  /** Yields the entries of a range without letting the event loop turn; else as `scan`. */
  scanSync(range?: ScanRange): IterableIterator<Entry> {
    return OPERATIONS.scanSync.rows(this.#surface, (what) => {
      return rows(this.#sources(what), ENTRY_ROWS, resolveRange(what, range));
    });
  }

  /** Yields the keys of a range, without reading their values; else as `scan`. */
  keys(range?: ScanRange): AsyncIterableIterator<Uint8Array> {
    return OPERATIONS.keys.rowsAsync(this.#surface, (what) => {
      return rowsAsync(this.#sources(what), KEY_ROWS, resolveRange(what, range));
    });
  }

  /** Yields the entries of a range in pages, for what works on many at a time: a request's answer, a transfer.
   * Each page shows one moment. Else as `scan`.
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
      return pagesAsync(this.#sources(what), ENTRY_ROWS, resolveRange(what, range), paging);
    });
  }

  /** Returns all entries whose key begins with a prefix, over both engines, as of one moment. The empty
   * prefix matches every key. Costs memory for all of them, and the event loop waits; `scan` does not.
   *
   * @throws {TypeError} The prefix is neither bytes nor a string, or its buffer is detached.
   * @throws {StoreError} `CLOSED`, `CORRUPT`, `IO`.
   */
  scanPrefix(prefix: BytesLike): Promise<Entry[]> {
    return OPERATIONS.scanPrefix.promise(this.#surface, prefix, undefined, (what) => {
      const bytes = toBytes(what, "the prefix", prefix);
      return answer(allRows(this.#sources(what), ENTRY_ROWS, prefixScan(bytes)));
    });
  }

  /** Counts the keys of a range. Costs a walk over all of them, in pages, as `keys` does. */
  count(range?: ScanRange): Promise<number> {
    return OPERATIONS.count.promise(this.#surface, undefined, undefined, async (what) => {
      const scan = resolveRange(what, range);
      let count = 0;
      for await (const page of pagesAsync(this.#sources(what), KEY_ROWS, scan, "large")) {
        count += page.length;
      }
      return count;
    });
  }

  /** What is there for a scan, which asks again for each page, once it is known that it may be read. */
  #sources(what: string): () => ReadSource {
    this.#surface.source(what);
    return () => this.#surface.source(what);
  }
}

/** Returns the values of some keys at a moment.
 *
 * @throws {TypeError | RangeError} They are not an array, or one of them is not valid.
 */
export function readMany(
  what: string,
  source: ReadSource,
  keys: readonly BytesLike[],
): (Uint8Array | undefined)[] {
  if (Array.isArray(keys)) {
    return keys.map((key: BytesLike) => readValue(source, keyBytes(what, key)));
  }
  const advice = Symbol.iterator in Object(keys) ? "; spread it: [...keys]" : "";
  throw new TypeError(`${what}: the keys are ${describe(keys)}, not an array of keys${advice}`);
}
