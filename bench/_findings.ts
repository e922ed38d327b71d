/** What the results say: each work with its contestants, their medians, and HybridStore's ratio to each.
 *
 * @module
 */

import { barOf, LIMITS } from "./_bars.ts";
import type { Guarantee } from "./_contestants.ts";
import { median } from "./_measure.ts";
import type { Results, WorkLine } from "./_results.ts";
import { guaranteeOf, type Row, type Work, WORKS } from "./works/mod.ts";

/** A row of the results in one runtime. */
export interface Finding {
  readonly row: Row;
  readonly work: Work;
  /** In the order of the code, HybridStore first. */
  readonly contestants: readonly Reached[];
  /** How many times better HybridStore is than each of the others. */
  readonly ratios: readonly Ratio[];
}

/** What a contestant reached. */
export interface Reached {
  readonly id: string;
  readonly name: string;
  readonly guarantee: Guarantee;
  readonly line: WorkLine;
  readonly median: number;
}

export interface Ratio {
  /** The id of a contestant, or `limit`. */
  readonly peer: string;
  /** The median of the ratios of the rounds; above 1 where HybridStore is the better one. */
  readonly ratio: number;
  readonly bar?: number;
  readonly isMet?: boolean;
}

/** Milliseconds below which a stall is none; a ratio needs something to divide by. */
const FIGURE_MIN = 0.01;

/** Returns what was found of the works, in their order; those without results are left out, and so are
 * results of works that there are no more. */
export function findingsOf(
  { head, works: lines }: Pick<Results, "head" | "works">,
  works: readonly Work[] = WORKS,
): Finding[] {
  return works.flatMap((work) =>
    work.rows.flatMap((row) => findingOf(head.runtime.name, work, row, lines))
  );
}

function findingOf(runtime: string, work: Work, row: Row, lines: readonly WorkLine[]): Finding[] {
  const contestants = work.entries.flatMap((entry): Reached[] => {
    const line = lines.find(({ work, by }) => work === row.id && by === entry.id);
    if (line === undefined) return [];
    const { id, name } = entry;
    return [{ id, name, guarantee: guaranteeOf(row, entry), line, median: median(line.rounds) }];
  });
  if (contestants.length === 0) return [];
  return [{ row, work, contestants, ratios: ratiosOf(runtime, row, contestants) }];
}

function ratiosOf(runtime: string, row: Row, contestants: readonly Reached[]): Ratio[] {
  const own = contestants.find(({ id }) => id === "hybrid");
  if (own === undefined) return [];
  const ratioTo = (peer: string, rounds: readonly number[]): Ratio => {
    // Figures of one round were taken side by side, so that their ratio suffers least from what else
    // the machine did.
    const ratio = median(own.line.rounds.map((figure, round) => {
      const other = rounds[round]!;
      return row.better === "higher" ? figure / other : other / Math.max(figure, FIGURE_MIN);
    }));
    const bar = barOf(runtime, row.id, peer);
    return { peer, ratio, ...(bar !== undefined && { bar, isMet: ratio >= bar }) };
  };
  const peers = contestants.filter(({ id }) => !id.startsWith("hybrid"));
  const limit = LIMITS.get(row.id);
  return [
    ...peers.map(({ id, line }) => ratioTo(id, line.rounds)),
    ...(limit === undefined ? [] : [ratioTo("limit", own.line.rounds.map(() => limit))]),
  ];
}

/** Returns what ran where and when, in parts that belong together. */
export function sourceParts(
  all: readonly Results[],
  { hasKeys = true, hasRounds = true } = {},
): string[] {
  const each = (
    name: string,
    text: (results: Results) => string | number | undefined,
    unit = "",
  ) => {
    const found = [...new Set(all.flatMap((results) => text(results) ?? []))];
    return found.length === 0 ? [] : [`${name}${found.join(" / ")}${unit}`];
  };
  const rounds = [...new Set(all.flatMap(({ works }) => works.map(({ rounds }) => rounds.length)))]
    .sort((a, b) => a - b);
  return [
    daysOf(all),
    all.map(runtimeName).join(", "),
    ...each("lmdb ", ({ head: { versions } }) => versions.lmdb),
    ...each("SQLite ", ({ head: { versions } }) => versions.sqlite),
    ...each("classic-level ", ({ head: { versions } }) => versions["classic-level"]),
    ...each("@nxtedition/rocksdb ", ({ head: { versions } }) => versions.rocksdb),
    ...each("@deno/kv ", ({ head: { versions } }) => versions["deno-kv"]),
    ...each("", ({ head: { machine: { cpu, cores } } }) => `${cpu}, ${cores} cores`),
    ...each("fsync ", ({ head: { machine } }) => Number(machine.fsyncMs.toPrecision(2)), " ms"),
    ...(hasKeys
      ? each("", ({ head: { settings } }) => settings.keys.toLocaleString("en"), " keys")
      : []),
    "31-byte keys, 100-byte values",
    ...(hasKeys && hasRounds && rounds.length > 0
      ? [rounds.at(-1) === 1 ? "1 round" : `medians of ${rounds.join(" or ")} rounds`]
      : []),
  ];
}

/** The runtime with its name as it is written. */
export function runtimeName(
  { head: { runtime: { name, version } } }: Pick<Results, "head">,
): string {
  return `${name.charAt(0).toUpperCase()}${name.slice(1)} ${version}`;
}

/** The first and the last day on which something was measured. */
function daysOf(all: readonly Results[]): string {
  const days = all.flatMap(({ works, resources, growth }) =>
    [...works, ...resources, ...growth].map(({ date }) => date)
  ).sort();
  const [first, last] = [days[0] ?? "", days.at(-1) ?? ""];
  return first === last ? first : `${first} to ${last}`;
}
