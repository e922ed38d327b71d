/** Looking for a store, and removing one.
 *
 * @module
 */

import { basename, dirname, join } from "@std/path";
import * as fs from "node:fs";
import { fileError } from "../../codec/_file_error.ts";
import { StoreError } from "../../codec/error.ts";
import { nodeFileSystem } from "../../journal/file_system.ts";
import {
  APPEND_DIRECTORY,
  BTREE_DIRECTORY,
  CREATING_FILE,
  JOURNAL_DIRECTORY,
  PART_DIRECTORIES,
  UNFINISHED_INFIX,
} from "./layout.ts";
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

/** What its parts hold: other programs have directories of these names too. */
const NAMES_IN_PARTS: Readonly<Record<string, RegExp>> = {
  [APPEND_DIRECTORY]: /^(data|lock)\.mdb$/,
  [BTREE_DIRECTORY]: /^data\.sqlite(-wal|-shm|-journal)?$/,
  [JOURNAL_DIRECTORY]: /^(\d{20}\.seg|\d+(-\d+)?\.salvage|\.durable|\.store(\.tmp)?)$/,
};

/** Returns whether a directory holds a store, damaged or not.
 *
 * @throws {StoreError} `IO`: it cannot be looked at.
 */
export function storeExists(what: string, path: string): boolean {
  if (findPendingSwap(path) !== undefined) return true;
  try {
    return requireRemains(what, path) && hasOwnFile(path);
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
  // What was not finished may have no file yet.
  if (requireRemains(what, path) && !hasOwnFile(path)) {
    throw new StoreError(
      "NOT_FOUND",
      `${what}: nothing in ${path} is of a store; name the directory of one`,
    );
  }
  const lock = StoreLock.acquire(path);
  const { directory } = lock;
  let doomed: string | undefined;
  try {
    const other = findOther(directory);
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

/** Returns whether a directory has a file that only a store has. */
function hasOwnFile(directory: string): boolean {
  return fs.existsSync(join(directory, MANIFEST_FILE)) ||
    PART_DIRECTORIES.some((part) => {
      const names = namesIn(join(directory, part)) ?? [];
      return names.some((name) => NAMES_IN_PARTS[part]!.test(name));
    });
}

/** Returns the name of something that is not a store's, in its directory or in its parts. */
function findOther(directory: string): string | undefined {
  const other = fs.readdirSync(directory).find((name) => !NAMES.includes(name));
  if (other !== undefined) return other;
  for (const part of PART_DIRECTORIES) {
    const path = join(directory, part);
    if (!fs.existsSync(path)) continue;
    const names = namesIn(path);
    if (names === undefined) return part;
    const foreign = names.find((name) => !NAMES_IN_PARTS[part]!.test(name));
    if (foreign !== undefined) return join(part, foreign);
  }
  return undefined;
}

/** Returns the names in a directory, `undefined` where it is none. */
function namesIn(path: string): string[] | undefined {
  if (!fs.statSync(path, { throwIfNoEntry: false })?.isDirectory()) return undefined;
  return fs.readdirSync(path);
}

/** Gives the lock back, which has gone along with the directory. */
function release(lock: StoreLock): void {
  try {
    lock.release();
  } catch {
    // It is given back all the same, and says that the directory is not where it was.
  }
}
