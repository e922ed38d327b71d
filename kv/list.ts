/** Listing entries.
 *
 * @module
 */

import { bytesBehind } from "../codec/bytes.ts";
import { wallClock } from "../runtime/clock.ts";
import { isTurnOver, nextTurn } from "../runtime/turn.ts";
import type { LiveStore } from "../store/live_store.ts";
import { INNER_ROWS, isLast } from "../store/read/merge.ts";
import { StoreReader } from "../store/read/reader.ts";
import { decodeKey } from "./key.ts";
import { behindCursor, cursorOf, resolveSelector, type Selection } from "./selector.ts";
import type { KvEntry, KvKey, KvListOptions, KvListSelector } from "./types.ts";
import { openEntry, stampOf, valueOf } from "./value.ts";

const BATCH_SIZE = 500;
/** So that the first entries come soon. */
const FIRST_BATCH_SIZE = 100;
/** A batch ends with the entry that reaches this many bytes. */
const BATCH_BYTES = 1024 * 1024;

/** A row of the store that has not expired. */
interface Row {
  readonly key: Uint8Array;
  readonly entry: Uint8Array;
}

/** The entries of {@linkcode Kv.list}, in the order of their keys.
 *
 * They are read in batches. Each batch shows one moment; writes may become visible between them.
 *
 * @category Kv
 */
export class KvListIterator<T> implements AsyncIterableIterator<KvEntry<T>, undefined> {
  readonly #store: () => LiveStore;
  readonly #selection: Selection;
  readonly #reverse: boolean;
  readonly #keysOnly: boolean;
  readonly #batchSize: number;
  /** What is still to be read. */
  #rest: Selection | undefined;
  #left: number;
  #isFirst = true;
  #batch: Row[] = [];
  #at = 0;
  #cursor: string | Uint8Array | undefined;
  #reading: Promise<unknown> = Promise.resolve();

  /**
   * @param store Returns the store, or throws where it is closed.
   * @internal
   */
  constructor(store: () => LiveStore, selector: KvListSelector, options: KvListOptions) {
    const { limit, batchSize, cursor = "", reverse = false, keysOnly = false } = options;
    requireCount("Limit", limit);
    requireCount("batchSize", batchSize);
    this.#store = store;
    this.#selection = resolveSelector(selector);
    this.#reverse = reverse;
    this.#keysOnly = keysOnly;
    this.#left = limit ?? Infinity;
    this.#batchSize = batchSize ?? BATCH_SIZE;
    this.#rest = behindCursor(this.#selection, cursor, reverse);
  }

  /** The cursor behind the entry that came last, for a listing with the same selector to go on there; empty when
   * there was no further entry.
   *
   * @throws {Error} None was asked for yet.
   */
  get cursor(): string {
    if (this.#cursor === undefined) throw new Error("Cannot get cursor before first iteration");
    if (typeof this.#cursor === "string") return this.#cursor;
    return cursorOf(this.#selection, this.#cursor);
  }

  /** Returns the next entry. */
  next(): Promise<IteratorResult<KvEntry<T>, undefined>> {
    if (this.#at < this.#batch.length) {
      try {
        return Promise.resolve(this.#take());
      } catch (error) {
        return Promise.reject(error);
      }
    }
    // Calls that do not wait for one another each get an entry of their own.
    const reading = this.#reading.then(() => this.#next());
    this.#reading = reading.catch(() => {});
    return reading;
  }

  /** Returns itself. */
  [Symbol.asyncIterator](): this {
    return this;
  }

  async #next(): Promise<IteratorResult<KvEntry<T>, undefined>> {
    while (this.#at === this.#batch.length) {
      if (this.#left === 0) return { done: true, value: undefined };
      if (this.#rest === undefined) {
        this.#cursor = "";
        return { done: true, value: undefined };
      }
      if (isTurnOver()) await nextTurn();
      this.#read(this.#rest);
    }
    return this.#take();
  }

  #take(): IteratorResult<KvEntry<T>, undefined> {
    const { key, entry } = this.#batch[this.#at++]!;
    this.#cursor = key;
    const value = (this.#keysOnly ? undefined : valueOf(entry)) as T;
    return {
      done: false,
      value: { key: decodeKey(key, 1), value, versionstamp: stampOf(entry) },
    };
  }

  #read({ start, end, common }: Selection): void {
    const store = this.#store();
    const size = this.#isFirst ? Math.min(this.#batchSize, FIRST_BATCH_SIZE) : this.#batchSize;
    const limit = Math.min(size, this.#left);
    this.#isFirst = false;
    this.#batch = [];
    this.#at = 0;
    const now = wallClock.now();
    const reverse = this.#reverse;
    const rows = StoreReader.page(store, INNER_ROWS, { start, end, reverse }, limit, BATCH_BYTES);
    for (const { key, value } of rows) {
      const entry = openEntry(value, now);
      if (entry !== undefined) this.#batch.push({ key, entry });
    }
    this.#left -= this.#batch.length;
    const last = rows.at(-1)?.key;
    if (isLast(INNER_ROWS, rows, limit, BATCH_BYTES) || last === undefined) this.#rest = undefined;
    else if (reverse) this.#rest = { start, end: last, common };
    else this.#rest = { start: bytesBehind(last), end, common };
  }
}

/** @throws {Error} A count is not valid, in Deno's words. */
export function requireCount(name: string, count: number | undefined): void {
  if (count === undefined || (Number.isSafeInteger(count) && count > 0)) return;
  throw new Error(`${name} must be a positive integer: received ${count}`);
}

/** Returns the entry of a key, or that there is none.
 *
 * @throws {StoreError} `CORRUPT`, `UNSUPPORTED`.
 */
export function entryOf<T>(
  key: KvKey,
  bytes: Uint8Array | undefined,
  now: number,
): KvEntry<T> | { key: KvKey; value: null; versionstamp: null } {
  const entry = openEntry(bytes, now);
  if (entry === undefined) return { key, value: null, versionstamp: null };
  return { key, value: valueOf(entry) as T, versionstamp: stampOf(entry) };
}
