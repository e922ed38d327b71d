/** The public surface of the store.
 *
 * @module
 */

import { join } from "@std/path";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { destroyStore, storeExists } from "./directory/destroy.ts";
import { openMemoryParts } from "./directory/in_memory.ts";
import { resolveDirectory } from "./directory/layout.ts";
import { requireOutside } from "./directory/paths.ts";
import { requireOptions } from "./limits.ts";
import { writeBackup } from "./maintenance/backup.ts";
import { repairStore } from "./maintenance/repair.ts";
import { restoreStore } from "./maintenance/restore.ts";
import { Verification } from "./maintenance/verify.ts";
import { verifyClosed } from "./maintenance/verify_closed.ts";
import { LiveStore } from "./live_store.ts";
import { OpenStore } from "./open.ts";
import { ON_DIRECTORY, OPERATIONS } from "./operation.ts";
import type { OrderedStore } from "./ordered_store.ts";
import { resolveOptions } from "./options.ts";
import type {
  BackupOptions,
  BackupReport,
  OpenOptions,
  RepairOptions,
  RepairReport,
  StoreOptions,
  StoreStats,
  VerifyOptions,
  VerifyReport,
} from "./types.ts";

/** The path of a store that has no directory. */
const MEMORY = ":memory:";

/** One ordered key-value store over two engines: LMDB for what is mostly written, the runtime's own
 * SQLite for what is mostly read, and a journal in front that makes a write to both one append.
 *
 * Calls take effect in the order in which they are made, and a read sees every write called before it,
 * awaited or not. Keys (1 to 2600 bytes) and values (0 bytes to 128 MiB) are bytes; a string stands for its
 * UTF-8. They are copied before a call returns. What comes out is a `Uint8Array` and belongs to the
 * caller. One process at a time owns a directory.
 *
 * Promises of writes reject with a `StoreError`: `NO_SPACE` or `IO` where the write failed and left
 * nothing behind, `POISONED` where a sync failed or the directory is no longer the store's own, `CLOSED`
 * after `close`.
 *
 * Reads are methods of {@linkcode StoreReader}, writes of {@linkcode StoreWriter}; snapshots, positions and
 * parts of {@linkcode LiveStore}. Opening, backups and maintenance are here.
 *
 * @category HybridStore
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
export class HybridStore extends LiveStore implements OrderedStore {
  /** The store's directory; `":memory:"` where it has none. */
  readonly path: string;
  readonly #open: OpenStore;
  readonly #onClosed: () => unknown;
  #closing: Promise<void> | undefined;

  private constructor(path: string, open: OpenStore, onClosed: () => unknown) {
    super(open, open);
    this.path = path;
    this.#open = open;
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
   * `ROUTES_CHANGED`; `UNSUPPORTED`; `NO_SPACE`; `IO`; `NOT_FOUND` and `NOT_EMPTY` as the options say.
   */
  static open(path: string | URL, options: OpenOptions = {}): Promise<HybridStore> {
    return OPERATIONS.open.promise(ON_DIRECTORY, undefined, undefined, async () => {
      const directory = resolveDirectory(path);
      const open = await OpenStore.open(directory, resolveOptions(options, "directory"));
      return new HybridStore(directory, open, () => {});
    });
  }

  /** Opens a new store in a temporary directory, which goes with `close()`.
   *
   * @throws As {@linkcode HybridStore.open} does.
   */
  static openTemp(options: StoreOptions = {}): Promise<HybridStore> {
    return OPERATIONS.open.promise(ON_DIRECTORY, undefined, undefined, async () => {
      const settings = resolveOptions(options);
      const directory = fs.mkdtempSync(join(tmpdir(), "hybridstore-"));
      const remove = () => fs.rmSync(directory, { recursive: true, force: true });
      try {
        const open = await OpenStore.open(directory, settings);
        const { ownership } = open.parts;
        return new HybridStore(directory, open, () => ownership.isLost || remove());
      } catch (error) {
        remove();
        throw error;
      }
    });
  }

  /** Opens a new store that is in memory alone, with the same surface, and goes with `close()`. Nothing of it is on
   * disk. `durability` has nothing to wait for, and `backup` writes a store into a directory.
   *
   * @param options See {@linkcode StoreOptions}.
   * @throws {TypeError | RangeError} An option is not valid.
   *
   * @example
   * ```ts
   * import { HybridStore, toText } from "@hybrid/store";
   * import { assertEquals } from "@std/assert";
   *
   * await using store = await HybridStore.openMemory();
   * await store.put("key", "value");
   * assertEquals(toText(store.getSync("key")), "value");
   * ```
   */
  static openMemory(options: StoreOptions = {}): Promise<HybridStore> {
    return OPERATIONS.open.promise(ON_DIRECTORY, undefined, undefined, async () => {
      const settings = resolveOptions(options);
      const open = await OpenStore.start(await openMemoryParts(settings), settings);
      return new HybridStore(MEMORY, open, () => {});
    });
  }

  /** Returns whether a directory holds a store, open or not, damaged or not. Changes nothing.
   *
   * @param path A path or a `file:` URL.
   * @throws {TypeError} The path is not valid.
   * @throws {StoreError} `IO`: it cannot be looked at.
   */
  static exists(path: string | URL): Promise<boolean> {
    return OPERATIONS.exists.promise(ON_DIRECTORY, undefined, undefined, (what) => {
      return Promise.resolve(storeExists(what, resolveDirectory(path, what)));
    });
  }

  /** Removes a store with its directory, for good. It loses its name in one step: a kill leaves it whole, or a
   * directory `<path>.unfinished-…` that does not open and may be removed.
   *
   * @param path A path or a `file:` URL.
   * @throws {TypeError} The path is not valid.
   * @throws {StoreError} `NOT_FOUND`: there is no store; `LOCKED`: it is open; `NOT_EMPTY`: the directory holds
   * something else besides, and nothing was removed; `IO`.
   *
   * @example
   * ```ts
   * import { HybridStore } from "@hybrid/store";
   * import { assertEquals } from "@std/assert";
   * import { mkdtempSync } from "node:fs";
   *
   * const path = mkdtempSync("store-");
   * const store = await HybridStore.open(path);
   * await store.close();
   * assertEquals(await HybridStore.exists(path), true);
   * await HybridStore.destroy(path);
   * assertEquals(await HybridStore.exists(path), false);
   * ```
   */
  static destroy(path: string | URL): Promise<void> {
    return OPERATIONS.destroy.promise(ON_DIRECTORY, undefined, undefined, (what) => {
      return Promise.resolve(destroyStore(what, resolveDirectory(path, what)));
    });
  }

  /** Makes a store out of a backup, which stays exactly as it is: it may be on a read-only disk.
   *
   * The backup's files are copied next to the target first, and the store is made from that copy. So
   * there has to be room for the backup twice, until this resolves. A kill leaves nothing but directories
   * `<target>.unfinished-…`, which do not open.
   *
   * @param backup A directory that `backup` wrote, or any store that is not open.
   * @param target A directory that is absent or empty, outside the backup.
   * @throws {StoreError} `NOT_FOUND`: there is no backup; `NOT_EMPTY`; as `open` does of the backup, as
   * `backup` does of the target.
   */
  static restore(backup: string | URL, target: string | URL): Promise<void> {
    return OPERATIONS.restore.promise(ON_DIRECTORY, undefined, undefined, async (what) => {
      const from = resolveDirectory(backup, what, "backup");
      const to = resolveDirectory(target, what, "target");
      await restoreStore(what, from, to, async (copy, copied) => {
        const open = await OpenStore.open(copy, resolveOptions({}));
        try {
          await writeBackup(what, () => open.pinWithBacklog(), copied, () => {});
        } finally {
          await open.close();
        }
      });
    });
  }

  /** Checks a store that is not open, without changing any of its files and without opening an engine. Use it
   * for a store that may be damaged. It reads LMDB's pages as bytes, lets SQLite check itself
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
   * It keeps the entries of both engines whose place in the file is sound and, on each side, the records of
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

  /** Moves everything into the engines, durably, and removes the journal segments that are no
   * longer needed. Makes the next open fast; `close()` does it too.
   *
   * @throws {StoreError} `NO_SPACE`, `IO`: an engine did not take it, and the journal keeps it;
   * `POISONED`, `CLOSED`.
   */
  checkpoint(): Promise<void> {
    return OPERATIONS.checkpoint.promise(this.#open, undefined, undefined, (what) => {
      this.#open.requireIdle(what);
      return this.#open.checkpoint(what);
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
      if (this.path !== MEMORY) requireOutside(what, this.path, directory);
      const open = this.#open;
      open.requireIdle(what);
      return writeBackup(what, () => open.pinWithBacklog(), directory, (keys) => {
        open.requireOpen(what);
        options.onProgress?.({ keys });
      });
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
    return OPERATIONS.verify.promise(ON_DIRECTORY, undefined, undefined, async (what) => {
      requireOptions(what, options);
      const open = this.#open;
      open.requireIdle(what);
      // What still waits for the engines is then checked in them alone, if they take it.
      await open.checkpoint(what).catch(() => {});
      open.requireOpen(what);
      const { engines, journal, ownership, router } = open.parts;
      // Files that are open can be read when their names are gone, and look as if nothing were wrong.
      ownership.require(what);
      const moment = open.pin();
      try {
        const views = moment.source.engines;
        const requireOpen = () => open.requireOpen(what);
        const source = { router, engines, views, journal, requireOpen };
        const report = await new Verification(source, options).run();
        ownership.require(what);
        return report;
      } finally {
        moment.release();
      }
    });
  }

  /** Returns the state of the store, which is known: nothing is counted.
   *
   * @throws {StoreError} `CLOSED`.
   */
  stats(): StoreStats {
    return OPERATIONS.stats.sync(this.#open, undefined, (what) => {
      this.#open.requireOpen(what);
      return this.#open.stats();
    });
  }

  /** Refuses further calls, moves everything into the engines and closes the files. What the disk
   * does not take stays in the journal for the next open. A second call returns the same promise.
   *
   * @throws {StoreError} `POISONED`: what was not yet on disk may be lost, or the directory is no longer
   * this store's.
   */
  close(): Promise<void> {
    return this.#closing ??= OPERATIONS.close.promise(this.#open, undefined, undefined, () => {
      return this.#open.close().finally(this.#onClosed);
    });
  }

  /** Closes the store: `await using` calls it. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
