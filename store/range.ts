/** Ranges of keys: from the bounds that a caller gives to one half-open range.
 *
 * @module
 */

import type { KeyRange } from "../backends/engine.ts";
import { bytesBehind, compareBytes } from "../codec/bytes.ts";
import { prefixUpperBound } from "../codec/prefix.ts";
import type { KeySpace } from "./key_space.ts";
import { describe, requireOptions, requireSignal } from "./limits.ts";
import type { PageSize, ScanRange } from "./types.ts";

export type { KeyRange } from "../backends/engine.ts";

/** How large pages are where nobody says otherwise. */
export const PAGE_SIZE_MAX: Required<PageSize> = { rows: 2048, bytes: 4 * 1024 * 1024 };

/** A checked scan: a half-open range of the store's keys, how many rows are wanted, and what ends it. */
export interface Scan {
  readonly range: KeyRange;
  readonly limit: number;
  readonly signal?: AbortSignal;
}

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

/** Checks the range that a batch deletes, as {@linkcode resolveDeletion} does.
 *
 * @throws {RangeError} It has a limit.
 */
export function resolveBatchDeletion(what: string, keys: KeySpace, range: ScanRange): Scan {
  const scan = resolveDeletion(what, keys, range);
  if (scan.limit === Infinity) return scan;
  throw new RangeError(`${what}: it has a limit; which keys come first is not known yet`);
}

/** Returns whether no key can be within some bounds. */
export function isEmpty({ start, end }: Pick<KeyRange, "start" | "end">): boolean {
  return end !== undefined && compareBytes(start, end) >= 0;
}

/** Returns what is left of a range behind a key that was read. */
export function rangeBehind(range: KeyRange, key: Uint8Array): KeyRange {
  if (range.reverse) return { ...range, end: key };
  return { ...range, start: bytesBehind(key) };
}

/** Checks the size of pages, and fills in what is left out.
 *
 * @throws {TypeError | RangeError} It is not an object, or a part is not an integer from 1 on.
 */
export function resolvePageSize(what: string, size: PageSize = {}): Required<PageSize> {
  requireOptions(what, size);
  const { rows = PAGE_SIZE_MAX.rows, bytes = PAGE_SIZE_MAX.bytes } = size;
  for (const [name, value] of Object.entries({ rows, bytes })) {
    if (!Number.isSafeInteger(value) || value < 1) {
      throw new RangeError(`${what}: ${name} is ${value}, not an integer from 1 on`);
    }
  }
  return { rows, bytes };
}
