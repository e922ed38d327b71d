/** Charts of works: writes, reads, mixes.
 *
 * @module
 */

import type { TopLevelSpec } from "vega-lite";
import type { Results } from "../_results.ts";
import { dotPanel, NAMES_WIDTH } from "./dots.ts";
import { figuresOf } from "./rows.ts";
import { chart, sourceNotes } from "./theme.ts";

const WRITES = [
  "put_sequential_append",
  "put_sequential_btree_durable",
  "put_64_callers_durable_append",
  "put_64_callers_durable_btree",
  "batch_100_both",
  "burst_acknowledged",
  "burst_in_engines",
  "fetch_add_sequential",
  "fetch_add_concurrent",
];
const GETS = [
  "get_sync_append_uncached",
  "get_sync_append_cached",
  "get_sync_btree_uncached",
  "get_sync_btree_cached",
  "get_btree_uncached",
];
const SCANS = ["scan_prefix_append", "scan_prefix_btree", "scan_full"];
const MIXES = ["ycsb_a", "ycsb_b", "ycsb_c", "ycsb_d", "ycsb_e", "ycsb_f"];

const OPERATIONS = "operations per second";
const FURTHER_RIGHT = "Further right is faster; the numbers are HybridStore's.";
const DURABILITY =
  "Filled: on disk when the clock stops. Hollow: acknowledged before it is on disk.";

/** Writes, awaited and not. */
export function writes(all: readonly Results[]): TopLevelSpec | undefined {
  return worksChart(all, "Writes", [FURTHER_RIGHT, DURABILITY], [[WRITES, OPERATIONS]], [
    "put, fetch-and-add: awaited one by one, unless it says otherwise. 10,000 at once: of lmdb, plain puts.",
    "burst: all keys un-awaited; of SQLite, one transaction.",
  ]);
}

/** Gets and scans. */
export function reads(all: readonly Results[]): TopLevelSpec | undefined {
  const panels = [[GETS, OPERATIONS], [SCANS, "rows per second"]] as const;
  return worksChart(all, "Reads", [FURTHER_RIGHT], panels, [
    "Everything is in the engines, and files are in memory. Uncached: each key once, HybridStore without its read cache. Cached: zipfian.",
    "Deno KV and the awaited gets of classic-level and RocksDB are asynchronous.",
    "A scan of a prefix reads all rows of a subject into an array.",
  ]);
}

/** The mixes of YCSB. */
export function ycsb(all: readonly Results[]): TopLevelSpec | undefined {
  return worksChart(all, "YCSB", [FURTHER_RIGHT, DURABILITY], [[MIXES, OPERATIONS]], [
    "Awaited one by one; zipfian but for D.",
    "HybridStore: on its B-tree side, where every write is durable, and on its append side.",
  ]);
}

type PanelOfWorks = readonly [ids: readonly string[], unit: string];

function worksChart(
  all: readonly Results[],
  title: string,
  subtitle: string[],
  panels: readonly PanelOfWorks[],
  notes: readonly string[],
): TopLevelSpec | undefined {
  const figures = panels.map(([ids, unit]) => ({ unit, found: figuresOf(all, ids) }))
    .filter(({ found }) => found.length > 0);
  if (figures.length === 0) return undefined;
  const of = figures.flatMap(({ found }) => found);
  return chart(
    title,
    subtitle,
    figures.map(({ found, unit }) => dotPanel(found, unit, of)),
    NAMES_WIDTH,
    [...notes, ...sourceNotes(all)],
  );
}
