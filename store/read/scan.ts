/** Scans: from the bounds that a caller gives to pages of rows.
 *
 * @module
 */

import type { KeyRange } from "../../backends/engine.ts";
import { bytesBehind, compareBytes } from "../../codec/bytes.ts";
import { prefixUpperBound } from "../../codec/prefix.ts";
import { isTurnOver, nextTurn } from "../../runtime/turn.ts";
import type { KeySpace } from "../key_space.ts";
import { describe, requireOptions, requireSignal } from "../limits.ts";
import { bytesOf, isLast, rangeBehind, readPage, type ReadSource, type RowKind } from "./merge.ts";
import type { PageSize, ScanRange } from "../types.ts";

/** Rows of a page: of the first, which is often enough, of the second, and of the largest. */
const FIRST_PAGE_ROWS = 4;
const PAGE_ROWS = 256;
const PAGE_ROWS_MAX = 2048;
/** Later pages ask for at least this many rows: where they are large, the bytes end the page. */
const PAGE_ROWS_MIN = 16;
/** A page ends with the row that reaches this many bytes, so that large values do not pile up in memory. */
const FIRST_PAGE_BYTES = 64 * 1024;
const PAGE_BYTES = 4 * 1024 * 1024;
/** Pages grow towards this size: few of their rows are then so much larger than the others that an engine
 * has to read them one by one. */
const PAGE_BYTES_AIM = PAGE_BYTES / 4;

/** A checked scan: a half-open range of the store's keys, how many rows are wanted, and what ends it. */
export interface Scan {
  readonly range: KeyRange;
  readonly limit: number;
  readonly signal?: AbortSignal;
}

/** How a scan is cut into pages: small ones first, if the rest may not be wanted; large ones, if all of it is
 * wanted; or as the caller says. */
export type Paging = "small first" | "large" | Required<PageSize>;

const KNOWN: ReadonlySet<string> = new Set([
  "prefix",
  "gt",
  "gte",
  "lt",
  "lte",
  "reverse",
  "limit",
  "signal",
]);

/** Checks the bounds of a scan, copies them, and intersects them into one range.
 *
 * @param keys Those that the bounds are of.
 * @throws {TypeError} The range is not an object, or is bytes or a list, which would pass for a range of
 * all keys; a bound is neither bytes nor a string, `reverse` is not a boolean, or a property is unknown.
 * @throws {RangeError} `limit` is not an integer from 0 on, nor `Infinity`.
 */
export function resolveRange(what: string, keys: KeySpace, range: ScanRange = {}): Scan {
  if (typeof range !== "object" || range === null || Symbol.iterator in range) {
    throw new TypeError(`${what}: the range is ${describe(range)}; {} stands for all keys`);
  }
  for (const name of Object.keys(range)) {
    if (!KNOWN.has(name)) {
      throw new TypeError(
        `${what}: a range has no property ${name}, only ${[...KNOWN].join(", ")}`,
      );
    }
  }
  const boundOf = (name: "prefix" | "gt" | "gte" | "lt" | "lte") => {
    const bound = range[name];
    return bound === undefined ? undefined : keys.bound(what, name, bound);
  };
  const [gt, gte, lt, lte] = (["gt", "gte", "lt", "lte"] as const).map(boundOf);
  const { reverse = false, limit = Infinity, signal } = range;
  if (typeof reverse !== "boolean") {
    throw new TypeError(`${what}: reverse is ${describe(reverse)}, not a boolean`);
  }
  if (typeof limit !== "number") {
    throw new TypeError(`${what}: limit is ${describe(limit)}, not a number`);
  }
  if (limit < 0 || (limit !== Infinity && !Number.isInteger(limit))) {
    throw new RangeError(`${what}: limit is ${limit}, not an integer from 0 on`);
  }
  requireSignal(what, signal);
  const prefix = boundOf("prefix") ?? keys.prefix;
  let start: Uint8Array = prefix;
  for (const bound of [gte, gt && bytesBehind(gt)]) {
    if (bound !== undefined && compareBytes(bound, start) > 0) start = bound;
  }
  let end = prefixUpperBound(prefix);
  for (const bound of [lt, lte && bytesBehind(lte)]) {
    if (bound !== undefined && (end === undefined || compareBytes(bound, end) < 0)) end = bound;
  }
  return { range: { start, end, reverse }, limit, ...(signal && { signal }) };
}

