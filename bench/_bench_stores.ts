/** The stores of the `Deno.bench` files: HybridStore and its peers with the same keys and values.
 *
 *     npm run bench:ops
 *     deno bench -A bench/get_bench.ts
 *
 * Keys of 31 bytes, 200 of each of 1,000 subjects, and values of 100 bytes, on both sides.
 *
 * @module
 */

import { HybridStore, type OpenOptions } from "../mod.ts";
import { type Dataset, type KeySet, makeDataset } from "./_data.ts";
import { uniformIndexes } from "./_random.ts";
import { makeTemp } from "./_temp.ts";
import { lmdbSafe } from "./peers/lmdb.ts";
import type { Session } from "./peers/peer.ts";
import { sqliteFull, sqliteNormal } from "./peers/sqlite.ts";

const KEYS = 200_000;
/** Single operations are compared with what needs no package of the bench. */
const PEERS = { lmdb_safe: lmdbSafe, sqlite_full: sqliteFull, sqlite_normal: sqliteNormal };

/** Two sides of one store, and what each is compared with. */
export interface BenchStores {
  readonly data: Dataset;
  readonly store: HybridStore;
  /** Opens a peer with the keys of one side; the peer is as `bench/peers/` has it. */
  openPeer(id: keyof typeof PEERS, side: "append" | "btree"): Promise<Session>;
}

/** Opens a store with all keys of both sides in its engines. Its files go when the process ends. */
export async function openBenchStores(): Promise<BenchStores> {
  const data = await makeDataset("small_values", KEYS);
  const store = await openFilled(data);
  const openPeer = async (id: keyof typeof PEERS, side: "append" | "btree") => {
    const session = await PEERS[id](makeTemp());
    const { keys, values } = data[side];
    await session.putAll(session.keysOf(keys), values);
    await session.settle();
    return session;
  };
  return { data, store, openPeer };
}

/** Opens another store with the same keys. */
export async function openFilled(data: Dataset, options: OpenOptions = {}): Promise<HybridStore> {
  const store = await HybridStore.open(makeTemp(), options);
  for (const { keys, values } of [data.append, data.btree]) {
    keys.bytes.forEach((key, i) => store.put(key, values[i]!));
    await store.checkpoint();
  }
  return store;
}

/** Returns a function that returns the next of some items each time, in random order, and begins again
 * when it has returned as many as there are. */
export function inRandomOrder<T>(items: readonly T[]): () => T {
  const indexes = uniformIndexes(items.length, items.length, 1);
  let turn = 0;
  return () => items[indexes[turn++ % indexes.length]!]!;
}

/** Returns a function that returns the next keys of a set each time, as batches of puts have them. */
export function inBatches(set: KeySet["bytes"], length: number): () => readonly Uint8Array[] {
  let start = 0;
  return () => {
    start = (start + length) % (set.length - length);
    return set.slice(start, start + length);
  };
}

/** Lets the store finish what earlier writes left to do before an operation is measured: in the first
 * call, which only warms up. */
export function onceSettled(
  store: HybridStore,
  operation: () => unknown,
): () => Promise<void> {
  let isSettled = false;
  return async () => {
    if (!isSettled) {
      await store.checkpoint();
      isSettled = true;
    }
    await operation();
  };
}
