import type { Results, WorkLine } from "../../bench/_results.ts";

/** The day of everything that is made here. */
export const DATE = "2026-02-03";

/** Returns what two contestants reached in a work. */
export function workLines(
  work: string,
  own: number[],
  peer: number[],
  by = "lmdb_safe",
): WorkLine[] {
  return [
    { work, by: "hybrid", date: DATE, rounds: own },
    { work, by, date: DATE, rounds: peer },
  ];
}

/** Returns results of a runtime with something of every kind. */
export function makeResults(name: string, version: string): Results {
  const resource = { date: DATE, dataBytes: 1000, peakRssBytes: 77 * 2 ** 20 };
  return {
    head: {
      format: 2,
      runtime: { name, version },
      versions: { hybridstore: "0.1.0", lmdb: "3.9.9", sqlite: "3.8.8", "classic-level": "3.7.7" },
      machine: {
        platform: "linux",
        arch: "x64",
        cpu: "Slow CPU",
        cores: 2,
        memoryMiB: 1000,
        fsyncMs: 0.456,
      },
      settings: { keys: 12_345, trialMs: 200 },
    },
    works: [
      ...workLines("put_sequential_append", [182_345], [3_000]),
      ...workLines("get_sync_append_uncached", [1_420_000], [2_840_000]),
      ...workLines("ycsb_a", [8_764], [2_000]),
    ],
    resources: [
      { ...resource, resources: "hybrid_append", diskBytes: 1460 },
      { ...resource, resources: "lmdb_safe", diskBytes: 2040, writtenBytes: 3330 },
    ],
    growth: ["put", "get", "scan row"].map((of) => ({
      growth: "hybrid_append",
      of,
      date: DATE,
      points: [[10_000, 2], [100_000, 3]],
    })),
  };
}
