/** The contestants: their names, and what they promise of a write. What opens them is in `peers/`, so that
 * a table of results can be made where no peer is installed.
 *
 * @module
 */

import { resolveOptions } from "../store/options.ts";

/** What a contestant has promised when the clock stops. */
export interface Guarantee {
  /** Contestants with the same one are compared first. `disk`: a power loss takes nothing. `system`: the
   * operating system has everything and the disk not yet, so that a crash of the process takes nothing.
   * `reads`: nothing was written. */
  readonly kind: "disk" | "system" | "reads";
  /** What is on disk, in the few words of a table. */
  readonly onDisk: string;
  /** How, as the output of a run says it. */
  readonly how: string;
}

/** A store with one set of options. */
export interface Contestant {
  readonly id: string;
  readonly name: string;
  /** What an acknowledged write is good for; of HybridStore, on the append side. */
  readonly guarantee: Guarantee;
  /** Whether `settle` of its session leaves something that is not on disk. */
  readonly isNeverSettled?: boolean;
  /** Whether it is given a tenth of the keys in works that write: it would take minutes. */
  readonly isSlow?: boolean;
}

const { syncIntervalMs } = resolveOptions({});

/** Everything is on disk, however that was done. */
export const SETTLED: Guarantee = { kind: "disk", onDisk: "all", how: "on disk, in the engines" };

/** What a write to each side of HybridStore is good for, with default options. */
export const HYBRID_GUARANTEES: Readonly<
  Record<"append" | "btree", Guarantee>
> = {
  append: {
    kind: "system",
    onDisk: `all but the last ${syncIntervalMs / 1000} s`,
    how: `journal written, synced within ${syncIntervalMs} ms`,
  },
  btree: durable("journal synced, shared by concurrent callers"),
};

const SQLITE_NORMAL: Guarantee = {
  kind: "system",
  onDisk: "up to the last checkpoint",
  how: "WAL written, synced at checkpoints",
};

const hybrid: Contestant = {
  id: "hybrid",
  name: "HybridStore",
  guarantee: HYBRID_GUARANTEES.append,
};

const ALL: readonly Contestant[] = [
  hybrid,
  { ...hybrid, id: "hybrid_always", guarantee: HYBRID_GUARANTEES.btree },
  { ...hybrid, id: "hybrid_uncached" },
  {
    id: "lmdb_safe",
    name: "lmdb, safe",
    guarantee: durable("fdatasync per commit"),
  },
  {
    id: "lmdb_default",
    name: "lmdb, default",
    guarantee: {
      kind: "system",
      onDisk: "all but the last commits",
      how: "committed, flushed to disk next",
    },
  },
  {
    id: "sqlite_normal",
    name: "SQLite",
    guarantee: SQLITE_NORMAL,
    isNeverSettled: true,
  },
  {
    id: "sqlite_full",
    name: "SQLite, FULL",
    guarantee: durable("WAL synced per commit"),
  },
  {
    id: "sqlite_arrays",
    name: "SQLite, setReturnArrays",
    guarantee: SQLITE_NORMAL,
    isNeverSettled: true,
  },
  {
    id: "level",
    name: "classic-level",
    guarantee: { kind: "system", onDisk: "no promise", how: "log written, not synced" },
  },
  {
    id: "level_sync",
    name: "classic-level, sync",
    guarantee: durable("log synced per write"),
  },
  {
    id: "rocksdb",
    name: "RocksDB",
    guarantee: { kind: "system", onDisk: "no promise", how: "log written, not synced" },
  },
  {
    id: "rocksdb_sync",
    name: "RocksDB, sync",
    guarantee: durable("log synced per write"),
  },
  {
    id: "deno_kv",
    name: "Deno KV",
    guarantee: durable("fsync per commit"),
    isSlow: true,
  },
];

/** The contestants by id, of both runtimes. */
export const CONTESTANTS: ReadonlyMap<string, Contestant> = new Map(
  ALL.map((contestant) => [contestant.id, contestant]),
);

/** A contestant on one of its sides, where the two are measured apart: resources, growth. */
export interface Measured {
  readonly id: string;
  readonly name: string;
  readonly contestant: string;
  readonly side: "append" | "btree";
}

/** What is measured without any store, to compare memory with. */
export const NO_STORE: Measured = {
  id: "none",
  name: "the runtime and the data",
  contestant: "none",
  side: "append",
};

/** Whose use of disk and memory is measured. */
export const RESOURCES: readonly Measured[] = [
  NO_STORE,
  ...bothSidesAnd("lmdb_safe", "lmdb_default", "sqlite_normal", "level", "rocksdb", "deno_kv"),
];

/** Whose costs are measured by the number of keys. */
export const GROWTH: readonly Measured[] = bothSidesAnd(
  ...["lmdb_safe", "sqlite_full", "level", "rocksdb"],
);

/** Marks a peer that promises more than HybridStore when the clock stops, or less. */
export function arrowOf(own: Guarantee, peer: Guarantee): string {
  if (own.kind === peer.kind) return "";
  return peer.kind === "disk" ? " ↑" : " ↓";
}

function bothSidesAnd(...peers: string[]): Measured[] {
  return [
    {
      id: "hybrid_append",
      name: "HybridStore, append side",
      contestant: "hybrid",
      side: "append",
    },
    {
      id: "hybrid_btree",
      name: "HybridStore, B-tree side",
      contestant: "hybrid",
      side: "btree",
    },
    ...peers.map((id): Measured => ({
      id,
      name: CONTESTANTS.get(id)!.name,
      contestant: id,
      side: "append",
    })),
  ];
}

function durable(how: string): Guarantee {
  return { kind: "disk", onDisk: "all", how: `durable: ${how}` };
}
