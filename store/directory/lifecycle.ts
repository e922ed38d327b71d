/** Opening a store: lock, manifest, journal, engines, replay.
 *
 * A store is created in this order: the mark `creating`, the engines, the journal, the manifest, and
 * away with the mark. So a directory with a manifest has everything else, and what is missing there is
 * lost; a directory with a mark and no manifest has nothing that anyone was promised.
 *
 * @module
 */

import { join } from "@std/path";
import * as fs from "node:fs";
import type { Engine } from "../../backends/engine.ts";
import { openLmdbEngine } from "../../backends/lmdb.ts";
import { LMDB_FILE } from "../../backends/lmdb_file.ts";
import { openSqliteEngine } from "../../backends/sqlite.ts";
import { SQLITE_FILE } from "../../backends/sqlite_file.ts";
import { REPAIR } from "../../codec/_advice.ts";
import { StoreError } from "../../codec/error.ts";
import { type EngineName, Router } from "../../codec/route.ts";
import { fileError } from "../../codec/_file_error.ts";
import { nodeFileSystem } from "../../journal/file_system.ts";
import { openWriter } from "../../journal/journal.ts";
import type { JournalRecovery } from "../../journal/recovery.ts";
import { listSegments } from "../../journal/segment.ts";
import type { JournalWriter } from "../../journal/writer.ts";
import {
  APPEND_DIRECTORY,
  BTREE_DIRECTORY,
  CREATING_FILE,
  JOURNAL_DIRECTORY,
  PART_DIRECTORIES,
} from "./layout.ts";
import { requireJournalOwner, writeJournalOwner } from "./journal_owner.ts";
import { StoreLock } from "./lock.ts";
import {
  type Manifest,
  newManifest,
  readManifest,
  STORE_FORMAT,
  writeDurably,
  writeManifest,
} from "./manifest.ts";
import type { Settings } from "../options.ts";
import type { Ownership } from "./ownership.ts";
import {
  explainReadOnly,
  lostManifest,
  requireFinished,
  requireNoFile,
  requireStore,
  syncNamesAbove,
} from "./paths.ts";
import { forgetPrevious, settleInPlace, writePlace } from "./place.ts";
import { findPendingSwap, finishSwap } from "./repair_swap.ts";

/** What has to stay where it is while a store is open. */
const WATCHED = [
  ...PART_DIRECTORIES,
  join(APPEND_DIRECTORY, LMDB_FILE),
  join(BTREE_DIRECTORY, SQLITE_FILE),
  join(BTREE_DIRECTORY, `${SQLITE_FILE}-wal`),
];

/** The open parts of a store, not yet replayed. */
export interface Parts {
  readonly lock: Pick<StoreLock, "release">;
  readonly ownership: Pick<Ownership, "isLost" | "require" | "requireLately" | "requireUnlost">;
  /** Whether nothing of it may be changed. */
  readonly isReadOnly?: boolean;
  readonly router: Router;
  /** Called before the first cursor: an older version, which does not know of them, must not open the store
   * from then on. */
  readonly allowCursors?: () => void;
  /** Bytes of the longest key. */
  readonly keyBytesMax: number;
  readonly journal: JournalWriter;
  readonly recovery: JournalRecovery;
  readonly engines: Readonly<Record<EngineName, Engine>>;
}

/** Opens the parts of a store, creating them in a directory that has none.
 *
 * @throws {StoreError} `LOCKED`, `CORRUPT`, `ROUTES_CHANGED`, `UNSUPPORTED`, `NO_SPACE`, `IO`.
 */
export async function openParts(path: string, settings: Settings): Promise<Parts> {
  requireFinished("Cannot open store", path);
  requireNoFile(`Cannot open store ${path}`, path);
  finishSwap(path);
  if (!settings.create) requireStore("Cannot open store", path);
  // Before anything is created in it: a directory that is not a store's stays as it is.
  readManifest(path);
  try {
    nodeFileSystem.makeDirectory(path);
  } catch (error) {
    throw fileError(`Cannot open store ${path}`, error);
  }
  const explain = (error: unknown) => explainReadOnly("Cannot open store", path, error);
  const lock = acquireLock(path, explain);
  const { directory, ownership } = lock;
  const guard = (what: string) => ownership.require(what);
  const engines: { append?: Engine; btree?: Engine } = {};
  let journal: JournalWriter | undefined;
  try {
    const stored = readManifest(directory);
    const isNew = stored === undefined;
    if (!isNew) PART_DIRECTORIES.forEach((part) => ownership.watch(join(directory, part)));
    if (stored !== undefined) {
      if (settings.errorIfExists) throw existing(directory);
      requireRoutes(directory, stored, settings);
    }
    const manifest = stored === undefined
      ? prepareCreation(directory, settings, guard)
      : await settleInPlace(directory, stored, lock.followsCrash);
    const { identity, previous = [] } = manifest;
    const options = { identity, previous, create: isNew, guard };
    const append = engines.append = await openLmdbEngine(
      join(directory, APPEND_DIRECTORY),
      options,
    );
    const btree = engines.btree = await openSqliteEngine(
      join(directory, BTREE_DIRECTORY),
      options,
    );
    const journalDirectory = join(directory, JOURNAL_DIRECTORY);
    if (!isNew) {
      requireJournal(journalDirectory);
      requireJournalOwner(journalDirectory, manifest);
    }
    const opened = await openWriter(nodeFileSystem, journalDirectory, {
      segmentBytes: settings.segmentBytes,
      salvage: false,
      requireSynced: true,
      reserves: true,
      from: append.position < btree.position ? append.position : btree.position,
      guard,
    });
    journal = opened.writer;
    for (const watched of WATCHED) ownership.watch(join(directory, watched));
    requirePosition(journal, "append", append);
    requirePosition(journal, "B-tree", btree);
    guard(`Cannot open store ${path}`);
    if (isNew) {
      writeJournalOwner(journalDirectory, identity);
      // An open that finds a manifest relies on the names of the files as well as on what is in them.
      for (const part of PART_DIRECTORIES) nodeFileSystem.syncDirectory(join(directory, part));
      syncNamesAbove(directory);
      writePlace(directory);
      writeManifest(directory, manifest);
    }
    if (manifest.previous !== undefined) forgetPrevious(directory, manifest);
    fs.rmSync(join(directory, CREATING_FILE), { force: true });
    const { router } = manifest;
    const keyBytesMax = Math.min(manifest.keyBytesMax, append.keyBytesMax);
    const { recovery } = opened;
    return {
      ...{ lock, ownership, router, keyBytesMax, journal, recovery, engines: { append, btree } },
      allowCursors: () => raiseFormat(directory, guard),
    };
  } catch (error) {
    await closeParts({ engines, journal, lock, ownership }).catch(() => {});
    ownership.requireUnlost(`Cannot open store ${path}`);
    throw explain(fileError(`Cannot open store ${path}`, error));
  }
}

