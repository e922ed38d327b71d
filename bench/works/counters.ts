/** Reads and writes in one: counters, and numbers that are replaced.
 *
 * @module
 */

import { COUNTERS } from "../_data.ts";
import { operationsPerSecond, runInTurn } from "../_measure.ts";
import { uniformIndexes } from "../_random.ts";
import type { Session } from "../peers/peer.ts";
import { type Trial, type Work, writersOf } from "./work.ts";

/** Operations that are under way together. */
const CHUNK = 10_000;

const ATOMICITY = "HybridStore: atomic; lmdb: transactionSync; SQLite: ";
const READ_THEN_PUT =
  "classic-level: get, then put, not atomic; RocksDB: _getManySync, then put, " +
  "with nothing in between";

async function inTurn(trial: Trial, operationOf: (session: Session) => (key: unknown) => unknown) {
  const { session, dataset, count } = trial;
  const keys = session.keysOf(dataset.counters);
  const indexes = uniformIndexes(count, COUNTERS, 2);
  const operation = operationOf(session);
  const tally = await runInTurn((i) => operation(keys[indexes[i]!]), trial);
  return { values: [operationsPerSecond(tally)] };
}

/** HybridStore adds; the others, which have nothing of the kind, put: to the same keys, or each to one of
 * its own, as in a burst. */
async function addConcurrently(
  { entry, session, dataset, side, count, limitMs }: Trial,
  puts: "same keys" | "own keys",
) {
  const counters = session.keysOf(dataset.counters);
  const indexes = uniformIndexes(count, COUNTERS, 2);
  const keys = session.keysOf(side.keys);
  const sums = Array.from({ length: COUNTERS }, (_, i) => new Uint8Array(8).fill(i));
  const operation = entry.id === "hybrid"
    ? (i: number) => session.add(counters[indexes[i]!])
    : puts === "same keys"
    ? (i: number) => session.put(counters[indexes[i]!], sums[i % COUNTERS]!)
    : (i: number) => session.put(keys[i], side.values[i]!);
  const start = performance.now();
  let done = 0;
  while (done < count && performance.now() - start < limitMs) {
    const end = Math.min(done + CHUNK, count);
    const waiting: unknown[] = [];
    for (; done < end; done++) waiting.push(operation(done));
    await Promise.all(waiting);
  }
  return { values: [done * 1000 / (performance.now() - start)] };
}

const base = { group: "counter", dataset: "small_values", store: "fresh" } as const;

export const COUNTS: readonly Work[] = [
  {
    ...base,
    rows: [{
      id: "fetch_add_sequential",
      title: `fetch-and-add, awaited one by one, ${COUNTERS} counters`,
      unit: "op/s",
      better: "higher",
    }],
    note: `${ATOMICITY}INSERT … ON CONFLICT DO UPDATE SET v = v + 1; Deno KV: sum; ` +
      `${READ_THEN_PUT}.`,
    hasLatencies: true,
    entries: writersOf(
      "append",
      ...["hybrid", "lmdb_safe", "lmdb_default", "sqlite_normal", "sqlite_full", "level"],
      ...["rocksdb", "deno_kv"],
    ),
    run: (trial) => inTurn(trial, ({ add }) => add),
  },
  {
    ...base,
    rows: [{
      id: "fetch_add_concurrent",
      title: `fetch-and-add, ${CHUNK} at once; of lmdb: un-awaited put, each to a key of its own`,
      unit: "op/s",
      better: "higher",
    }],
    note: "lmdb has no add that could be issued un-awaited: its rows are plain puts of 100 bytes.",
    entries: writersOf("append", ...["hybrid", "lmdb_safe", "lmdb_default"]),
    run: (trial) => addConcurrently(trial, "own keys"),
  },
  {
    ...base,
    rows: [{
      id: "fetch_add_concurrent_same_keys",
      title: `fetch-and-add, ${CHUNK} at once; of lmdb: un-awaited put to the ${COUNTERS} counters`,
      unit: "op/s",
      better: "higher",
    }],
    note: "lmdb puts 8 bytes, and reads nothing.",
    entries: writersOf("append", ...["hybrid", "lmdb_safe", "lmdb_default"]),
    run: (trial) => addConcurrently(trial, "same keys"),
  },
  {
    ...base,
    rows: [{
      id: "compare_and_swap",
      title: `compare-and-swap of an f32, awaited one by one, ${COUNTERS} numbers`,
      unit: "op/s",
      better: "higher",
    }],
    note: `${ATOMICITY}SELECT and upsert in a transaction; Deno KV: get, then atomic().check(); ` +
      `${READ_THEN_PUT}.`,
    hasLatencies: true,
    entries: writersOf(
      "append",
      ...["hybrid", "lmdb_safe", "lmdb_default", "sqlite_normal", "level", "rocksdb", "deno_kv"],
    ),
    run: (trial) => inTurn(trial, ({ update }) => update),
  },
];
