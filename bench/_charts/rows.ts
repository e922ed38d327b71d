/** Results as the rows that a chart draws, in the words that it shows.
 *
 * @module
 */

import type { ContestantResult, Results, WorkResult } from "../_results.ts";

/** What a chart calls the works; those that no chart picks out have the titles of the results. */
const LABELS: ReadonlyMap<string, string> = new Map([
  ["put_sequential_append", "put, append side"],
  ["put_sequential_btree_durable", "put, B-tree side, durable"],
  ["put_64_callers_durable_append", "put, 64 callers, append side, durable"],
  ["put_64_callers_durable_btree", "put, 64 callers, B-tree side, durable"],
  ["batch_100_both", "batches of 100 puts, both sides"],
  ["burst_acknowledged", "burst of puts, until acknowledged"],
  ["burst_in_engines", "burst of puts, until in the engines"],
  ["burst_stall", "stall of the event loop in a burst"],
  ["fetch_add_sequential", "fetch-and-add"],
  ["fetch_add_concurrent", "fetch-and-add, 10,000 at once"],
  ["get_sync_append", "getSync, append side"],
  ["get_sync_btree", "getSync, B-tree side"],
  ["get_sync_btree_zipfian", "getSync, B-tree side, zipfian"],
  ["get_btree", "get, awaited, B-tree side"],
  ["scan_prefix_append", "scan of a prefix, append side"],
  ["scan_prefix_btree", "scan of a prefix, B-tree side"],
  ["scan_full", "scan of all rows, append side"],
  ["ycsb_a", "A: 50 % read, 50 % update"],
  ["ycsb_b", "B: 95 % read, 5 % update"],
  ["ycsb_c", "C: 100 % read"],
  ["ycsb_d", "D: 95 % read latest, 5 % insert"],
  ["ycsb_e", "E: 95 % short scans, 5 % insert"],
  ["ycsb_f", "F: 50 % read, 50 % read-modify-write"],
]);

/** The figure of a contestant in a work, in one runtime. */
export interface Figure {
  readonly runtime: string;
  readonly label: string;
  readonly series: string;
  readonly value: number;
  readonly text: string;
  readonly isOwn: boolean;
  /** Whether a write is on disk when the clock stops; true of reads. */
  readonly isDurable: boolean;
}

/** HybridStore's ratio to a peer, and what it has to be. */
export interface RatioRow {
  readonly runtime: string;
  readonly label: string;
  readonly ratio: number;
  readonly bar: number;
  readonly verdict: "reached" | "below";
  readonly text: string;
}

/** Works whose clock runs until everything is on disk, whatever was acknowledged before. */
const UNTIL_ON_DISK: ReadonlySet<string> = new Set(["burst_in_engines"]);

/** Contestants that differ in nothing but how durable they are are one series. */
const SERIES_OF: Readonly<Record<string, string>> = {
  lmdb_safe: "lmdb",
  lmdb_default: "lmdb",
  sqlite_full: "sqlite",
  sqlite_normal: "sqlite",
  level_sync: "level",
};

/** The runtime with its name as it is written. */
export function runtimeName({ runtime: { name, version } }: Results): string {
  return `${name.charAt(0).toUpperCase()}${name.slice(1)} ${version}`;
}

/** Returns the series that a contestant belongs to. */
export function seriesOf(id: string): string {
  return SERIES_OF[id] ?? id;
}

/** Returns what a chart calls a work. */
export function labelOf({ id, title }: WorkResult): string {
  return LABELS.get(id) ?? title;
}

/** Returns the figures of some works, in the order of the works; those without results are left out. */
export function figuresOf(all: readonly Results[], ids: readonly string[]): Figure[] {
  return ids.flatMap((id) =>
    all.flatMap((results) =>
      worksOf(results, id).flatMap((work) =>
        // No logarithmic axis has a place for nothing.
        work.contestants.filter(({ median }) => median > 0).map((contestant) =>
          figureOf(runtimeName(results), work, contestant)
        )
      )
    )
  );
}

/** Returns the ratios that have a bar, in the order of the works. */
export function ratiosOf(all: readonly Results[]): RatioRow[] {
  return idsOf(all).flatMap((id) =>
    all.flatMap((results) =>
      worksOf(results, id).flatMap((work) =>
        work.ratios.flatMap(({ peer, ratio, bar, met }): RatioRow[] => {
          if (bar === undefined) return [];
          return [{
            runtime: runtimeName(results),
            label: `${labelOf(work)} vs ${peerName(work, peer)}`,
            ratio,
            bar,
            verdict: met === false ? "below" : "reached",
            text: `${fewDigits(ratio)}×`,
          }];
        })
      )
    )
  );
}

/** Returns a number as people read it: `1.42M`, `182k`, `0.83`. */
export function shortNumber(value: number): string {
  for (const [unit, suffix] of [[1e9, "G"], [1e6, "M"], [1e3, "k"]] as const) {
    // What three digits would round up to the unit belongs to it.
    if (value >= unit * 0.9995) return `${fewDigits(value / unit)}${suffix}`;
  }
  return fewDigits(value);
}

/** Three digits, and two below 1: more is not what a measurement is worth. */
function fewDigits(value: number): string {
  return value >= 999.5 ? value.toFixed(0) : value.toPrecision(value < 0.995 ? 2 : 3);
}

function idsOf(all: readonly Results[]): string[] {
  return [...new Set(all.flatMap(({ works }) => works.map(({ id }) => id)))];
}

function worksOf({ works }: Results, id: string): WorkResult[] {
  return works.filter((work) => work.id === id);
}

function figureOf(
  runtime: string,
  work: WorkResult,
  { id, median, guarantee }: ContestantResult,
): Figure {
  return {
    runtime,
    label: labelOf(work),
    series: seriesOf(id),
    value: median,
    text: shortNumber(median),
    isOwn: id === "hybrid",
    isDurable: UNTIL_ON_DISK.has(work.id) || /^(durable|sees)/.test(guarantee),
  };
}

function peerName({ contestants }: WorkResult, peer: string): string {
  const name = contestants.find(({ id }) => id === peer)?.name ?? peer;
  // The module has another name in each runtime.
  return name.replace(/^\w+:sqlite/, "SQLite");
}
