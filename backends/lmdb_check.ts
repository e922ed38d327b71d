/** Checks the structure of an LMDB data file, which the library itself does not: flipped bytes can
 * make it read outside of its map, and that ends the process.
 *
 * The file is read as bytes and never mapped. What is looked at:
 *
 * - both meta pages, and that their transactions are successive;
 * - every page of the free list, of the main tree and of the named databases: its number, its kind, that
 *   no other page points to it, that its nodes fill their part of the page and nothing else, that it is
 *   no newer than the page above it;
 * - the keys: their lengths, their order, and that they are between the keys of the page above;
 * - the runs of large values: their first page, their length, and that nothing else uses them;
 * - the counts that the file keeps of each tree: levels, pages of each kind, entries;
 * - the free pages: none is used, none is there twice.
 *
 * LMDB keeps no checksums, so some damage leaves no trace: other bytes in a value; other bytes in a
 * key, also in a branch page, where the order is still right; another length of a large value that still
 * fits its pages; an older transaction number in a leaf page; a number of the last page that is
 * too large; a page that is missing from the free list; and what nothing reads, such as free
 * space, free pages and the trees of the older meta page.
 *
 * The format is in `_lmdb_page.ts`, `_lmdb_meta.ts` and `_lmdb_free_list.ts`.
 *
 * @module
 */

import { isTurnOver, nextTurn } from "../runtime/turn.ts";
import { DataFile, messageOf } from "./_data_file.ts";
import { EnoughFaults, FaultList, type LmdbFault } from "./_lmdb_faults.ts";
import { freeListKind } from "./_lmdb_free_list.ts";
import { DATABASE_NAMES, databaseKind, mainKind, type NamedTree } from "./_lmdb_databases.ts";
import { type Meta, readNewestMeta } from "./_lmdb_meta.ts";
import { Snapshot } from "./_lmdb_snapshot.ts";
import { TreeWalk } from "./_lmdb_tree.ts";

export type { LmdbFault } from "./_lmdb_faults.ts";

/** What a check of a data file found. */
export interface LmdbCheck {
  /** Pages in use, the two meta pages included. */
  pages: number;
  /** Entries by named database; only what was reached, where there are faults. */
  keys: Map<string, number>;
  /** What is wrong, in the order in which it was found; empty for a healthy file. */
  faults: LmdbFault[];
}

/** How to check a data file. */
export interface LmdbCheckOptions {
  /** Is told how many of the pages are dealt with, about every 5 ms and at the end. */
  onProgress?: (done: number, total: number) => void;
  /** After how many faults the check ends, 100 without it. */
  faultsMax?: number;
}

const FAULTS_MAX = 100;

/** Checks the structure of an LMDB data file that an engine of this package wrote.
 *
 * Everything wrong with the file becomes a fault, a file that cannot be opened included. The file may
 * be in use: both meta pages are read before this function first gives up control, and no commit may
 * run until then. From then on commits do no harm for as long as the caller holds a view that is no
 * newer, since the library leaves those pages alone. The cost is that of reading every page but the
 * inner ones of large values, and two bits of memory for each page.
 *
 * @param path The data file.
 * @param options Progress, and the most faults to look for.
 * @returns The faults, and what there is.
 *
 * @example Checking the file of an engine
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { mkdtempSync, rmSync } from "node:fs";
 * import { openLmdbEngine } from "./lmdb.ts";
 * import { checkLmdbPages } from "./lmdb_check.ts";
 *
 * const directory = mkdtempSync("engine-");
 * const engine = await openLmdbEngine(directory, { identity: "example", create: true });
 * await engine.apply([{ key: new Uint8Array([1]), value: new Uint8Array(5000) }], 1n);
 *
 * const { keys, faults } = await checkLmdbPages(`${directory}/data.mdb`);
 * assertEquals(faults, []);
 * assertEquals(keys.get("entries"), 1);
 *
 * await engine.close();
 * rmSync(directory, { recursive: true });
 * ```
 */
export async function checkLmdbPages(
  path: string,
  options: LmdbCheckOptions = {},
): Promise<LmdbCheck> {
  const faults = new FaultList(options.faultsMax ?? FAULTS_MAX);
  const check: LmdbCheck = { pages: 0, keys: new Map(), faults: faults.faults };
  let file: DataFile | undefined;
  try {
    file = openDataFile(path, faults);
    const meta = file && readNewestMeta(file, faults);
    if (file && meta) await checkSnapshot(meta, new Snapshot(meta, file, faults), check, options);
  } catch (error) {
    if (!(error instanceof EnoughFaults)) throw error;
  } finally {
    file?.close();
  }
  return check;
}

function openDataFile(path: string, faults: FaultList): DataFile | undefined {
  try {
    return new DataFile(path);
  } catch (error) {
    faults.add(0, `cannot be read: ${messageOf(error)}`);
    return undefined;
  }
}

async function checkSnapshot(
  meta: Meta,
  snapshot: Snapshot,
  check: LmdbCheck,
  { onProgress }: LmdbCheckOptions,
): Promise<void> {
  try {
    for (const _ of checkTrees(meta, snapshot, check.keys)) {
      if (!isTurnOver()) continue;
      onProgress?.(snapshot.knownCount, snapshot.pages);
      await nextTurn();
    }
    onProgress?.(snapshot.pages, snapshot.pages);
  } finally {
    check.pages = snapshot.usedCount;
  }
}

/** Checks all trees of a snapshot; yields where there may be a pause. */
function* checkTrees(
  meta: Meta,
  snapshot: Snapshot,
  keys: Map<string, number>,
): Generator<void, void> {
  yield* new TreeWalk(snapshot, freeListKind(snapshot)).check(meta.freeList, meta.page);
  const named: NamedTree[] = [];
  const main = new TreeWalk(snapshot, mainKind(snapshot, named));
  yield* main.check(meta.main, meta.page);
  // Every commit changes the main tree, as the records of the others are there. A meta page that
  // merely seems to be the newer one ends up here.
  const { rootTransaction = snapshot.transaction } = main;
  if (rootTransaction !== snapshot.transaction) {
    const { transaction } = snapshot;
    snapshot.fault(
      meta.page,
      `is of transaction ${transaction}, and its main tree of ${rootTransaction}`,
    );
  }
  for (const { name, record, from } of named) {
    const kind = databaseKind(name);
    const walk = new TreeWalk(snapshot, kind);
    if (record.flags !== 0) snapshot.fault(from, `has flags ${record.flags} for ${kind.name}`);
    try {
      yield* walk.check(record, from);
    } finally {
      keys.set(name, walk.entries);
    }
  }
  if (!main.isWhole) return;
  for (const name of DATABASE_NAMES) {
    if (keys.has(name)) continue;
    snapshot.fault(meta.main.root ?? meta.page, `has no database ${name}`);
  }
}
