/** Compares sizes of the read cache: synchronous gets of the B-tree side, uniform and zipfian.
 *
 *     bun bench/read_cache_sizes.ts [keys]
 *     deno run -A bench/read_cache_sizes.ts [keys]
 *
 * Every round opens the same store with each size, fills the cache with reads and measures others, in an
 * order of its own; the table shows medians.
 *
 * @module
 */

import process from "node:process";
import { HybridStore } from "../mod.ts";
import { btreeKeyOf, makeValues } from "./_data.ts";
import { median } from "./_measure.ts";
import { uniformIndexes } from "./_random.ts";
import { makeTemp, removeTemp } from "./_temp.ts";
import { scrambledZipfianIndexes } from "./_zipfian.ts";

const ROUNDS = 5;
const SIZES_MIB = [0, 4, 8, 16, 32, 64];
const WARM_READS = 300_000;
const READS = 100_000;

const count = Number(process.argv[2] ?? 200_000);
const keys = Array.from({ length: count }, (_, i) => btreeKeyOf(i));
const ORDERS = { uniform: uniformIndexes, zipfian: scrambledZipfianIndexes };
const directory = makeTemp();
try {
  const store = await HybridStore.open(directory);
  const [value] = makeValues(1, 100);
  for (const key of keys) store.put(key, value!);
  await store.close();
  const found = new Map<string, number[]>();
  const note = (row: string, figure: number) => found.set(row, [...(found.get(row) ?? []), figure]);
  for (let round = 0; round < ROUNDS; round++) {
    for (const mib of SIZES_MIB) {
      for (const [name, make] of Object.entries(ORDERS)) {
        const order = make(WARM_READS + READS, count, round);
        const store = await HybridStore.open(directory, { readCacheBytes: mib * 2 ** 20 });
        for (const i of order.subarray(0, WARM_READS)) store.getSync(keys[i]!);
        const start = performance.now();
        for (const i of order.subarray(WARM_READS)) store.getSync(keys[i]!);
        note(`${mib} ${name}`, READS * 1000 / (performance.now() - start));
        await store.close();
      }
    }
  }
  console.log(
    `${count} keys of 31 bytes, values of 100 bytes; gets/s, medians of ${ROUNDS} rounds`,
  );
  console.log("readCacheBytes   uniform   zipfian");
  for (const mib of SIZES_MIB) {
    const rates = Object.keys(ORDERS).map((name) =>
      Math.round(median(found.get(`${mib} ${name}`)!)).toLocaleString("en").padStart(9)
    );
    console.log(`${String(mib).padStart(10)} MiB ${rates.join(" ")}`);
  }
} finally {
  removeTemp(directory);
}
