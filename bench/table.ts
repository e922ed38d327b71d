/**
 * Writes the results of the comparison into the tables of README.md and bench/README.md. It needs no
 * package of the bench.
 *
 *     npm run bench:table
 *
 * @module
 */

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { readResults, RUNTIMES } from "./_results.ts";
import { withAllWorks, withSpeedTables } from "./_table.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

const all = RUNTIMES.flatMap((name) =>
  readResults(join(ROOT, "bench/results", `${name}.ndjson`)) ?? []
);
if (all.length === 0) {
  console.error("Cannot write tables: there are no results; npm run bench makes them");
  process.exit(1);
}
for (
  const [name, write] of [
    ["README.md", withSpeedTables],
    ["bench/README.md", withAllWorks],
  ] as const
) {
  const path = join(ROOT, name);
  writeFileSync(path, write(readFileSync(path, "utf8"), all));
  console.log(name);
}
