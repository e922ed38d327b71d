import type { EngineView, Entry } from "../../backends/engine.ts";
import { StoreError } from "../../codec/error.ts";
import { answerBytes } from "../../runtime/turn.ts";
import { keyBytes } from "../limits.ts";
import { ENTRY_ROWS, KEY_ROWS, type ReadSource, readValue } from "./merge.ts";
import { pagesAsync, resolveRange, rows, rowsAsync } from "./scan.ts";
import type { BytesLike, ScanRange } from "../types.ts";

// A snapshot that is forgotten must not pin the engines for ever. The views do not refer to it.
const forgotten = new FinalizationRegistry<readonly EngineView[]>(letGo);

function letGo(views: readonly EngineView[]): void {
  for (const view of views) view.release();
}

/** The store as it was at one moment, over both engines, while writes go on.
 *
 * Obtained from `HybridStore.snapshot()`. While it is open, the engines keep the space of what was
 * overwritten or deleted since: dispose of it when it is done with. Snapshots of one moment share what
 * they hold, and forgotten ones are let go when they are collected.
 *
 * @example
 * ```ts
 * import { HybridStore } from "@hybrid/store";
 * import { assertEquals } from "@std/assert";
 *
 * await using store = await HybridStore.openTemp();
 * const key = new Uint8Array([1]);
 * await store.put(key, new Uint8Array([1]));
 * await using before = await store.snapshot();
 * await store.put(key, new Uint8Array([2]));
 * assertEquals(before.getSync(key), new Uint8Array([1]));
 * assertEquals(store.getSync(key), new Uint8Array([2]));
 * ```
 */
export class Snapshot implements AsyncDisposable {
  readonly #source: () => ReadSource;
  readonly #views: readonly EngineView[];
  #isOver = false;

  /** @internal */
  constructor(source: ReadSource, views: readonly EngineView[], requireOpen: () => void) {
    this.#views = views;
    this.#source = () => {
      requireOpen();
      if (this.#isOver) throw new StoreError("CLOSED", "Cannot read snapshot: it was disposed of");
      return source;
    };
    forgotten.register(this, views, this);
  }

  /** Returns the value that a key had, as a copy, or `undefined`.
   *
   * @throws {TypeError | RangeError} The key is not valid.
   * @throws {StoreError} `CLOSED`.
   */
  async get(key: BytesLike): Promise<Uint8Array | undefined> {
    return await answerBytes(this.getSync(key));
  }

  /** Returns the value that a key had, at once. Throws as {@linkcode Snapshot.get} does. */
  getSync(key: BytesLike): Uint8Array | undefined {
    const bytes = keyBytes("Cannot get key from snapshot", key);
    return readValue(this.#source(), bytes);
  }

  /** Yields the entries of a range as they were, in byte order or against it.
   *
   * @throws {TypeError | RangeError} The range is not valid.
   * @throws {StoreError} `CLOSED`, when it is iterated.
   */
  scan(range?: ScanRange): AsyncIterableIterator<Entry> {
    return rowsAsync(this.#source, ENTRY_ROWS, resolveRange("Cannot scan snapshot", range));
  }

  /** Yields the entries of a range as they were, without letting the event loop turn. Throws as
   * {@linkcode Snapshot.scan} does. */
  scanSync(range?: ScanRange): IterableIterator<Entry> {
    return rows(this.#source, ENTRY_ROWS, resolveRange("Cannot scan snapshot", range));
  }

  /** Counts the keys of a range. Costs a walk over all of them.
   *
   * @throws {TypeError | RangeError} The range is not valid.
   * @throws {StoreError} `CLOSED`.
   */
  async count(range?: ScanRange): Promise<number> {
    const scan = resolveRange("Cannot count keys of snapshot", range);
    let count = 0;
    for await (const page of pagesAsync(this.#source, KEY_ROWS, scan, true)) count += page.length;
    return count;
  }

  /** Lets go of the moment. A second call does nothing; `await using` calls it. */
  // deno-lint-ignore require-await
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isOver) return;
    this.#isOver = true;
    forgotten.unregister(this);
    letGo(this.#views);
  }
}
