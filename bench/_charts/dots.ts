/** The panel of dots: a row for each work, a dot for each contestant.
 *
 * @module
 */

import type { Figure } from "./rows.ts";
import { logScale } from "./scale.ts";
import {
  OWN,
  type Panel,
  PANELS_WIDTH,
  rowsByRuntime,
  SERIES_LABEL,
  seriesScales,
} from "./theme.ts";

const ROW_HEIGHT = 34;
/** The width of the names of works. */
export const NAMES_WIDTH = 245;

/** Draws a row of dots for each work, a column for each runtime: one dot is one contestant.
 *
 * @param of All figures of the chart, so that panels agree on their legend.
 */
export function dotPanel(
  figures: readonly Figure[],
  unit: string,
  of: readonly Figure[] = figures,
): Panel {
  const { scale, ticks } = logScale(figures.map(({ value }) => value));
  const { color, shape } = seriesScales(of.map(({ series }) => series));
  const legend = { labelExpr: SERIES_LABEL, symbolFillColor: null } as const;
  const x = { field: "value", type: "quantitative" } as const;
  const ofOwn = { filter: "datum.isOwn" };
  return rowsByRuntime(
    figures,
    { width: PANELS_WIDTH, rowHeight: ROW_HEIGHT, namesWidth: NAMES_WIDTH },
    [
      {
        mark: { type: "rule", color: "#d0d4d9", strokeWidth: 1.5 },
        encoding: {
          x: {
            ...x,
            aggregate: "min",
            scale,
            axis: { values: ticks, format: "~s", title: `${unit}, logarithmic` },
          },
          x2: { field: "value", aggregate: "max" },
        },
      },
      {
        mark: { type: "point", strokeWidth: 1.8, opacity: 1 },
        encoding: {
          x,
          stroke: { field: "series", type: "nominal", scale: color, legend },
          shape: { field: "series", type: "nominal", scale: shape, legend },
          fill: {
            condition: { test: "!datum.isDurable", value: "white" },
            field: "series",
            type: "nominal",
            scale: color,
            legend,
          },
          size: {
            // A hollow mark is a ring around a filled one at the same place.
            condition: [
              { test: "datum.isOwn", value: 150 },
              { test: "!datum.isDurable", value: 110 },
            ],
            value: 65,
          },
        },
      },
      {
        transform: [ofOwn],
        mark: { type: "text", dy: -13, color: OWN, fontSize: 12, fontWeight: "bold" },
        encoding: { x, text: { field: "text", type: "nominal" } },
      },
    ],
    figures.toSorted((a, b) => rank(a) - rank(b)),
  );
}

function rank({ isOwn, isDurable }: Figure): number {
  return 2 * Number(isOwn) + Number(isDurable);
}
