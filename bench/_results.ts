/** The results of a run: one JSON file per runtime.
 *
 * @module
 */

import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import type { Stall } from "./_loop_delay.ts";

/** All that a run found out. */
export interface Results {
  format: 1;
  /** When the last of it was measured, as ISO 8601 has it. */
  date: string;
  runtime: { name: string; version: string };
  versions: Record<"hybridstore" | "lmdb" | "sqlite" | "classic-level", string>;
  machine: MachineInfo;
  settings: RunSettings;
  works: WorkResult[];
  resources: ResourceResult[];
  growth: GrowthResult[];
}

export interface MachineInfo {
  platform: string;
  arch: string;
  cpu: string;
  cores: number;
  memoryMiB: number;
  /** What an fsync of a small append takes, the median of some. */
  fsyncMs: number;
}

export interface RunSettings {
  keys: number;
  rounds: number;
  /** Milliseconds after which a trial ends, unless it has done all operations by then. */
  trialMs: number;
  quick: boolean;
}

export interface WorkResult {
  id: string;
  title: string;
  group: string;
  unit: string;
  better: "higher" | "lower";
  note?: string;
  contestants: ContestantResult[];
  /** How many times better HybridStore is than each of the others. */
  ratios: Ratio[];
}

export interface ContestantResult {
  id: string;
  name: string;
  guarantee: string;
  rounds: number[];
  median: number;
  latencyUs?: { p50: number; p99: number; max: number };
  /** The median of the rounds' p99, the most of their max. */
  stallMs?: Stall;
}

export interface Ratio {
  peer: string;
  /** The median of the ratios of the rounds; above 1 where HybridStore is the better one. */
  ratio: number;
  bar?: number;
  met?: boolean;
}

export interface ResourceResult {
  id: string;
  name: string;
  diskBytes: number;
  /** Absent where the system does not count them. */
  writtenBytes?: number;
  dataBytes: number;
  peakRssBytes?: number;
}

export interface GrowthResult {
  id: string;
  name: string;
  work: string;
  unit: string;
  points: { keys: number; usPerOperation: number }[];
}

/** Reads the results that are there already; `undefined` where there are none. */
export function readResults(path: string): Results | undefined {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
  const results = JSON.parse(text) as Results;
  if (results.format !== 1) throw new Error(`Cannot read ${path}: its format is not 1`);
  return results;
}

/** Refuses to mix figures of stores of different sizes in one file.
 *
 * @throws {Error} The results that are there come of other settings.
 */
export function requireMergeable(path: string, settings: RunSettings): void {
  const old = readResults(path)?.settings;
  if (old === undefined || (old.keys === settings.keys && old.trialMs === settings.trialMs)) return;
  throw new Error(
    `Cannot add to ${path}: it is of ${old.keys} keys and trials of ${old.trialMs} ms; ` +
      "remove it, or use --out or --no-save",
  );
}

/** Returns the new results with what only the old ones have: a run of some works keeps the rest. */
export function mergeResults(old: Results | undefined, found: Results): Results {
  if (old === undefined) return found;
  return {
    ...found,
    works: merge(old.works, found.works, ({ id }) => id),
    resources: merge(old.resources, found.resources, ({ id }) => id),
    growth: merge(old.growth, found.growth, ({ id, work }) => `${id} ${work}`),
  };
}

/** Writes results as a whole, or leaves the file as it was. */
export function writeResults(path: string, results: Results): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(`${path}.new`, `${JSON.stringify(results, roundNumber, 2)}\n`);
  renameSync(`${path}.new`, path);
}

function merge<T>(old: readonly T[], found: readonly T[], idOf: (item: T) => string): T[] {
  const items = new Map(old.map((item) => [idOf(item), item]));
  for (const item of found) items.set(idOf(item), item);
  return [...items.values()];
}

/** Four digits are more than the measurement is worth, and diffs stay short. */
function roundNumber(_key: string, value: unknown): unknown {
  if (typeof value !== "number" || Number.isInteger(value)) return value;
  return Number(value.toPrecision(4));
}
