/** Scans: from the bounds that a caller gives to pages of rows.
 *
 * @module
 */

import { isTurnOver, nextTurn } from "../../runtime/turn.ts";
import { PAGE_SIZE_MAX, rangeBehind, type Scan } from "../range.ts";
import { bytesOf, isLast, readPage, type ReadSource, type RowKind } from "./merge.ts";
import type { PageSize } from "../types.ts";

/** Rows of a page: of the first, which is often enough, of the second, and of the largest. */
const FIRST_PAGE_ROWS = 4;
const PAGE_ROWS = 256;
const PAGE_ROWS_MAX = PAGE_SIZE_MAX.rows;
/** Later pages ask for at least this many rows: where they are large, the bytes end the page. */
const PAGE_ROWS_MIN = 16;
/** A page ends with the row that reaches this many bytes, so that large values do not pile up in memory. */
const FIRST_PAGE_BYTES = 64 * 1024;
const PAGE_BYTES = PAGE_SIZE_MAX.bytes;
/** Pages grow towards this size: few of their rows are then so much larger than the others that an engine
 * has to read them one by one. */
const PAGE_BYTES_AIM = PAGE_BYTES / 4;

/** How a scan is cut into pages: small ones first, if the rest may not be wanted; large ones, if all of it is
 * wanted; or as the caller says. */
export type Paging = "small first" | "large" | Required<PageSize>;

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
