/** The chart of HybridStore's ratios to its peers, and of their targets.
 *
 * @module
 */

import type { TopLevelSpec } from "vega-lite";
import type { Results } from "../_results.ts";
import { type RatioRow, ratiosOf } from "./rows.ts";
import { logScale } from "./scale.ts";
import { chart, INK, MISSED, OWN, type Panel, rowsByRuntime, sourceNotes } from "./theme.ts";

const ROW_HEIGHT = 26;
const NAMES_WIDTH = 355;
const WIDTH = 480;
/** How much further the axis goes, so that numbers beside the dots are within it. */
const TEXT_ROOM = 3.6;

const VERDICTS = {
  domain: ["reached", "below"],
  color: [OWN, MISSED],
  shape: ["circle", "diamond"],
};

/** How many times better HybridStore is than its peers, and than it has to be. */
export function ratios(all: readonly Results[]): TopLevelSpec | undefined {
  const rows = ratiosOf(all);
  if (rows.length === 0) return undefined;
  const reached = rows.filter(({ verdict }) => verdict === "reached").length;
  return chart(
    "HybridStore's ratio to its peers",
    [
      "How many times faster HybridStore is, in the same run. Black line: the least that it has to be.",
      `${reached} of ${rows.length} are reached.`,
      "Filled: HybridStore's write is on disk when the clock stops. Hollow: acknowledged before it is on disk.",
    ],
    [ratioPanel(rows)],
    NAMES_WIDTH,
    [
      "↑: the peer's write is on disk by then, and HybridStore's not yet. ↓: the other way round. No arrow: the same.",
      "The stall of the event loop is compared with a limit: how many times below it.",
      ...sourceNotes(all),
    ],
  );
}

function ratioPanel(rows: readonly RatioRow[]): Panel {
  const { scale, ticks } = logScale(
    rows.flatMap(({ ratio, bar }) => [ratio / TEXT_ROOM, ratio * TEXT_ROOM, bar]),
  );
  const x = { type: "quantitative", scale } as const;
  const verdict = { field: "verdict", type: "nominal" } as const;
  const { domain } = VERDICTS;
  const color = { domain, range: VERDICTS.color };
  const legend = { labelExpr: "datum.label === 'below' ? 'below its line' : 'reached'" };
  return rowsByRuntime(
    rows,
    { width: WIDTH, rowHeight: ROW_HEIGHT, namesWidth: NAMES_WIDTH },
    [
      {
        mark: { type: "rule", color: "#d0d4d9", strokeWidth: 1.5 },
        encoding: {
          x: {
            ...x,
            field: "bar",
            axis: {
              values: ticks,
              labelExpr: "datum.value + '×'",
              title: "times faster, logarithmic",
            },
          },
          x2: { field: "ratio" },
        },
      },
      {
        mark: { type: "tick", thickness: 2.5, size: 18, color: INK, opacity: 1 },
        encoding: { x: { ...x, field: "bar" } },
      },
      {
        mark: { type: "point", size: 100, strokeWidth: 2, opacity: 1 },
        encoding: {
          x: { ...x, field: "ratio" },
          stroke: { ...verdict, scale: color, legend },
          shape: { ...verdict, scale: { domain, range: VERDICTS.shape }, legend },
          fill: {
            condition: { test: "!datum.isDurable", value: "white" },
            ...verdict,
            scale: color,
            legend,
          },
        },
      },
      // On the side where the line is not.
      ...(["reached", "below"] as const).map((side) => ({
        transform: [{ filter: `datum.verdict === '${side}'` }],
        mark: {
          type: "text" as const,
          align: side === "reached" ? "left" as const : "right" as const,
          dx: side === "reached" ? 9 : -9,
          fontSize: 12,
          fontWeight: "bold" as const,
          color: side === "reached" ? OWN : MISSED,
        },
        encoding: {
          x: { ...x, field: "ratio" },
          text: { field: "text", type: "nominal" as const },
        },
      })),
    ],
  );
}
