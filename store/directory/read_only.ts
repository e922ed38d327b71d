/** Opening a store to be read: no file in its directory is changed, so that it may be on a read-only disk.
 *
 * What the journal has and an engine lacks is replayed into memory, and stays there. What the libraries need for
 * themselves goes into a temporary directory.
 *
 * @module
 */

import { join } from "@std/path";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import type { Engine } from "../../backends/engine.ts";
import { openLmdbEngine } from "../../backends/lmdb.ts";
import { LMDB_FILE } from "../../backends/lmdb_file.ts";
import { SQLITE_FILE } from "../../backends/sqlite_file.ts";
import { openSqliteReadOnly } from "../../backends/sqlite_read_only.ts";
import { fileError } from "../../codec/_file_error.ts";
import { dryFileSystem } from "../../journal/dry_file_system.ts";
import { nodeFileSystem } from "../../journal/file_system.ts";
import { openWriter } from "../../journal/journal.ts";
import type { JournalWriter } from "../../journal/writer.ts";
import type { Settings } from "../options.ts";
import { requireJournalOwner } from "./journal_owner.ts";
import { APPEND_DIRECTORY, BTREE_DIRECTORY, JOURNAL_DIRECTORY } from "./layout.ts";
import { type Parts, requireJournal, requirePosition, requireRoutes } from "./lifecycle.ts";
import { readManifest } from "./manifest.ts";
import { requireStore } from "./paths.ts";
import { ReadLock } from "./read_lock.ts";
import { UNWATCHED } from "./unwatched.ts";

/** Opens the parts of a store that is not open elsewhere, and keeps others from writing to it.
 *
 * @throws {StoreError} `NOT_FOUND`; `LOCKED`, `CORRUPT`, `ROUTES_CHANGED`, `UNSUPPORTED`, `NO_SPACE`, `IO`.
 */
export async function openReadOnlyParts(path: string, settings: Settings): Promise<Parts> {
  const what = "Cannot open store";
  requireStore(what, path);
  const lock = ReadLock.acquire(what, path);
  const engines: { append?: Engine; btree?: Engine } = {};
  let journal: JournalWriter | undefined;
  let scratch: string | undefined;
  const release = () => {
    lock.release();
    if (scratch !== undefined) fs.rmSync(scratch, { recursive: true, force: true });
  };
  try {
    scratch = fs.mkdtempSync(join(tmpdir(), "hybridstore-read-"));
    const { directory } = lock;
    const manifest = readManifest(directory)!;
    requireRoutes(directory, manifest, settings);
    const { identity, previous = [], router } = manifest;
    const options = { identity, previous, create: false };
    const files = isProtected(lock) ? directory : copyEngines(directory, join(scratch, "copy"));
    const append = engines.append = await openLmdbEngine(
      join(files, APPEND_DIRECTORY),
      { ...options, scratch: join(scratch, APPEND_DIRECTORY) },
    );
    const btree = engines.btree = openSqliteReadOnly(
      join(files, BTREE_DIRECTORY),
      { ...options, scratch: join(scratch, BTREE_DIRECTORY) },
    );
    const journalDirectory = join(directory, JOURNAL_DIRECTORY);
    requireJournal(journalDirectory);
    requireJournalOwner(journalDirectory, manifest, { adopts: false });
    const opened = await openWriter(dryFileSystem(nodeFileSystem), journalDirectory, {
      segmentBytes: settings.segmentBytes,
      salvage: false,
      requireSynced: true,
      reserves: true,
      from: append.position < btree.position ? append.position : btree.position,
    });
    journal = opened.writer;
    requirePosition(journal, "append", append);
    requirePosition(journal, "B-tree", btree);
    // Where there is no lock file, another process may have opened the store meanwhile.
    lock.requireUnchanged(what);
    const keyBytesMax = Math.min(manifest.keyBytesMax, append.keyBytesMax);
    const { recovery } = opened;
    return {
      lock: { release },
      ownership: UNWATCHED,
      isReadOnly: true,
      ...{ router, keyBytesMax, journal, recovery, engines: { append, btree } },
    };
  } catch (error) {
    await engines.append?.close().catch(() => {});
    await engines.btree?.close().catch(() => {});
    await journal?.close().catch(() => {});
    release();
    throw fileError(`${what} ${path}`, error);
  }
}

/** Returns whether no other process can write to the engines. Without a lock file, which is not to be created,
 * only a directory that cannot be written keeps it from that, and it would not know of this reader.
 */
function isProtected({ directory, isHeld }: ReadLock): boolean {
  return isHeld || !isWritable(directory);
}

/** Copies the files of the engines, and returns the directory of the copies. */
function copyEngines(directory: string, copy: string): string {
  for (const part of [APPEND_DIRECTORY, BTREE_DIRECTORY]) {
    fs.mkdirSync(join(copy, part), { recursive: true, mode: 0o700 });
    for (const name of fs.readdirSync(join(directory, part))) {
      if (name !== LMDB_FILE && !name.startsWith(SQLITE_FILE)) continue;
      const [from, to] = [join(directory, part, name), join(copy, part, name)];
      fs.copyFileSync(from, to, fs.constants.COPYFILE_FICLONE);
    }
  }
  return copy;
}

function isWritable(directory: string): boolean {
  try {
    fs.accessSync(directory, fs.constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
