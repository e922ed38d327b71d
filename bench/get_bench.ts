/** Gets of random keys that are in the engines.
 *
 * @module
 */

import { inRandomOrder, openBenchStores, openFilled } from "./_bench_stores.ts";

/** Keys that are read again and again, so that the read cache has them. */
const HOT = 1_000;

const { data, store, openPeer } = await openBenchStores();
const { append, btree } = data;
// A cache that fills would make each measurement of random keys faster than the one before.
const uncached = await openFilled(data, { readCacheBytes: 0 });
const lmdb = await openPeer("lmdb_safe", "append");
const sqlite = await openPeer("sqlite_normal", "btree");

const appendKey = inRandomOrder(append.keys.bytes);
const btreeKey = inRandomOrder(btree.keys.bytes);
const hotKey = inRandomOrder(btree.keys.bytes.slice(0, HOT));

Deno.bench("HybridStore, getSync", { group: "get, append side", baseline: true }, () => {
  store.getSync(appendKey());
});
Deno.bench("HybridStore, get, awaited", { group: "get, append side" }, async () => {
  await store.get(appendKey());
});
Deno.bench("lmdb, getBinary", { group: "get, append side" }, () => {
  lmdb.getSync(appendKey());
});

Deno.bench(
  "HybridStore, getSync",
  { group: "get, B-tree side, no read cache", baseline: true },
  () => {
    uncached.getSync(btreeKey());
  },
);
Deno.bench("HybridStore, get, awaited", { group: "get, B-tree side, no read cache" }, async () => {
  await uncached.get(btreeKey());
});
Deno.bench("node:sqlite, SELECT", { group: "get, B-tree side, no read cache" }, () => {
  sqlite.getSync(btreeKey());
});

const HOT_KEYS = `get, B-tree side, ${HOT} hot keys`;
Deno.bench("HybridStore, getSync", { group: HOT_KEYS, baseline: true }, () => {
  store.getSync(hotKey());
});
Deno.bench("node:sqlite, SELECT", { group: HOT_KEYS }, () => {
  sqlite.getSync(hotKey());
});

Deno.bench("HybridStore, append side", { group: "hasSync", baseline: true }, () => {
  store.hasSync(appendKey());
});
Deno.bench("HybridStore, B-tree side", { group: "hasSync" }, () => {
  uncached.hasSync(btreeKey());
});
