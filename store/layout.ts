/** A store's directory: its path, and the names in it.
 *
 * @module
 */

import { resolve } from "@std/path";
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
/** There while a backup is being written: what else is there is no store yet. */
export const UNFINISHED_FILE = "unfinished";

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
