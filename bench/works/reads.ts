/** Reads of a store that has every key in its engines.
 *
 * @module
 */

import type { DatasetId } from "../_data.ts";
import { operationsPerSecond, rowsPerSecond, runInTurn } from "../_measure.ts";
import { orderOf } from "../_orders.ts";
import { type Entry, readersOf, type Trial, type Work } from "./work.ts";

type Side = Entry["side"];

/** How keys are read.
 *
 * `cached`: zipfian, so that the same few come again and again, with every store's caches as they are by
 * default. `uncached`: each key once in a round, in random order, with HybridStore's read cache turned
 * off: with its default size it would hold most of the data, and the next round would find it there.
 */
type Reading = "cached" | "uncached";

const sideName = (side: Side) => side === "append" ? "append side" : "B-tree side";

async function getInTurn(
  { session, side, seed, ...limits }: Trial,
  method: "get" | "getSync",
  reading: Reading,
) {
  const keys = session.keysOf(side.keys);
  const indexes = orderOf(reading === "cached" ? "zipfian" : "once", seed, keys.length);
  const get = session[method];
  const tally = await runInTurn((i) => get(keys[indexes[i]!]), { ...limits, count: keys.length });
  return { values: [operationsPerSecond(tally)] };
}

async function scanInTurn({ session, side, seed, ...limits }: Trial) {
  const { prefixes, keys } = side;
  const indexes = orderOf("uniform", seed, prefixes.length, keys.length);
  const scan = session.scan;
  const tally = await runInTurn((i) => scan(prefixes[indexes[i]!]!), {
    ...limits,
    count: indexes.length,
  });
  return { values: [rowsPerSecond(tally)] };
}

async function scanAll({ session, ...limits }: Trial) {
  const tally = await runInTurn(() => session.scanAll(), { ...limits, count: 1 });
  return { values: [rowsPerSecond(tally)] };
}

function getWork(
  side: Side,
  method: "get" | "getSync",
  reading: Reading,
  dataset: DatasetId = "small_values",
  suffix = "",
  of = "",
): Work {
  const isCached = reading === "cached";
  const order = isCached ? "cached (zipfian)" : "uncached (each key once, no read cache)";
  return {
    rows: [{
      id: `${method === "get" ? "get" : "get_sync"}_${side}_${reading}${suffix}`,
      title: `${method === "get" ? "get, awaited" : "getSync"}, ${order}, ${sideName(side)}${of}`,
      unit: "op/s",
      better: "higher",
    }],
    group: "get",
    note: [
      "Keys come in another order in each round.",
      ...(isCached ? [] : [
        "HybridStore: readCacheBytes: 0; the peers keep their own caches, and everybody has the " +
        "files in the memory of the operating system.",
      ]),
      method === "get"
        ? "lmdb's and SQLite's get are synchronous and not awaited."
        : "lmdb: getBinary; SQLite: SELECT v, prepared; RocksDB: _getManySync; Deno KV has no " +
          "synchronous get: awaited.",
    ].join(" "),
    dataset,
    store: "filled",
    isCached,
    hasLatencies: true,
    entries: readersOf(
      side,
      isCached ? "hybrid" : "hybrid_uncached",
      ...["lmdb_safe", "sqlite_normal", "level", "rocksdb", "deno_kv"],
    ),
    run: (trial) => getInTurn(trial, method, reading),
  };
}

function scanWork(side: Side, dataset: DatasetId = "small_values", suffix = "", of = ""): Work {
  return {
    rows: [{
      id: `scan_prefix_${side}${suffix}`,
      title: `scanPrefix into an array, random subjects, ${sideName(side)}${of}`,
      unit: "rows/s",
      better: "higher",
    }],
    group: "scan",
    note: "lmdb: [...getRange({ start, end })]; SQLite: values() in Bun, all() in Deno; " +
      "classic-level: iterator.all(); RocksDB: querySync(); latencies are of scans.",
    dataset,
    store: "filled",
    hasLatencies: true,
    entries: scannersOf(side),
    run: scanInTurn,
  };
}

function scannersOf(side: Side): Entry[] {
  return readersOf(
    side,
    ...["hybrid", "lmdb_safe", "sqlite_normal", "sqlite_arrays", "level", "rocksdb", "deno_kv"],
  );
}

function scanAllWork(side: Side, suffix: string): Work {
  return {
    rows: [{
      id: `scan_full${suffix}`,
      title: `all rows, iterated, ${sideName(side)}`,
      unit: "rows/s",
      better: "higher",
    }],
    group: "scan",
    note: "HybridStore: scanSync, since lmdb's and SQLite's iteration is synchronous; SQLite: " +
      "iterate(); RocksDB: _nextvSync(1000).",
    dataset: "small_values",
    store: "filled",
    entries: scannersOf(side),
    run: scanAll,
  };
}

function worksOf(side: Side): Work[] {
  return [
    getWork(side, "getSync", "uncached"),
    getWork(side, "get", "uncached"),
    getWork(side, "getSync", "cached"),
    getWork(side, "get", "cached"),
    scanWork(side),
    scanAllWork(side, side === "append" ? "" : "_btree"),
  ];
}

function variantsOf(dataset: DatasetId, suffix: string, of: string): Work[] {
  return (["append", "btree"] as const).flatMap((side) => [
    getWork(side, "getSync", "uncached", dataset, suffix, of),
    scanWork(side, dataset, suffix, of),
  ]);
}

export const READS: readonly Work[] = [...worksOf("append"), ...worksOf("btree")];

export const READS_OF_OTHER_DATA: readonly Work[] = [
  ...variantsOf("large_values", "_4k", ", values of 4 KiB"),
  ...variantsOf("wordnet", "_wordnet", ", WordNet"),
];
