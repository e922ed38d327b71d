/** A store's directory: its path, and the names in it.
 *
 * @module
 */

import { basename, resolve } from "@std/path";
import { fileURLToPath } from "node:url";
import { describe } from "../limits.ts";

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
/** The same in that of the directory that a repair has finished and not yet put in its place, … */
export const REPAIRED_INFIX = ".repaired-";
/** … and in that of the damaged directory which had that place. */
export const DAMAGED_INFIX = ".damaged-";
/** The characters that `mkdtemp` adds to a name. */
export const SUFFIX_LENGTH = 6;
/** What begins like a URL; a drive of Windows has one letter and no two slashes. */
const URL_TEXT = /^(file:|[a-z][a-z0-9+.-]+:\/\/)/i;

/** Returns the absolute path of a directory: what is opened later, and what is not, must be the same
 * wherever the process goes.
 *
 * @param what What was asked, as the message's beginning.
 * @param name What the path is to the caller.
 * @throws {TypeError} It is neither a path nor a `file:` URL.
 */
export function resolveDirectory(
  path: string | URL,
  what = "Cannot open store",
  name = "path",
): string {
  const refusal = (reason: string) => new TypeError(`${what}: the ${name} ${reason}`);
  const directory = path instanceof URL ? pathOf(path, refusal) : path;
  if (typeof directory !== "string") {
    throw refusal(`is ${describe(directory)}, neither a string nor a file: URL`);
  }
  if (directory === "") throw refusal("is empty; name a directory, or use HybridStore.openTemp()");
  if (directory.includes("\0")) throw refusal("contains NUL, which no file name has");
  if (directory === ":memory:") {
    throw refusal('is ":memory:", and a store needs a directory; use HybridStore.openMemory()');
  }
  if (URL_TEXT.test(directory)) {
    throw refusal(`is a string that holds a URL; pass new URL(${JSON.stringify(directory)})`);
  }
  return resolve(directory);
}

function pathOf(url: URL, refusal: (reason: string) => TypeError): string {
  if (url.protocol !== "file:") {
    throw refusal(`is a URL of ${url.protocol}, and only file: URLs name a directory`);
  }
  try {
    return fileURLToPath(url);
  } catch (error) {
    const { message } = error as Error;
    throw refusal(`is ${url.href}, which is not a path of this machine: ${message}`);
  }
}

/** Returns what is before one of the infixes above in a directory's name, `undefined` where it has none. */
export function nameBefore(infix: string, directory: string): string | undefined {
  const name = basename(directory);
  const before = name.slice(0, -(infix.length + SUFFIX_LENGTH));
  return name.startsWith(before + infix) && before !== "" ? before : undefined;
}
