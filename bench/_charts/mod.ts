/** All charts.
 *
 * @module
 */

import type { TopLevelSpec } from "vega-lite";
import type { Results } from "../_results.ts";
import { growth } from "./growth.ts";
import { ratios } from "./ratios.ts";
import { resources } from "./resources.ts";
import { reads, writes, ycsb } from "./works.ts";

/** A chart of the results of one runtime or more; `undefined` where they have nothing to show in it. */
export type Chart = (all: readonly Results[]) => TopLevelSpec | undefined;

/** The charts by the names of their files. */
export const CHARTS: Readonly<Record<string, Chart>> = {
  writes,
  reads,
  ycsb,
  growth,
  resources,
  ratios,
};
