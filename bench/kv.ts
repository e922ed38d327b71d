/** Measures `openKv` beside Deno KV on a file (in Deno its own, elsewhere the package `@deno/kv`), and what values and
 * keys with types cost beside the store's own bytes.
 *
 *     bun bench/kv.ts [rows]
 *     deno run -A --unstable-kv bench/kv.ts [rows]
 *
 * `rows` is a part of the names of those that are measured. Contestants take turns in each round, and each round has
 * another order of keys; the figures are medians.
 *
 * @module
 */

import { join } from "node:path";
import process from "node:process";
import { openKv } from "../kv/mod.ts";
import { HybridStore } from "../mod.ts";
import { Progress } from "../scripts/_progress.ts";
import { type BesideRates, type BesideRow, printBeside } from "./_beside.ts";
import type { KeyParts } from "./_data.ts";
import { type Operation, runByCallers, runInTurn, type Tally } from "./_measure.ts";
import { operationsPerSecond, rowsPerSecond } from "./_measure.ts";
import { orderOf } from "./_orders.ts";
import { makeTemp, removeTemp } from "./_temp.ts";
import { type Kv, LIST_BATCH, openKv as openDenoKv } from "./peers/deno_kv.ts";

const ROUNDS = 9;
const TRIAL_MS = 300;
const KEYS = 10_000;
const COUNTERS = 1_000;
const CALLERS = 64;
const MANY = 10;

const PREFIX = "user";
const keys: readonly KeyParts[] = Array.from({ length: KEYS }, (_, i) => [PREFIX, `id${i}`]);
const counters: readonly KeyParts[] = keys.slice(0, COUNTERS).map(([, id]) => ["count", id!]);
/** Of about 60 bytes each. */
const values = keys.map((_, i) => ({
  id: i,
  name: `Ada Lovelace ${i}`,
  active: i % 2 === 0,
  tags: ["a", "b"],
  score: i / 7,
}));

/** What is measured: the keys of the store, in the order of the round. */
type Work = (kv: Kv, order: Uint32Array) => Operation;

const set: Work = (kv, order) => (i) => {
  const at = order[i % KEYS]!;
  return kv.set(keys[at]!, values[at]);
};
const get: Work = (kv, order) => (i) => kv.get(keys[order[i % KEYS]!]!);
const getMany: Work = (kv, order) => (i) => {
  const wanted = Array.from({ length: MANY }, (_, j) => keys[order[(i * MANY + j) % KEYS]!]!);
  return kv.getMany(wanted);
};
const list: Work = (kv) => async () => {
  let rows = 0;
  for await (const _entry of kv.list({ prefix: [PREFIX] }, { batchSize: LIST_BATCH })) rows++;
  return rows;
};
const update: Work = (kv, order) => async (i) => {
  const at = order[i % KEYS]!;
  const entry = await kv.get(keys[at]!);
  await kv.atomic().check(entry).set(keys[at]!, values[at]).commit();
};
const sum: Work = (kv, order) => (i) => {
  return kv.atomic().sum(counters[order[i % KEYS]! % COUNTERS]!, 1n).commit();
};

const directory = makeTemp();
const ownStore = (name: string, durability: "hybrid" | "always") => {
  const options = { routes: [], defaultEngine: "append", durability } as const;
  return HybridStore.open(join(directory, name), options);
};
const store = await ownStore("default", "hybrid");
const durableStore = await ownStore("durable", "always");
const own: Kv = await openKv(store) as unknown as Kv;
const durable: Kv = await openKv(durableStore) as unknown as Kv;
const peer = await openDenoKv?.(join(directory, "kv.sqlite"));
const peerName = "Deno" in globalThis ? "Deno KV" : "@deno/kv";

