/** Consumers of the change feed that keep views next to whatever else is done to a store. */

import { setImmediate as nextTurn, setTimeout as delay } from "node:timers/promises";
import { type Change, type HybridStore, StoreError } from "../../mod.ts";
import type { Random } from "../support/random.ts";
import {
  applyChanges,
  concerns,
  createCursors,
  digestOf,
  type OnShown,
  type View,
  VIEWS,
  WAYS,
} from "./_feed_views.ts";

/** What consumers are told to do. */
export interface ConsumerOptions {
  readonly random: Random;
  readonly onShown: OnShown;
  /** Told that a cursor's move was acknowledged. */
  readonly onMoved?: (cursor: string, position: bigint) => void;
  /** Returns whether to begin again after a failure; nothing may fail, if left out. */
  readonly onFailure?: (error: StoreError) => boolean;
}

/** Starts a consumer for each view.
 *
 * @returns A promise that resolves once the store is closed and they have ended, and rejects where one has failed.
 */
export async function consume(store: HybridStore, options: ConsumerOptions): Promise<void> {
  try {
    await createCursors(store);
  } catch (error) {
    // It may be closed, or have failed, before they are there.
    if (!(error instanceof StoreError)) throw error;
    if (error.code === "CLOSED" || options.onFailure?.(error) !== undefined) return;
    throw error;
  }
  await Promise.all(VIEWS.map((view, index) => consumeView(store, view, index > 0, options)));
}

async function consumeView(
  store: HybridStore,
  view: View,
  isSlow: boolean,
  options: ConsumerOptions,
): Promise<void> {
  const { random, onFailure } = options;
  for (;;) {
    try {
      // Left and begun again now and then, as a consumer does that is started anew.
      await follow(store, view, isSlow, random.below(100), options);
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      if (error.code === "CLOSED") return;
      if (onFailure === undefined) throw error;
      if (!onFailure(error)) return;
    }
    if (random.once(4)) await delay(random.below(isSlow ? 20 : 3));
    else await nextTurn();
  }
}

/** Applies the changes that a feed shows, some at a time, until it has shown as many as it should. */
async function follow(
  store: HybridStore,
  view: View,
  isSlow: boolean,
  changesMax: number,
  { random, onShown, onMoved = () => {} }: ConsumerOptions,
): Promise<void> {
  const { cursor, source: prefix } = view;
  const together: Change[] = [];
  let left = changesMax;
  // Changes that are held back are shown again.
  let wanted = 1;
  for await (const change of store.changes({ cursor, prefix, live: !random.once(4) })) {
    if (!concerns(view, change)) continue;
    onShown(cursor, change.position, digestOf(change));
    together.push(change);
    if (together.length >= wanted) {
      const durable = random.pick([undefined, undefined, true, false]);
      await applyChanges(store, view, together, random.pick(WAYS), durable);
      onMoved(cursor, change.position);
      together.length = 0;
      wanted = random.once(2) ? 1 : 1 + random.below(isSlow ? 12 : 4);
    }
    if (isSlow && random.once(3)) await delay(random.below(6));
    if (left-- === 0) return;
  }
}
