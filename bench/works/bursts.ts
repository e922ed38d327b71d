/** All keys at once, un-awaited.
 *
 * @module
 */

import type { DatasetId } from "../_data.ts";
import { LoopDelay } from "../_loop_delay.ts";
import {
  acknowledgedAndSettled,
  type Entry,
  type Figures,
  type Trial,
  type Work,
  writersOf,
} from "./work.ts";

/** Puts that the issuer of a fair burst makes before it lets the event loop turn. */
const CHUNK = 500;
/** Rounds of what is another form of a work that has all of them. */
const VARIANT_ROUNDS = 3;

const NOTE =
  "A burst is: put of every key, un-awaited, in one turn of the event loop (HybridStore, " +
  "lmdb); one transaction (SQLite); batches of 1,000 un-awaited (classic-level, RocksDB); atomic " +
  "batches of 500 (Deno KV, a tenth of the keys). In engines: checkpoint() (HybridStore), flushed " +
  "(lmdb), a sync of the log (classic-level, RocksDB).";

/** Those that get a tenth of the keys are called so: less is written, not only more slowly. */
function burstersOf(side: Entry["side"], ...ids: string[]): Entry[] {
  return writersOf(side, ...ids).map((entry) =>
    entry.contestant.isSlow ? { ...entry, name: `${entry.name}, a tenth of the keys` } : entry
  );
}

async function burst({ session, side, count }: Trial): Promise<Figures> {
  const keys = session.keysOf(side.keys).slice(0, count);
  const start = performance.now();
  await session.putAll(keys, side.values);
  const acknowledgedMs = performance.now() - start;
  await session.settle();
  const settledMs = performance.now() - start;
  return { values: [keys.length * 1000 / acknowledgedMs, keys.length * 1000 / settledMs] };
}

function burstWork(dataset: DatasetId, side: "append" | "btree", suffix: string, of: string): Work {
  const title = `burst of puts, ${side === "append" ? "append" : "B-tree"} side${of}`;
  return {
    rows: acknowledgedAndSettled("burst", suffix, title),
    group: "burst",
    note: NOTE,
    dataset,
    ...(dataset !== "small_values" && { roundsMax: VARIANT_ROUNDS }),
    store: "fresh",
    entries: burstersOf(
      side,
      ...["hybrid", "lmdb_safe", "lmdb_default", "sqlite_full", "level", "rocksdb", "deno_kv"],
    ),
    run: burst,
  };
}

async function stall(trial: Trial, issue: (trial: Trial) => Promise<void>): Promise<Figures> {
  const delay = new LoopDelay();
  await issue(trial);
  await trial.session.settle();
  const { p99, max } = await delay.stop();
  return { values: [p99], stallMsMax: max };
}

async function issueInChunks({ session, side, count }: Trial): Promise<void> {
  const keys = session.keysOf(side.keys);
  const waiting: Promise<void>[] = [];
  for (let i = 0; i < count; i += CHUNK) {
    const end = Math.min(i + CHUNK, count);
    waiting.push(session.putAll(keys.slice(i, end), side.values.slice(i, end)));
    await new Promise((resolve) => setImmediate(resolve));
  }
  await Promise.all(waiting);
}

function issueAtOnce({ session, side, count }: Trial): Promise<void> {
  return session.putAll(session.keysOf(side.keys).slice(0, count), side.values);
}

function stallWork(
  id: string,
  title: string,
  side: "append" | "btree",
  issue: (trial: Trial) => Promise<void>,
): Work {
  return {
    rows: [{ id, title, unit: "ms", better: "lower", isSettled: true }],
    group: "stall",
    note:
      "99 % of the timers of 1 ms that run until all is in the engines are late by no more than " +
      "this. Deno KV gets a tenth of the keys.",
    dataset: "small_values",
    store: "fresh",
    entries: burstersOf(
      side,
      ...["hybrid", "lmdb_safe", "lmdb_default", "sqlite_normal", "level", "rocksdb", "deno_kv"],
    ),
    run: (trial) => stall(trial, issue),
  };
}

const FAIR = `stall of the event loop, p99: burst in chunks of ${CHUNK} and setImmediate`;

export const BURSTS: readonly Work[] = [
  burstWork("small_values", "append", "", ""),
  burstWork("small_values", "btree", "_btree", ""),
  burstWork("large_values", "append", "_4k", ", values of 4 KiB"),
  burstWork("large_values", "btree", "_btree_4k", ", values of 4 KiB"),
  burstWork("wordnet", "append", "_wordnet", ", WordNet"),
  burstWork("wordnet", "btree", "_btree_wordnet", ", WordNet"),
  stallWork("burst_stall", `${FAIR}, append side`, "append", issueInChunks),
  stallWork("burst_stall_btree", `${FAIR}, B-tree side`, "btree", issueInChunks),
  stallWork(
    "burst_stall_one_go",
    "stall of the event loop, p99: burst in one go, append side",
    "append",
    issueAtOnce,
  ),
];
