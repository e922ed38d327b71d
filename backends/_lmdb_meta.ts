/** The meta pages of an LMDB data file, as bytes.
 *
 * The first two pages say where the trees begin. Transaction N writes page N % 2, so that the other one
 * still holds the state before it. Behind the header of every page, little-endian:
 *
 * | offset | width | meaning |
 * |---:|---:|---|
 * | 24 | 4 | magic, `BEEFC0DE` |
 * | 28 | 4 | version, 2 |
 * | 32 | 8 | unused |
 * | 40 | 8 | bytes of the memory map |
 * | 48 | 48 | record of the free list; its first four bytes hold the page size |
 * | 96 | 48 | record of the main tree, which holds the records of the named databases |
 * | 144 | 8 | number of the last page in use |
 * | 152 | 8 | the transaction |
 * | 160 | 8 | the boot of the machine that wrote it, or 0 |
 *
 * The record of a tree is
 *
 * | offset | width | meaning |
 * |---:|---:|---|
 * | 0 | 4 | unused |
 * | 4 | 2 | flags: 0, and 8 for the free list, whose keys are numbers |
 * | 6 | 2 | levels |
 * | 8 | 8 | branch pages |
 * | 16 | 8 | leaf pages |
 * | 24 | 8 | overflow pages |
 * | 32 | 8 | entries |
 * | 40 | 8 | number of the root page; all ones for an empty tree |
 *
 * Source: `MDB_meta` and `MDB_db` in `mdb.c` of the npm package lmdb 3.5.6.
 *
 * @module
 */

import type { DataFile } from "./_data_file.ts";
import type { FaultList } from "./_lmdb_faults.ts";
import { META, readNumber } from "./_lmdb_page.ts";

const MAGIC = 0xbeefc0de;
const VERSION = 2;
const META_BYTES = 168;
const PAGE_BYTES_MIN = 512;
const PAGE_BYTES_MAX = 65536;
/** More address space than a process has. */
const MAP_BYTES_MAX = 2n ** 47n;
/** The library enlarges the map as it needs. */
const MAP_BYTES_NEW = 131_072n;
const FREE_LIST_FLAGS = 8;
/** Options of the process that created the file, stored with the flags; they mean nothing to the file. */
const OPTION_FLAGS = 0x4c00;

export const TREE_RECORD_BYTES = 48;
const NO_PAGE = 2n ** 64n - 1n;

/** What the file says of a tree. */
export interface TreeRecord {
  readonly flags: number;
  readonly levels: number;
  readonly branchPages: number;
  readonly leafPages: number;
  readonly overflowPages: number;
  readonly entries: number;
  /** The root page, or `undefined` where the tree is empty. */
  readonly root: number | undefined;
}

export function readTreeRecord(view: DataView, at: number): TreeRecord {
  return {
    flags: view.getUint16(at + 4, true),
    levels: view.getUint16(at + 6, true),
    branchPages: readNumber(view, at + 8),
    leafPages: readNumber(view, at + 16),
    overflowPages: readNumber(view, at + 24),
    entries: readNumber(view, at + 32),
    root: view.getBigUint64(at + 40, true) === NO_PAGE ? undefined : readNumber(view, at + 40),
  };
}

/** Returns the two meta pages that a file without entries consists of, as the library writes them. */
export function emptyDatabase(pageBytes: number): Uint8Array {
  const bytes = new Uint8Array(2 * pageBytes);
  for (const page of [0, 1]) {
    const view = new DataView(bytes.buffer, page * pageBytes, pageBytes);
    view.setBigUint64(0, BigInt(page), true);
    view.setUint16(18, META, true);
    view.setUint32(24, MAGIC, true);
    view.setUint32(28, VERSION, true);
    view.setBigUint64(40, MAP_BYTES_NEW, true);
    view.setUint32(48, pageBytes, true);
    view.setUint16(52, FREE_LIST_FLAGS, true);
    for (const tree of [48, 96]) view.setBigUint64(tree + 40, NO_PAGE, true);
    view.setBigUint64(144, 1n, true);
  }
  return bytes;
}

/** What a meta page says. */
export interface Meta {
  readonly page: number;
  readonly pageBytes: number;
  readonly lastPage: bigint;
  readonly transaction: bigint;
  readonly freeList: TreeRecord;
  readonly main: TreeRecord;
}

