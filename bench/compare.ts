/**
 * HybridStore beside its peers: the same work with the same data in the same run, contestants in turn,
 * in the runtime that runs this script.
 *
 *     npm run bench                                   # both runtimes
 *     bun bench/compare.ts --quick
 *     deno run -A --unstable-kv bench/compare.ts --only put,get_sync_append
 *
 * @module
 */

import { join } from "node:path";
import process from "node:process";
import { Progress } from "../scripts/_progress.ts";
import { HELP, readCommandLine } from "./_command_line.ts";
import { findingsOf } from "./_findings.ts";
import { growthSteps, measureGrowth } from "./_growth.ts";
import { machineInfo, runtimeInfo, versions } from "./_machine.ts";
import { formatBars, formatGrowth, formatHead, formatResources, formatWork } from "./_report.ts";
import { measureResources, RESOURCE_STEPS } from "./_resources.ts";
import {
  FORMAT,
  type Head,
  mergeResults,
  readResults,
  requireMergeable,
  type Results,
  writeResults,
} from "./_results.ts";
import { formatSummary } from "./_summary.ts";
import { Runner } from "./_runner.ts";
import { OPENERS } from "./peers/mod.ts";
import { WORKS } from "./works/mod.ts";

const options = readCommandLine(
  process.argv.slice(2),
  WORKS.flatMap(({ rows, group }) => [group, ...rows.map(({ id }) => id)]),
);
if (options.help) {
  console.log(HELP);
  process.exit();
}
const { settings, isWanted } = options;

const runtime = runtimeInfo();
const head: Head = {
  format: FORMAT,
  runtime,
  versions: versions(OPENERS),
  machine: machineInfo(),
  settings: { keys: settings.keys, trialMs: settings.trialMs },
};
const results: Results = { head, works: [], resources: [], growth: [] };
const path = join(options.out, `${runtime.name}.ndjson`);
if (options.isSaved) requireMergeable(path, head);
/** Saved after each work, so that a run that is interrupted is not lost. */
const save = () => {
  if (!options.isSaved) return;
  writeResults(path, mergeResults(readResults(path), results));
};

console.log(`${formatHead(head, settings)}\n`);
const works = WORKS.filter(({ rows, group }) =>
  isWanted(group) || rows.some(({ id }) => isWanted(id))
);
const runner = new Runner(settings, (work, contestant) => step(`${work}, ${contestant}`));
let progress: Progress | undefined;
let total = works.reduce((sum, work) => sum + runner.trialsOf(work), 0);
if (isWanted("resources")) total += RESOURCE_STEPS;
if (isWanted("growth")) total += growthSteps(settings.quick);
let done = 0;

function step(note: string): void {
  progress ??= new Progress("trials", total);
  progress.update(done++, note);
}

/** The bar goes while there is something to say, and comes again with the next step. */
function print(text: string): void {
  progress?.stop();
  progress = undefined;
  console.log(`${text}\n`);
}

try {
  for (const [index, work] of works.entries()) {
    const lines = await runner.run(work, works.slice(index + 1));
    for (const [i, finding] of findingsOf({ head, works: lines }, [work]).entries()) {
      // Ratios of one short round would say nothing.
      const shown = settings.quick ? { ...finding, ratios: [] } : finding;
      print(formatWork(shown, i === 0 ? works[index - 1]?.note : work.note));
    }
    results.works.push(...lines);
    save();
  }
  if (isWanted("resources")) {
    results.resources = measureResources(settings.keys, step);
    print(formatResources(results.resources));
    save();
  }
  if (isWanted("growth")) {
    results.growth = await measureGrowth(settings.quick, step);
    print(formatGrowth(results.growth));
    save();
  }
} finally {
  progress?.stop();
  await runner.close();
}
if (results.works.length > 0) {
  const findings = findingsOf(results);
  console.log(settings.quick ? formatSummary(findings, settings) : formatBars(findings));
}
if (options.isSaved) console.log(`Written to ${path}`);
