/** Results as the rows that a chart draws, in the words that it shows.
 *
 * @module
 */

import { arrowOf, type Guarantee } from "../_contestants.ts";
import { type Finding, findingsOf, type Reached, runtimeName } from "../_findings.ts";
import { labelOf } from "../_labels.ts";
import type { Results } from "../_results.ts";

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
  /** Whether HybridStore's write is on disk when the clock stops; true of reads. */
  readonly isDurable: boolean;
}

/** Contestants that differ in nothing but how durable they are are one series. lmdb's two are not: they have
 * other settings besides, and come to be equally durable where the clock runs until all is on disk. */
const SERIES_OF: Readonly<Record<string, string>> = {
  sqlite_full: "sqlite",
  sqlite_normal: "sqlite",
  level_sync: "level",
  rocksdb_sync: "rocksdb",
};

/** Returns the series that a contestant belongs to. */
export function seriesOf(id: string): string {
  return SERIES_OF[id] ?? id;
}

/** Returns the figures of some works, in the order of the works; those without results are left out. */
export function figuresOf(all: readonly Results[], ids: readonly string[]): Figure[] {
  const found = all.map((results) => ({
    runtime: runtimeName(results),
    findings: findingsOf(results),
  }));
  return ids.flatMap((id) =>
    found.flatMap(({ runtime, findings }) =>
      findings.filter(({ row }) => row.id === id).flatMap((finding) =>
        // No logarithmic axis has a place for nothing.
        finding.contestants.filter(({ median }) => median > 0).map((
          contestant,
        ) => figureOf(runtime, finding, contestant))
      )
    )
  );
}

/** Returns the ratios that have a bar, in the order of the works. */
export function ratiosOf(all: readonly Results[]): RatioRow[] {
  const found = all.flatMap((results) =>
    findingsOf(results).map((finding) => ({ runtime: runtimeName(results), finding }))
  );
  return [...new Set(found.map(({ finding }) => finding.row.id))].flatMap((id) =>
    found.filter(({ finding }) => finding.row.id === id).flatMap(({ runtime, finding }) =>
      finding.ratios.flatMap(({ peer, ratio, bar, isMet }): RatioRow[] => {
        if (bar === undefined) return [];
        return [{
          runtime,
          label: `${labelOf(finding.row)} vs ${peerName(finding, peer)}`,
          isDurable: isDurable(finding.contestants.find(({ id }) => id === "hybrid")!.guarantee),
          ratio,
          bar,
          verdict: isMet === false ? "below" : "reached",
          text: `${fewDigits(ratio)}×`,
        }];
      })
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

function figureOf(
  runtime: string,
  { row }: Finding,
  { id, median, guarantee }: Reached,
): Figure {
  return {
    runtime,
    label: labelOf(row),
    series: seriesOf(id),
    value: median,
    text: shortNumber(median),
    isOwn: id === "hybrid",
    isDurable: isDurable(guarantee),
  };
}

/** The name of a peer, with an arrow where it promises more than HybridStore, or less. */
function peerName({ contestants }: Finding, peer: string): string {
  const [own, other] = ["hybrid", peer].map((id) => contestants.find((one) => one.id === id));
  return other === undefined ? peer : `${other.name}${arrowOf(own!.guarantee, other.guarantee)}`;
}

function isDurable({ kind }: Guarantee): boolean {
  return kind !== "system";
}