for (const kv of [own, durable, ...(peer === undefined ? [] : [peer])]) {
  await Promise.all(keys.map((key, i) => kv.set(key, values[i])));
  await Promise.all(counters.map((key) => kv.atomic().sum(key, 0n).commit()));
}
// The same bytes as those of `own`.
const entries = [...store.scanSync({ prefix: new Uint8Array([1]), limit: KEYS + COUNTERS })]
  .filter(({ key }) => new TextDecoder().decode(key).includes(PREFIX));

/** A row of the table. */
interface Row extends BesideRow {
  readonly unit?: "entries";
  readonly callers?: number;
  readonly work: (order: Uint32Array) => Operation;
  readonly beside: (order: Uint32Array) => Operation;
}

function beside(name: string, work: Work, kv: Kv, more: Partial<Row>): Row[] {
  if (peer === undefined) return [];
  return [{
    name,
    work: (order) => work(kv, order),
    beside: (order) => work(peer, order),
    besideName: peerName,
    ...more,
  }];
}

const rows: Row[] = [
  ...beside("set, awaited, by default", set, own, { bar: 20 }),
  ...beside("set, awaited, on disk", set, durable, { bar: 1.5 }),
  ...beside("get", get, own, { bar: 20 }),
  ...beside(`getMany of ${MANY}`, getMany, own, {}),
  ...beside("list", list, own, { bar: 5, unit: "entries" }),
  ...beside("get, check and set", update, own, { bar: 10 }),
  ...beside("sum", sum, own, { bar: 20 }),
  ...beside(`set, ${CALLERS} callers, on disk`, set, durable, { bar: 20, callers: CALLERS }),
  {
    name: "set beside put of the same bytes",
    bar: 0.5,
    work: (order) => set(own, order),
    beside: (order) => (i) => {
      const { key, value } = entries[order[i % KEYS]!]!;
      return store.put(key, value);
    },
    besideName: "put",
  },
  {
    name: "get beside get of the same bytes",
    bar: 0.5,
    work: (order) => get(own, order),
    beside: (order) => (i) => store.get(entries[order[i % KEYS]!]!.key),
    besideName: "get",
  },
  {
    name: "list beside scan of the same bytes",
    unit: "entries",
    work: (order) => list(own, order),
    beside: () => async () => {
      let count = 0;
      for await (const _entry of store.scan({ prefix: new Uint8Array([1]) })) count++;
      return count;
    },
    besideName: "scan",
  },
];

async function rateOf({ callers, unit }: Row, operation: Operation): Promise<number> {
  const limits = { count: Infinity, limitMs: TRIAL_MS };
  const tally: Tally = callers === undefined
    ? await runInTurn(operation, limits)
    : await runByCallers(operation, callers, limits);
  return unit === "entries" ? rowsPerSecond(tally) : operationsPerSecond(tally);
}

const wanted = rows.filter(({ name }) => name.includes(process.argv[2] ?? ""));
const rates: BesideRates[] = wanted.map(() => ({ own: [], beside: [] }));
const progress = new Progress("trials", 2 * ROUNDS * wanted.length);
let done = 0;
try {
  for (let round = 0; round < ROUNDS; round++) {
    for (const [i, row] of wanted.entries()) {
      const order = orderOf("once", round, KEYS);
      const trials = [
        async () => rates[i]!.own.push(await rateOf(row, row.work(order))),
        async () => rates[i]!.beside.push(await rateOf(row, row.beside(order))),
      ];
      // What is written is in the engine when it is read.
      await store.checkpoint();
      for (const trial of round % 2 === 0 ? trials : trials.reverse()) {
        await trial();
        progress.update(++done, row.name);
      }
    }
  }
} finally {
  progress.stop();
  await store.close();
  await durableStore.close();
  peer?.close();
  removeTemp(directory);
}

const shown = (rate: number) => Math.round(rate).toLocaleString("en");
if (peer === undefined) console.log(`${peerName} cannot be loaded: its rows are left out`);
console.log(`per second, medians of ${ROUNDS} rounds; objects of 60 bytes, ${shown(KEYS)} keys`);
printBeside(wanted, rates);
