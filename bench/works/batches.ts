/** Writes in batches that are awaited one by one.
 *
 * @module
 */

import { type Dataset, KeySet } from "../_data.ts";
import { operationsPerSecond, runInTurn } from "../_measure.ts";
import {
  acknowledgedAndSettled,
  type Figures,
  mixedKeys,
  type Trial,
  type Work,
  writersOf,
} from "./work.ts";

/** Writes of a batch on both sides, half of them on each. */
const BATCH_BOTH = 100;
/** Writes of a batch on one side. */
const BATCH_ONE = 1_000;

interface Batch {
  readonly keys: readonly unknown[];
  readonly values: readonly Uint8Array[];
}

function batchesOf({ session, side, count }: Trial, set: KeySet, size: number): Batch[] {
  const keys = session.keysOf(set);
  return Array.from({ length: Math.ceil(count / size) }, (_, i) => {
    const [start, end] = [i * size, Math.min((i + 1) * size, count)];
    return { keys: keys.slice(start, end), values: side.values.slice(start, end) };
  });
}

function putInTurn({ session, ...limits }: Trial, batches: readonly Batch[]) {
  const operation = (i: number) => session.putBatch(batches[i]!.keys, batches[i]!.values);
  return runInTurn(operation, { ...limits, count: batches.length });
}

const mixed = new WeakMap<Dataset, KeySet>();

async function putOnBothSides(trial: Trial): Promise<Figures> {
  const { dataset } = trial;
  let set = mixed.get(dataset);
  if (set === undefined) mixed.set(dataset, set = new KeySet(mixedKeys(dataset)));
  const tally = await putInTurn(trial, batchesOf(trial, set, BATCH_BOTH));
  return { values: [operationsPerSecond(tally) * BATCH_BOTH] };
}

async function putOnOneSide(trial: Trial): Promise<Figures> {
  const batches = batchesOf(trial, trial.side.keys, BATCH_ONE);
  const start = performance.now();
  const { operations } = await putInTurn(trial, batches);
  const acknowledgedMs = performance.now() - start;
  await trial.session.settle();
  const settledMs = performance.now() - start;
  const puts = batches.slice(0, operations).reduce((sum, { keys }) => sum + keys.length, 0);
  return { values: [puts * 1000 / acknowledgedMs, puts * 1000 / settledMs] };
}

const base = {
  group: "batch",
  dataset: "small_values",
  store: "fresh",
  hasLatencies: true,
  note:
    "op/s are puts; latencies are of batches. In engines: checkpoint() (HybridStore), flushed (lmdb), " +
    "a sync of the log (classic-level, RocksDB).",
} as const;

function oneSideWork(side: "append" | "btree", suffix: string, peers: string[]): Work {
  const name = side === "append" ? "append side" : "B-tree side";
  const title = `batches of ${BATCH_ONE.toLocaleString("en")} puts on the ${name}`;
  return {
    ...base,
    rows: acknowledgedAndSettled("batch_1000", suffix, title),
    entries: writersOf(side, "hybrid", ...peers),
    run: putOnOneSide,
  };
}

export const BATCHES: readonly Work[] = [
  {
    ...base,
    rows: [{
      id: "batch_100_both",
      title: "batches of 50 + 50 puts on both sides, atomic, awaited",
      unit: "op/s",
      better: "higher",
    }],
    entries: writersOf(
      "btree",
      ...["hybrid", "sqlite_full", "lmdb_safe", "lmdb_default", "level_sync", "rocksdb_sync"],
      "deno_kv",
    ),
    run: putOnBothSides,
  },
  oneSideWork("append", "", [
    ...["lmdb_safe", "lmdb_default", "sqlite_full", "level", "rocksdb", "deno_kv"],
  ]),
  oneSideWork("btree", "_btree", [
    ...["lmdb_safe", "lmdb_default", "sqlite_full", "level_sync", "rocksdb_sync", "deno_kv"],
  ]),
];
