/** The merge of memtables and engines into one ordered sequence.
 *
 * @module
 */

import type { EngineReader, Entry, KeyRange } from "../../backends/engine.ts";
import { compareBytes } from "../../codec/bytes.ts";
import type { EngineName, Router } from "../../codec/route.ts";
import { type Copy, copyShort, copyWhole } from "../../runtime/copy.ts";
import { rangeBehind } from "../range.ts";
import { hashKey } from "../memtable/key_hash.ts";
import type { Memtable, MemtableRange } from "../memtable/memtable.ts";

/** What a read sees, one moment of the store or its current entries: memtables over engines. */
export interface ReadSource {
  /** Newest first. */
  readonly layers: readonly Memtable[];
  readonly engines: Readonly<Record<EngineName, EngineReader>>;
  readonly router: Router;
}

/** What a scan yields for a key: an entry, or the key alone. */
export interface RowKind<Row> {
  /** Reads rows from an engine, as its `range` does. */
  read(engine: EngineReader, range: KeyRange, rows: number, bytes: number): Row[];
  /** Returns the key of a row. */
  key(row: Row): Uint8Array;
  /** Returns the bytes that a row holds. */
  bytes(row: Row): number;
  /** Returns a row with another key. */
  rename(row: Row, key: Uint8Array): Row;
  /** Makes a row, as a copy, of a memtable's entry that is not a deletion. */
  copy(memtable: Memtable, id: number): Row;
}

/** Rows with keys and values. */
export const ENTRY_ROWS: RowKind<Entry> = entryRows(copyWhole);

/** Rows with keys and values of which no caller gets the bytes. */
export const INNER_ROWS: RowKind<Entry> = entryRows(copyShort);

function entryRows(copy: Copy): RowKind<Entry> {
  return {
    read: (engine, range, rows, bytes) => engine.range(range, rows, bytes, copy),
    key: (entry) => entry.key,
    bytes: ({ key, value }) => key.length + value.length,
    rename: ({ value }, key) => ({ key, value }),
    copy: (memtable, id) => ({
      key: memtable.copyKey(id, copy),
      value: memtable.copyValue(id, copy)!,
    }),
  };
}

/** Rows of keys alone. */
export const KEY_ROWS: RowKind<Uint8Array> = {
  read: (engine, range, rows, bytes) => engine.keys(range, rows, bytes),
  key: (key) => key,
  bytes: (key) => key.length,
  rename: (_, key) => key,
  copy: (memtable, id) => memtable.copyKey(id),
};

/** Rows that a merge takes from an engine at a time: as many as are wanted, at most this many, … */
const CHUNK_ROWS_MAX = 512;
/** … and at least this many if the first were not enough, because memtables hide rows. */
const NEXT_CHUNK_ROWS_MIN = 32;

/** Returns the value of a key at a moment, as a copy. */
export function readValue(
  source: ReadSource,
  key: Uint8Array,
  copy: Copy = copyWhole,
): Uint8Array | undefined {
  const memtable = findLayer(source.layers, key);
  if (memtable !== undefined) return memtable.copyValue(foundId, copy);
  return source.engines[source.router.routeOf(key)].get(key, copy);
}

/** Returns the value of a key at a moment, to be read at once: it may be a view of a memtable.
 *
 * @param hash The key's hash.
 */
export function viewValue(
  source: ReadSource,
  key: Uint8Array,
  hash: number,
): Uint8Array | undefined {
  const memtable = findLayer(source.layers, key, hash);
  if (memtable !== undefined) return memtable.value(foundId);
  return source.engines[source.router.routeOf(key)].get(key);
}

/** Returns whether a key is there at a moment. */
export function hasKey(source: ReadSource, key: Uint8Array): boolean {
  const memtable = findLayer(source.layers, key);
  if (memtable !== undefined) return !memtable.isDeleted(foundId);
  return source.engines[source.router.routeOf(key)].has(key);
}

/** Where in the layer that `findLayer` returned the key is: an object for both would cost each read. */
let foundId = -1;

/** Returns the newest layer that has a key, deleted or not.
 *
 * @param hash The key's hash, where it is known already.
 */
function findLayer(
  layers: readonly Memtable[],
  key: Uint8Array,
  hash?: number,
): Memtable | undefined {
  for (const memtable of layers) {
    if (memtable.size === 0) continue;
    foundId = memtable.find(key, hash ??= hashKey(key));
    if (foundId >= 0) return memtable;
  }
  return undefined;
}

/** Returns the first rows of a range at a moment. Ends with the row that reaches `limit` rows or `bytes`
 * bytes. If it returns fewer of both, there are no more. */
