/** The public surface of the store.
 *
 * @module
 */

import { join } from "@std/path";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import type { Entry } from "../backends/engine.ts";
import type { EngineName } from "../codec/route.ts";
import { answer, answerBytes } from "../runtime/turn.ts";
import { Batch } from "./write/batch.ts";
import { ClosedStore } from "./closed_store.ts";
import { StoreCore } from "./core.ts";
import { resolveDirectory } from "./directory/layout.ts";
import { checkOptions, describe, toBytes } from "./limits.ts";
import { ENTRY_ROWS, KEY_ROWS } from "./read/merge.ts";
import { resolveOptions } from "./options.ts";
import { requireOutside } from "./directory/paths.ts";
import { allRows, pagesAsync, prefixScan, resolveRange, rows, rowsAsync } from "./read/scan.ts";
import type { Snapshot } from "./read/snapshot.ts";
import { TRACERS } from "./tracers.ts";
import { NO_ROUTE, traced, tracedRows, tracedRowsAsync, tracedSync } from "./tracing.ts";
import type { Synchronous, Transaction } from "./write/transaction.ts";
import type {
  BackupOptions,
  BackupReport,
  BytesLike,
  KVStore,
  OpenOptions,
  ScanRange,
  StoreStats,
  VerifyOptions,
  VerifyReport,
} from "./types.ts";

/** One ordered key-value store over two engines: LMDB for what is mostly written, the runtime's own
 * SQLite for what is mostly read, and a journal in front that makes a write to both one append.
 *
 * Calls take effect in the order in which they are made, and a read sees every write called before it,
 * awaited or not. Keys (1 to 1978 bytes) and values (0 bytes to 128 MiB) are bytes; a string stands for its
 * UTF-8. They are copied before a call returns. What comes out is a `Uint8Array` and belongs to the
 * caller. One process at a time owns a directory.
 *
 * Promises of writes reject with a `StoreError`: `NO_SPACE` or `IO` where the write failed and left
 * nothing behind, `POISONED` where a sync failed or the directory is no longer the store's own, `CLOSED`
 * after `close`.
 *
 * @example
 * ```ts
 * import { HybridStore, mvKey, subjectScanPrefix, voteCountKey } from "@hybrid/store";
 * import { assertEquals } from "@std/assert";
 *
 * await using store = await HybridStore.openTemp();
 * await store.put(mvKey("Tesla", "revenue"), new TextEncoder().encode("96.8e9"));
 * assertEquals(await store.fetchAndAddU64(voteCountKey("Tesla", "h1"), 5n), 5n);
 * assertEquals((await store.scanPrefix(subjectScanPrefix("Tesla"))).length, 2);
 * ```
 */
export class HybridStore extends ClosedStore implements KVStore {
  /** The store's directory. */
  readonly path: string;
  readonly #core: StoreCore;
  readonly #onClosed: () => unknown;
  #closing: Promise<void> | undefined;

  private constructor(path: string, core: StoreCore, onClosed: () => unknown) {
    super();
    this.path = path;
    this.#core = core;
    this.#onClosed = onClosed;
  }

  /** Opens the store in a directory, which is created where it is missing.
   *
   * Writes that were acknowledged before a crash and are not in the engines yet are replayed from the
   * journal; a torn tail is cut and reported in `stats().recovery`.
   *
   * @param path A path or a `file:` URL.
   * @param options See {@linkcode OpenOptions}.
   * @throws {TypeError | RangeError} An argument is not valid.
   * @throws {StoreError} `LOCKED` with the owner's process id; `CORRUPT` with the file and what to do;
   * `ROUTES_CHANGED`; `UNSUPPORTED`; `NO_SPACE`; `IO`.
   */
  static open(path: string | URL, options: OpenOptions = {}): Promise<HybridStore> {
    return traced(TRACERS.open, NO_ROUTE, undefined, undefined, async () => {
      const directory = resolveDirectory(path);
      const core = await StoreCore.open(directory, resolveOptions(options));
      return new HybridStore(directory, core, () => {});
    });
  }

