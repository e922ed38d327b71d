/** Backups: a copy of a store as it was at one moment, which is a store itself.
 *
 * The copy is written into a directory beside the target and takes the target's name when it is whole
 * and on disk. Until then its own name keeps it from being opened, so that a kill leaves no half backup
 * behind that anybody could take for a whole one.
 *
 * @module
 */

import { basename, dirname, join, resolve } from "@std/path";
import * as fs from "node:fs";
import type { Engine, Entry } from "../../backends/engine.ts";
import { openLmdbEngine } from "../../backends/lmdb.ts";
import { openSqliteEngine } from "../../backends/sqlite.ts";
import { compareBytes } from "../../codec/bytes.ts";
import type { EngineName, Router } from "../../codec/route.ts";
import { fileError } from "../../codec/_file_error.ts";
import { nodeFileSystem } from "../../journal/file_system.ts";
import type { FollowedRecord } from "../../journal/follow.ts";
import { DEFAULT_SEGMENT_BYTES } from "../../journal/journal.ts";
import { RECORD_HEADER_BYTES, sealRecord } from "../../journal/record.ts";
import { JournalWriter } from "../../journal/writer.ts";
import { writeJournalOwner } from "../directory/journal_owner.ts";
import {
  APPEND_DIRECTORY,
  BTREE_DIRECTORY,
  JOURNAL_DIRECTORY,
  PART_DIRECTORIES,
  UNFINISHED_INFIX,
} from "../directory/layout.ts";
import { newManifest, writeManifest } from "../directory/manifest.ts";
import { hasKey, KEY_ROWS, type ReadSource, readValue } from "../read/merge.ts";
import { requireEmptyTarget, syncNamesAbove } from "../directory/paths.ts";
import { writePlace } from "../directory/place.ts";
import type { Moment } from "../read/moment.ts";
import { pages, turning } from "../read/scan.ts";
import type { BackupReport } from "../types.ts";

const ALL_KEYS = {
  range: { start: new Uint8Array(0), end: undefined, reverse: false },
  limit: Infinity,
};
/** No key is below it. */
const LEAST_KEY = new Uint8Array(1);
/** What the engines of the copy get at a time; each time costs syncs. */
const BATCH_BYTES = 16 * 2 ** 20;
/** What an entry takes in memory besides its bytes, roughly. */
const ENTRY_BYTES = 256;

/** The moment that is copied, with what its cursors have still before them. */
export interface BackupMoment extends Moment {
  /** Where the records begin, up to the moment's position. */
  readonly backlogStart: bigint;
  /** Yields them. Called once. */
  backlog(): AsyncIterable<readonly Pick<FollowedRecord, "payload">[]>;
}

/** Writes everything that a source shows into a new store.
 *
 * @param what What was asked, as the beginning of messages.
 * @param pin Pins the moment that is copied, once the target is known to be free. The copy's own journal ends
 * at its position, and has the records that a cursor needs.
 * @param target The directory of the copy; absent or empty.
 * @param onProgress Told how many keys are copied, from time to time; what it throws ends the copying
 * and is passed on.
 * @throws {StoreError} `NOT_EMPTY`, `NO_SPACE`, `IO`; nothing is left behind.
 */
export async function writeBackup(
  what: string,
  pin: () => BackupMoment,
  target: string,
  onProgress: (keys: number) => void,
): Promise<BackupReport> {
  const path = resolve(target);
  requireEmptyTarget(what, path);
  const moment = pin();
  try {
    return await copyMoment(what, moment, path, onProgress);
  } finally {
    moment.release();
  }
}

async function copyMoment(
  what: string,
  moment: BackupMoment,
  path: string,
  onProgress: (keys: number) => void,
): Promise<BackupReport> {
  const { source, position, note } = moment;
  const parent = dirname(path);
  let written: string | undefined;
  let thrown: { readonly error: unknown } | undefined;
  const tell = (keys: number) => {
    try {
      onProgress(keys);
    } catch (error) {
      thrown = { error };
      throw error;
    }
  };
  try {
    nodeFileSystem.makeDirectory(parent);
    written = fs.mkdtempSync(join(parent, basename(path) + UNFINISHED_INFIX));
    const counts = await writeStore(written, source.router, moment, (engines) => {
      return copyEntries(source, engines, { position, note }, tell);
    });
    // Another process may have put something into it since, which stays.
    requireEmptyTarget(what, path);
    if (fs.existsSync(path)) fs.rmdirSync(path);
    fs.renameSync(written, path);
    written = path;
    syncNamesAbove(path);
    return { path, position, ...counts };
  } catch (error) {
    if (written !== undefined) fs.rmSync(written, { recursive: true, force: true });
    // What the caller's own function threw is for the caller, and says nothing about files.
    if (thrown !== undefined) throw thrown.error;
    throw fileError(what, error);
  }
}

/** Writes a new store.
 *
 * @param directory An empty directory.
 * @param router Where its keys go.
 * @param records Those of its journal, and where they begin.
 * @param fill Writes the entries into the engines, the position last.
 * @returns What `fill` returned, once all of it is on disk but the directory's own name.
 */