/** Reads both meta pages, without a pause in between, and returns the newer of those that are any. */
export function readNewestMeta(file: DataFile, faults: FaultList): Meta | undefined {
  const [newer, older] = readMetas(file, faults);
  if (newer === undefined || older === undefined) return newer;
  const isFresh = newer.transaction === 0n;
  const isInTurn = newer.transaction === older.transaction + 1n &&
    newer.transaction % 2n === BigInt(newer.page);
  if (!isFresh && !isInTurn) {
    const { transaction } = newer;
    faults.add(
      newer.page,
      `is of transaction ${transaction}, and page ${older.page} of ${older.transaction}`,
    );
  }
  if (older.lastPage > newer.lastPage) {
    faults.add(older.page, `has ${older.lastPage} as its last page, later ${newer.lastPage}`);
  }
  return newer;
}

/** Reads both meta pages, without a pause in between, and returns those that are any, the newer one first. */
export function readMetas(file: DataFile, faults: FaultList): Meta[] {
  const pageBytes = findPageBytes(file);
  return [0, 1]
    .map((page) => readMeta(page, pageBytes, file, faults))
    .filter((meta) => meta !== undefined)
    .sort((a, b) => a.transaction < b.transaction ? 1 : a.transaction > b.transaction ? -1 : 0);
}

/** Finds out the page size from where the second meta page is. Where none is found, the first meta page
 * is believed, which says the size as well. */
function findPageBytes(file: DataFile): number {
  const bytes = new Uint8Array(META_BYTES);
  const view = new DataView(bytes.buffer);
  for (let size = PAGE_BYTES_MIN; size <= PAGE_BYTES_MAX; size *= 2) {
    if (file.read(bytes, size) === undefined && looksLikeSecond(view, size)) return size;
  }
  if (file.read(bytes, 0) !== undefined) return 0;
  const size = view.getUint32(48, true);
  const isPowerOfTwo = (size & (size - 1)) === 0;
  return isPowerOfTwo && size >= PAGE_BYTES_MIN && size <= PAGE_BYTES_MAX ? size : 0;
}

/** A flipped bit may have hit any of the three. */
function looksLikeSecond(view: DataView, size: number): boolean {
  const signs = [
    readNumber(view, 0) === 1 && view.getUint16(18, true) === META,
    view.getUint32(24, true) === MAGIC && view.getUint32(28, true) === VERSION,
    view.getUint32(48, true) === size,
  ];
  return signs.filter((sign) => sign).length >= 2;
}

function readMeta(
  page: number,
  pageBytes: number,
  file: DataFile,
  faults: FaultList,
): Meta | undefined {
  const bytes = new Uint8Array(META_BYTES);
  const view = new DataView(bytes.buffer);
  const reason = pageBytes === 0
    ? "is no meta page: the page size is not known"
    : file.read(bytes, page * pageBytes);
  if (reason !== undefined) {
    faults.add(page, reason);
    return undefined;
  }
  const magic = view.getUint32(24, true);
  const version = view.getUint32(28, true);
  const saidPageBytes = view.getUint32(48, true);
  if (magic !== MAGIC || version !== VERSION || saidPageBytes !== pageBytes) {
    const found = `magic ${magic.toString(16)}, version ${version}, page size ${saidPageBytes}`;
    faults.add(page, `is no meta page: ${found}`);
    return undefined;
  }
  const number = readNumber(view, 0);
  const flags = view.getUint16(18, true);
  if (number !== page) faults.add(page, `names itself page ${number}`);
  if (flags !== META) faults.add(page, `has flags ${flags} and is no meta page`);
  const meta: Meta = {
    page,
    pageBytes,
    lastPage: view.getBigUint64(144, true),
    transaction: view.getBigUint64(152, true),
    freeList: readTreeRecord(view, 48),
    main: readTreeRecord(view, 96),
  };
  checkMeta(meta, view.getBigUint64(40, true), faults);
  return meta;
}

function checkMeta(meta: Meta, mapBytes: bigint, faults: FaultList): void {
  const { page, pageBytes, lastPage, freeList, main } = meta;
  const neededBytes = (lastPage + 1n) * BigInt(pageBytes);
  if (mapBytes < neededBytes || mapBytes > MAP_BYTES_MAX) {
    faults.add(page, `has a map of ${mapBytes} bytes, for pages of ${neededBytes} bytes`);
  }
  if ((freeList.flags & ~OPTION_FLAGS) !== FREE_LIST_FLAGS) {
    faults.add(page, `has flags ${freeList.flags} for the free list`);
  }
  if (main.flags !== 0) faults.add(page, `has flags ${main.flags} for the main tree`);
}
