/** The kill campaign: one directory, many lives, each ended by SIGKILL and followed by a check. */

import { cpSync, existsSync, rmSync } from "node:fs";
import { join } from "@std/path";
import { setTimeout as delay } from "node:timers/promises";
import type { OpenOptions } from "../../mod.ts";
import { Random } from "../support/random.ts";
import { checkStore, type Finding } from "./_kill_check.ts";
import { Mortal, type Testimony } from "./_kill_life.ts";

/** A life that gets nothing acknowledged ends all the same. */
const LIFE_MS_MAX = 3000;

/** What a campaign has done so far. */
export interface CampaignReport {
  kills: number;
  /** Kills before the store said that it was open. */
  killsInOpen: number;
  acknowledged: number;
  /** Changes that the feed showed. */
  shown: number;
  losses: number;
  /** What is wrong, with the number of the kill. */
  faults: string[];
}

/** Kills processes that work on a store in `directory`, until something is wrong.
 *
 * @param directory An existing directory that is empty.
 * @param options.isFed Whether consumers of the change feed keep views in the store.
 * @param options.onKill Told after each kill and its check. The report goes on changing.
 */
export async function killCampaign(
  directory: string,
  seed: number,
  kills: number,
  { isFed = false, onKill = () => {} }: {
    isFed?: boolean;
    onKill?: (report: CampaignReport) => void;
  } = {},
): Promise<CampaignReport> {
  const random = new Random(seed);
  const report: CampaignReport = {
    ...{ kills: 0, killsInOpen: 0, acknowledged: 0, shown: 0, losses: 0, faults: [] },
  };
  const store = join(directory, "store");
  let entries = new Map<string, string>();
  let from = 0;
  let testimony: Testimony | undefined;
  let next = new Mortal();
  try {
    while (report.kills < kills && report.faults.length === 0) {
      using mortal = next;
      const life = { directory: store, options: someOptions(random), seed, from, isFed };
      mortal.begin(life);
      await liveAndDie(mortal, random, isFed);
      testimony = await mortal.testimony(from, testimony);
      // Its runtime starts while the last one's store is checked.
      next = new Mortal();
      // A check in the directory itself leaves nothing to replay, which is to be interrupted too.
      // A process that was slow to begin has left nothing to copy.
      const copy = random.once(2) && existsSync(store) ? join(directory, "copy") : undefined;
      if (copy !== undefined) cpSync(store, copy, { recursive: true });
      const finding = await checkStore(copy ?? store, entries, life, testimony);
      if (copy !== undefined) rmSync(copy, { recursive: true });
      note(report, testimony, finding);
      entries = finding.entries;
      from = testimony.end;
      onKill(report);
    }
  } catch (error) {
    report.faults.push(`kill ${report.kills + 1}: ${error}`);
  } finally {
    next[Symbol.dispose]();
  }
  return report;
}

function note(report: CampaignReport, testimony: Testimony, { losses, faults }: Finding): void {
  report.kills++;
  if (!testimony.hasOpened) report.killsInOpen++;
  report.acknowledged += testimony.outcomes.size;
  report.shown = [...testimony.shown.values()].reduce((sum, { size }) => sum + size, 0);
  report.losses += losses;
  report.faults.push(...faults.map((fault) => `kill ${report.kills}: ${fault}`));
}

async function liveAndDie(mortal: Mortal, random: Random, isFed: boolean): Promise<void> {
  const kind = random.below(10);
  await mortal.hasSaid("o");
  if (kind < 3) {
    await delay(random.below(20));
  } else if (kind < 5) {
    await mortal.hasSaid("r");
    await delay(random.below(40));
  } else {
    const acknowledged = isFed && random.once(2)
      ? mortal.hasSaid("c", 1 + random.below(80))
      : mortal.hasSaid("a", 1 + random.below(400));
    await Promise.race([acknowledged, delay(LIFE_MS_MAX, undefined, { ref: false })]);
    await delay(random.below(4));
  }
  mortal.kill();
}

/** Options with which sealing, applying, rotating and trimming go on all the time, and some with which
 * much is left to replay.
 */
function someOptions(random: Random): OpenOptions {
  return {
    durability: random.pick(["hybrid", "always", "flush"] as const),
    syncIntervalMs: random.pick([1, 20, 1000]),
    memtableBytes: random.pick([300, 3000, 30_000, 1_000_000]),
    segmentBytes: random.pick([600, 6000, 60_000]),
    readCacheBytes: random.pick([0, 100_000]),
  };
}