export async function writeStore<T>(
  directory: string,
  router: Router,
  records: Pick<BackupMoment, "backlogStart" | "backlog">,
  fill: (engines: Readonly<Record<EngineName, Engine>>) => Promise<T>,
): Promise<T> {
  const identity = crypto.randomUUID();
  const filled = await writeEngines(directory, identity, fill);
  await createJournal(join(directory, JOURNAL_DIRECTORY), records);
  writeJournalOwner(join(directory, JOURNAL_DIRECTORY), identity);
  for (const part of PART_DIRECTORIES) nodeFileSystem.syncDirectory(join(directory, part));
  writePlace(directory);
  writeManifest(directory, newManifest(router, identity));
  return filled;
}

async function writeEngines<T>(
  directory: string,
  identity: string,
  fill: (engines: Readonly<Record<EngineName, Engine>>) => Promise<T>,
): Promise<T> {
  const options = { identity, create: true };
  const append = await openLmdbEngine(join(directory, APPEND_DIRECTORY), options);
  try {
    const btree = await openSqliteEngine(join(directory, BTREE_DIRECTORY), options);
    try {
      return await fill({ append, btree });
    } finally {
      await btree.close();
    }
  } finally {
    await append.close();
  }
}

async function copyEntries(
  source: ReadSource,
  engines: Readonly<Record<EngineName, Engine>>,
  last: Pick<Moment, "position" | "note">,
  onProgress: (keys: number) => void,
): Promise<{ keys: number; bytes: number }> {
  const waiting: Record<EngineName, Entry[]> = { append: [], btree: [] };
  let waitingBytes = 0;
  const lastKeys: Partial<Record<EngineName, Uint8Array>> = {};
  let keys = 0;
  let bytes = 0;
  const apply = async (at: bigint, note?: string) => {
    const { append, btree } = waiting;
    waiting.append = [];
    waiting.btree = [];
    waitingBytes = 0;
    await Promise.all([
      engines.append.apply(append, at, note),
      engines.btree.apply(btree, at, note),
    ]);
  };
  // Value by value: a page of them can be larger than memory.
  for await (const page of turning(pages(() => source, KEY_ROWS, ALL_KEYS, "large"))) {
    for (const key of page) {
      const value = readValue(source, key)!;
      const side = source.router.routeOf(key);
      waiting[side].push({ key, value });
      lastKeys[side] = key;
      bytes += key.length + value.length;
      waitingBytes += key.length + value.length + ENTRY_BYTES;
      if (waitingBytes >= BATCH_BYTES) await apply(0n);
    }
    keys += page.length;
    onProgress(keys);
  }
  await apply(last.position, last.note);
  for (const name of ["append", "btree"] as const) requireLastKey(source, name, lastKeys[name]);
  return { keys, bytes };
}

/** Fails where a side has a key behind the last one that was copied. The key is asked for from the
 * other end and with other bounds, so that a library that shows too little cannot make a copy that
 * lacks it.
 */
function requireLastKey(
  source: ReadSource,
  name: EngineName,
  copied: Uint8Array | undefined,
): void {
  const range = { start: LEAST_KEY, end: undefined, reverse: true };
  const [last] = source.engines[name].keys(range, 1);
  const isCopied = last === undefined || !hasKey(source, last) ||
    (copied !== undefined && compareBytes(last, copied) <= 0);
  if (isCopied) return;
  throw new Error(
    `the copy lacks keys of the ${name} side; verify the store, and try another version of the runtime`,
  );
}

/** Creates a journal that has some records from a position on. */
async function createJournal(
  directory: string,
  { backlogStart, backlog }: Pick<BackupMoment, "backlogStart" | "backlog">,
): Promise<void> {
  nodeFileSystem.makeDirectory(directory);
  const recovered = {
    segments: [],
    end: backlogStart,
    provenEnd: backlogStart,
    report: { records: 0, truncatedBytes: 0 },
  };
  const options = { segmentBytes: DEFAULT_SEGMENT_BYTES };
  const writer = await JournalWriter.open(nodeFileSystem, directory, options, recovered);
  try {
    for await (const page of backlog()) {
      writer.write(sealRecords(page.map(({ payload }) => payload)));
      if (writer.end - writer.durableEnd > BATCH_BYTES) await writer.sync();
    }
  } finally {
    await writer.close();
  }
}

/** Returns records that hold some payloads, one behind the other. */
function sealRecords(payloads: readonly Uint8Array[]): Uint8Array {
  const bytes = payloads.reduce((sum, { length }) => sum + RECORD_HEADER_BYTES + length, 0);
  const records = new Uint8Array(bytes);
  let at = 0;
  for (const payload of payloads) {
    records.set(payload, at + RECORD_HEADER_BYTES);
    sealRecord(records, at, payload.length);
    at += RECORD_HEADER_BYTES + payload.length;
  }
  return records;
}
