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
const WIDTH = PANELS_WIDTH + 66;
const MEBIBYTE = 2 ** 20;
const PEER_COLOR = "#b4bcc4";
/** A bar that is so many times longer than the next one is cut, since it would flatten the others. */
const LONGER_MAX = 3;

interface Measure {
  readonly title: readonly string[];
  /** `undefined` where the system does not count it. */
  of(result: ResourceLine): number | undefined;
}

const MEASURES: readonly Measure[] = [
  {
    title: ["on disk,", "bytes per byte of data"],
    of: ({ resources: id, diskBytes, dataBytes }) =>
      id === NO_STORE.id ? undefined : diskBytes / dataBytes,
  },
  {
    title: ["written,", "bytes per byte of data"],
    of: ({ resources: id, writtenBytes, dataBytes }) =>
      id === NO_STORE.id || writtenBytes === undefined ? undefined : writtenBytes / dataBytes,
  },
  {
    title: ["memory of the burst,", "MiB over the data"],
    of: ({ burstRssBytes }) => burstRssBytes === undefined ? undefined : burstRssBytes / MEBIBYTE,
  },
  {
    title: ["peak memory,", "MiB"],
    of: ({ peakRssBytes }) => peakRssBytes === undefined ? undefined : peakRssBytes / MEBIBYTE,
  },
];

/** What the contestants take up on disk and in memory. */
export function resources(all: readonly Results[]): TopLevelSpec | undefined {
  const shown = all.filter((results) => results.resources.length > 0);
  if (shown.length === 0) return undefined;
  const measured = MEASURES.map((measure) => ({ measure, ...scaleOf(measure, all) }))
    .filter(({ end }) => end > 0);
  return chart(
    "Disk and memory",
    ["Shorter is better. A burst of puts of all keys, then as many random gets, in a process of its own."],
    shown.map((results) => runtimePanel(results, measured)),
    NAMES_WIDTH,
    [
      "Peak memory is that of the whole process, with the keys and values that it puts; the first row has nothing else. " +
      "The pages of lmdb's mapped file count as memory.",
      ...(measured.some(({ isCut }) => isCut)
        ? ["→: the bar is longer than there is room for; the number says how much."]
        : []),
      ...sourceNotes(all, { hasRounds: false }),
    ],
  );
}

/** A measure, and how far its axis goes in both runtimes. */
interface Scaled {
  readonly measure: Measure;
  readonly end: number;
  /** Whether some bar is longer than that. */
  readonly isCut: boolean;
}

/** Leaves out of the axis what is several times longer than the longest of the other contestants. */
function scaleOf({ of }: Measure, all: readonly Results[]): Omit<Scaled, "measure"> {
  const longest = new Map<string, number>();
  for (const line of all.flatMap(({ resources }) => resources)) {
    longest.set(line.resources, Math.max(longest.get(line.resources) ?? 0, of(line) ?? 0));
  }
  const lengths = [...longest.values()].sort((a, b) => b - a);
  const [first = 0, second = 0] = lengths;
  const isCut = second > 0 && first > LONGER_MAX * second;
  return { end: isCut ? LONGER_MAX * second / 2 : first, isCut };
}

function runtimePanel(results: Results, measured: readonly Scaled[]): Panel {
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
    hconcat: measured.map((scaled, i) =>
      barPanel(results.resources, scaled, i === 0, (WIDTH + SPACING) / measured.length - SPACING)
    ),
  };
}

function barPanel(
  found: readonly ResourceLine[],
  { measure: { title, of }, end }: Scaled,
  isFirst: boolean,
  width: number,
): Panel {
  const rows = found.map((result) => {
    const value = of(result);
    return {
      name: nameOf(result),
      isOwn: result.resources.startsWith("hybrid"),
      value: value === undefined ? null : Math.min(value, end),
      text: `${shortNumber(value ?? 0)}${value !== undefined && value > end ? " →" : ""}`,
    };
  });
  const isOwn = "indexof(datum.label, 'HybridStore') === 0";
  return {
    data: { values: rows },
    title: {
      text: [...title],
      fontSize: 12,
      fontWeight: "normal",
      anchor: "start",
      frame: "group",
      offset: 6,
    },
    width,
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
        // Both runtimes have the same scale, with room for the number of the longest bar.
        scale: { domain: [0, end * 1.4], nice: false },
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
