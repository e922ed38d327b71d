/** What is left of an LMDB data file, read as bytes and never mapped: the library would crash the process
 * where it is damaged, and write to it even where it is not.
 *
 * @module
 */

import * as fs from "node:fs";
import { decodeU64 } from "../codec/value.ts";
import { isTurnOver, nextTurn } from "../runtime/turn.ts";
import { DATABASE_NAMES, databaseKind, mainKind, type NamedTree } from "./_lmdb_databases.ts";
import { DataFile } from "./_data_file.ts";
import { FaultList } from "./_lmdb_faults.ts";
import { type Meta, readMetas } from "./_lmdb_meta.ts";
import { HEADER_BYTES, type KeyPlace, type NodePage, VALUE_ON_OVERFLOW } from "./_lmdb_page.ts";
import { Snapshot } from "./_lmdb_snapshot.ts";
import { type Bounds, TreeWalk } from "./_lmdb_tree.ts";
import type { Entry } from "./engine.ts";
import { checkLmdbPages } from "./lmdb_check.ts";
import {
  type EngineRemains,
  lostKey,
  type LostKeys,
  PAGE_BYTES_MAX,
  PAGE_ENTRIES_MAX,
} from "./remains.ts";

const IDENTITY = "identity";
const POSITION = "position";
const EVERYTHING: LostKeys = { from: undefined, to: undefined };

/** Reads what is left of a data file. Nothing may write it meanwhile.
 *
 * Costs what `checkLmdbPages` costs, and each `read` as much again.
 *
 * @param path The data file; it may be missing.
 * @param onProgress Told how many of the pages are checked.
 */
export async function examineLmdb(
  path: string,
  onProgress: (done: number, total: number) => void,
): Promise<EngineRemains> {
  if (!fs.existsSync(path)) return new LmdbRemains(path, [`${path} is missing`]);
  const { faults } = await checkLmdbPages(path, { onProgress });
  const remains = new LmdbRemains(
    path,
    faults.map(({ page, reason }) => `page ${page} of ${path} ${reason}`),
  );
  await remains.load();
  return remains;
}

/** A state of the file that one of its meta pages leads to. */
interface Moment {
  readonly snapshot: Snapshot;
  readonly named: readonly NamedTree[];
}

class LmdbRemains implements EngineRemains {
  readonly faults: readonly string[];
  readonly #path: string;
  /** How many states of the file are newer. */
  readonly #age: number;
  #isEngine = false;
  #identity: string | undefined;
  #position: bigint | undefined;

  constructor(path: string, faults: readonly string[], age = 0) {
    this.#path = path;
    this.faults = faults;
    this.#age = age;
  }

  get isEngine(): boolean {
    return this.#isEngine;
  }

  get identity(): string | undefined {
    return this.#identity;
  }

  get position(): bigint | undefined {
    return this.#position;
  }

