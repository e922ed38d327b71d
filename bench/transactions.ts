/** Measures transactions around `await` beside `transact`: alone, in each other's way, and what one that is open costs
 * a put.
 *
 *     bun bench/transactions.ts
 *     deno run -A bench/transactions.ts
 *
 * Rounds alternate between what is compared; the figures are medians of them.
 *
 * @module
 */

import { HybridStore } from "../mod.ts";
import { appendKeyOf, btreeKeyOf, makeValues } from "./_data.ts";
import { median } from "./_measure.ts";
import { makeTemp, removeTemp } from "./_temp.ts";

const ROUNDS = 7;
const KEYS = 10_000;
const CALLERS = 64;
const INCREMENTS = 40;

const [value] = makeValues(1, 100);

type Run = (store: HybridStore, round: number) => Promise<unknown>;

/** Returns operations per second, by name. */
async function compare(
  operations: number,
  runs: Readonly<Record<string, Run>>,
): Promise<Map<string, number>> {
  const found = new Map<string, number[]>(Object.keys(runs).map((name) => [name, []]));
  const directory = makeTemp();
  try {
    await using store = await HybridStore.open(directory);
    for (let round = 0; round < ROUNDS; round++) {
      for (const [name, run] of Object.entries(runs)) {
        const start = performance.now();
        await run(store, round);
        found.get(name)!.push(operations * 1000 / (performance.now() - start));
      }
      await store.checkpoint();
    }
  } finally {
    removeTemp(directory);
  }
  return new Map([...found].map(([name, rates]) => [name, median(rates)]));
}

function show(title: string, rates: ReadonlyMap<string, number>): void {
  const [[, first]] = [...rates] as [[string, number]];
  console.log(title);
  for (const [name, rate] of rates) {
    const text = Math.round(rate).toLocaleString("en").padStart(10);
    console.log(`  ${name.padEnd(36)} ${text}/s   ${(rate / first).toFixed(2)}×`);
  }
}

for (const [side, keyOf] of Object.entries({ append: appendKeyOf, "B-tree": btreeKeyOf })) {
  const keys = Array.from({ length: KEYS }, (_, i) => keyOf(i));
  show(
    `get and put, one by one, ${side} side`,
    await compare(KEYS, {
      async transact(store) {
        for (const key of keys) {
          await store.transact((tx) => {
            tx.get(key);
            tx.put(key, value!);
          });
        }
      },
      async transaction(store) {
        for (const key of keys) {
          await store.transaction(async (tx) => {
            await tx.get(key);
            tx.put(key, value!);
          });
        }
      },
    }),
  );
}

const keys = Array.from({ length: KEYS }, (_, i) => appendKeyOf(i));
const putAll: Run = async (store) => {
  for (const key of keys) await store.put(key, value!);
};
show(
  "put, one by one, append side",
  await compare(KEYS, {
    "no transaction is open": putAll,
    async "one is open"(store, round) {
      await store.transaction(async (tx) => {
        await tx.get(keys[0]!);
        await putAll(store, round);
      });
    },
  }),
);

show(
  `increments of one key, ${CALLERS} callers at once, append side`,
  await compare(CALLERS * INCREMENTS, {
    async fetchAndAddU64(store) {
      await Promise.all(Array.from({ length: CALLERS }, async () => {
        for (let i = 0; i < INCREMENTS; i++) await store.fetchAndAddU64("\0VC:1", 1n);
      }));
    },
    async transaction(store) {
      await Promise.all(Array.from({ length: CALLERS }, async () => {
        for (let i = 0; i < INCREMENTS; i++) {
          await store.transaction(async (tx) => void await tx.fetchAndAddU64("\0VC:2", 1n), {
            attempts: 1000,
          });
        }
      }));
    },
  }),
);
