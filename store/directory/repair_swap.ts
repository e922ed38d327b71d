/** Putting a repaired store in the place of the damaged one.
 *
 * No runtime can exchange two directories at once, so there is a moment when the store's own name is taken
 * by neither. The names tell it: `<store>.repaired-X`, which is whole and on disk, and `<store>.damaged-X`.
 * The next open or repair finds both and finishes.
 *
 * @module
 */

import { basename, dirname, join, resolve } from "@std/path";
import * as fs from "node:fs";
import { fileError } from "../../codec/_file_error.ts";
import { nodeFileSystem } from "../../journal/file_system.ts";
import { DAMAGED_INFIX, REPAIRED_INFIX, SUFFIX_LENGTH } from "./layout.ts";
import { LOCK_FILE } from "./lock.ts";
import { NOTE_FILE } from "./owner_note.ts";

/** Told before and after each change of a name. Tests end their process here.
 *
 * @internal
 */
export const swapSteps: { passed: () => void } = { passed: () => {} };

const LOCK_NAMES = [LOCK_FILE, NOTE_FILE, `${LOCK_FILE}-journal`];

/** Puts a finished store in the place of a damaged one.
 *
 * @param directory The damaged store.
 * @param written Its replacement: a directory beside it whose name ends in six characters of its own.
 * @returns Where the damaged store is now.
 * @throws {StoreError} `IO`, `NO_SPACE`.
 */
export function swapIn(directory: string, written: string): string {
  const suffix = written.slice(-SUFFIX_LENGTH);
  const repaired = directory + REPAIRED_INFIX + suffix;
  const damaged = directory + DAMAGED_INFIX + suffix;
  nodeFileSystem.syncDirectory(written);
  swapSteps.passed();
  renameDurably(written, repaired);
  swapSteps.passed();
  renameDurably(directory, damaged);
  swapSteps.passed();
  finishSwap(directory);
  swapSteps.passed();
  return damaged;
}

/** Finishes a swap when the damaged store has given up its name: in `swapIn`, and where that was cut off.
 *
 * @returns Where the damaged store is, where there was something to finish.
 * @throws {StoreError} `IO`.
 */
export function finishSwap(path: string): string | undefined {
  const directory = followLinks(path);
  if (!isVacant(directory)) return undefined;
  const pending = findPendingSwap(directory);
  if (pending === undefined) return undefined;
  try {
    // A process that opened the store at this very moment may have made its directory anew.
    fs.rmSync(directory, { recursive: true, force: true });
    renameDurably(pending.repaired, directory);
  } catch (error) {
    // Another process may have been faster.
    if (findPendingSwap(directory) !== undefined || isVacant(directory)) {
      throw fileError(`Cannot finish the repair of store ${directory}`, error);
    }
  }
  return pending.damaged;
}

/** Returns the directories of a swap that is under way, or was cut off. */
export function findPendingSwap(
  path: string,
): { readonly repaired: string; readonly damaged: string } | undefined {
  const directory = followLinks(path);
  for (const repaired of repairedOf(directory)) {
    const damaged = directory + DAMAGED_INFIX + repaired.slice(-SUFFIX_LENGTH);
    if (fs.existsSync(damaged)) return { repaired, damaged };
  }
  return undefined;
}

/** Removes what a repair left that was cut off before the store lost its name. The caller has its lock. */
export function removeLeftovers(directory: string): void {
  for (const repaired of repairedOf(directory)) {
    const damaged = directory + DAMAGED_INFIX + repaired.slice(-SUFFIX_LENGTH);
    // With its counterpart, and a store in their place, it is for a human to look at.
    if (!fs.existsSync(damaged)) fs.rmSync(repaired, { recursive: true, force: true });
  }
}

function repairedOf(directory: string): string[] {
  const parent = dirname(directory);
  if (!fs.existsSync(parent)) return [];
  const prefix = basename(directory) + REPAIRED_INFIX;
  return fs.readdirSync(parent)
    .filter((name) => name.startsWith(prefix) && name.length === prefix.length + SUFFIX_LENGTH)
    .map((name) => join(parent, name));
}

/** Returns where a path leads, which need not be there: a link stays as it is, and what it points to is
 * replaced. */
function followLinks(path: string): string {
  try {
    return fs.realpathSync(path);
  } catch {
    const isLink = fs.lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() ?? false;
    return isLink ? followLinks(resolve(dirname(path), fs.readlinkSync(path))) : path;
  }
}

/** Returns whether a name is free, or taken by a directory with nothing but a lock in it. */
function isVacant(directory: string): boolean {
  try {
    return fs.readdirSync(directory).every((name) => LOCK_NAMES.includes(name));
  } catch (error) {
    return (error as { code?: unknown }).code === "ENOENT";
  }
}

function renameDurably(from: string, to: string): void {
  fs.renameSync(from, to);
  nodeFileSystem.syncDirectory(dirname(to));
}
