/** The chart of costs by the size of the store.
 *
 * @module
 */

import type { TopLevelSpec } from "vega-lite";
import { runtimeName } from "../_findings.ts";
import type { Results } from "../_results.ts";
import { seriesOf } from "./rows.ts";
import { logScale } from "./scale.ts";
import {
  chart,
  namesAxis,
  type Panel,
  PANELS_WIDTH,
  SERIES_LABEL,
  seriesScales,
  sourceNotes,
} from "./theme.ts";

const TITLES: Readonly<Record<string, string>> = {
  put: "put, in a burst",
  get: "get, random keys",
  "scan row": "scan, per row",
};
const WIDTH = PANELS_WIDTH + 150;
const HEIGHT = 190;
const AXIS_WIDTH = 34;
/** What the title of the axis and the name of the runtime take. */
const MARGIN = 44;

interface Point {
  readonly runtime: string;
  readonly work: string;
  readonly series: string;
  readonly keys: number;
  readonly us: number;
  readonly isOwn: boolean;
}

/** How the cost of operations goes with the number of keys. */
export function growth(all: readonly Results[]): TopLevelSpec | undefined {
  const points = all.flatMap(pointsOf);
  if (points.length === 0) return undefined;
  return chart(
    "Cost by the size of the store",
    ["Lower is faster, and flat is what does not get slower as the store grows."],
    [growthPanel(points)],
    AXIS_WIDTH + MARGIN,
    [
      "put: un-awaited, until the keys that were added are in the engines. scan: of 200 rows from a random key on.",
      ...sourceNotes(all, { hasKeys: false }),
    ],
  );
}

function pointsOf(results: Results): Point[] {
  const runtime = runtimeName(results);
  return results.growth.flatMap(({ growth: id, of, points }) =>
    points.map(([keys, us]) => ({
      runtime,
      work: TITLES[of] ?? of,
      series: seriesOf(id),
      keys,
      us,
      isOwn: id.startsWith("hybrid"),
    }))
  );
}

function growthPanel(points: readonly Point[]): Panel {
  const keys = logScale(points.map((point) => point.keys));
  const us = logScale(points.map((point) => point.us));
  const works = [...new Set(points.map(({ work }) => work))];
  const runtimes = [...new Set(points.map(({ runtime }) => runtime))];
  const { color, shape } = seriesScales(points.map(({ series }) => series));
  const legend = { labelExpr: SERIES_LABEL } as const;
  const series = { field: "series", type: "nominal" } as const;
  return {
    // Lines are drawn in the order in which their series come.
    data: { values: points.toSorted((a, b) => Number(a.isOwn) - Number(b.isOwn)) },
    facet: {
      column: { field: "work", type: "nominal", sort: works, title: null },
      row: { field: "runtime", type: "nominal", sort: runtimes, title: null },
    },
    spacing: 18,
    spec: {
      width: WIDTH / works.length,
      height: HEIGHT,
      encoding: {
        x: {
          field: "keys",
          type: "quantitative",
          scale: keys.scale,
          axis: { values: keys.ticks, format: "~s", title: "keys in the store, logarithmic" },
        },
        y: {
          field: "us",
          type: "quantitative",
          scale: us.scale,
          axis: {
            ...namesAxis(AXIS_WIDTH),
            values: us.ticks,
            title: "µs per operation, logarithmic",
          },
        },
        color: { ...series, scale: color, legend },
      },
      layer: [
        {
          mark: { type: "line" },
          encoding: {
            detail: { field: "isOwn", type: "nominal" },
            strokeWidth: { condition: { test: "datum.isOwn", value: 3 }, value: 1.5 },
          },
        },
        {
          mark: { type: "point", filled: true, opacity: 1 },
          encoding: {
            shape: { ...series, scale: shape, legend },
            size: { condition: { test: "datum.isOwn", value: 80 }, value: 50 },
          },
        },
      ],
    },
  };
}