  /** Reads the database `meta`, which is small. */
  async load(): Promise<void> {
    await this.#walk("meta", "entries", (entries) => {
      for (const { key, value } of entries) {
        const name = new TextDecoder().decode(key);
        if (name === IDENTITY) this.#identity = new TextDecoder().decode(value);
        if (name === POSITION && value.length === 8) this.#position = decodeU64(value);
      }
    });
  }

  read(
    wants: "keys" | "entries",
    onPage: (entries: Entry[]) => void | Promise<void>,
  ): Promise<LostKeys[]> {
    return this.#walk("entries", wants, onPage);
  }

  async before(): Promise<EngineRemains | undefined> {
    const before = new LmdbRemains(this.#path, this.faults, this.#age + 1);
    await before.load();
    return before.isEngine ? before : undefined;
  }

  close(): void {}

  async #walk(
    database: (typeof DATABASE_NAMES)[number],
    wants: "keys" | "entries",
    onPage: (entries: Entry[]) => void | Promise<void>,
  ): Promise<LostKeys[]> {
    let file: DataFile;
    try {
      file = new DataFile(this.#path);
    } catch {
      return [EVERYTHING];
    }
    try {
      const moment = findMoments(file)[this.#age];
      this.#isEngine = DATABASE_NAMES.every((name) => findTree(moment, name) !== undefined);
      const tree = findTree(moment, database);
      if (moment === undefined || tree === undefined) return [EVERYTHING];
      return await walk(moment.snapshot, tree, wants, onPage);
    } finally {
      file.close();
    }
  }
}

function findTree(moment: Moment | undefined, name: string): NamedTree | undefined {
  return moment?.named.find((tree) => tree.name === name);
}

/** Returns the states that have any database, those first whose main tree is right: every commit writes it
 * anew, so it carries the transaction of its meta page. Otherwise the newest comes first. */
function findMoments(file: DataFile): Moment[] {
  const moments = readMetas(file, new FaultList(Infinity))
    .map((meta) => readMain(meta, file))
    .filter(({ named }) => named.length > 0);
  return moments.sort((a, b) => Number(b.isWhole) - Number(a.isWhole));
}

/** The free list is left out. Where it claims a page of a tree it is wrong about that, as long as the page
 * names itself, is no newer than the one above it and keeps to its keys. */
function readMain(meta: Meta, file: DataFile): Moment & { readonly isWhole: boolean } {
  const snapshot = new Snapshot(meta, file, new FaultList(Infinity));
  const named: NamedTree[] = [];
  const walk = new TreeWalk(snapshot, mainKind(snapshot, named));
  for (const _ of walk.check(meta.main, meta.page));
  const isWhole = walk.isWhole && walk.rootTransaction === snapshot.transaction;
  return { snapshot, named, isWhole };
}

async function walk(
  snapshot: Snapshot,
  { name, record, from }: NamedTree,
  wants: "keys" | "entries",
  onPage: (entries: Entry[]) => void | Promise<void>,
): Promise<LostKeys[]> {
  const lost: LostKeys[] = [];
  let page: Entry[] = [];
  let bytes = 0;
  function* onNode(leaf: NodePage, node: number): Generator<void, void> {
    const key = copyKey(leaf.key(node));
    const value = wants === "keys" ? new Uint8Array(0) : readValue(snapshot, leaf, node);
    if (value === undefined) {
      lost.push(lostKey(key));
      return;
    }
    page.push({ key, value });
    bytes += key.length + value.length;
    yield;
  }
  const onLost = (bounds: Bounds) => lost.push(copyBounds(bounds));
  const tree = new TreeWalk(snapshot, { ...databaseKind(name), onNode, onLost });
  for (const _ of tree.check(record, from)) {
    const isFull = page.length >= PAGE_ENTRIES_MAX || bytes >= PAGE_BYTES_MAX;
    if (isFull) {
      await onPage(page);
      page = [];
      bytes = 0;
    }
    if (isTurnOver()) await nextTurn();
  }
  if (page.length > 0) await onPage(page);
  // A pointer to another page of the tree, say: nothing that was left out shows where.
  if (lost.length === 0 && tree.entries !== record.entries) lost.push(EVERYTHING);
  return lost;
}

function readValue(snapshot: Snapshot, leaf: NodePage, node: number): Uint8Array | undefined {
  const length = leaf.valueBytes(node);
  const start = leaf.keyEnd(node);
  if (leaf.nodeFlags(node) !== VALUE_ON_OVERFLOW) return leaf.bytes.slice(start, start + length);
  const value = new Uint8Array(length);
  const { first } = leaf.overflowRecord(node);
  return snapshot.read(first, value, HEADER_BYTES) ? value : undefined;
}

function copyKey({ bytes, start, end }: KeyPlace): Uint8Array {
  return bytes.slice(start, end);
}

function copyBounds({ low, high }: Bounds): LostKeys {
  const from = low && copyKey(low);
  const to = high && copyKey(high);
  const isOneKey = low !== undefined && high !== undefined && low.bytes === high.bytes &&
    low.start === high.start;
  return isOneKey ? lostKey(from!) : { from, to };
}
