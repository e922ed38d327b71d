/** What HybridStore has to reach: how many times better than a peer, in the same run.
 *
 * @module
 */

interface Bar {
  readonly work: string;
  /** The id of a contestant, or `limit` for a figure that stands by itself. */
  readonly peer: string;
  readonly minimum: number;
  /** Absent where it holds in every runtime. */
  readonly runtime?: string;
}

/** Milliseconds that 99 % of the timers may be late by during a burst. */
const STALL_MS_MAX = 10;
/** Works whose figure is compared with a limit. */
export const LIMITS: ReadonlyMap<string, number> = new Map([["burst_stall", STALL_MS_MAX]]);

const BARS: readonly Bar[] = [
  { work: "put_sequential_append", peer: "lmdb_safe", minimum: 15 },
  { work: "put_sequential_append", peer: "lmdb_default", minimum: 15 },
  { work: "put_sequential_append", peer: "deno_kv", minimum: 40 },
  { work: "put_sequential_btree_durable", peer: "sqlite_full", minimum: 1 },
  { work: "put_64_callers_durable_append", peer: "sqlite_full", minimum: 5 },
  { work: "put_64_callers_durable_append", peer: "lmdb_safe", minimum: 3 },
  { work: "put_64_callers_durable_btree", peer: "sqlite_full", minimum: 5 },
  { work: "put_64_callers_durable_btree", peer: "lmdb_safe", minimum: 3 },
  { work: "burst_in_engines", peer: "lmdb_safe", minimum: 1 },
  { work: "burst_in_engines", peer: "lmdb_default", minimum: 1 },
  { work: "burst_acknowledged", peer: "lmdb_safe", minimum: 1.5 },
  { work: "burst_acknowledged", peer: "lmdb_default", minimum: 1.5 },
  { work: "fetch_add_sequential", peer: "lmdb_safe", minimum: 15 },
  { work: "fetch_add_sequential", peer: "lmdb_default", minimum: 15 },
  { work: "fetch_add_sequential", peer: "deno_kv", minimum: 30 },
  // 250,000 adds for every 300,000 puts.
  { work: "fetch_add_concurrent", peer: "lmdb_safe", minimum: 0.83 },
  { work: "fetch_add_concurrent", peer: "lmdb_default", minimum: 0.83 },
  { work: "get_sync_append_uncached", peer: "lmdb_safe", minimum: 1 },
  { work: "get_sync_btree_uncached", peer: "sqlite_normal", minimum: 0.95 },
  { work: "get_sync_btree_cached", peer: "sqlite_normal", minimum: 3 },
  { work: "scan_prefix_append", peer: "lmdb_safe", minimum: 1 },
  { work: "scan_prefix_btree", peer: "sqlite_normal", minimum: 1, runtime: "bun" },
  { work: "scan_prefix_btree", peer: "sqlite_normal", minimum: 2, runtime: "deno" },
  { work: "burst_stall", peer: "limit", minimum: 1 },
];

/** Returns the bar of a work against a peer, `undefined` where there is none. */
export function barOf(runtime: string, work: string, peer: string): number | undefined {
  return BARS.find((bar) =>
    bar.work === work && bar.peer === peer && (bar.runtime ?? runtime) === runtime
  )?.minimum;
}
