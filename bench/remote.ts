/** Measures `RemoteStore` beside what one writes by hand on `pg`, on the same server, with the same promise: an awaited
 * write is as durable as the server keeps it.
 *
 *     bun bench/remote.ts [rows] [--url URL] [--growth]
 *     deno run -A bench/remote.ts [rows] [--url URL] [--growth]
 *
 * `rows` is a part of the names of those that are measured. Without `--url`, a PostgreSQL is started, with its defaults.
 * `--growth` measures what single operations take at 10,000, 100,000 and 1,000,000 keys instead. Contestants take turns
 * in each round, and each round has another order of keys; the figures are medians.
 *
 * @module
 */

import process from "node:process";
import { parseArgs } from "node:util";
import { RemoteStore } from "../remote/mod.ts";
import { Progress } from "../scripts/_progress.ts";
import { PostgresServer } from "../servers/postgres.ts";
import { type BesideRates, type BesideRow, printBeside } from "./_beside.ts";
import { appendKeyOf, makeValues } from "./_data.ts";
import { type Operation, runByCallers, runInTurn, type Tally } from "./_measure.ts";
import { operationsPerSecond, rowsPerSecond, settle } from "./_measure.ts";
import { orderOf } from "./_orders.ts";
import { commitBatch, measureRemoteGrowth } from "./_remote_growth.ts";
import { HandWritten, type Pair } from "./_remote_peer.ts";

const ROUNDS = 9;
const KEYS = 100_000;
const CALLERS = 64;
const BATCH = 1_000;
const CLIENTS = 16;

const { values: options, positionals } = parseArgs({
  args: process.argv.slice(2),
  options: { url: { type: "string" }, growth: { type: "boolean", default: false } },
  allowPositionals: true,
});

/** A row of the table. */
interface Row extends BesideRow {
  /** Operations of a trial: as many for both, since what is written slows down what reads it later. */
  readonly count: number;
  readonly unit?: "rows";
  readonly callers?: number;
  readonly work: (order: Uint32Array) => Operation;
  readonly beside: (order: Uint32Array) => Operation;
}

function rowsOf(
  stores: readonly RemoteStore[],
  peers: readonly HandWritten[],
  pairs: readonly Pair[],
): Row[] {
  const store = stores[0]!;
  const peer = peers[0]!;
  const counter = new TextEncoder().encode("counter");
  const pairOf = (order: Uint32Array, i: number) => pairs[order[i % KEYS]!]!;
  const some = (order: Uint32Array, i: number) =>
    Array.from({ length: BATCH }, (_, j) => pairOf(order, i * BATCH + j));
  const put = (order: Uint32Array): Operation => (i) => store.put(...pairOf(order, i));
  const batch = (order: Uint32Array): Operation => (i) => commitBatch(store, some(order, i));
  return [
    {
      name: "get, awaited",
      count: 3000,
      bar: 0.9,
      work: (order) => (i) => store.get(pairOf(order, i)[0]),
      beside: (order) => (i) => peer.get(pairOf(order, i)[0]),
      besideName: "SELECT",
    },
    {
      name: "put, awaited",
      count: 500,
      bar: 0.9,
      work: put,
      beside: (order) => (i) => peer.put(pairOf(order, i)),
      besideName: "upsert",
    },
    {
      name: `put, ${CALLERS} callers`,
      count: 3000,
      bar: 3,
      callers: CALLERS,
      work: put,
      beside: (order) => (i) => peer.putPooled(pairOf(order, i)),
      besideName: "pool of 10",
    },
    {
      name: `batch of ${BATCH}`,
      count: 10,
      bar: 0.9,
      work: batch,
      beside: (order) => (i) => peer.putUnnest(some(order, i)),
      besideName: "unnest",
    },
    {
      name: `batch of ${BATCH} puts`,
      count: 10,
      bar: 0.9,
      work: batch,
      beside: (order) => (i) => peer.putValues(some(order, i)),
      besideName: "VALUES",
    },
    {
      name: `scan of ${KEYS} rows`,
      count: 1,
      bar: 0.9,
      unit: "rows",
      work: () => async () => {
        let rows = 0;
        for await (const _entry of store.scan({ prefix: "subject" })) rows++;
        return rows;
      },
      beside: () => () => peer.scan(new Uint8Array([0]), KEYS),
      besideName: "pages",
    },
    {
      name: `one counter, ${CLIENTS} clients`,
      count: 200,
      callers: CLIENTS,
      work: () => (i) => stores[i % CLIENTS]!.fetchAndAddU64(counter, 1n),
      beside: () => (i) => peers[i % CLIENTS]!.add(counter, 1n),
      besideName: "RETURNING",
    },
    {
      name: `one counter, ${CALLERS} callers`,
      count: 1000,
      callers: CALLERS,
      work: () => () => store.fetchAndAddU64(counter, 1n),
      beside: () => (i) => peers[i % CLIENTS]!.add(counter, 1n),
      besideName: "RETURNING",
    },
  ];
}

