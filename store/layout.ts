/** A store's directory: its path, and the names in it.
 *
 * @module
 */

import { basename, resolve } from "@std/path";
import { fileURLToPath } from "node:url";
import { describe } from "./limits.ts";

/** The directory of the append side. */
export const APPEND_DIRECTORY = "append";
/** The directory of the B-tree side. */
export const BTREE_DIRECTORY = "btree";
/** The directory of the journal. */
export const JOURNAL_DIRECTORY = "journal";
/** The directories of all parts. */
export const PART_DIRECTORIES = [APPEND_DIRECTORY, BTREE_DIRECTORY, JOURNAL_DIRECTORY];
/** There while a store is being created: what else is there may be created anew. */
export const CREATING_FILE = "creating";
/** Follows the target's name in that of a directory where a backup is being written, before six
 * characters that make it the only one. */
export const UNFINISHED_INFIX = ".unfinished-";

/** Returns the absolute path of a directory: what is opened later, and what is not, must be the same
 * wherever the process goes.
 *
 * @throws {TypeError} It is neither a path nor a `file:` URL.
 */
export function resolveDirectory(path: string | URL): string {
  const directory = path instanceof URL ? fileURLToPath(path) : path;
  if (typeof directory !== "string") {
    throw new TypeError(`Cannot open store: the path is ${describe(directory)}, not a string`);
  }
  if (directory === "") throw new TypeError("Cannot open store: the path is empty");
  if (directory.includes("\0")) throw new TypeError("Cannot open store: the path contains NUL");
  return resolve(directory);
}

/** Returns whether a directory is one where a backup was being written. */
export function isUnfinished(directory: string): boolean {
  return new RegExp(`\\${UNFINISHED_INFIX}\\w{6}$`).test(basename(directory));
}
