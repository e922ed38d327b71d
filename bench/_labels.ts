/** Short names of works, for charts and for README's table.
 *
 * @module
 */

import type { Row } from "./works/mod.ts";

/** Those that are not here have their titles. */
const LABELS: ReadonlyMap<string, string> = new Map([
  ["put_sequential_append", "put, append side"],
  ["put_sequential_btree_durable", "put, B-tree side, durable"],
  ["put_64_callers_durable_append", "put, 64 callers, append side, durable"],
  ["put_64_callers_durable_btree", "put, 64 callers, B-tree side, durable"],
  ["put_snapshot_append", "put, snapshot, get, append side"],
  ["put_snapshot_btree_durable", "put, snapshot, get, B-tree side, durable"],
  ["batch_100_both", "batches of 100 puts, both sides"],
  ["batch_1000_acknowledged", "batches of 1,000 puts, append side"],
  ["batch_1000_in_engines", "batches of 1,000, append side, in the engines"],
  ["batch_1000_acknowledged_btree", "batches of 1,000 puts, B-tree side"],
  ["batch_1000_in_engines_btree", "batches of 1,000, B-tree side, in the engines"],
  ["burst_acknowledged", "burst of puts, until acknowledged"],
  ["burst_in_engines", "burst of puts, until in the engines"],
  ["burst_stall", "stall of the event loop in a burst"],
  ["fetch_add_sequential", "fetch-and-add"],
  ["fetch_add_concurrent", "fetch-and-add, 10,000 at once"],
  ["open_replay", "open, 64 MiB of journal to replay"],
  ["get_sync_append_uncached", "getSync, append side, uncached"],
  ["get_sync_append_cached", "getSync, append side, cached"],
  ["get_sync_btree_uncached", "getSync, B-tree side, uncached"],
  ["get_sync_btree_cached", "getSync, B-tree side, cached"],
  ["get_btree_uncached", "get, awaited, B-tree side, uncached"],
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

/** Returns the short name of a work. */
export function labelOf({ id, title }: Row): string {
  return LABELS.get(id) ?? title;
}
