/** What can be done with a store that nobody has open.
 *
 * @module
 */

import { resolveDirectory } from "./directory/layout.ts";
import { repairStore } from "./maintenance/repair.ts";
import { restoreStore } from "./maintenance/restore.ts";
import { TRACERS } from "./tracers.ts";
import { NO_ROUTE, traced } from "./tracing.ts";
import type { RepairOptions, RepairReport, VerifyOptions, VerifyReport } from "./types.ts";
import { verifyClosed } from "./maintenance/verify_closed.ts";

/** The operations on a store's directory while nobody has the store open: `HybridStore.restore`,
 * `HybridStore.verify` and `HybridStore.repair`. */
export abstract class ClosedStore {
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
    return traced(TRACERS.restore, NO_ROUTE, undefined, undefined, async () => {
      const what = "Cannot restore store";
      const from = resolveDirectory(backup, what, "backup");
      const to = resolveDirectory(target, what, "target");
      await restoreStore(what, from, to);
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
    return traced(TRACERS.verify, NO_ROUTE, undefined, undefined, () => {
      const directory = resolveDirectory(path, "Cannot verify store");
      return verifyClosed("Cannot verify store", directory, options);
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
    return traced(TRACERS.repair, NO_ROUTE, undefined, undefined, () => {
      const directory = resolveDirectory(path, "Cannot repair store");
      return repairStore("Cannot repair store", directory, options);
    });
  }
}
