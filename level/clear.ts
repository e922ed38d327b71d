/** Clearing ranges.
 *
 * @module
 */

import { isTurnOver, nextTurn } from "../runtime/turn.ts";
import type { LiveStore } from "../store/live_store.ts";
import type { KeyRange } from "../store/range.ts";
import { KEY_ROWS } from "../store/read/merge.ts";
import type { Snapshot } from "../store/read/snapshot.ts";
import type { ScanRange, WriteOptions } from "../store/types.ts";
import { RangeReader } from "./range_reader.ts";

/** Keys that are deleted in one piece. To find and delete them holds the event loop for 20 to 50 ms. */
export const CLEAR_KEYS_MAX = 10_000;

/** Deletes the keys of a range as it is at the call: all of them together, or where there are more than
 * {@linkcode CLEAR_KEYS_MAX}, as many at a time. */
export async function clearRange(
  store: LiveStore,
  range: KeyRange,
  limit: number,
  options: WriteOptions | undefined,
): Promise<void> {
  const first = Math.min(limit, CLEAR_KEYS_MAX);
  let deleted = 0;
  const committed = store.transact((tx) => {
    deleted = tx.deleteRange({ ...scanOf(range), limit: first });
  }, options);
  if (deleted < first || first === limit) return await committed;
  // Nothing else has run since the call, so this shows what was there then and is left now.
  using rest = store.snapshotSync();
  await committed;
  await clearSeen(store, rest, range, limit - first, options);
}

/** Deletes the keys of a range that a snapshot shows, {@linkcode CLEAR_KEYS_MAX} at a time. */
export async function clearSeen(
  store: LiveStore,
  seen: Snapshot,
  range: KeyRange,
  limit: number,
  options: WriteOptions | undefined,
): Promise<void> {
  const keys = new RangeReader({ of: seen, kind: KEY_ROWS, range, limit });
  let batch = store.batch();
  for (;;) {
    const page = await keys.nextPage(CLEAR_KEYS_MAX - batch.size);
    for (const key of page) batch.delete(key);
    if (batch.size === CLEAR_KEYS_MAX || page.length === 0) {
      await batch.commit(options);
      if (page.length === 0) return;
      batch = store.batch();
    }
    if (isTurnOver()) await nextTurn();
  }
}

function scanOf({ start, end, reverse }: KeyRange): ScanRange {
  return { gte: start, ...(end && { lt: end }), reverse };
}
