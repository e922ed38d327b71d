/** Watching keys: the newest state after each change.
 *
 * @module
 */

import type { Entry } from "../../backends/engine.ts";
import { prefixUpperBound } from "../../codec/prefix.ts";
import { abortable } from "../../runtime/abortable.ts";
import { resolveWatched } from "../call_options.ts";
import type { KeySpace } from "../key_space.ts";
import { hashKey } from "../memtable/key_hash.ts";
import { ENTRY_ROWS, type ReadSource, readValue } from "../read/merge.ts";
import type { Moment } from "../read/moment.ts";
import type { Scan } from "../range.ts";
import { pages, turning } from "../read/scan.ts";
import type { BytesLike, WatchOptions } from "../types.ts";
import { endable } from "./endable.ts";
import type { Watch, Watches } from "./watches.ts";

/** What is watched. */
export interface WatchSource {
  readonly watches: Watches;
  /** Returns the current entries. */
  source(what: string): ReadSource;
  /** Pins the store as it is now. */
  pin(): Moment;
}

/** Prepares to watch keys, or all keys below a prefix.
 *
 * @param closing Aborted when the store is closed, or the part of it that is watched.
 * @throws {TypeError | RangeError} An argument is not valid.
 */
export function prepareWatch(
  what: string,
  source: WatchSource,
  keys: KeySpace,
  closing: AbortSignal,
  watched: readonly BytesLike[] | { prefix: BytesLike },
  options: WatchOptions = {},
): AsyncGenerator<Entry[], undefined> {
  const { watched: found, signal } = resolveWatched(what, keys, watched, options);
  const statesOf = (begin: () => Watch, read: () => Entry[] | Promise<Entry[]>) =>
    endable({ closing, isLive: true, signal }, (ended) => states(ended, begin, read));
  if ("prefix" in found) {
    const { prefix } = found;
    const begin = () => source.watches.watchPrefix(prefix);
    return statesOf(begin, () => readPrefix(source, keys, prefix));
  }
  const wanted = found.keys.map((key) => ({ key, hash: hashKey(key) }));
  const begin = () => source.watches.watchKeys(wanted);
  return statesOf(begin, () => readKeys(source.source(what), keys, found.keys));
}

async function* states(
  ended: AbortSignal,
  begin: () => Watch,
  read: () => Entry[] | Promise<Entry[]>,
): AsyncGenerator<Entry[], undefined> {
  const watch = begin();
  try {
    for (;;) {
      ended.throwIfAborted();
      const state = await read();
      ended.throwIfAborted();
      yield state;
      await abortable(watch.changed(), ended);
    }
  } finally {
    watch.end();
  }
}

function readKeys(source: ReadSource, keys: KeySpace, wanted: readonly Uint8Array[]): Entry[] {
  const entries: Entry[] = [];
  for (const key of wanted) {
    const value = readValue(source, key);
    if (value !== undefined) entries.push({ key: keys.outside(key).slice(), value });
  }
  return entries;
}

/** Reads all keys of a prefix at one moment. */
async function readPrefix(
  source: WatchSource,
  keys: KeySpace,
  prefix: Uint8Array,
): Promise<Entry[]> {
  // Pinning ends the open group. A function that is running now, of a transaction, may have read from it.
  await undefined;
  const moment = source.pin();
  try {
    const scan: Scan = {
      range: { start: prefix, end: prefixUpperBound(prefix), reverse: false },
      limit: Infinity,
    };
    const found = pages(() => moment.source, ENTRY_ROWS, scan, "large");
    const entries: Entry[] = [];
    for await (const page of turning(keys.pages(found, ENTRY_ROWS))) entries.push(...page);
    return entries;
  } finally {
    moment.release();
  }
}
