/** The trees of an SQLite database file, as bytes: tables WITHOUT ROWID with two columns, whose rows are
 * the entries of an index tree.
 *
 * A file is a row of pages of one size, numbered from 1. Page 1 opens with the header of the file. All
 * numbers are big-endian. Of that header:
 *
 * | offset | width | meaning |
 * |---:|---:|---|
 * | 0 | 16 | `SQLite format 3`, NUL |
 * | 16 | 2 | page size; 1 for 65536 |
 * | 20 | 1 | bytes at the end of each page that are not used |
 * | 28 | 4 | pages of the file |
 *
 * A page of a tree:
 *
 * | offset | width | meaning |
 * |---:|---:|---|
 * | 0 | 1 | 2 for a branch, 10 for a leaf |
 * | 3 | 2 | cells |
 * | 8 | 4 | branch: the child behind the last cell |
 * | 8, branch 12 | 2 each | where each cell begins, in the order of the keys |
 *
 * A cell holds a row, in a branch as well as in a leaf: in a branch the number of the child with the keys
 * below (4 bytes), then the length of the row (a varint), as much of the row as fits, and where that is
 * not all of it, the first overflow page (4 bytes). An overflow page is the number of the next one, 0 at
 * the end, and bytes. A row is its header (its length and the type of each column, varints), then the
 * columns.
 *
 * Source: https://sqlite.org/fileformat2.html
 *
 * @module
 */

import { compareBytes } from "../codec/bytes.ts";
import type { DataFile } from "./_data_file.ts";

const MAGIC = "SQLite format 3\0";
const FILE_HEADER_BYTES = 100;
const PAGE_BYTES_DEFAULT = 4096;
const BRANCH = 2;
const LEAF = 10;
const LEVELS_MAX = 20;

/** Where the pages of a file are. */
export interface SqliteLayout {
  readonly pageBytes: number;
  /** Bytes of a page that are used. */
  readonly usableBytes: number;
  /** Pages that are in the file as a whole. */
  readonly pages: number;
}

/** Reads the layout of a file. A header that is damaged is that of a file as this package creates it. */
export function readSqliteLayout(file: DataFile): SqliteLayout {
  const header = new Uint8Array(FILE_HEADER_BYTES);
  const isHeader = file.read(header, 0) === undefined &&
    new TextDecoder().decode(header.subarray(0, 16)) === MAGIC;
  const said = header[16]! << 8 | header[17]!;
  const size = said === 1 ? 65536 : said;
  const isSize = isHeader && size >= 512 && (size & (size - 1)) === 0;
  const pageBytes = isSize ? size : PAGE_BYTES_DEFAULT;
  const usableBytes = isSize ? pageBytes - header[20]! : pageBytes;
  return { pageBytes, usableBytes, pages: Math.floor(file.size / pageBytes) };
}

/** A row as it lies in a cell. */
export interface SqliteRow {
  readonly key: Uint8Array;
  /** Reads the other column; `undefined` where a page of it is damaged. */
  readonly value: () => Uint8Array | undefined;
}

/** The bounds of a page's keys, both of them rows of pages above: `low < key < high`. */
export interface RowBounds {
  readonly low: Uint8Array | undefined;
  readonly high: Uint8Array | undefined;
}

interface Cell {
  readonly child: number;
  readonly row: SqliteRow;
}

/** Walks one tree in the order of its keys and leaves out what is not sound: pages that are no pages of a
 * tree, that are used twice, or whose keys are out of order or out of bounds. */
export class SqliteTreeWalk {
  readonly #file: DataFile;
  readonly #layout: SqliteLayout;
  readonly #onLost: (bounds: RowBounds) => void;
  readonly #used = new Set<number>();

  /** @param onLost Told what is left out: the keys between two rows. */
  constructor(file: DataFile, layout: SqliteLayout, onLost: (bounds: RowBounds) => void) {
    this.#file = file;
    this.#layout = layout;
    this.#onLost = onLost;
  }

  /** Yields the rows of a tree from its root page down. */
  rows(root: number): Generator<SqliteRow> {
    return this.#page(root, 1, { low: undefined, high: undefined });
  }

