/**
 * The kill campaign: kills processes that work on a store, in the runtime that runs this script, and
 * checks after each kill that nothing is lost that was acknowledged. Exits with 1 where anything is.
 *
 *     deno task crash
 *     deno task crash --kills 1000 --seed 7
 *     deno task crash --feed            # consumers of the change feed keep views meanwhile
 *     bun scripts/crash.ts
 *
 * @module
 */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { killCampaign } from "../tests/crash/_kill_campaign.ts";
import { Progress } from "./_progress.ts";

const { values } = parseArgs({
  options: {
    kills: { type: "string", default: "300" },
    seed: { type: "string" },
    feed: { type: "boolean", default: false },
  },
});
const kills = requireCount("--kills", values.kills);
const seed = values.seed === undefined
  ? Math.floor(Math.random() * 2 ** 32)
  : requireCount("--seed", values.seed);

const runtime = "bun" in process.versions ? "bun" : "deno";
console.log(`${kills} kills in ${runtime}, seed ${seed}`);
const directory = mkdtempSync(join(tmpdir(), "hybridstore-crash-"));
const progress = new Progress("kills", kills);
let hasFailed = true;
try {
  const report = await killCampaign(directory, seed, kills, {
    isFed: values.feed,
    onKill: ({ kills, acknowledged, losses }) => {
      progress.update(kills, `${acknowledged} acknowledged, ${losses} lost`);
    },
  });
  progress.stop();
  for (const fault of report.faults) console.log(fault);
  console.log(
    `kills                    ${report.kills}, ${report.killsInOpen} of them while opening\n` +
      `acknowledged operations  ${report.acknowledged}\n` +
      (values.feed ? `changes shown            ${report.shown}\n` : "") +
      `losses                   ${report.losses}\n` +
      `other faults             ${report.faults.length}`,
  );
  hasFailed = report.losses > 0 || report.faults.length > 0;
} finally {
  progress.stop();
  // What a failure left is the evidence.
  if (hasFailed) console.log(`The store is in ${directory}`);
  else rmSync(directory, { recursive: true, force: true });
}
process.exit(hasFailed ? 1 : 0);

function requireCount(name: string, value: string): number {
  const count = Number(value);
  if (Number.isInteger(count) && count >= 0) return count;
  throw new RangeError(`Cannot run campaign: ${name} is ${value}, not a whole number`);
}
