/** Writes that are awaited one by one.
 *
 * @module
 */

import { operationsPerSecond, runByCallers, runInTurn } from "../_measure.ts";
import { type Row, type Trial, type Work, writersOf } from "./work.ts";

const CALLERS = 64;

function row(id: string, title: string): Row[] {
  return [{ id, title, unit: "op/s", better: "higher" }];
}

async function putInTurn({ session, side, ...limits }: Trial) {
  const keys = session.keysOf(side.keys);
  const { values } = side;
  const put = session.put;
  return {
    values: [operationsPerSecond(await runInTurn((i) => put(keys[i], values[i]!), limits))],
  };
}

async function putByCallers({ session, side, ...limits }: Trial) {
  const keys = session.keysOf(side.keys);
  const { values } = side;
  const put = session.put;
  const tally = await runByCallers((i) => put(keys[i], values[i]!), CALLERS, limits);
  return { values: [operationsPerSecond(tally)] };
}

async function deleteInTurn({ session, side, ...limits }: Trial) {
  const keys = session.keysOf(side.keys);
  const remove = session.delete;
  return { values: [operationsPerSecond(await runInTurn((i) => remove(keys[i]), limits))] };
}

const base = { dataset: "small_values", store: "fresh", hasLatencies: true } as const;

export const PUTS: readonly Work[] = [
  {
    ...base,
    rows: row("put_sequential_append", "put, awaited one by one, append side"),
    group: "put",
    note: "What the engines do not have yet when the clock stops is not in HybridStore's figure; " +
      "burst_in_engines has it all.",
    entries: writersOf(
      "append",
      ...["hybrid", "lmdb_safe", "lmdb_default", "sqlite_normal", "level", "rocksdb", "deno_kv"],
    ),
    run: putInTurn,
  },
  {
    ...base,
    rows: row("put_sequential_btree_durable", "put, awaited one by one, B-tree side, durable"),
    group: "put",
    entries: writersOf(
      "btree",
      ...["hybrid", "sqlite_full", "lmdb_safe", "level_sync", "rocksdb_sync", "deno_kv"],
    ),
    run: putInTurn,
  },
  ...(["append", "btree"] as const).map((side): Work => ({
    ...base,
    rows: row(
      `put_64_callers_durable_${side}`,
      `put, ${CALLERS} callers at once, ${side === "append" ? side : "B-tree"} side, durable`,
    ),
    group: "put",
    note: "Callers of SQLite and RocksDB, whose writes are synchronous, come one after the other.",
    entries: writersOf(
      side,
      ...["hybrid_always", "sqlite_full", "lmdb_safe", "level_sync", "rocksdb_sync", "deno_kv"],
    ),
    run: putByCallers,
  })),
  {
    ...base,
    rows: row("delete_sequential", "delete, awaited one by one, append side"),
    group: "delete",
    store: "preloaded",
    entries: writersOf(
      "append",
      ...["hybrid", "lmdb_safe", "lmdb_default", "sqlite_normal", "level", "rocksdb", "deno_kv"],
    ),
    run: deleteInTurn,
  },
];
