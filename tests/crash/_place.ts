/** Where a store lives whose files fail: a journal on an injected file system, engines on injected disks. */

import { type HybridStore, MAX_KEY_BYTES, type OpenOptions, Router } from "../../mod.ts";
import type { JournalFileSystem } from "../../journal/mod.ts";
import { openWriter } from "../../journal/journal.ts";
import { requirePosition } from "../../store/directory/lifecycle.ts";
import { resolveOptions } from "../../store/options.ts";
import { startStore, UNWATCHED } from "../support/store.ts";
import { EngineDisk } from "./_disk_engine.ts";

/** The disks of both engines. */
export interface Disks {
  readonly append: EngineDisk;
  readonly btree: EngineDisk;
}

/** Returns empty disks that behave as LMDB and SQLite do. */
export function newDisks(): Disks {
  return { append: new EngineDisk(true), btree: new EngineDisk(false) };
}

/** Returns what becomes of each disk. */
export function mapDisks(disks: Disks, change: (disk: EngineDisk) => EngineDisk): Disks {
  return { append: change(disks.append), btree: change(disks.btree) };
}

/** Opens a store as `HybridStore.open` does, except for the lock, the manifest and the files of engines. */
export async function openStore(
  fileSystem: JournalFileSystem,
  directory: string,
  disks: Disks,
  options: OpenOptions,
): Promise<HybridStore> {
  const settings = resolveOptions(options);
  const { segmentBytes } = settings;
  const { writer, recovery } = await openWriter(fileSystem, directory, {
    segmentBytes,
    salvage: false,
    requireSynced: true,
    reserves: true,
  });
  const engines = { append: await disks.append.open(), btree: await disks.btree.open() };
  requirePosition(writer, "append", engines.append);
  requirePosition(writer, "B-tree", engines.btree);
  const lock = { release: () => {} };
  const ownership = UNWATCHED;
  const store = { router: new Router(), keyBytesMax: MAX_KEY_BYTES };
  const parts = { lock, ownership, ...store, journal: writer, recovery, engines };
  return await startStore(directory, parts, settings);
}
