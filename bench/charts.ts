/**
 * Draws the results of the comparison as SVG files.
 *
 *     npm run charts
 *     bun bench/charts.ts --results bench/results --out bench/charts
 *     deno run -A bench/charts.ts
 *
 * A chart for which there are no results is left out, and its file as it is.
 *
 * @module
 */

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { fileURLToPath } from "node:url";
import { CHARTS } from "./_charts/mod.ts";
import { requirePackages } from "./_packages.ts";
import { readResults, RUNTIMES } from "./_results.ts";

requirePackages();
const { renderSvg } = await import("./_charts/render.ts");

const here = (name: string) => fileURLToPath(new URL(name, import.meta.url));

const { values: { results: from, out } } = parseArgs({
  options: {
    results: { type: "string", default: here("results") },
    out: { type: "string", default: here("charts") },
  },
});

const found = RUNTIMES.flatMap((name) => readResults(join(from, `${name}.ndjson`)) ?? []);
if (found.length === 0) {
  console.error(`Cannot draw charts: no results in ${from}; npm run bench makes them`);
  process.exit(1);
}
mkdirSync(out, { recursive: true });
for (const [name, chart] of Object.entries(CHARTS)) {
  const spec = chart(found);
  if (spec === undefined) {
    console.log(`${name}: no results`);
    continue;
  }
  const path = join(out, `${name}.svg`);
  writeFileSync(path, await renderSvg(spec));
  console.log(path);
}
