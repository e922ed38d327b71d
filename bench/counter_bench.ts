/** Counters and numbers, 1,000 of each, one change at a time.
 *
 * @module
 */

import { inRandomOrder, onceSettled, openBenchStores } from "./_bench_stores.ts";

const { data, store, openPeer } = await openBenchStores();
const lmdb = await openPeer("lmdb_safe", "append");
const sqlite = await openPeer("sqlite_normal", "append");
const [counters, numbers] = [data.counters.bytes, data.append.keys.bytes.slice(0, 1_000)];
const [counter, number] = [inRandomOrder(counters), inRandomOrder(numbers)];
// The values that the keys were filled with are no numbers.
for (const key of numbers) store.delete(key);

function bench(group: string, name: string, operation: () => unknown): void {
  Deno.bench(name, { group, baseline: name === "HybridStore" }, onceSettled(store, operation));
}

const ADD = "fetch-and-add, awaited";
bench(ADD, "HybridStore", () => store.fetchAndAddU64(counter(), 1n));
bench(ADD, "node:sqlite, upsert", () => sqlite.add(counter()));
bench(ADD, "lmdb, transactionSync, on disk", () => lmdb.add(counter()));

const SWAP = "compare-and-swap, awaited";
bench(SWAP, "HybridStore", () => store.compareAndSwapF32(number(), (current) => current + 1));
bench(SWAP, "node:sqlite, transaction", () => sqlite.update(number()));
bench(SWAP, "lmdb, transactionSync, on disk", () => lmdb.update(number()));
