/** What all charts have in common: colours, marks, type, the notes below.
 *
 * @module
 */

import type { Config, TopLevelSpec } from "vega-lite";
import { sourceParts } from "../_findings.ts";
import type { Results } from "../_results.ts";

/** A part of a chart, beside or above others. */
export type Panel = Extract<TopLevelSpec, { vconcat: unknown }>["vconcat"][number];

export const INK = "#24292f";
export const OWN = "#0b57d0";
export const MISSED = "#c2410c";
const FAINT = "#57606a";
const GRID = "#e6e8eb";
const FONT =
  "-apple-system, BlinkMacSystemFont, 'Segoe UI', 'Noto Sans', Helvetica, Arial, sans-serif";
const LEGEND_COLUMNS = 5;
const NOTE_LINE = 16;
const NOTE_CHARACTERS = 135;
/** What the panels of one row share, names of rows and margins aside. */
export const PANELS_WIDTH = 600;

/** Strong colours are HybridStore's, muted ones its peers'. */
const SERIES = [
  { id: "hybrid", name: "HybridStore", color: OWN, shape: "circle" },
  { id: "hybrid_btree", name: "HybridStore, B-tree side", color: OWN, shape: "circle" },
  { id: "hybrid_append", name: "HybridStore, append side", color: "#3d9df5", shape: "circle" },
  { id: "lmdb_safe", name: "lmdb, safe", color: "#2f7560", shape: "square" },
  { id: "lmdb_default", name: "lmdb, default", color: "#6fbfa0", shape: "triangle-left" },
  { id: "sqlite", name: "SQLite", color: "#c08a2e", shape: "triangle-up" },
  { id: "sqlite_arrays", name: "SQLite, rows as arrays", color: "#c08a2e", shape: "triangle-down" },
  { id: "level", name: "classic-level", color: "#9a76b5", shape: "diamond" },
  { id: "rocksdb", name: "RocksDB", color: "#b4586c", shape: "triangle-right" },
  { id: "deno_kv", name: "Deno KV", color: "#7d858d", shape: "cross" },
] as const;

const CONFIG: Config = {
  background: "white",
  padding: 16,
  aria: false,
  font: FONT,
  view: { stroke: null },
  title: {
    anchor: "start",
    frame: "bounds",
    fontSize: 17,
    color: INK,
    subtitleFontSize: 12.5,
    subtitleColor: FAINT,
    subtitlePadding: 5,
    subtitleLineHeight: 17,
    offset: 14,
  },
  axis: {
    labelFontSize: 12,
    titleFontSize: 12,
    titleFontWeight: "normal",
    titlePadding: 8,
    labelColor: INK,
    titleColor: FAINT,
    gridColor: GRID,
    domainColor: GRID,
    tickColor: GRID,
    labelLimit: 400,
  },
  header: { labelFontSize: 13, labelFontWeight: "bold", labelColor: INK, title: null },
  legend: {
    orient: "top",
    direction: "horizontal",
    labelFontSize: 12,
    labelColor: INK,
    labelLimit: 300,
    symbolSize: 100,
    columnPadding: 18,
    title: null,
    offset: 12,
    columns: LEGEND_COLUMNS,
  },
};

/** The colour and the mark of each series that there is; the legend names them in this order. */
export function seriesScales(ids: Iterable<string>) {
  const present = new Set(ids);
  const shown = SERIES.filter(({ id }) => present.has(id));
  const domain = shown.map(({ id }) => id);
  return {
    color: { domain, range: shown.map(({ color }) => color) },
    shape: { domain, range: shown.map(({ shape }) => shape) },
  };
}

/** What turns a series into its name, in the language of Vega. */
export const SERIES_LABEL = `${
  JSON.stringify(Object.fromEntries(SERIES.map(({ id, name }) => [id, name])))
}[datum.label]`;

/** The names of rows, in a column of a fixed width: how wide text is depends on who looks at it. */
export function namesAxis(width: number) {
  return {
    minExtent: width,
    maxExtent: width,
    domain: false,
    ticks: false,
    labelPadding: 10,
    title: null,
  };
}

/** A row of each label that is drawn over the columns of its runtimes. */
interface Labelled {
  readonly label: string;
  readonly runtime: string;
}

/** Measures of a panel of labelled rows. */
interface RowSizes {
  /** What the columns of all runtimes share. */
  readonly width: number;
  readonly rowHeight: number;
  readonly namesWidth: number;
}

type Layer = Extract<Extract<Panel, { facet: unknown }>["spec"], { layer: unknown }>["layer"];

/** A panel with a row for each label and a column for each runtime, in the order in which they come.
 *
 * @param drawn The same rows in the order in which they are drawn: the last lies on top.
 */
export function rowsByRuntime<Row extends Labelled>(
  rows: readonly Row[],
  { width, rowHeight, namesWidth }: RowSizes,
  layer: Layer,
  drawn: readonly Row[] = rows,
): Panel {
  const labels = [...new Set(rows.map(({ label }) => label))];
  const runtimes = [...new Set(rows.map(({ runtime }) => runtime))];
  return {
    data: { values: [...drawn] },
    facet: { column: { field: "runtime", type: "nominal", sort: runtimes, title: null } },
    spec: {
      width: width / runtimes.length,
      height: { step: rowHeight },
      encoding: {
        y: { field: "label", type: "nominal", sort: labels, axis: namesAxis(namesWidth) },
      },
      layer,
    },
  };
}

/** A whole chart: title, what it shows, panels, notes.
 *
 * @param inset How far the left edge is from the panels'.
 */
export function chart(
  title: string,
  subtitle: string[],
  panels: readonly Panel[],
  inset: number,
  notes: readonly string[],
): TopLevelSpec {
  return {
    title: { text: title, subtitle },
    config: CONFIG,
    spacing: 22,
    vconcat: [...panels, footnote(notes.flatMap(wrapped), inset)],
  };
}

/** What ran where and when, as {@linkcode sourceParts} has it. */
export function sourceNotes(
  all: readonly Results[],
  options: Parameters<typeof sourceParts>[1] = {},
): string[] {
  // A part is not torn apart at the end of a line.
  const parts = sourceParts(all, options).map((part) => part.replaceAll(" ", "\u00a0"));
  return [parts.join("\u00a0· ")];
}

/** Nothing wraps text in an SVG. */
function wrapped(text: string): string[] {
  const lines = [""];
  for (const word of text.split(" ")) {
    const line = `${lines.at(-1)} ${word}`.trimStart();
    if (line.length > NOTE_CHARACTERS) lines.push(word);
    else lines[lines.length - 1] = line;
  }
  return lines;
}

function footnote(lines: readonly string[], inset: number): Panel {
  return {
    data: { values: [{}] },
    width: 1,
    height: lines.length * NOTE_LINE,
    mark: {
      type: "text",
      align: "left",
      baseline: "top",
      fontSize: 11.5,
      lineHeight: NOTE_LINE,
      color: FAINT,
      text: [...lines],
    },
    encoding: { x: { value: -inset }, y: { value: 0 } },
  };
}