async function rateOf({ callers, unit, count }: Row, operation: Operation): Promise<number> {
  const limits = { count, limitMs: Infinity };
  const tally: Tally = callers === undefined
    ? await runInTurn(operation, limits)
    : await runByCallers(operation, callers, limits);
  return unit === "rows" ? rowsPerSecond(tally) : operationsPerSecond(tally);
}

/** Measures all rows, prints them, and returns how many bars were missed. */
async function compare(
  stores: readonly RemoteStore[],
  peers: readonly HandWritten[],
  tables: readonly string[],
): Promise<void> {
  const values = makeValues(KEYS, 100);
  const pairs = values.map((value, i): Pair => [appendKeyOf(i), value]);
  for (let i = 0; i < KEYS; i += BATCH) {
    const some = pairs.slice(i, i + BATCH);
    await Promise.all([commitBatch(stores[0]!, some), peers[0]!.putUnnest(some)]);
  }
  const rows = rowsOf(stores, peers, pairs)
    .filter(({ name }) => name.includes(positionals[0] ?? ""));
  const rates: BesideRates[] = rows.map(() => ({ own: [], beside: [] }));
  const progress = new Progress("trials", 2 * ROUNDS * rows.length);
  let done = 0;
  try {
    for (let round = 0; round < ROUNDS; round++) {
      await peers[0]!.vacuum(tables);
      for (const [i, row] of rows.entries()) {
        const order = orderOf("once", round, KEYS);
        const trials = [
          async () => rates[i]!.own.push(await rateOf(row, row.work(order))),
          async () => rates[i]!.beside.push(await rateOf(row, row.beside(order))),
        ];
        for (const trial of round % 2 === 0 ? trials : trials.reverse()) {
          await settle();
          await trial();
          progress.update(++done, row.name);
        }
      }
    }
  } finally {
    progress.stop();
  }
  const shown = (rate: number) => Math.round(rate).toLocaleString("en");
  console.log(`per second, medians of ${ROUNDS} rounds; values of 100 bytes, ${shown(KEYS)} keys`);
  printBeside(rows, rates);
}

const server = options.url === undefined ? await PostgresServer.start({ fsync: "on" }) : undefined;
try {
  const url = options.url ?? server!.url();
  const table = `bench_${crypto.randomUUID().replaceAll("-", "")}`;
  await RemoteStore.setup(url, { table });
  const tables = [table, `${table}_writers`];
  const open = () => RemoteStore.open(url, { table, poolSize: 1 });
  const stores = [await RemoteStore.open(url, { table })];
  const peers = [await HandWritten.open(url, `${table}_by_hand`)];
  if (options.growth) await measureRemoteGrowth(stores[0]!, peers[0]!);
  else {
    for (let i = 1; i < CLIENTS; i++) {
      stores.push(await open());
      peers.push(await peers[0]!.another(url));
    }
    await compare(stores, peers, tables);
  }
  await Promise.all([
    ...stores.map((store) => store.close()),
    ...peers.slice(1).map((peer) => peer.close()),
  ]);
  await peers[0]!.drop(tables);
} finally {
  await server?.[Symbol.asyncDispose]();
}
