/** Overwrites of random keys, one at a time: what is in flight is one put, or one batch.
 *
 * @module
 */

import { inBatches, inRandomOrder, onceSettled, openBenchStores } from "./_bench_stores.ts";
import { mixedKeys } from "./works/work.ts";

const BATCH = 100;

const { data, store, openPeer } = await openBenchStores();
const { append, btree } = data;
const [value] = append.values;
const lmdb = await openPeer("lmdb_safe", "append");
const sqlite = await openPeer("sqlite_normal", "append");
const sqliteDurable = await openPeer("sqlite_full", "btree");

const appendKey = inRandomOrder(append.keys.bytes);
const btreeKey = inRandomOrder(btree.keys.bytes);
const batchKeys = inBatches(mixedKeys(data), BATCH);
const batchValues = append.values.slice(0, BATCH);

function bench(group: string, name: string, operation: () => unknown): void {
  Deno.bench(
    name,
    { group, baseline: name.startsWith("HybridStore") },
    onceSettled(store, operation),
  );
}

const APPEND = "put, append side, awaited";
bench(APPEND, "HybridStore, on disk within 1 s", () => store.put(appendKey(), value!));
bench(APPEND, "node:sqlite, on disk at checkpoints", () => sqlite.put(appendKey(), value!));
bench(APPEND, "lmdb, on disk", () => lmdb.put(appendKey(), value!));

const BTREE = "put, B-tree side, awaited";
bench(BTREE, "HybridStore, on disk", () => store.put(btreeKey(), value!));
bench(BTREE, "node:sqlite, on disk", () => sqliteDurable.put(btreeKey(), value!));

const BOTH = `batch of ${BATCH} puts, both sides, awaited`;
bench(BOTH, "HybridStore, on disk", () => {
  const batch = store.batch();
  for (const key of batchKeys()) batch.put(key, value!);
  return batch.commit();
});
bench(BOTH, "node:sqlite, on disk", () => sqliteDurable.putBatch(batchKeys(), batchValues));
bench(BOTH, "lmdb, on disk", () => lmdb.putBatch(batchKeys(), batchValues));
