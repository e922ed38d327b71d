/** Writes that are each read back from a snapshot.
 *
 * @module
 */

import { isPromise, operationsPerSecond, runInTurn } from "../_measure.ts";
import { type Trial, type Work, writersOf } from "./work.ts";

async function putAndRead({ session, side, ...limits }: Trial) {
  const keys = session.keysOf(side.keys);
  const { values } = side;
  const put = session.put;
  const getInSnapshot = session.getInSnapshot!;
  // Once before the clock runs: SQLite opens its second connection.
  await put(keys[0], values[0]!);
  const found = await getInSnapshot(keys[0]);
  if (!(found instanceof Uint8Array)) throw new Error("Cannot read from a snapshot: no value");

  const tally = await runInTurn((i) => {
    const done = put(keys[i], values[i]!);
    const read = () => getInSnapshot(keys[i]);
    return isPromise(done) ? done.then(read) : read();
  }, limits);
  return { values: [operationsPerSecond(tally)] };
}

function snapshotWork(id: string, title: string, side: "append" | "btree", peers: string[]): Work {
  return {
    rows: [{ id, title, unit: "op/s", better: "higher" }],
    group: "snapshot",
    note:
      "An operation is put, snapshot, one get from it, dispose. Keys, settings and guarantees are " +
      "those of put, awaited one by one, so that the two can be compared; HybridStore's aim is that " +
      "the whole takes no more than three puts. HybridStore: snapshotSync; lmdb: useReadTransaction; " +
      "SQLite: BEGIN, SELECT, COMMIT in a second connection; classic-level: snapshot, getSync; " +
      "RocksDB: an iterator, its only snapshot. Deno KV has none.",
    dataset: "small_values",
    store: "fresh",
    hasLatencies: true,
    entries: writersOf(side, "hybrid", ...peers),
    run: putAndRead,
  };
}

export const SNAPSHOTS: readonly Work[] = [
  snapshotWork(
    "put_snapshot_append",
    "put + snapshot + get + dispose, awaited one by one, append side",
    "append",
    ["lmdb_safe", "lmdb_default", "sqlite_normal", "level", "rocksdb"],
  ),
  snapshotWork(
    "put_snapshot_btree_durable",
    "put + snapshot + get + dispose, awaited one by one, B-tree side, durable",
    "btree",
    ["sqlite_full", "lmdb_safe", "level_sync", "rocksdb_sync"],
  ),
];
