/** Where a store lives, and copies of its directory that were made by other means than `backup()`.
 *
 * The file `place` holds the inode of the store's directory. `cp -r`, `tar` and the like take it along to
 * another directory, whose inode is another one: that is a copy, and gets an identity of its own when it
 * is opened, so that no part of it can be taken for one of its origin when they have diverged.
 *
 * The new identity is written into the manifest first, with those that the parts may still carry as
 * `previous`. Then each part gets it, and last `previous` goes. Each step is on disk before the next, and
 * an opening that is cut off is continued by the next one.
 *
 * @module
 */

import { join } from "@std/path";
import * as fs from "node:fs";
import { checkLmdbPages } from "../../backends/lmdb_check.ts";
import { LMDB_FILE } from "../../backends/lmdb_file.ts";
import { openSqliteEngine } from "../../backends/sqlite.ts";
import { REPAIR } from "../../codec/_advice.ts";
import { StoreError } from "../../codec/error.ts";
import { fileError } from "../../codec/_file_error.ts";
import { APPEND_DIRECTORY, BTREE_DIRECTORY } from "./layout.ts";
import { type Manifest, replaceDurably, writeDurably, writeManifest } from "./manifest.ts";

/** The name of the file. */
export const PLACE_FILE = "place";
/** Stands there instead of an inode while it is not known whether the copy is whole. */
const UNCHECKED = "unchecked";

/** Notes where a new store lives. The caller makes the name durable. */
export function writePlace(directory: string): void {
  writeDurably(join(directory, PLACE_FILE), `${inodeOf(directory)}\n`);
}

/** Makes sure that a store has an identity that no other directory has.
 *
 * @param manifest What the directory holds.
 * @param followsCrash Whether the store was open when the directory came to be as it is, so that
 * a copy of it may have been made of files that were being written.
 * @returns The manifest to open it by.
 * @throws {StoreError} `CORRUPT`: it is a copy, and not whole; `IO`, `NO_SPACE`.
 */
export async function settleInPlace(
  directory: string,
  manifest: Manifest,
  followsCrash: boolean,
): Promise<Manifest> {
  const inode = inodeOf(directory);
  const place = readPlace(directory);
  // Some file systems have no inodes.
  if (place === inode || inode === "0") return manifest;
  if (place === undefined) {
    writePlace(directory);
    return manifest;
  }
  const path = join(directory, PLACE_FILE);
  if (followsCrash || place === UNCHECKED) {
    // The note of the owner, which tells that it has to be checked, goes when this opening ends.
    replaceDurably(path, `${UNCHECKED}\n`);
    await requireWhole(directory, manifest);
  }
  const previous = [...(manifest.previous ?? []), manifest.identity];
  const own = { ...manifest, identity: crypto.randomUUID(), previous };
  writeManifest(directory, own);
  replaceDurably(path, `${inode}\n`);
  return own;
}

/** Ends the time in which parts may carry another identity, when none does any more. */
export function forgetPrevious(directory: string, { previous: _, ...manifest }: Manifest): void {
  writeManifest(directory, manifest);
}

function inodeOf(directory: string): string {
  return String(fs.statSync(directory, { bigint: true }).ino);
}

/** Returns what the file says, `undefined` where it is missing or says nothing that can be read. */
function readPlace(directory: string): string | undefined {
  const path = join(directory, PLACE_FILE);
  try {
    return /^(\d+|unchecked)\n$/.exec(fs.readFileSync(path, "utf8"))?.[1];
  } catch (error) {
    if ((error as { code?: unknown }).code === "ENOENT") return undefined;
    throw fileError(`Cannot read ${path}`, error);
  }
}

/** Looks for what a copy of files shows that were written meanwhile. Values have no checksums, so it need
 * not show.
 */
async function requireWhole(directory: string, manifest: Manifest): Promise<void> {
  const path = join(directory, APPEND_DIRECTORY, LMDB_FILE);
  const [fault] = (await checkLmdbPages(path, { faultsMax: 1 })).faults;
  const { identity, previous = [] } = manifest;
  const found = fault === undefined
    ? await checkBtree(directory, { identity, previous })
    : `page ${fault.page} of ${path}: ${fault.reason}`;
  if (found === undefined) return;
  throw new StoreError(
    "CORRUPT",
    `Cannot open store ${directory}: it is a copy that was made while the store was open, and is not ` +
      `whole (${found}); copy the original with backup(), or ${REPAIR}`,
  );
}

async function checkBtree(
  directory: string,
  names: { identity: string; previous: readonly string[] },
): Promise<string | undefined> {
  const options = { ...names, create: false };
  const engine = await openSqliteEngine(join(directory, BTREE_DIRECTORY), options);
  try {
    return (await engine.check(() => {}))[0];
  } finally {
    await engine.close();
  }
}
