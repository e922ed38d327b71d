/** The tables of figures in README.md and bench/README.md, from the results of all runtimes.
 *
 * @module
 */

import { arrowOf, type Guarantee } from "./_contestants.ts";
import { type Finding, findingsOf, type Reached, runtimeName, sourceParts } from "./_findings.ts";
import { labelOf } from "./_labels.ts";
import { type Column, paragraphOf, tableOf, withPart } from "./_markdown.ts";
import type { Results } from "./_results.ts";
import type { Row, Work } from "./works/mod.ts";

/** The works that README shows, in its order. The others differ from them in their data or their side. */
export const SHOWN: readonly string[] = [
  "put_sequential_append",
  "put_sequential_btree_durable",
  "put_64_callers_durable_append",
  "put_64_callers_durable_btree",
  "put_snapshot_append",
  "put_snapshot_btree_durable",
  "batch_100_both",
  "burst_acknowledged",
  "burst_in_engines",
  "burst_stall",
  "fetch_add_sequential",
  "get_sync_append_uncached",
  "get_sync_append_cached",
  "get_sync_btree_uncached",
  "get_sync_btree_cached",
  "scan_prefix_append",
  "scan_prefix_btree",
  "ycsb_a",
  "ycsb_b",
  "open_replay",
];

/** Names of the groups of works, as headings. */
const GROUPS: Readonly<Record<string, string>> = {
  put: "Puts",
  snapshot: "Snapshots",
  batch: "Batches",
  delete: "Deletes",
  burst: "Bursts",
  stall: "Stalls of the event loop",
  counter: "Counters and numbers",
  open: "Opening",
  get: "Gets",
  scan: "Scans",
  ycsb: "YCSB",
};

/** A row of the results in all runtimes, by the place of the runtime. */
interface Compared {
  readonly row: Row;
  readonly work: Work;
  readonly own: Pair;
  /** Those of the same guarantee first, in the order of the code. */
  readonly peers: readonly Pair[];
}

/** A contestant, and in each runtime what it reached and how many times better HybridStore is. */
interface Pair {
  readonly id: string;
  readonly name: string;
  readonly guarantee: Guarantee;
  readonly figures: readonly (number | undefined)[];
  readonly ratios: readonly (number | undefined)[];
}

/** Returns README.md with its tables of figures. */
export function withSpeedTables(document: string, all: readonly Results[]): string {
  const found = compare(all);
  return withPart(
    withPart(document, "speed", speedTable(found, all)),
    "faster",
    fasterTable(found, all),
  );
}

/** Returns bench/README.md with the table of all works. */
export function withAllWorks(document: string, all: readonly Results[]): string {
  return withPart(document, "works", allWorks(compare(all), all));
}

/** Some works, each with the fastest peer of the same guarantee, then with the fastest of the others. */
function speedTable(found: readonly Compared[], all: readonly Results[]): string {
  const columns: Column[] = [
    { title: "work" },
    { title: "HybridStore: on disk" },
    ...runtimeColumns(all),
    { title: "peer" },
    { title: "peer: on disk" },
    ...ratioColumns(all),
  ];
  const shown = SHOWN.flatMap((id) => found.filter(({ row }) => row.id === id));
  const rows = shown.flatMap(({ row, own, peers }) => {
    const isSame = ({ guarantee }: Pair) => guarantee.kind === own.guarantee.kind;
    const fastest = [
      fastestOf(peers.filter(isSame)),
      fastestOf(peers.filter((peer) => !isSame(peer))),
    ].filter((peer) => peer !== undefined);
    const figures = own.figures.map((figure) => figureText(row, figure));
    return fastest.map((peer, i) => [
      ...(i === 0
        ? [labelOf(row), own.guarantee.onDisk, ...figures]
        : ["", "", ...figures.map(() => "")]),
      peer.name,
      peer.guarantee.onDisk,
      ...peer.ratios.map((ratio) => ratioText(ratio, "bold where below 1")),
    ]);
  });
  return `${paragraphOf(sourceParts(all).join(" · "))}\n\n${tableOf(columns, rows)}`;
}

/** All works in which a peer is faster in some runtime, with all of these peers: the furthest first. */
function fasterTable(found: readonly Compared[], all: readonly Results[]): string {
  const columns = [{ title: "work" }, ...all.map((results) => ({ title: runtimeName(results) }))];
  const rows = found
    .map((compared) => ({ compared, least: Math.min(...compared.peers.map(leastRatio)) }))
    .filter(({ least }) => least < 1)
    .sort((a, b) => a.least - b.least)
    .map(({ compared: { row, own, peers } }) => [
      row.title,
      ...all.map((_, runtime) =>
        peers.filter(({ ratios }) => (ratios[runtime] ?? 1) < 1)
          .sort((a, b) => a.ratios[runtime]! - b.ratios[runtime]!)
          .map((peer) =>
            `${peer.name}${arrowOf(own.guarantee, peer.guarantee)} ${
              ratioText(peer.ratios[runtime], "plain")
            }`
          )
          .join(" · ")
      ),
    ]);
  return tableOf(columns, rows);
}

