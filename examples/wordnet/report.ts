/** What the job did and what it left, in tables.
 *
 * @module
 */

import { readdirSync, statSync } from "node:fs";
import { join } from "@std/path";
import type { Census } from "./census.ts";
import { formatBytes, formatCount, formatSeconds, formatTable } from "./format.ts";
import type { PhaseReport } from "./job.ts";

const CONTENTS: Record<string, string> = {
  "H:": "assertions",
  "VC:": "vote counts",
  "VW:": "vote weights",
  "META:": "cursor, count, progress",
  "S:": "subjects",
  "SP:": "subjects by predicate",
  "MV:": "views of words",
};

/** Prints what the phases of this run did, and how fast. */
export function reportPhases(phases: readonly PhaseReport[], width: number): void {
  const rows = phases.flatMap(({ phase, ms, work }) => {
    const time = formatSeconds(ms);
    const rates = work.map(([count, noun]) => [
      formatCount(count),
      noun,
      `${formatCount(count / ms * 1000)}/s`,
    ]);
    const [first = [], ...rest] = rates;
    return [[phase, time, ...first], ...rest.map((rate) => ["", "", ...rate])];
  });
  const total = phases.reduce((sum, { ms }) => sum + ms, 0);
  rows.push(["total", formatSeconds(total)]);
  console.log("\nFilling the store");
  console.log(formatTable(rows, "lrrlr", width).join("\n"));
}

/** Prints the keys per tag and per engine. */
export function reportKeys({ tags }: Census, width: number): void {
  console.log("\nKeys");
  const rows: string[][] = [];
  for (const engine of [...new Set(tags.map(({ engine }) => engine))].sort()) {
    const some = tags.filter((tag) => tag.engine === engine).sort((a, b) => b.keys - a.keys);
    for (const { tag, keys } of some) {
      rows.push([engine, tag, formatCount(keys), CONTENTS[tag] ?? ""]);
    }
    const sum = some.reduce((keys, tag) => keys + tag.keys, 0);
    rows.push([engine, "all", formatCount(sum)]);
  }
  console.log(formatTable(rows, "llrl", width).join("\n"));
}

/** Prints the bytes of the store's parts, and of the journal that the statements came through. */
export function reportDisk(directory: string, width: number): void {
  const rows = ["append", "btree", "journal", "ingest"].map((part) => ({
    part,
    bytes: sizeOf(join(directory, part)),
  }));
  rows.push({ part: "all", bytes: rows.reduce((sum, { bytes }) => sum + bytes, 0) });
  console.log("\nOn disk");
  const cells = rows.map(({ part, bytes }) => [part, formatBytes(bytes)]);
  console.log(formatTable(cells, "lr", width).join("\n"));
}

function sizeOf(directory: string): number {
  let bytes = 0;
  for (const name of readdirSync(directory)) bytes += statSync(join(directory, name)).size;
  return bytes;
}
