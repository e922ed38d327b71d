/** The public surface of the store.
 *
 * @module
 */

import { join } from "@std/path";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import type { EngineName } from "../codec/route.ts";
import { answer } from "../runtime/turn.ts";
import { StoreCore } from "./core.ts";
import { resolveDirectory } from "./directory/layout.ts";
import { requireOutside } from "./directory/paths.ts";
import { requireOptions } from "./limits.ts";
import { repairStore } from "./maintenance/repair.ts";
import { restoreStore } from "./maintenance/restore.ts";
import { verifyClosed } from "./maintenance/verify_closed.ts";
import { ON_DIRECTORY, OPERATIONS, type Surface } from "./operation.ts";
import { resolveOptions } from "./options.ts";
import { type ReadSurface, StoreReader } from "./read/reader.ts";
import { resolveDeletion } from "./read/scan.ts";
import type { Snapshot } from "./read/snapshot.ts";
import type {
  BackupOptions,
  BackupReport,
  BytesLike,
  KVStore,
  OpenOptions,
  RepairOptions,
  RepairReport,
  ScanRange,
  StoreStats,
  VerifyOptions,
  VerifyReport,
} from "./types.ts";
import { Batch } from "./write/batch.ts";
import type { Synchronous, Transaction } from "./write/transaction.ts";

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
 * await store.put(mvKey("Tesla", "revenue"), "96.8e9");
 * assertEquals(await store.fetchAndAddU64(voteCountKey("Tesla", "h1"), 5n), 5n);
 * assertEquals((await store.scanPrefix(subjectScanPrefix("Tesla"))).length, 2);
 * ```
 */
export class HybridStore extends StoreReader implements KVStore {
  /** The store's directory. */
  readonly path: string;
  readonly #core: StoreCore;
  readonly #surface: Surface;
  readonly #onClosed: () => unknown;
  #closing: Promise<void> | undefined;

  private constructor(path: string, core: StoreCore, onClosed: () => unknown) {
    const surface: ReadSurface = {
      where: "",
      isTraced: true,
      routeOf: (key) => core.findRoute(key),
      source: (what) => core.source(what),
    };
    super(surface);
    this.path = path;
    this.#core = core;
    this.#surface = surface;
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
    return OPERATIONS.open.promise(ON_DIRECTORY, undefined, undefined, async () => {
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
    return OPERATIONS.open.promise(ON_DIRECTORY, undefined, undefined, async () => {
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

  /** Makes a store out of a backup, which stays exactly as it is: it may be on a read-only disk.
   *
   * The backup's files are copied next to the target first, and the store is made from that copy. So
   * there has to be room for the backup twice, until this resolves. A kill leaves nothing but directories
   * `<target>.unfinished-…`, which do not open.
   *
   * @param backup A directory that `backup` wrote, or any store that nobody has open.
   * @param target A directory that is absent or empty, outside the backup.
   * @throws {StoreError} `NOT_FOUND`: there is no backup; `NOT_EMPTY`; as `open` does of the backup, as
   * `backup` does of the target.
   */
  static restore(backup: string | URL, target: string | URL): Promise<void> {
    return OPERATIONS.restore.promise(ON_DIRECTORY, undefined, undefined, async (what) => {
      const from = resolveDirectory(backup, what, "backup");
      const to = resolveDirectory(target, what, "target");
      await restoreStore(what, from, to, async (copy, copied) => {
        const core = await StoreCore.open(copy, resolveOptions({}));
        try {
          await core.backup(what, copied, {});
        } finally {
          await core.close();
        }
      });
    });
  }

  /** Checks a store that nobody has open, without changing a file of it and without opening an engine: the
   * way to look at a store that may be damaged. It reads LMDB's pages as bytes, lets SQLite check itself
   * (a copy in the temporary directory, where the database has a log), and otherwise checks what the method
   * of an open store does. Costs a read of everything, and takes the store's lock.
   *
   * @param path A path or a `file:` URL.
   * @returns What is wrong; damage is not an error of this method.
   * @throws {TypeError} The path is not valid.
   * @throws {StoreError} `LOCKED`; `NOT_FOUND`: there is no store; `UNSUPPORTED`, `NO_SPACE`, `IO`.
   *
   * @example
   * ```ts
   * import { HybridStore } from "@hybrid/store";
   * import { assertEquals } from "@std/assert";
   * import { mkdtempSync, rmSync } from "node:fs";
   *
   * const path = mkdtempSync("store-");
   * const store = await HybridStore.open(path);
   * await store.put(new Uint8Array([1]), new Uint8Array([2]));
   * await store.close();
   * const { ok, keys } = await HybridStore.verify(path);
   * assertEquals([ok, keys.btree], [true, 1]);
   * rmSync(path, { recursive: true });
   * ```
   */
  static verify(path: string | URL, options: VerifyOptions = {}): Promise<VerifyReport> {
    return OPERATIONS.verify.promise(ON_DIRECTORY, undefined, undefined, (what) => {
      const directory = resolveDirectory(path, what);
      return verifyClosed(what, directory, options);
    });
  }

  /** Makes a damaged store usable again: the way back from every `CORRUPT`. On a healthy store it changes
   * nothing and says so.
   *
   * It never changes the damaged files. It writes a new store beside them from what is provably there,
   * makes that durable, sets the damaged directory aside as `<path>.damaged-…`, and gives the new one its
   * name. A kill at any moment leaves one of the two under the name, at the latest when the store is opened
   * or repaired again. Needs room for a second store.
   *
   * Kept are the entries of both engines whose place in the file is sound, and on each side the records of
   * the journal that follow, up to the first gap. Valid records behind a gap are not applied: a store
   * promises that it shows a prefix of what was written, and later writes may rest on those that are lost.
   * They stay in the journal of the directory that was set aside, where `JournalReader` reads them, and the
   * report names them. The engines keep no checksums of values: bytes that changed within one are not
   * noticed. The repaired store has an identity of its own.
   *
   * @param path A path or a `file:` URL.
   * @param options `routes`: those of the store, where its manifest is lost and they were not the default
   * ones.
   * @returns What was wrong, what was kept, and what is known to be lost.
   * @throws {TypeError} The path or the routes are not valid.
   * @throws {StoreError} `LOCKED`; `NOT_FOUND`; `CORRUPT`: nothing is left of one store, restore a backup;
   * `ROUTES_CHANGED`: the keys contradict the routes; `UNSUPPORTED`: another version wrote it; `NO_SPACE`,
   * `IO`. The damaged store is then as it was.
   *
   * @example
   * ```ts
   * import { HybridStore } from "@hybrid/store";
   * import { assertEquals } from "@std/assert";
   * import { mkdtempSync, rmSync } from "node:fs";
   *
   * const path = mkdtempSync("store-");
   * const store = await HybridStore.open(path);
   * await store.put(new Uint8Array([1]), new Uint8Array([2]));
   * await store.close();
   * rmSync(`${path}/manifest.json`);
   *
   * const { ok, kept, setAside } = await HybridStore.repair(path);
   * assertEquals([ok, kept.btree], [true, 1]);
   * const repaired = await HybridStore.open(path);
   * assertEquals(repaired.getSync(new Uint8Array([1])), new Uint8Array([2]));
   * await repaired.close();
   * for (const directory of [path, setAside!]) rmSync(directory, { recursive: true });
   * ```
   */
  static repair(path: string | URL, options: RepairOptions = {}): Promise<RepairReport> {
    return OPERATIONS.repair.promise(ON_DIRECTORY, undefined, undefined, (what) => {
      const directory = resolveDirectory(path, what);
      return repairStore(what, directory, options);
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
    return OPERATIONS.put.promise(this.#surface, key, value, (what) => {
      return this.#core.put(what, key, value);
    });
  }

  /** Removes a key. Deleting a missing key is not an error. Resolves and throws as `put` does. */
  delete(key: BytesLike): Promise<void> {
    return OPERATIONS.delete.promise(this.#surface, key, undefined, (what) => {
      return this.#core.delete(what, key);
    });
  }

  /** Returns an empty batch: writes that take effect together, over both engines.
   *
   * @throws {StoreError} `CLOSED`.
   */
  batch(): Batch {
    return new Batch(this.#core.newWriteSet("Cannot begin batch"), (writes) => {
      return OPERATIONS.batch.promise(this.#surface, undefined, undefined, (what) => {
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
   * await store.fetchAndAddU64("stock/shelf", 10n);
   * const left = await store.transact((tx) => {
   *   tx.fetchAndAddU64("stock/cart", 3n);
   *   return tx.fetchAndAddU64("stock/shelf", -3n);
   * });
   * assertEquals(left, 7n);
   * ```
   */
  transact<T>(body: (transaction: Transaction) => Synchronous<T>): Promise<T> {
    return OPERATIONS.transact.promise(this.#surface, undefined, undefined, (what) => {
      // Of what is not a promise, the two types are one.
      const checked = body as (transaction: Transaction) => T;
      return this.#core.transact(what, checked);
    });
  }

  /** Adds to a counter: 8 bytes, little-endian; an absent key counts as 0.
   *
   * @param delta What to add; negative to subtract.
   * @returns The new value, once it is acknowledged as a put would be.
   * @throws {TypeError} `delta` is not a bigint.
   * @throws {RangeError} The sum is below 0 or above 2^64 - 1; nothing changed.
   * @throws {StoreError} `INVALID_VALUE`: the stored value is not 8 bytes long; as `put` does.
   */
  fetchAndAddU64(key: BytesLike, delta: bigint): Promise<bigint> {
    return OPERATIONS.fetchAndAddU64.promise(this.#surface, key, undefined, (what) => {
      return this.#core.fetchAndAddU64(what, key, delta);
    });
  }

  /** Replaces a number: f32, 4 bytes, little-endian; an absent key counts as 0.
   *
   * @param update Called once, at once, with the stored number; returns the new one. While it runs, the
   * store is read but not written, as while a function of `transact` runs.
   * @returns The new number, rounded to f32, once it is acknowledged as a put would be.
   * @throws {TypeError} `update` is not a function, or does not return a number.
   * @throws {RangeError} `update` returns NaN; nothing changed.
   * @throws {StoreError} `INVALID_VALUE`: the stored value is not 4 bytes long; as `put` does.
   */
  compareAndSwapF32(key: BytesLike, update: (current: number) => number): Promise<number> {
    return OPERATIONS.compareAndSwapF32.promise(this.#surface, key, undefined, (what) => {
      return this.#core.compareAndSwapF32(what, key, update);
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
    return OPERATIONS.deleteRange.promise(this.#surface, undefined, undefined, (what) => {
      return this.#core.deleteRange(what, resolveDeletion(what, range));
    });
  }

  /** Returns the store as it is now, over both engines, readable while writes go on. Snapshots between
   * which nothing was applied to the engines share a moment of them, of which 1024 can be held.
   *
   * @throws {StoreError} `TOO_MANY_SNAPSHOTS`: dispose of those that are done with; `CLOSED`, `IO`.
   */
  snapshot(): Promise<Snapshot> {
    return OPERATIONS.snapshot.promise(this.#surface, undefined, undefined, (what) => {
      return answer(this.#core.snapshot(what));
    });
  }

  /** Returns the store as it is now, at once. Throws as `snapshot` does. */
  snapshotSync(): Snapshot {
    return OPERATIONS.snapshotSync.sync(this.#surface, undefined, (what) => {
      return this.#core.snapshot(what);
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
    return OPERATIONS.flush.promise(this.#surface, undefined, undefined, (what) => {
      return this.#core.flush(what);
    });
  }

  /** Moves everything into the engines, durably, and drops the journal segments that nobody needs any
   * more. Makes the next open fast; `close()` does it too.
   *
   * @throws {StoreError} `NO_SPACE`, `IO`: an engine did not take it, and the journal keeps it;
   * `POISONED`, `CLOSED`.
   */
  checkpoint(): Promise<void> {
    return OPERATIONS.checkpoint.promise(this.#surface, undefined, undefined, (what) => {
      return this.#core.checkpoint(what);
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
   * import { HybridStore, toText } from "@hybrid/store";
   * import { assertEquals } from "@std/assert";
   * import { rmSync } from "node:fs";
   *
   * await using store = await HybridStore.openTemp();
   * await store.put("key", "value");
   * const target = `${store.path}-backup`;
   * assertEquals((await store.backup(target)).keys, 1);
   *
   * const copy = await HybridStore.open(target);
   * assertEquals(toText(copy.getSync("key")), "value");
   * await copy.close();
   * rmSync(target, { recursive: true });
   * ```
   */
  backup(target: string | URL, options: BackupOptions = {}): Promise<BackupReport> {
    return OPERATIONS.backup.promise(ON_DIRECTORY, undefined, undefined, (what) => {
      requireOptions(what, options);
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
   * @returns What is wrong; damage does not make this method reject.
   * @throws {StoreError} `POISONED`: a file of the store was removed, moved or replaced; `CLOSED`.
   */
  verify(options: VerifyOptions = {}): Promise<VerifyReport> {
    return OPERATIONS.verify.promise(ON_DIRECTORY, undefined, undefined, (what) => {
      requireOptions(what, options);
      return this.#core.verify(what, options);
    });
  }

  /** Returns the state of the store, which is known: nothing is counted.
   *
   * @throws {StoreError} `CLOSED`.
   */
  stats(): StoreStats {
    return OPERATIONS.stats.sync(this.#surface, undefined, (what) => {
      return this.#core.stats(what);
    });
  }

  /** Returns the engine that a key lives in, whether it is there or not. Bytes that are too few or too
   * many for a key are routed as well, by the same rule.
   *
   * @throws {TypeError} The key is neither bytes nor a string.
   * @throws {StoreError} `CLOSED`.
   */
  routeOf(key: BytesLike): EngineName {
    return OPERATIONS.routeOf.sync(this.#surface, key, (what) => {
      return this.#core.routeOf(what, key);
    });
  }

  /** Refuses further calls, moves everything into the engines and closes the files. Whatever the disk
   * does not take stays in the journal for the next open. A second call returns the same promise.
   *
   * @throws {StoreError} `POISONED`: what was not yet on disk may be lost, or the directory is no longer
   * this store's.
   */
  close(): Promise<void> {
    return this.#closing ??= OPERATIONS.close.promise(this.#surface, undefined, undefined, () => {
      return this.#core.close().finally(this.#onClosed);
    });
  }

  /** Closes the store: `await using` calls it. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