/** All works with all contestants, a table for each group. */
function allWorks(found: readonly Compared[], all: readonly Results[]): string {
  const columns: Column[] = [
    { title: "work" },
    { title: "store" },
    { title: "on disk when the clock stops" },
    ...runtimeColumns(all),
    ...ratioColumns(all),
  ];
  const parts = [...new Set(found.map(({ work }) => work.group))].flatMap((group) => {
    const ofGroup = found.filter(({ work }) => work.group === group);
    const rows = ofGroup.flatMap(({ row, own, peers }) =>
      [own, ...peers].map(({ name, guarantee, figures, ratios }, i) => [
        i === 0 ? row.title : "",
        name,
        guarantee.onDisk,
        ...figures.map((figure) => figureText(row, figure)),
        ...ratios.map((ratio) => ratioText(ratio, "bold where below 1")),
      ])
    );
    const notes = [...new Set(ofGroup.flatMap(({ work: { note } }) => note ?? []))];
    return [`## ${GROUPS[group] ?? group}`, tableOf(columns, rows), ...notes.map(paragraphOf)];
  });
  return [paragraphOf(sourceParts(all).join(" · ")), ...parts].join("\n\n");
}

function compare(all: readonly Results[]): Compared[] {
  const found = all.map((results) => findingsOf(results));
  const rows = new Map(found.flat().map(({ row, work }) => [row, work]));
  const ordered = [...rows].sort(([, a], [, b]) => placeOf(a) - placeOf(b));
  return ordered.flatMap(([row, work]): Compared[] => {
    const findings = found.map((some) => some.find((finding) => finding.row === row));
    const pairs = work.entries.flatMap(({ id }) => pairOf(id, findings) ?? []);
    const own = pairs.find(({ id }) => id === "hybrid");
    if (own === undefined) return [];
    const isOther = ({ guarantee }: Pair) => Number(guarantee.kind !== own.guarantee.kind);
    const peers = pairs.filter((pair) => pair !== own).sort((a, b) => isOther(a) - isOther(b));
    return [{ row, work, own, peers }];
  });
}

/** Groups come in the order of their names, and works of a group as they run. */
function placeOf({ group }: Work): number {
  return Object.keys(GROUPS).indexOf(group);
}

function pairOf(id: string, findings: readonly (Finding | undefined)[]): Pair | undefined {
  const reached = findings.map((finding) => finding?.contestants.find((one) => one.id === id));
  const some: Reached | undefined = reached.find((one) => one !== undefined);
  return some && {
    id,
    name: some.name,
    guarantee: some.guarantee,
    figures: reached.map((one) => one?.median),
    ratios: findings.map((finding) => finding?.ratios.find(({ peer }) => peer === id)?.ratio),
  };
}

function fastestOf(peers: readonly Pair[]): Pair | undefined {
  return peers.filter((peer) => Number.isFinite(leastRatio(peer)))
    .sort((a, b) => leastRatio(a) - leastRatio(b))[0];
}

/** The lowest ratio to a peer in any runtime; infinite where there is none. */
function leastRatio({ ratios }: Pair): number {
  return Math.min(...ratios.filter((ratio) => ratio !== undefined));
}

function runtimeColumns(all: readonly Results[]): Column[] {
  return all.map((results) => ({ title: shortName(results), isNumber: true }));
}

function ratioColumns(all: readonly Results[]): Column[] {
  return all.map((results) => ({ title: `ratio, ${shortName(results)}`, isNumber: true }));
}

function shortName(results: Results): string {
  return runtimeName(results).split(" ")[0]!;
}

/** Returns a figure with its unit, nothing where there is none. */
export function figureText({ unit }: Row, figure: number | undefined): string {
  if (figure === undefined) return "";
  const number = figure.toLocaleString("en", { maximumSignificantDigits: figure < 1000 ? 3 : 4 });
  return unit === "ms" ? `${number} ms` : `${number}${unit === "rows/s" ? " rows/s" : "/s"}`;
}

function ratioText(ratio: number | undefined, style: "plain" | "bold where below 1"): string {
  if (ratio === undefined) return "";
  const digits = ratio >= 10 ? 0 : ratio >= 0.995 && ratio < 1 ? 3 : 2;
  const text = ratio < 0.1 ? `${Number(ratio.toPrecision(1))}×` : `${ratio.toFixed(digits)}×`;
  return style !== "plain" && ratio < 1 ? `**${text}**` : text;
}
