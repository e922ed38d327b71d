/** Options of a store: their defaults and checks.
 *
 * @module
 */

import { type EngineName, type Route, Router } from "../codec/route.ts";
import { DEFAULT_SEGMENT_BYTES, requireSegmentBytes } from "../journal/journal.ts";
import { describe, requireOptions } from "./limits.ts";
import type { Durability, OpenOptions, StoreOptions } from "./types.ts";

/** Options with every default filled in. */
export interface Settings {
  /** `undefined`: the routes that the store has, the default ones if it is new. */
  readonly routes: readonly Route[] | undefined;
  /** `undefined`: the one that the store has, the B-tree side if it is new. */
  readonly defaultEngine: EngineName | undefined;
  readonly create: boolean;
  readonly errorIfExists: boolean;
  readonly readOnly: boolean;
  readonly durability: Durability;
  readonly syncIntervalMs: number;
  readonly memtableBytes: number;
  readonly segmentBytes: number;
  readonly readCacheBytes: number;
  readonly feedBytesMax: number;
}

const DURABILITIES: ReadonlySet<unknown> = new Set(["hybrid", "always", "flush"]);
const ON_DIRECTORY = ["create", "errorIfExists", "readOnly"];
/** The options of a store, wherever it is. */
export const STORE_OPTIONS = [
  "routes",
  "defaultEngine",
  "durability",
  "syncIntervalMs",
  "memtableBytes",
  "segmentBytes",
  "readCacheBytes",
  "feedBytesMax",
] as const satisfies (keyof StoreOptions)[];

/** What entry points create a store with, where their caller does not say otherwise: one side for all keys, which is
 * the faster one for single reads and writes. */
export const ONE_SIDE: StoreOptions = { routes: [], defaultEngine: "append" };

function requireInteger(name: string, value: unknown, min: number, max: number): void {
  if (typeof value !== "number") {
    throw new TypeError(`Cannot open store: ${name} is ${describe(value)}, not a number`);
  }
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new RangeError(
      `Cannot open store: ${name} is ${value}, not an integer from ${min} to ${max}`,
    );
  }
}

/** Checks options and fills in the defaults.
 *
 * @param place Where the store is, if not in memory or a directory of its own making.
 * @throws {TypeError} An option is unknown or of a wrong type, or a route is not valid.
 * @throws {RangeError} A number is out of its range.
 */
export function resolveOptions(options: OpenOptions, place?: "directory"): Settings {
  const what = "Cannot open store";
  requireOptions(
    what,
    options,
    place === undefined ? STORE_OPTIONS : [...STORE_OPTIONS, ...ON_DIRECTORY],
  );
  const {
    create = true,
    errorIfExists = false,
    readOnly = false,
    durability = "hybrid",
    syncIntervalMs = 1000,
    memtableBytes = 16 * 1024 * 1024,
    segmentBytes = DEFAULT_SEGMENT_BYTES,
    readCacheBytes = 32 * 1024 * 1024,
    feedBytesMax = 2 ** 30,
  } = options;
  for (const [name, value] of Object.entries({ create, errorIfExists, readOnly })) {
    if (typeof value !== "boolean") {
      throw new TypeError(`${what}: ${name} is ${describe(value)}, not a boolean`);
    }
  }
  if (errorIfExists && (readOnly || !create)) {
    const other = readOnly ? "readOnly" : "create: false";
    throw new TypeError(
      `${what}: errorIfExists and ${other} leave nothing to open; give one of them`,
    );
  }
  if (!DURABILITIES.has(durability)) {
    throw new TypeError(
      `Cannot open store: durability is ${durability}, not "hybrid", "always" or "flush"`,
    );
  }
  requireInteger("syncIntervalMs", syncIntervalMs, 1, 2 ** 31 - 1);
  requireInteger("memtableBytes", memtableBytes, 1, 2 ** 32);
  requireInteger("readCacheBytes", readCacheBytes, 0, 2 ** 32);
  requireInteger("feedBytesMax", feedBytesMax, 0, Number.MAX_SAFE_INTEGER);
  requireSegmentBytes(segmentBytes);
  const { defaultEngine } = options;
  // Refuses what is not valid, and copies: the caller may change the list while the store is opened.
  const router = new Router(options.routes, defaultEngine);
  return {
    routes: options.routes && router.routes,
    defaultEngine,
    create,
    errorIfExists,
    readOnly,
    durability,
    syncIntervalMs,
    memtableBytes,
    segmentBytes,
    readCacheBytes,
    feedBytesMax,
  };
}