  *#page(number: number, level: number, bounds: RowBounds): Generator<SqliteRow> {
    const page = level <= LEVELS_MAX ? this.#read(number) : undefined;
    const cells = page && this.#cells(page, bounds);
    if (cells === undefined) return this.#onLost(bounds);
    if (page![0] === LEAF) {
      for (const { row } of cells) yield row;
      return;
    }
    let low = bounds.low;
    for (const { child, row } of cells) {
      yield* this.#page(child, level + 1, { low, high: row.key });
      yield row;
      low = row.key;
    }
    yield* this.#page(readU32(page!, 8), level + 1, { low, high: bounds.high });
  }

  /** Returns a page that nothing else uses, or `undefined`. */
  #read(number: number): Uint8Array | undefined {
    const { pageBytes, pages } = this.#layout;
    if (number < 2 || number > pages || this.#used.has(number)) return undefined;
    this.#used.add(number);
    const page = new Uint8Array(pageBytes);
    return this.#file.read(page, (number - 1) * pageBytes) === undefined ? page : undefined;
  }

  /** Returns the cells of a page, `undefined` where not all of them are right. */
  #cells(page: Uint8Array, bounds: RowBounds): Cell[] | undefined {
    const isLeaf = page[0] === LEAF;
    if (!isLeaf && page[0] !== BRANCH) return undefined;
    const count = page[3]! << 8 | page[4]!;
    const pointers = isLeaf ? 8 : 12;
    const content = pointers + 2 * count;
    if (content > this.#layout.usableBytes) return undefined;
    const cells: Cell[] = [];
    let last = bounds.low;
    for (let index = 0; index < count; index++) {
      const at = page[pointers + 2 * index]! << 8 | page[pointers + 2 * index + 1]!;
      const cell = at < content ? undefined : this.#cell(page, at, isLeaf);
      if (cell === undefined) return undefined;
      const { key } = cell.row;
      if (last !== undefined && compareBytes(last, key) >= 0) return undefined;
      if (bounds.high !== undefined && compareBytes(key, bounds.high) >= 0) return undefined;
      cells.push(cell);
      last = key;
    }
    return cells;
  }

  #cell(page: Uint8Array, start: number, isLeaf: boolean): Cell | undefined {
    const { usableBytes } = this.#layout;
    const child = isLeaf ? 0 : readU32(page, start);
    const length = readVarint(page, isLeaf ? start : start + 4);
    if (length === undefined) return undefined;
    const localBytes = localBytesOf(length.value, usableBytes);
    const end = length.end + localBytes;
    const isWhole = localBytes === length.value;
    if (end + (isWhole ? 0 : 4) > usableBytes) return undefined;
    const local = page.subarray(length.end, end);
    const columns = readColumns(local, length.value);
    if (columns === undefined) return undefined;
    const { keyStart, keyEnd } = columns;
    const next = isWhole ? 0 : readU32(page, end);
    const whole = () => isWhole ? local : this.#overflow(local, length.value, next);
    // A key that is longer than what fits into a page of a tree.
    const row = keyEnd <= localBytes ? local : whole();
    if (row === undefined) return undefined;
    const key = row.slice(keyStart, keyEnd);
    return {
      child,
      row: { key, value: () => (row.length > localBytes ? row : whole())?.slice(keyEnd) },
    };
  }

  /** Returns a row that begins in a cell and ends on overflow pages. */
  #overflow(local: Uint8Array, length: number, first: number): Uint8Array | undefined {
    const { usableBytes, pages, pageBytes } = this.#layout;
    if (length > pages * pageBytes) return undefined;
    const row = new Uint8Array(length);
    row.set(local);
    let number = first;
    for (let at = local.length; at < length; at += usableBytes - 4) {
      const page = this.#read(number);
      if (page === undefined) return undefined;
      const end = Math.min(usableBytes, 4 + length - at);
      row.set(page.subarray(4, end), at);
      number = readU32(page, 0);
    }
    return number === 0 ? row : undefined;
  }
}

function readU32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 24 | bytes[at + 1]! << 16 | bytes[at + 2]! << 8 | bytes[at + 3]!) >>> 0;
}

/** Reads a number of seven bits a byte, the highest first. No length takes more than seven bytes. */
function readVarint(
  bytes: Uint8Array,
  start: number,
): { readonly value: number; readonly end: number } | undefined {
  let value = 0;
  for (let at = start; at < start + 7; at++) {
    const byte = bytes[at];
    if (byte === undefined) return undefined;
    value = value * 128 + (byte & 127);
    if (byte < 128) return { value, end: at + 1 };
  }
  return undefined;
}

/** Returns how many bytes of a row are in its cell. */
function localBytesOf(length: number, usableBytes: number): number {
  const max = Math.floor((usableBytes - 12) * 64 / 255) - 23;
  if (length <= max) return length;
  const min = Math.floor((usableBytes - 12) * 32 / 255) - 23;
  const fitting = min + (length - min) % (usableBytes - 4);
  return fitting <= max ? fitting : min;
}

/** Returns where the first of two columns lies in a row, both of them BLOB or both TEXT; the second one is
 * the rest. */
function readColumns(
  row: Uint8Array,
  length: number,
): { readonly keyStart: number; readonly keyEnd: number } | undefined {
  const header = readVarint(row, 0);
  const first = header && readVarint(row, header.end);
  const second = first && readVarint(row, first.end);
  if (second === undefined || second.end !== header!.value) return undefined;
  const [keyBytes, valueBytes] = [first!.value, second.value].map((type) => (type - 12) >> 1);
  const isOneType = first!.value % 2 === second.value % 2 && first!.value >= 12 &&
    second.value >= 12;
  const keyEnd = second.end + keyBytes!;
  if (!isOneType || keyEnd + valueBytes! !== length) return undefined;
  return { keyStart: second.end, keyEnd };
}
