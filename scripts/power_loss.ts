/**
 * The power-loss campaign: records the system calls of processes that work on a store, builds what a
 * power loss would have left of the disk at chosen moments, and checks that nothing is lost that was
 * acknowledged. Needs strace. Exits with 1 where anything is wrong.
 *
 *     deno task power-loss
 *     deno task power-loss --runtime bun --images 500 --seed 7 --scenario create --scenario replay
 *     deno task power-loss --check DIRECTORY        # looks at an image that was kept once more
 *     bun scripts/power_loss.ts
 *
 * @module
 */

import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { powerLossCampaign, type ScenarioReport, shareImages } from "../tests/power/_campaign.ts";
import { type Finding, VERDICTS } from "../tests/power/_check.ts";
import { Checkers } from "../tests/power/_checkers.ts";
import { whyNoTrace } from "../tests/power/_record.ts";
import type { Runtime } from "../tests/power/_runtime.ts";
import { SCENARIOS } from "../tests/power/_scenarios.ts";
import { Progress } from "./_progress.ts";

const { values } = parseArgs({
  options: {
    runtime: { type: "string", multiple: true, default: ["bun", "deno"] },
    images: { type: "string", default: "5000" },
    seed: { type: "string" },
    scenario: { type: "string", multiple: true },
    directory: { type: "string", default: tmpdir() },
    check: { type: "string" },
  },
});

if (values.check !== undefined) process.exit(await checkAgain(values.check));
process.exit(await campaign());

async function campaign(): Promise<number> {
  const reason = whyNoTrace();
  if (reason !== undefined) {
    console.log(`Skipped: ${reason}`);
    return 0;
  }
  const wanted = requireCount("--images", values.images);
  const seed = values.seed === undefined
    ? Math.floor(Math.random() * 2 ** 31)
    : requireCount("--seed", values.seed);
  const { scenario: named } = values;
  const unknown = named?.filter((name) => !SCENARIOS.some((scenario) => scenario.name === name));
  if (unknown !== undefined && unknown.length > 0) {
    const known = SCENARIOS.map(({ name }) => name).join(", ");
    throw new RangeError(`Cannot run campaign: there is no scenario ${unknown}, only ${known}`);
  }
  const scenarios = SCENARIOS.filter(({ name }) => named?.includes(name) ?? true);
  const images = shareImages(wanted, scenarios).reduce((sum, count) => sum + count, 0);
  const directory = mkdtempSync(join(values.directory, "hybridstore-power-"));
  const keep = join(directory, "kept");
  mkdirSync(keep);
  let hasFailed = false;
  for (const runtime of values.runtime as Runtime[]) {
    console.log(`${images} images in ${runtime}, seed ${seed}`);
    const progress = new Progress("images", images);
    let done = 0;
    let bad = 0;
    const onImage = (scenario: string, { verdict }: Finding) => {
      if (verdict !== "good") bad++;
      progress.update(++done, `${scenario}, ${bad} bad`);
    };
    try {
      const options = { runtime, seed, images: wanted, scenarios, directory, keep, onImage };
      const reports = await powerLossCampaign(options);
      progress.stop();
      print(reports);
      if (!reports.every(({ isAsExpected }) => isAsExpected)) hasFailed = true;
    } finally {
      progress.stop();
      rmSync(join(directory, runtime), { recursive: true, force: true });
    }
  }
  // What a failure left is the evidence.
  if (hasFailed) console.log(`Failed images, and traces, are in ${keep}`);
  else rmSync(directory, { recursive: true });
  return hasFailed ? 1 : 0;
}

function print(reports: readonly ScenarioReport[]): void {
  const widest = Math.max(...reports.map(({ scenario }) => scenario.length));
  const columns = ["runs", "images", ...VERDICTS, "faults"];
  const row = (name: string, cells: readonly (string | number)[], end: string) => {
    const padded = cells.map((cell, index) => `${cell}`.padStart(columns[index]!.length + 2));
    console.log(`${name.padEnd(widest)}${padded.join("")}  ${end}`.trimEnd());
  };
  for (const { messages, isAsExpected } of reports) {
    // What a control finds is as it should be.
    if (!isAsExpected) messages.forEach((message) => console.log(message));
  }
  row("", columns, "");
  for (const { scenario, runs, images, bad, faults, isAsExpected } of reports) {
    const counts = VERDICTS.map((verdict) => bad[verdict]);
    row(scenario, [runs, images, ...counts, faults], isAsExpected ? "" : "FAILED");
  }
}

/** Looks at a kept image, of which it makes a copy. */
async function checkAgain(directory: string): Promise<number> {
  const { runtime, assignment } = JSON.parse(readFileSync(join(directory, "image.json"), "utf8"));
  const scratch = mkdtempSync(join(values.directory, "hybridstore-power-"));
  try {
    const copy = join(scratch, "disk");
    cpSync(join(directory, "disk"), copy, { recursive: true });
    using checkers = new Checkers(runtime, 1);
    const { verdict, reason } = await checkers.check({ ...assignment, directory: copy });
    console.log(`${verdict}${reason === "" ? "" : `: ${reason}`}`);
    return verdict === "good" ? 0 : 1;
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

function requireCount(name: string, value: string): number {
  const count = Number(value);
  if (Number.isInteger(count) && count >= 0) return count;
  throw new RangeError(`Cannot run campaign: ${name} is ${value}, not a whole number`);
}