/** Checks the range of keys that are to be deleted, as {@linkcode resolveRange} does. A bound that is missing by
 * mistake must not delete every key.
 *
 * @throws {TypeError} It is missing, or a property of it is `undefined`.
 */
export function resolveDeletion(what: string, keys: KeySpace, range: ScanRange): Scan {
  for (const [name, value] of Object.entries(range ?? { range })) {
    if (value === undefined) {
      throw new TypeError(`${what}: ${name} is undefined; {} stands for all keys`);
    }
  }
  return resolveRange(what, keys, range);
}

/** Checks the size of pages, and fills in what is left out.
 *
 * @throws {TypeError | RangeError} It is not an object, or a part is not an integer from 1 on.
 */
export function resolvePageSize(what: string, size: PageSize = {}): Required<PageSize> {
  requireOptions(what, size);
  const { rows = PAGE_ROWS_MAX, bytes = PAGE_BYTES } = size;
  for (const [name, value] of Object.entries({ rows, bytes })) {
    if (!Number.isSafeInteger(value) || value < 1) {
      throw new RangeError(`${what}: ${name} is ${value}, not an integer from 1 on`);
    }
  }
  return { rows, bytes };
}

/** Yields the pages of a scan. Each shows one moment; the source is asked for again for each page.
 *
 * @throws The reason of the scan's signal, once it is aborted.
 */
export function* pages<Row>(
  source: () => ReadSource,
  kind: RowKind<Row>,
  { range, limit, signal }: Scan,
  paging: Paging,
): Generator<Row[]> {
  const fixed = typeof paging === "object" ? paging : undefined;
  const isLarge = paging === "large" || limit <= PAGE_ROWS;
  let pageRows = fixed?.rows ?? (isLarge ? PAGE_ROWS : FIRST_PAGE_ROWS);
  let pageBytes = fixed?.bytes ?? (isLarge ? PAGE_BYTES : FIRST_PAGE_BYTES);
  let left = limit;
  let rest = range;
  while (left > 0) {
    signal?.throwIfAborted();
    const wanted = Math.min(pageRows, left);
    const rows = readPage(source(), kind, rest, wanted, pageBytes);
    if (isLast(kind, rows, wanted, pageBytes)) {
      if (rows.length > 0) yield rows;
      return;
    }
    left -= rows.length;
    // Before the page is yielded: afterwards its rows belong to the caller, which may write over them.
    rest = rangeBehind(rest, kind.key(rows.at(-1)!).slice());
    if (fixed === undefined) {
      pageRows = nextPageRows(kind, rows);
      pageBytes = PAGE_BYTES;
    }
    yield rows;
  }
}

/** Returns how many rows the page behind some rows should have. */
export function nextPageRows<Row>(kind: RowKind<Row>, rows: readonly Row[]): number {
  const rowsMax = Math.min(Math.max(rows.length * 2, PAGE_ROWS), PAGE_ROWS_MAX);
  const rowsInAim = Math.floor(PAGE_BYTES_AIM * rows.length / bytesOf(kind, rows));
  return Math.max(PAGE_ROWS_MIN, Math.min(rowsMax, rowsInAim));
}

/** Returns the rows of pages. */
export function allRows<Row>(found: Iterable<Row[]>): Row[] {
  let all: Row[] | undefined;
  for (const page of found) {
    if (all === undefined) all = page;
    else for (const row of page) all.push(row);
  }
  return all ?? [];
}

// `yield*` would pass an error that is thrown into a scan to the iterator of an array, which has no `throw`.

/** Yields the rows of pages. */
export function* rowsOf<Row>(found: Iterable<Row[]>): Generator<Row, undefined> {
  for (const page of found) {
    for (const row of page) yield row;
  }
  return undefined;
}

/** Yields the rows of pages, and lets the event loop turn while they are read. */
export async function* rowsOfAsync<Row>(found: Generator<Row[]>): AsyncGenerator<Row, undefined> {
  for await (const page of turning(found)) {
    for (const row of page) yield row;
  }
  return undefined;
}

/** Yields pages, and lets the event loop turn while they are read. */
export async function* turning<Row>(
  found: Generator<Row[]>,
): AsyncGenerator<Row[], undefined> {
  for (;;) {
    // Read at once: a count shows the moment of its call, however long the turn has lasted.
    const { done, value } = found.next();
    // Before the page is yielded rather than after it: many scans end in their first page.
    if (isTurnOver()) await nextTurn();
    if (done) return undefined;
    yield value;
  }
}
