/** The entries of a Kv with what only their bytes say: when they expire, and whether they are blobs; and setting some
 * that expire at a time, and not after one.
 *
 * @module
 */

import { wallClock } from "../runtime/clock.ts";
import { isEmpty } from "../store/range.ts";
import { setMutation } from "./atomic.ts";
import type { KvCore } from "./core.ts";
import type { Mutation } from "./mutation.ts";
import { decodeKey } from "./key.ts";
import { resolveSelector } from "./selector.ts";
import type { KvKey, KvListSelector } from "./types.ts";
import { expiryOf, openEntry } from "./value.ts";

/** An entry that has not expired. */
export interface RawEntry {
  readonly key: KvKey;
  /** Its bytes: see `value.ts`. */
  readonly entry: Uint8Array;
  /** When it expires, in milliseconds; 0 for never. */
  readonly expiresAt: number;
}

/** Everything. */
export const ALL: KvListSelector = { prefix: [] };

/** Yields entries, in the order of their keys. */
export async function* entriesOf(
  { store }: KvCore,
  selector: KvListSelector,
): AsyncGenerator<RawEntry> {
  const { start, end } = resolveSelector(selector);
  if (isEmpty({ start, end })) return;
  for await (const page of store.scanPages({ gte: start, lt: end }, { bytes: 1024 * 1024 })) {
    for (const { key, value } of page) {
      const entry = openEntry(value, wallClock.now());
      if (entry === undefined) continue;
      yield { key: decodeKey(key, 1), entry, expiresAt: expiryOf(entry) };
    }
  }
}

/** Returns the write of a value that expires at a time: counted from the commit, it would come later.
 *
 * @param expiresAt In milliseconds; 0 for never.
 * @throws {TypeError} Key or value is not valid.
 */
export function setUntil(key: KvKey, value: unknown, expiresAt: number): Mutation {
  return { ...setMutation(key, value, {}), expiresAt };
}
