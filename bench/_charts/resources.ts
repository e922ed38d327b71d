/** The chart of what contestants take up on disk and in memory.
 *
 * @module
 */

import type { TopLevelSpec } from "vega-lite";
import { NO_STORE, RESOURCES } from "../_contestants.ts";
import { runtimeName } from "../_findings.ts";
import type { ResourceLine, Results } from "../_results.ts";
import { shortNumber } from "./rows.ts";
import { chart, INK, namesAxis, OWN, type Panel, PANELS_WIDTH, sourceNotes } from "./theme.ts";

const ROW_HEIGHT = 22;
const NAMES_WIDTH = 195;
const SPACING = 28;
const MEBIBYTE = 2 ** 20;
const PEER_COLOR = "#b4bcc4";

interface Measure {
  readonly title: string;
  /** `undefined` where the system does not count it. */
  of(result: ResourceLine): number | undefined;
}

const MEASURES: readonly Measure[] = [
  {
    title: "on disk, bytes per byte of data",
    of: ({ resources: id, diskBytes, dataBytes }) =>
      id === NO_STORE.id ? undefined : diskBytes / dataBytes,
  },
  {
    title: "written, bytes per byte of data",
    of: ({ resources: id, writtenBytes, dataBytes }) =>
      id === NO_STORE.id || writtenBytes === undefined ? undefined : writtenBytes / dataBytes,
  },
  {
    title: "peak memory, MiB",
    of: ({ peakRssBytes }) => peakRssBytes === undefined ? undefined : peakRssBytes / MEBIBYTE,
  },
];

/** What the contestants take up on disk and in memory. */
export function resources(all: readonly Results[]): TopLevelSpec | undefined {
  const shown = all.filter((results) => results.resources.length > 0);
  if (shown.length === 0) return undefined;
  return chart(
    "Disk and memory",
    ["Shorter is better. A burst of puts of all keys, then as many random gets, in a process of its own."],
    shown.map((results) => runtimePanel(results, all)),
    NAMES_WIDTH,
    [
      "Memory is that of the whole process, with the keys and values that it puts; the first row has nothing else.",
      ...sourceNotes(all, { hasRounds: false }),
    ],
  );
}

function runtimePanel(results: Results, all: readonly Results[]): Panel {
  return {
    title: {
      text: runtimeName(results),
      fontSize: 13,
      anchor: "start",
      offset: 10,
      frame: "bounds",
    },
    spacing: SPACING,
    bounds: "flush",
    hconcat: MEASURES.map((measure, i) => barPanel(results.resources, measure, i === 0, all)),
  };
}

function barPanel(
  found: readonly ResourceLine[],
  { title, of }: Measure,
  isFirst: boolean,
  all: readonly Results[],
): Panel {
  // Both runtimes have the same scale.
  const most = Math.max(0, ...all.flatMap(({ resources }) => resources.map((one) => of(one) ?? 0)));
  const rows = found.map((result) => ({
    name: nameOf(result),
    isOwn: result.resources.startsWith("hybrid"),
    value: of(result) ?? null,
    text: shortNumber(of(result) ?? 0),
  }));
  const isOwn = "indexof(datum.label, 'HybridStore') === 0";
  return {
    data: { values: rows },
    title: {
      text: title,
      fontSize: 12,
      fontWeight: "normal",
      anchor: "start",
      frame: "group",
      offset: 6,
    },
    width: (PANELS_WIDTH + 10) / MEASURES.length,
    height: { step: ROW_HEIGHT },
    encoding: {
      y: {
        field: "name",
        type: "nominal",
        sort: rows.map(({ name }) => name),
        axis: isFirst
          ? {
            ...namesAxis(NAMES_WIDTH),
            labelColor: { condition: { test: isOwn, value: OWN }, value: INK },
            labelFontWeight: { condition: { test: isOwn, value: "bold" }, value: "normal" },
          }
          : null,
      },
      x: {
        field: "value",
        type: "quantitative",
        // Room for the number of the longest bar.
        scale: { domain: [0, most * 1.25], nice: false },
        axis: null,
      },
    },
    layer: [
      {
        mark: { type: "bar", height: 14 },
        encoding: { color: { condition: { test: "datum.isOwn", value: OWN }, value: PEER_COLOR } },
      },
      {
        transform: [{ filter: "datum.value !== null" }],
        mark: { type: "text", align: "left", dx: 5, fontSize: 12, color: INK },
        encoding: { text: { field: "text", type: "nominal" } },
      },
    ],
  };
}

function nameOf({ resources: id }: ResourceLine): string {
  return id === NO_STORE.id ? "no store" : RESOURCES.find((one) => one.id === id)?.name ?? id;
}