export function readPage<Row>(
  source: ReadSource,
  kind: RowKind<Row>,
  range: KeyRange,
  limit: number,
  bytes: number,
): Row[] {
  if (range.end !== undefined && compareBytes(range.start, range.end) >= 0) return [];
  const engines = source.router.enginesForRange(range.start, range.end);
  const layers = layerRanges(source.layers, range);
  if (layers.length === 0 && engines.length === 1) {
    return kind.read(source.engines[engines[0]!], range, limit, bytes);
  }
  const inputs: Input<Row>[] = [
    ...layers.map((layer) => new MemtableInput(layer, range.reverse, kind)),
    ...engines.map((name) => new EngineInput(source.engines[name], range, kind, limit, bytes)),
  ];
  const rows: Row[] = [];
  let left = bytes;
  for (const input of merge(inputs, range.reverse)) {
    const row = input.row();
    if (row === undefined) continue;
    rows.push(row);
    left -= kind.bytes(row);
    if (rows.length >= limit || left <= 0) break;
  }
  return rows;
}

/** Returns what the layers hold of a range, without those that hold nothing. */
function layerRanges(layers: readonly Memtable[], range: KeyRange): MemtableRange[] {
  if (layers.every(({ size }) => size === 0)) return [];
  return layers.flatMap((memtable) => memtable.ranges(range.start, range.end));
}

/** A sorted input of a merge, positioned at one key. */
interface Input<Row> {
  /** The key at its position, `undefined` behind the last. */
  readonly key: Uint8Array | undefined;
  /** The row at its position, `undefined` for a deletion. */
  row(): Row | undefined;
  advance(): void;
}

/** Yields, for each key in order, the first of the inputs that are at it. */
function* merge<T extends Input<unknown>>(inputs: readonly T[], reverse: boolean): Generator<T> {
  for (;;) {
    let winner: T | undefined;
    for (const input of inputs) {
      if (input.key === undefined) continue;
      const order = winner === undefined ? -1 : compareBytes(input.key, winner.key!);
      if (order !== 0 && (winner === undefined || (order < 0) !== reverse)) winner = input;
    }
    if (winner === undefined) return;
    yield winner;
    const { key } = winner;
    for (const input of inputs) {
      if (input !== winner && input.key !== undefined && compareBytes(input.key, key!) === 0) {
        input.advance();
      }
    }
    winner.advance();
  }
}

class MemtableInput<Row> implements Input<Row> {
  readonly #memtable: Memtable;
  readonly #ids: Uint32Array;
  readonly #kind: RowKind<Row>;
  readonly #step: 1 | -1;
  #index: number;
  #left: number;
  key: Uint8Array | undefined;

  constructor({ memtable, ids, from, to }: MemtableRange, reverse: boolean, kind: RowKind<Row>) {
    this.#memtable = memtable;
    this.#ids = ids;
    this.#kind = kind;
    this.#step = reverse ? -1 : 1;
    this.#index = reverse ? to : from - 1;
    this.#left = to - from;
    this.advance();
  }

  row(): Row | undefined {
    const id = this.#ids[this.#index]!;
    return this.#memtable.isDeleted(id) ? undefined : this.#kind.copy(this.#memtable, id);
  }

  advance(): void {
    this.#index += this.#step;
    this.key = this.#left-- > 0 ? this.#memtable.key(this.#ids[this.#index]!) : undefined;
  }
}

class EngineInput<Row> implements Input<Row> {
  readonly #engine: EngineReader;
  readonly #kind: RowKind<Row>;
  readonly #chunkBytes: number;
  #chunkRows: number;
  #range: KeyRange;
  #rows: Row[] = [];
  #index = 0;
  key: Uint8Array | undefined;

  constructor(
    engine: EngineReader,
    range: KeyRange,
    kind: RowKind<Row>,
    limit: number,
    bytes: number,
  ) {
    this.#engine = engine;
    this.#range = range;
    this.#kind = kind;
    this.#chunkBytes = bytes;
    this.#chunkRows = Math.min(limit, CHUNK_ROWS_MAX);
    this.#fill();
  }

  row(): Row | undefined {
    return this.#rows[this.#index];
  }

  advance(): void {
    this.#index++;
    if (this.#index < this.#rows.length) {
      this.key = this.#kind.key(this.#rows[this.#index]!);
    } else if (isLast(this.#kind, this.#rows, this.#chunkRows, this.#chunkBytes)) {
      this.key = undefined;
    } else {
      this.#range = rangeBehind(this.#range, this.key!);
      this.#chunkRows = Math.max(this.#chunkRows, NEXT_CHUNK_ROWS_MIN);
      this.#fill();
    }
  }

  #fill(): void {
    this.#rows = this.#kind.read(this.#engine, this.#range, this.#chunkRows, this.#chunkBytes);
    this.#index = 0;
    this.key = this.#rows.length === 0 ? undefined : this.#kind.key(this.#rows[0]!);
  }
}

/** Returns whether rows that were read are the last: fewer than were wanted, and of fewer bytes. */
export function isLast<Row>(
  kind: RowKind<Row>,
  rows: readonly Row[],
  wanted: number,
  bytes: number,
): boolean {
  return rows.length < wanted && bytesOf(kind, rows) < bytes;
}

/** Returns the bytes that rows hold. */
export function bytesOf<Row>(kind: RowKind<Row>, rows: readonly Row[]): number {
  let bytes = 0;
  for (const row of rows) bytes += kind.bytes(row);
  return bytes;
}
