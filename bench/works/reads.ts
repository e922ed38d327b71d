/** Reads of a store that has every key in its engines. */

import type { DatasetId } from "../_data.ts";
import { operationsPerSecond, rowsPerSecond, runInTurn } from "../_measure.ts";
import { uniformIndexes } from "../_random.ts";
import { scrambledZipfianIndexes } from "../_zipfian.ts";
import { type Entry, readersOf, type Trial, type Work } from "./work.ts";

type Side = Entry["side"];
type Distribution = "uniform" | "zipfian";

const SEED = 1;
const sideName = (side: Side) => side === "append" ? "append side" : "B-tree side";
const indexCache = new Map<string, Uint32Array>();

/** The order in which keys are read: the same for every contestant, and made once. */
function indexesOf(distribution: Distribution, count: number): Uint32Array {
  const name = `${distribution} ${count}`;
  let indexes = indexCache.get(name);
  if (indexes === undefined) {
    const make = distribution === "uniform" ? uniformIndexes : scrambledZipfianIndexes;
    indexCache.set(name, indexes = make(count, count, SEED));
  }
  return indexes;
}

async function getInTurn(
  { session, side, ...limits }: Trial,
  method: "get" | "getSync",
  distribution: Distribution,
) {
  const keys = session.keysOf(side.keys);
  const indexes = indexesOf(distribution, keys.length);
  const get = session[method];
  const tally = await runInTurn((i) => get(keys[indexes[i]!]), { ...limits, count: keys.length });
  return { values: [operationsPerSecond(tally)] };
}

async function scanInTurn({ session, side, ...limits }: Trial) {
  const { prefixes } = side;
  const indexes = uniformIndexes(side.keys.length, prefixes.length, SEED);
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
  distribution: Distribution,
  dataset: DatasetId = "small_values",
  suffix = "",
  of = "",
): Work {
  const id = `${method === "get" ? "get" : "get_sync"}_${side}`;
  return {
    rows: [{
      id: `${id}${distribution === "uniform" ? "" : "_zipfian"}${suffix}`,
      title: `${method === "get" ? "get, awaited" : "getSync"}, ${distribution}, ${
        sideName(side)
      }${of}`,
      unit: "op/s",
      better: "higher",
    }],
    group: "get",
    note: method === "get"
      ? "lmdb's and SQLite's get are synchronous and not awaited."
      : "lmdb: getBinary; SQLite: SELECT v, prepared; Deno KV has no synchronous get: awaited.",
    dataset,
    store: "filled",
    hasLatencies: true,
    entries: readersOf(side, ...["hybrid", "lmdb_safe", "sqlite_normal", "level", "deno_kv"]),
    run: (trial) => getInTurn(trial, method, distribution),
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
      "classic-level: iterator.all(); latencies are of scans.",
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
    ...["hybrid", "lmdb_safe", "sqlite_normal", "sqlite_arrays", "level", "deno_kv"],
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
      "iterate().",
    dataset: "small_values",
    store: "filled",
    entries: scannersOf(side),
    run: scanAll,
  };
}

function worksOf(side: Side): Work[] {
  return [
    getWork(side, "getSync", "uniform"),
    getWork(side, "get", "uniform"),
    getWork(side, "getSync", "zipfian"),
    getWork(side, "get", "zipfian"),
    scanWork(side),
    scanAllWork(side, side === "append" ? "" : "_btree"),
  ];
}

function variantsOf(dataset: DatasetId, suffix: string, of: string): Work[] {
  return (["append", "btree"] as const).flatMap((side) => [
    getWork(side, "getSync", "uniform", dataset, suffix, of),
    scanWork(side, dataset, suffix, of),
  ]);
}

export const READS: readonly Work[] = [...worksOf("append"), ...worksOf("btree")];

export const READS_OF_OTHER_DATA: readonly Work[] = [
  ...variantsOf("large_values", "_4k", ", values of 4 KiB"),
  ...variantsOf("wordnet", "_wordnet", ", WordNet"),
];
