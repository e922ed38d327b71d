/** The results of the comparison: a file for each runtime, `bench/results/bun.ndjson` and `deno.ndjson`.
 *
 * Each line is a JSON object. The first one is the head: format, runtime, versions, machine, settings,
 * which hold for all the others. Then there is a line for each work and contestant, and for each
 * contestant whose resources or growth were measured, with the day of the measurement. What follows from
 * the code or from other figures is not stored: `_findings.ts` adds titles, medians and ratios.
 *
 * @module
 */

import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

/** All that is known of one runtime. */
export interface Results {
  head: Head;
  works: WorkLine[];
  resources: ResourceLine[];
  growth: GrowthLine[];
}

export interface Head {
  format: typeof FORMAT;
  runtime: { name: string; version: string };
  versions:
    & Record<"hybridstore" | "lmdb" | "sqlite" | "classic-level", string>
    // Absent where the runtime has none, and in results from before they took part.
    & Partial<Record<"rocksdb" | "deno-kv", string>>;
  machine: MachineInfo;
  settings: {
    keys: number;
    /** Milliseconds after which a trial ends, unless it has done all operations by then. */
    trialMs: number;
  };
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

/** What a contestant reached in a work. */
export interface WorkLine {
  work: string;
  by: string;
  date: string;
  /** A figure of each round, in the unit of the work. */
  rounds: number[];
  /** Half of the operations, 99 % of them, and all of them took no longer. */
  latencyUs?: [p50: number, p99: number, max: number];
  /** The longest stall of the event loop. */
  stallMsMax?: number;
}

/** What a contestant takes up on disk and in memory. */
export interface ResourceLine {
  resources: string;
  date: string;
  diskBytes: number;
  /** Absent where the system does not count them. */
  writtenBytes?: number;
  dataBytes: number;
  peakRssBytes?: number;
  /** The most memory during the burst, over what the process had with the data alone. */
  burstRssBytes?: number;
}

/** What an operation of a contestant costs by the number of keys. */
export interface GrowthLine {
  growth: string;
  of: string;
  date: string;
  points: [keys: number, usPerOperation: number][];
}

export const FORMAT = 2;

/** The runtimes that there are results of. */
export const RUNTIMES = ["bun", "deno"] as const;

/** Reads the results in a file.
 *
 * @returns `undefined` where there is no file.
 * @throws {Error} The file is damaged, or is something else.
 */
export function readResults(path: string): Results | undefined {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if ((error as { code?: string }).code === "ENOENT") return undefined;
    throw error;
  }
  return parseResults(text, path);
}

/** Reads results from text; `path` is what errors name. */
export function parseResults(text: string, path: string): Results {
  const lines = text.split("\n").map(objectOf);
  const [head] = lines;
  if (!isHead(head)) {
    throw new Error(`Cannot read ${path}: line 1 is not the head of results in format ${FORMAT}`);
  }
  if (!text.endsWith("\n")) {
    throw new Error(`Cannot read ${path}: its last line is cut short`);
  }
  const results: Results = { head, works: [], resources: [], growth: [] };
  for (const [index, line] of lines.slice(1, -1).entries()) {
    if (isWorkLine(line)) results.works.push(line);
    else if (isResourceLine(line)) results.resources.push(line);
    else if (isGrowthLine(line)) results.growth.push(line);
    else throw new Error(`Cannot read ${path}: line ${index + 2} is damaged`);
  }
  return results;
}

/** Refuses to put figures under a head that is not true of them.
 *
 * @throws {Error} The file has results of other settings, versions or machines.
 */
export function requireMergeable(path: string, head: Head): void {
  const old = readResults(path)?.head;
  if (old === undefined) return;
  const [before, now] = [conditionsOf(old), conditionsOf(head)];
  const other = Object.keys(before).filter((name) => before[name] !== now[name]);
  if (other.length === 0) return;
  const changes = other.map((name) => `${name} ${before[name]}, now ${now[name]}`);
  throw new Error(
    `Cannot add to ${path}: it was measured with ${changes.join("; ")}; ` +
      "remove it, or use --out or --no-save",
  );
}

