/** Looking for a store, and removing one.
 *
 * @module
 */

import { basename, dirname, join } from "@std/path";
import * as fs from "node:fs";
import { fileError } from "../../codec/_file_error.ts";
import { StoreError } from "../../codec/error.ts";
import { nodeFileSystem } from "../../journal/file_system.ts";
import { CREATING_FILE, PART_DIRECTORIES, UNFINISHED_INFIX } from "./layout.ts";
import { LOCK_FILE, StoreLock } from "./lock.ts";
import { MANIFEST_FILE } from "./manifest.ts";
import { NOTE_FILE } from "./owner_note.ts";
import { requireRemains, syncNamesAbove } from "./paths.ts";
import { PLACE_FILE } from "./place.ts";
import { findPendingSwap, finishSwap } from "./repair_swap.ts";

/** What a store's directory holds. */
const NAMES = [
  ...PART_DIRECTORIES,
  ...[CREATING_FILE, LOCK_FILE, `${LOCK_FILE}-journal`, NOTE_FILE],
  ...[MANIFEST_FILE, `${MANIFEST_FILE}.tmp`, PLACE_FILE, `${PLACE_FILE}.tmp`],
];

/** Returns whether a directory holds a store, damaged or not.
 *
 * @throws {StoreError} `IO`: it cannot be looked at.
 */
export function storeExists(what: string, path: string): boolean {
  if (findPendingSwap(path) !== undefined) return true;
  try {
    return requireRemains(what, path);
  } catch (error) {
    if (error instanceof StoreError && ["NOT_FOUND", "CORRUPT"].includes(error.code)) return false;
    throw fileError(what, error);
  }
}

/** Removes a store with its directory. It loses its name in one step, so that a kill leaves it whole, or a
 * directory `<path>.unfinished-…` that does not open.
 *
 * @throws {StoreError} `NOT_FOUND`; `LOCKED`; `NOT_EMPTY`: the directory holds something else; `CORRUPT`: it is a
 * backup or a repair that was not finished; `IO`.
 */
export function destroyStore(what: string, path: string): void {
  finishSwap(path);
  requireRemains(what, path);
  const lock = StoreLock.acquire(path);
  const { directory } = lock;
  let doomed: string | undefined;
  try {
    const other = fs.readdirSync(directory).find((name) => !NAMES.includes(name));
    if (other !== undefined) {
      throw new StoreError(
        "NOT_EMPTY",
        `${what}: ${directory} also holds ${other}, which is not the store's; remove it or move it first`,
      );
    }
    const parent = dirname(directory);
    doomed = fs.mkdtempSync(join(parent, basename(directory) + UNFINISHED_INFIX));
    // Takes the place of the empty directory.
    fs.renameSync(directory, doomed);
    syncNamesAbove(directory);
  } catch (error) {
    if (doomed !== undefined && fs.existsSync(directory)) fs.rmSync(doomed, { recursive: true });
    throw fileError(what, error);
  } finally {
    release(lock);
  }
  try {
    fs.rmSync(doomed, { recursive: true });
    nodeFileSystem.syncDirectory(dirname(doomed));
  } catch (error) {
    throw fileError(what, error);
  }
}

/** Gives the lock back, which has gone along with the directory. */
function release(lock: StoreLock): void {
  try {
    lock.release();
  } catch {
    // It is given back all the same, and says that the directory is not where it was.
  }
}
