/** Restoring: a new store out of a backup, which stays exactly as it is.
 *
 * Opening a store writes: the journal's tail may have to be cut and replayed, and both engines keep
 * files of their own beside their data. So the backup's files are copied, as bytes, into a directory
 * next to the target, and that copy is opened and backed up into the target.
 *
 * @module
 */

import { basename, dirname, join } from "@std/path";
import * as fs from "node:fs";
import { StoreError } from "../../codec/error.ts";
import { fileError } from "../../codec/_file_error.ts";
import { nodeFileSystem } from "../../journal/file_system.ts";
import { PART_DIRECTORIES, UNFINISHED_INFIX } from "../directory/layout.ts";
import { MANIFEST_FILE } from "../directory/manifest.ts";
import { NOTE_FILE } from "../directory/owner_note.ts";
import { requireEmptyTarget, requireOutside, requireStore } from "../directory/paths.ts";
import { PLACE_FILE } from "../directory/place.ts";
import { ReadLock } from "../directory/read_lock.ts";

/** What the libraries keep for those that have a file open: LMDB's readers, SQLite's index of its log.
 * Both are made anew, and are of no use to a copy. */
const TRANSIENT = /^lock\.mdb$|-shm$/;

/** What tells about a store beside its manifest: whether its directory is itself a copy, and whether
 * it was open then. Such a copy is checked before it is trusted. */
const TELLING = [PLACE_FILE, NOTE_FILE];

/** Opens the store in a directory, backs it up into another, and closes it. */
export type CopyStore = (directory: string, target: string) => Promise<void>;

/** Makes a store out of a backup.
 *
 * @param what What was asked, as the beginning of messages.
 * @param backup The directory of a backup, or of a store that is not open.
 * @param target A directory that is absent or empty.
 * @param copyStore Does it with a copy of the backup's files.
 * @throws {StoreError} `NOT_FOUND`, `NOT_EMPTY`, `LOCKED`; as opening the backup does, whose path the
 * message then names; `NO_SPACE`, `IO`. Nothing is left behind.
 */
export async function restoreStore(
  what: string,
  backup: string,
  target: string,
  copyStore: CopyStore,
): Promise<void> {
  requireStore(what, backup);
  requireOutside(what, backup, target);
  requireEmptyTarget(what, target);
  const parent = dirname(target);
  let workspace: string | undefined;
  try {
    nodeFileSystem.makeDirectory(parent);
    workspace = fs.mkdtempSync(join(parent, basename(target) + UNFINISHED_INFIX));
    const copy = join(workspace, basename(backup));
    await copyFiles(what, backup, copy);
    await backUp({ backup, copy, target }, copyStore);
  } catch (error) {
    throw fileError(what, error);
  } finally {
    if (workspace !== undefined) fs.rmSync(workspace, { recursive: true, force: true });
  }
}

/** Copies the files that make up a store. */
async function copyFiles(what: string, from: string, to: string): Promise<void> {
  const lock = ReadLock.acquire(what, from);
  try {
    fs.mkdirSync(to, { mode: 0o700 });
    await copyFile(join(from, MANIFEST_FILE), join(to, MANIFEST_FILE));
    for (const name of TELLING) {
      if (fs.existsSync(join(from, name))) await copyFile(join(from, name), join(to, name));
    }
    for (const part of PART_DIRECTORIES) {
      // What is missing is found out when the copy is opened.
      if (!fs.existsSync(join(from, part))) continue;
      fs.mkdirSync(join(to, part), { mode: 0o700 });
      for (const name of fs.readdirSync(join(from, part))) {
        if (!TRANSIENT.test(name)) await copyFile(join(from, part, name), join(to, part, name));
      }
    }
    lock.requireUnchanged(what);
  } finally {
    lock.release();
  }
}

/** Copies a file, which may not be writable, into one that is. A file system that can share the bytes of
 * both does. */
async function copyFile(from: string, to: string): Promise<void> {
  await fs.promises.copyFile(from, to, fs.constants.COPYFILE_FICLONE);
  fs.chmodSync(to, 0o600);
}

async function backUp(
  { backup, copy, target }: { backup: string; copy: string; target: string },
  copyStore: CopyStore,
): Promise<void> {
  try {
    await copyStore(copy, target);
  } catch (error) {
    if (!(error instanceof StoreError) || !error.message.includes(copy)) throw error;
    // The copy is gone when this is read.
    const message = error.message.replaceAll(copy, backup);
    throw new StoreError(error.code, message, { cause: error });
  }
}