  /** Opens a new store in a temporary directory, which goes with `close()`.
   *
   * @throws As {@linkcode HybridStore.open} does.
   */
  static openTemp(options: OpenOptions = {}): Promise<HybridStore> {
    return traced(TRACERS.open, NO_ROUTE, undefined, undefined, async () => {
      const settings = resolveOptions(options);
      const directory = fs.mkdtempSync(join(tmpdir(), "hybridstore-"));
      const remove = () => fs.rmSync(directory, { recursive: true, force: true });
      try {
        const core = await StoreCore.open(directory, settings);
        return new HybridStore(directory, core, () => core.hasLostDirectory || remove());
      } catch (error) {
        remove();
        throw error;
      }
    });
  }

  /** Returns the value of a key, `undefined` where there is none. Costs one lookup.
   *
   * @throws {TypeError | RangeError} The key is not valid.
   * @throws {StoreError} `CLOSED`, `CORRUPT`, `IO`.
   */
  get(key: BytesLike): Promise<Uint8Array | undefined> {
    return traced(TRACERS.get, this.#context, key, undefined, () => {
      return answerBytes(this.#core.get("Cannot get key", key));
    });
  }

  /** Returns the value of a key at once. Reads never wait, so this is the faster form of `get`. */
  getSync(key: BytesLike): Uint8Array | undefined {
    return tracedSync(TRACERS.getSync, this.#context, key, () => {
      return this.#core.get("Cannot get key", key);
    });
  }

  /** Returns whether a key is there, without copying its value. Throws as `get` does. */
  has(key: BytesLike): Promise<boolean> {
    return traced(TRACERS.has, this.#context, key, undefined, () => {
      return answer(this.#core.has("Cannot look for key", key), true);
    });
  }

  /** Returns whether a key is there, at once. Throws as `get` does. */
  hasSync(key: BytesLike): boolean {
    return tracedSync(TRACERS.hasSync, this.#context, key, () => {
      return this.#core.has("Cannot look for key", key);
    });
  }

  /** Returns the values of some keys, in their order, all as of one moment. Throws as `get` does. */
  getMany(keys: readonly BytesLike[]): Promise<(Uint8Array | undefined)[]> {
    return traced(TRACERS.getMany, this.#context, undefined, undefined, () => {
      const what = "Cannot get keys";
      if (!Array.isArray(keys)) {
        const advice = Symbol.iterator in Object(keys) ? "; spread it: [...keys]" : "";
        throw new TypeError(
          `${what}: the keys are ${describe(keys)}, not an array of keys${advice}`,
        );
      }
      return answer(keys.map((key: BytesLike) => this.#core.get(what, key)));
    });
  }

  /** Sets the value of a key. Resolves when it is acknowledged: see {@linkcode Durability}.
   *
   * @param key 1 to 1978 bytes.
   * @param value 0 bytes to 128 MiB.
   * @throws {TypeError | RangeError} Key or value is not valid; nothing changed.
   * @throws {StoreError} `NO_SPACE`, `IO`, `POISONED`, `CLOSED`.
   */
  put(key: BytesLike, value: BytesLike): Promise<void> {
    return traced(TRACERS.put, this.#context, key, value, () => {
      return this.#core.put("Cannot put key", key, value);
    });
  }

  /** Removes a key; one that is absent is no error. Resolves and throws as `put` does. */
  delete(key: BytesLike): Promise<void> {
    return traced(TRACERS.delete, this.#context, key, undefined, () => {
      return this.#core.delete("Cannot delete key", key);
    });
  }

  /** Returns an empty batch: writes that take effect together, over both engines.
   *
   * @throws {StoreError} `CLOSED`.
   */
  batch(): Batch {
    const what = "Cannot commit batch";
    return new Batch(this.#core.newWriteSet("Cannot begin batch"), (writes) => {
      return traced(TRACERS.batch, this.#context, undefined, undefined, () => {
        return this.#core.commit(what, writes);
      });
    });
  }

  /** Runs a function that reads and writes, and commits its writes together, over both engines.
   *
   * The function runs at once and must be synchronous, so that nothing happens in between and nothing
   * has to be tried again. Where it throws, nothing is written and the promise rejects with its error.
   *
   * While it runs, the store itself can be read, but not written: what its own methods wrote would be
   * overwritten by the transaction. They reject with a `TypeError`, and so do `flush`, `checkpoint`,
   * `snapshot`, `backup` and `verify`, which would write what the function has read. `close` is taken,
   * and the transaction is then refused.
   *
   * @param body Gets a {@linkcode Transaction}. A function that returns a promise is refused by the
   * compiler, and when it has run.
   * @returns What the function returned, once its writes are acknowledged.
   * @throws {TypeError} `body` is not a function, or returned a promise; nothing is written.
   * @throws {StoreError} As `put` does.
   *
   * @example
   * ```ts
   * import { HybridStore } from "@hybrid/store";
   * import { assertEquals } from "@std/assert";
   *
   * await using store = await HybridStore.openTemp();
   * const [from, to] = ["alice", "bob"].map((name) => new TextEncoder().encode(name));
   * await store.fetchAndAddU64(from!, 10n);
   * const left = await store.transact((tx) => {
   *   tx.fetchAndAddU64(to!, 3n);
   *   return tx.fetchAndAddU64(from!, -3n);
   * });
   * assertEquals(left, 7n);
   * ```
   */
  transact<T>(body: (transaction: Transaction) => Synchronous<T>): Promise<T> {
    return traced(TRACERS.transact, this.#context, undefined, undefined, () => {
      // Of what is not a promise, the two types are one.
      const checked = body as (transaction: Transaction) => T;
      return this.#core.transact("Cannot run transaction", checked);
    });
  }

  /** Adds to a counter: 8 bytes, little-endian; an absent key counts as 0.
   *
   * @param delta What to add; negative to subtract.
   * @returns The new value, once it is acknowledged as a put would be.
   * @throws {TypeError} `delta` is no bigint.
   * @throws {RangeError} The sum is below 0 or above 2^64 - 1; nothing changed.
   * @throws {StoreError} `INVALID_VALUE`: the stored value is not 8 bytes long; as `put` does.
   */
  fetchAndAddU64(key: BytesLike, delta: bigint): Promise<bigint> {
    return traced(TRACERS.fetchAndAddU64, this.#context, key, undefined, () => {
      return this.#core.fetchAndAddU64("Cannot add to counter", key, delta);
    });
  }

  /** Replaces a number: f32, 4 bytes, little-endian; an absent key counts as 0.
   *
   * @param update Called once, at once, with the stored number; returns the new one. While it runs, the
   * store is read but not written, as while a function of `transact` runs.
   * @returns The new number, rounded to f32, once it is acknowledged as a put would be.
   * @throws {TypeError} `update` is no function, or returns no number.
   * @throws {RangeError} `update` returns NaN; nothing changed.
   * @throws {StoreError} `INVALID_VALUE`: the stored value is not 4 bytes long; as `put` does.
   */
  compareAndSwapF32(key: BytesLike, update: (current: number) => number): Promise<number> {
    return traced(TRACERS.compareAndSwapF32, this.#context, key, undefined, () => {
      return this.#core.compareAndSwapF32("Cannot update number", key, update);
    });
  }

  /** Yields the entries of a range, over both engines, in byte order or against it.
   *
   * Reads in pages of up to 2048 rows, which end with the row that reaches 4 MiB, so that memory stays
   * constant whatever the values are, and the event loop gets its turns; the first page is small. Each
   * page shows one moment, and never half a batch; between pages, writes may be seen. For one moment
   * over all of it, scan a `snapshot()`.
   *
   * @throws {TypeError | RangeError} The range is not valid.
   * @throws {StoreError} `CLOSED`, `CORRUPT`, `IO`.
   */
  scan(range?: ScanRange): AsyncIterableIterator<Entry> {
    const what = "Cannot scan";
    return tracedRowsAsync(TRACERS.scan, () => {
      return rowsAsync(this.#core.source(what), ENTRY_ROWS, resolveRange(what, range));
    });
  }

  /** Yields the entries of a range without letting the event loop turn; else as `scan`. */
  scanSync(range?: ScanRange): IterableIterator<Entry> {
    const what = "Cannot scan";
    return tracedRows(TRACERS.scanSync, () => {
      return rows(this.#core.source(what), ENTRY_ROWS, resolveRange(what, range));
    });
  }

  /** Yields the keys of a range, without reading their values; else as `scan`. */
  keys(range?: ScanRange): AsyncIterableIterator<Uint8Array> {
    const what = "Cannot scan keys";
    return tracedRowsAsync(TRACERS.keys, () => {
      return rowsAsync(this.#core.source(what), KEY_ROWS, resolveRange(what, range));
    });
  }

  /** Returns all entries whose key begins with a prefix, over both engines, as of one moment. The empty
   * prefix matches every key. Costs memory for all of them, and the event loop waits; `scan` does not.
   *
   * @throws {TypeError} The prefix is neither bytes nor a string, or its buffer is detached.
   * @throws {StoreError} `CLOSED`, `CORRUPT`, `IO`.
   */
  scanPrefix(prefix: BytesLike): Promise<Entry[]> {
    return traced(TRACERS.scanPrefix, NO_ROUTE, prefix, undefined, () => {
      const what = "Cannot scan prefix";
      const bytes = toBytes(what, "the prefix", prefix);
      const source = this.#core.source(what);
      return answer(allRows(source, ENTRY_ROWS, prefixScan(bytes)));
    });
  }

  /** Counts the keys of a range. Costs a walk over all of them, in pages, as `keys` does. */
  count(range?: ScanRange): Promise<number> {
    return traced(TRACERS.count, this.#context, undefined, undefined, async () => {
      const what = "Cannot count keys";
      const scan = resolveRange(what, range);
      let count = 0;
      for await (const page of pagesAsync(this.#core.source(what), KEY_ROWS, scan, true)) {
        count += page.length;
      }
      return count;
    });
  }

  /** Deletes the keys of a range together: all of them or none. It takes effect at the call, and the
   * event loop waits while the keys are read. Costs memory for all of the keys, a few hundred bytes
   * each, and none for their values: delete a larger range in parts.
   *
   * @param range The keys; `{}` stands for all of them.
   * @returns How many there were, once that is acknowledged.
   * @throws {TypeError} The range is missing, or a bound in it is `undefined`; nothing is deleted.
   * @throws {RangeError} The range is not valid, or its keys, 7 bytes for each included, exceed the 512 MiB of a
   * batch; nothing is deleted.
   * @throws {StoreError} As `put` does.
   */
  deleteRange(range: ScanRange): Promise<number> {
    return traced(TRACERS.deleteRange, this.#context, undefined, undefined, () => {
      const what = "Cannot delete range";
      // What went missing must not delete every key.
      for (const [name, value] of Object.entries(range ?? { range })) {
        if (value === undefined) {
          throw new TypeError(`${what}: ${name} is undefined; {} stands for all keys`);
        }
      }
      return this.#core.deleteRange(what, resolveRange(what, range));
    });
  }

  /** Returns the store as it is now, over both engines, readable while writes go on. Snapshots between
   * which nothing was applied to the engines share a moment of them, of which 1024 can be held.
   *
   * @throws {StoreError} `TOO_MANY_SNAPSHOTS`: dispose of those that are done with; `CLOSED`, `IO`.
   */
  snapshot(): Promise<Snapshot> {
    return traced(TRACERS.snapshot, this.#context, undefined, undefined, () => {
      return answer(this.#core.snapshot("Cannot take snapshot"));
    });
  }

  /** Resolves once every write called before is on disk.
   *
   * A write that nobody waited for may have failed. The first `flush` that is called after it rejects
   * with that failure (the first one, where there are several), once everything else is on disk; later
   * ones do not. Writes that were awaited count as well: which ones were cannot be known.
   *
   * @throws {StoreError} `NO_SPACE` or `IO`: a write since the last flush failed and left nothing
   * behind; `POISONED`: the sync failed; `CLOSED`.
   * @throws {TypeError} A function of `transact` or `compareAndSwapF32` is running.
   */
  flush(): Promise<void> {
    return traced(TRACERS.flush, this.#context, undefined, undefined, () => {
      return this.#core.flush("Cannot flush");
    });
  }

  /** Moves everything into the engines, durably, and drops the journal segments that nobody needs any
   * more. Makes the next open fast; `close()` does it too.
   *
   * @throws {StoreError} `NO_SPACE`, `IO`: an engine did not take it, and the journal keeps it;
   * `POISONED`, `CLOSED`.
   */
  checkpoint(): Promise<void> {
    return traced(TRACERS.checkpoint, this.#context, undefined, undefined, () => {
      return this.#core.checkpoint("Cannot checkpoint");
    });
  }

  /** Copies the store as it is now into another directory, while reads and writes go on.
   *
   * The copy is a store itself, with an identity of its own: it opens, and passes `verify`. It takes
   * its place when it is whole and on disk; a kill leaves nothing but a directory
   * `<target>.unfinished-…` that does not open. Costs a read of every entry.
   *
   * @param target A directory that is absent or empty, outside the store's own, best on another disk.
   * @throws {StoreError} `NOT_EMPTY`; `NO_SPACE` or `IO`, with nothing left behind; `CLOSED`.
   *
   * @example
   * ```ts
   * import { HybridStore } from "@hybrid/store";
   * import { assertEquals } from "@std/assert";
   * import { rmSync } from "node:fs";
   *
   * await using store = await HybridStore.openTemp();
   * await store.put(new Uint8Array([1]), new Uint8Array([2]));
   * const target = `${store.path}-backup`;
   * assertEquals((await store.backup(target)).keys, 1);
   *
   * const copy = await HybridStore.open(target);
   * assertEquals(copy.getSync(new Uint8Array([1])), new Uint8Array([2]));
   * await copy.close();
   * rmSync(target, { recursive: true });
   * ```
   */
  backup(target: string | URL, options: BackupOptions = {}): Promise<BackupReport> {
    return traced(TRACERS.backup, NO_ROUTE, undefined, undefined, () => {
      const what = "Cannot back up store";
      checkOptions(what, options);
      const directory = resolveDirectory(target, what, "target");
      requireOutside(what, this.path, directory);
      return this.#core.backup(what, directory, options);
    });
  }

  /** Checks everything that a store can check about itself: the structures of both engines, that every
   * key lives where it is routed, that the engines and the journal fit together, and the digests of
   * every record of the journal.
   *
   * LMDB and SQLite keep no checksums of values: other bytes in a value are not found. Reads and
   * writes go on meanwhile, except that SQLite checks its own structures in one call. Costs a read of
   * everything.
   *
   * @returns What is wrong; damage is no error of this method.
   * @throws {StoreError} `POISONED`: a file of the store was removed, moved or replaced; `CLOSED`.
   */
  verify(options: VerifyOptions = {}): Promise<VerifyReport> {
    return traced(TRACERS.verify, NO_ROUTE, undefined, undefined, () => {
      const what = "Cannot verify store";
      checkOptions(what, options);
      return this.#core.verify(what, options);
    });
  }

  /** Returns the state of the store, which is known: nothing is counted.
   *
   * @throws {StoreError} `CLOSED`.
   */
  stats(): StoreStats {
    return tracedSync(TRACERS.stats, NO_ROUTE, undefined, () => {
      return this.#core.stats("Cannot read statistics");
    });
  }

  /** Returns the engine that a key lives in, whether it is there or not. Bytes that are too few or too
   * many for a key are routed as well, by the same rule.
   *
   * @throws {TypeError} The key is neither bytes nor a string.
   * @throws {StoreError} `CLOSED`.
   */
  routeOf(key: BytesLike): EngineName {
    return tracedSync(TRACERS.routeOf, this.#context, key, () => {
      return this.#core.routeOf("Cannot route key", key);
    });
  }

  /** Refuses further calls, moves everything into the engines and closes the files. Whatever the disk
   * does not take stays in the journal for the next open. A second call returns the same promise.
   *
   * @throws {StoreError} `POISONED`: what was not yet on disk may be lost, or the directory is no longer
   * this store's.
   */
  close(): Promise<void> {
    return this.#closing ??= traced(TRACERS.close, this.#context, undefined, undefined, () => {
      return this.#core.close().finally(this.#onClosed);
    });
  }

  /** Closes the store: `await using` calls it. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  readonly #context = (key: BytesLike): EngineName | undefined => {
    try {
      return this.#core.routeOf("Cannot trace", key);
    } catch {
      return undefined;
    }
  };
}