/** What has to be the same for figures to stand in one file. HybridStore's own version is not among it:
 * lines have dates. */
function conditionsOf({ runtime, versions, machine, settings }: Head): Record<string, unknown> {
  const { hybridstore: _, ...peers } = versions;
  const { cpu, cores } = machine;
  return { [runtime.name]: runtime.version, ...peers, cpu, cores, ...settings };
}

/** Returns the new results with what only the old ones have: a run of some works keeps the others. A work
 * is replaced as a whole, since its rounds belong together. */
export function mergeResults(old: Results | undefined, found: Results): Results {
  if (old === undefined) return found;
  return {
    head: found.head,
    works: replace(old.works, found.works, ({ work }) => work),
    resources: replace(old.resources, found.resources, () => ""),
    growth: replace(old.growth, found.growth, () => ""),
  };
}

/** Writes results as a whole, or leaves the file as it was. */
export function writeResults(path: string, results: Results): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(`${path}.new`, formatResults(results));
  renameSync(`${path}.new`, path);
}

/** Returns what a file of results holds. */
export function formatResults({ head, works, resources, growth }: Results): string {
  return [head, ...works, ...resources, ...growth]
    .map((line) => `${JSON.stringify(line, roundNumber)}\n`).join("");
}

/** Puts each group of new lines where the old group with the same id was, and those of other ids behind. */
function replace<T>(old: readonly T[], found: readonly T[], idOf: (line: T) => string): T[] {
  const ids = new Set([...old, ...found].map(idOf));
  return [...ids].flatMap((id) => {
    const lines = found.filter((line) => idOf(line) === id);
    return lines.length > 0 ? lines : old.filter((line) => idOf(line) === id);
  });
}

/** Four digits are more than the measurement is worth, and lines stay short. */
function roundNumber(_key: string, value: unknown): unknown {
  if (typeof value !== "number" || Number.isInteger(value)) return value;
  return Number(value.toPrecision(4));
}

type Fields = Record<string, unknown>;

function objectOf(line: string): Fields | undefined {
  try {
    const value = JSON.parse(line);
    return typeof value === "object" && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

function isHead(line: unknown): line is Head {
  const { format, runtime, versions, machine, settings } = (line ?? {}) as Fields;
  const parts = [runtime, versions, machine, settings];
  return format === FORMAT &&
    parts.every((part) => typeof part === "object" && part !== null);
}

function isWorkLine(line: unknown): line is WorkLine {
  const { work, by, date, rounds, latencyUs, stallMsMax } = (line ?? {}) as Fields;
  return areTexts(work, by, date) && areNumbers(rounds) && rounds.length > 0 &&
    (latencyUs === undefined ||
      (areNumbers(latencyUs) && latencyUs.length === 3)) &&
    (stallMsMax === undefined || areNumbers([stallMsMax]));
}

function isResourceLine(line: unknown): line is ResourceLine {
  const {
    resources,
    date,
    diskBytes,
    writtenBytes = 0,
    dataBytes,
    peakRssBytes = 0,
    burstRssBytes = 0,
  } = (line ?? {}) as Fields;
  return areTexts(resources, date) &&
    areNumbers([diskBytes, writtenBytes, dataBytes, peakRssBytes, burstRssBytes]);
}

function isGrowthLine(line: unknown): line is GrowthLine {
  const { growth, of, date, points } = (line ?? {}) as Fields;
  return areTexts(growth, of, date) && Array.isArray(points) &&
    points.every((point) => areNumbers(point) && point.length === 2);
}

function areTexts(...values: unknown[]): boolean {
  return values.every((value) => typeof value === "string" && value !== "");
}

function areNumbers(values: unknown): values is number[] {
  return Array.isArray(values) && values.every(Number.isFinite);
}
