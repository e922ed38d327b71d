/** The mixes of YCSB's core workloads, over records of one value.
 *
 * Source: Cooper et al., "Benchmarking Cloud Serving Systems with YCSB", SoCC 2010.
 *
 * @module
 */

import { operationsPerSecond, runInTurn } from "../_measure.ts";
import { orderOf } from "../_orders.ts";
import type { Session } from "../peers/peer.ts";
import { type Entry, readersOf, type Trial, type Work, writersOf } from "./work.ts";

const SCAN_ROWS_MAX = 100;
const DICE = 2 ** 32;

interface Mix {
  readonly id: string;
  readonly title: string;
  /** Parts of the operations, reads being the rest. */
  readonly update?: number;
  readonly insert?: number;
  readonly scan?: number;
  readonly modify?: number;
  /** Whether reads prefer what was inserted last. */
  readonly isLatest?: boolean;
}

const MIXES: readonly Mix[] = [
  { id: "ycsb_a", title: "YCSB A: 50 % read, 50 % update, zipfian", update: 0.5 },
  { id: "ycsb_b", title: "YCSB B: 95 % read, 5 % update, zipfian", update: 0.05 },
  { id: "ycsb_c", title: "YCSB C: 100 % read, zipfian" },
  { id: "ycsb_f", title: "YCSB F: 50 % read, 50 % read-modify-write, zipfian", modify: 0.5 },
  { id: "ycsb_d", title: "YCSB D: 95 % read latest, 5 % insert", insert: 0.05, isLatest: true },
  { id: "ycsb_e", title: "YCSB E: 95 % scan of 1 to 100 rows, 5 % insert", insert: 0.05, scan: 1 },
];

/** Records that were inserted into a store since it was filled: a store serves several trials. */
const inserted = new WeakMap<Session, number>();

/** Trials so far: each writes other values. */
let trials = 0;

async function run({ session, side, seed, limitMs, latencies }: Trial, mix: Mix) {
  const keys = [...session.keysOf(side.keys), ...session.keysOf(side.extra)];
  const { values } = side;
  const count = side.keys.length;
  const { get, put, scanFrom } = session;
  const { update = 0, insert = 0, scan = 0, modify = 0, isLatest = false } = mix;
  const indexes = orderOf(isLatest ? "ranks" : "zipfian", seed, count);
  const lengths = orderOf("uniform", seed, SCAN_ROWS_MAX, count, 1);
  // They pick the kind of each operation.
  const dice = orderOf("uniform", seed, DICE, count, 2);
  const writeBelow = (update + insert + modify) * DICE;
  let end = count + (inserted.get(session) ?? 0);
  const written = (trials++) * 7919;

  // Never the value that is there: SQLite does not write what does not change.
  const valueOf = (index: number, i: number) => values[(index + i + written) % count]!;
  const modifyOne = async (index: number, i: number) => {
    await get(keys[index]);
    await put(keys[index], valueOf(index, i));
  };
  const modifyOneSync = (index: number, i: number) => {
    get(keys[index]);
    put(keys[index], valueOf(index, i));
  };
  // A synchronous contestant has no promise to wait for.
  const modifyIndex = isSync(put(keys[0], values[0]!)) ? modifyOneSync : modifyOne;

  const operation = (i: number) => {
    const index = isLatest ? end - 1 - indexes[i]! : indexes[i]!;
    if (dice[i]! < writeBelow) {
      if (modify > 0) return modifyIndex(index, i);
      if (update > 0) return put(keys[index], valueOf(index, i));
      // Past the last key that was prepared, it is an update.
      if (end < keys.length) end++;
      return put(keys[end - 1], values[i]!);
    }
    return scan > 0 ? scanFrom(keys[index], lengths[i]! + 1) : get(keys[index]);
  };
  const tally = await runInTurn(operation, { count, limitMs, latencies, isMixed: true });
  inserted.set(session, end - count);
  return { values: [operationsPerSecond(tally)] };
}

function isSync(result: unknown): boolean {
  return typeof (result as { then?: unknown } | undefined)?.then !== "function";
}

/** A mix that writes nothing says what its reads are good for. */
function entriesOf({ update, insert, modify }: Mix): Entry[] {
  const entries = [update, insert, modify].some((part) => part !== undefined)
    ? writersOf
    : readersOf;
  const [own, ...peers] = entries(
    "btree",
    ...[
      "hybrid",
      "lmdb_safe",
      "lmdb_default",
      "sqlite_normal",
      "sqlite_full",
      "level",
      "rocksdb",
      "deno_kv",
    ],
  );
  const [append] = entries("append", "hybrid");
  const onAppendSide = { ...append!, id: "hybrid_append", name: "HybridStore, append side" };
  return [own!, onAppendSide, ...peers];
}

export const YCSB: readonly Work[] = MIXES.map((mix) => ({
  rows: [{ id: mix.id, title: mix.title, unit: "op/s", better: "higher" }],
  group: "ycsb",
  note:
    "HybridStore's keys are on the B-tree side, where every write is durable; in another row, on " +
    "the append side. Scans read into an array.",
  dataset: "small_values",
  store: "filled",
  hasLatencies: true,
  entries: entriesOf(mix),
  run: (trial) => run(trial, mix),
}));