function acquireLock(path: string, explain: (error: unknown) => unknown): StoreLock {
  try {
    return StoreLock.acquire(path);
  } catch (error) {
    throw explain(error);
  }
}

/** Closes what is open, the lock last, also where something fails on the way; the first failure is thrown. The lock stays
 * where an engine's library may still write: another opener would lose what it writes. */
export async function closeParts(parts: {
  readonly engines: Partial<Parts["engines"]>;
  readonly journal: JournalWriter | undefined;
  readonly lock: Parts["lock"];
  readonly ownership: Pick<Ownership, "require">;
}): Promise<void> {
  const { engines, journal, lock, ownership } = parts;
  const failures: unknown[] = [];
  const steps = [
    // That the directory is another's by now explains all other failures.
    () => ownership.require("Cannot close store"),
    // Before the engines, whose files it looks for.
    () => journal?.close(),
    () => engines.append?.close(),
    () => engines.btree?.close(),
    () => engines.append?.isStuck || engines.btree?.isStuck || lock.release(),
  ];
  for (const step of steps) {
    try {
      await step();
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
}

/** Makes a directory ready for a new store, and refuses one that has lost its manifest. */
function prepareCreation(
  directory: string,
  settings: Settings,
  guard: (what: string) => void,
): Manifest {
  if (findPendingSwap(directory) !== undefined) {
    throw new StoreError(
      "LOCKED",
      `Cannot open store ${directory}: a repair is about to put it in its place; open it again`,
    );
  }
  const names = fs.readdirSync(directory);
  const parts = PART_DIRECTORIES.filter((part) => names.includes(part));
  if (!names.includes(CREATING_FILE) && parts.length > 0) {
    throw lostManifest("Cannot open store", directory, parts);
  }
  guard(`Cannot create store ${directory}`);
  for (const part of parts) fs.rmSync(join(directory, part), { recursive: true });
  writeDurably(join(directory, CREATING_FILE), "");
  nodeFileSystem.syncDirectory(directory);
  return newManifest(new Router(settings.routes, settings.defaultEngine), crypto.randomUUID());
}

function existing(directory: string): StoreError {
  return new StoreError(
    "NOT_EMPTY",
    `Cannot create store ${directory}: there is one already; name another directory, or leave out ` +
      "errorIfExists to open it",
  );
}

/** Refuses routes and a default engine that are not those of the store.
 *
 * @throws {StoreError} `ROUTES_CHANGED`.
 */
export function requireRoutes(directory: string, { router }: Manifest, settings: Settings): void {
  const { routes = router.routes, defaultEngine = router.defaultEngine } = settings;
  if (router.equals(new Router(routes, defaultEngine))) return;
  throw new StoreError(
    "ROUTES_CHANGED",
    `Cannot open store ${directory}: the routes or the default engine given are not those it was created with; ` +
      "leave them out to use the stored ones",
  );
}

/** Gives a store of an older format the present one. */
function raiseFormat(directory: string, guard: (what: string) => void): void {
  const manifest = readManifest(directory)!;
  if (manifest.format === STORE_FORMAT) return;
  guard(`Cannot change the format of ${directory}`);
  writeManifest(directory, { ...manifest, format: STORE_FORMAT });
}

/** Refuses a directory that has no segment.
 *
 * @throws {StoreError} `CORRUPT`.
 */
export function requireJournal(directory: string): void {
  const hasSegments = fs.existsSync(directory) &&
    listSegments(nodeFileSystem, directory).length > 0;
  if (!hasSegments) {
    throw new StoreError(
      "CORRUPT",
      `Cannot open journal ${directory}: it is missing; ${REPAIR}`,
    );
  }
}

/** Checks that an engine and the journal belong to one history. */
export function requirePosition(journal: JournalWriter, side: string, { position }: Engine): void {
  const first = journal.segments[0]!.base;
  if (position > journal.end) {
    throw new StoreError(
      "CORRUPT",
      `Cannot open store: the ${side} side was written up to journal position ${position}, but the ` +
        `journal ends at ${journal.end}: it was cut or replaced; ${REPAIR}`,
    );
  }
  if (position < first) {
    throw new StoreError(
      "CORRUPT",
      `Cannot open store: the ${side} side was written up to journal position ${position}, but the ` +
        `journal starts at ${first}: the engine's files are older ones; ${REPAIR}`,
    );
  }
}
