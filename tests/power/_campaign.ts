/** The power-loss campaign: scenario after scenario, until each has had its images. */

import { mkdirSync } from "node:fs";
import { join } from "@std/path";
import { Random } from "../support/random.ts";
import { type Finding, type Verdict, VERDICTS } from "./_check.ts";
import { Checkers } from "./_checkers.ts";
import type { Injection } from "./_record.ts";
import { type Bench, makeRun } from "./_run.ts";
import type { Runtime } from "./_runtime.ts";
import type { Scenario } from "./_scenarios.ts";

/** What came of a scenario. */
export interface ScenarioReport {
  readonly scenario: string;
  runs: number;
  images: number;
  readonly bad: Record<Verdict, number>;
  /** What must not happen in a process that is not dead. */
  faults: number;
  /** What is wrong, with the seed of the run. */
  readonly messages: string[];
  /** Whether it is as it should be: everything good, or, for a control, something bad. */
  isAsExpected: boolean;
}

/** What a campaign is to do. */
export interface CampaignOptions {
  readonly runtime: Runtime;
  readonly seed: number;
  readonly images: number;
  readonly scenarios: readonly Scenario[];
  /** An existing directory to work in. */
  readonly directory: string;
  /** An existing directory where failed images are kept, if they are. */
  readonly keep: string | undefined;
  /** Told of each image. */
  readonly onImage: (scenario: string, finding: Finding) => void;
}

const PARALLEL = 2;
const MESSAGES_MAX = 12;
const PROBE_IMAGES = 2;

/** Makes a campaign. Its report has all scenarios, in order. */
export async function powerLossCampaign(options: CampaignOptions): Promise<ScenarioReport[]> {
  const { runtime, seed, images, scenarios } = options;
  const directory = join(options.directory, runtime);
  mkdirSync(directory);
  using checkers = new Checkers(runtime, PARALLEL);
  const parts = shareImages(images, scenarios);
  const reports: ScenarioReport[] = [];
  for (const [index, scenario] of scenarios.entries()) {
    const { name } = scenario;
    const onImage = (finding: Finding) => options.onImage(name, finding);
    const keep = scenario.isControl ? undefined : options.keep;
    const bench = { runtime, directory, checkers, keep, onImage };
    reports.push(await runScenario(bench, scenario, new Random(seed + index), parts[index]!));
  }
  return reports;
}

/** Returns how many images each scenario gets. */
export function shareImages(images: number, scenarios: readonly Scenario[]): number[] {
  const shares = scenarios.reduce((sum, { share }) => sum + share, 0);
  return scenarios.map(({ share, least = 1 }) => {
    return Math.max(least, Math.ceil(images * share / shares));
  });
}

async function runScenario(
  bench: Bench,
  scenario: Scenario,
  random: Random,
  images: number,
): Promise<ScenarioReport> {
  const report: ScenarioReport = {
    ...{ scenario: scenario.name, runs: 0, images: 0, faults: 0, messages: [] },
    bad: Object.fromEntries(VERDICTS.map((verdict) => [verdict, 0])) as Record<Verdict, number>,
    isAsExpected: false,
  };
  const injections: Injection[] = [];
  while (report.images < images) {
    const injection = injections.pop();
    const plan = scenario.plan(random, injection);
    // Without an injection it is a run to count the calls of, and others have such images.
    const isProbe = scenario.injects !== undefined && injection === undefined;
    const count = Math.min(images - report.images, isProbe ? PROBE_IMAGES : scenario.images);
    const name = `${bench.runtime}-${scenario.name}-${plan.seed}`.replaceAll(/[^\w-]+/g, "_");
    const run = await makeRun(bench, plan, count, name);
    if (injections.length === 0) injections.push(...injectionsFor(scenario, run.calls, random));
    report.runs++;
    note(report, run, `${name}${injection === undefined ? "" : ` ${show(injection)}`}`);
  }
  const bad = VERDICTS.reduce((sum, verdict) => sum + report.bad[verdict], report.faults);
  report.isAsExpected = scenario.isControl ? bad > report.faults : bad === 0;
  return report;
}

function note(
  report: ScenarioReport,
  { results, faults, failures }: Awaited<ReturnType<typeof makeRun>>,
  name: string,
): void {
  const where = failures.length === 0 ? name : `${name} [${failures.join("; ")}]`;
  for (const { verdict, reason, loss, moment } of results) {
    report.images++;
    if (verdict === "good") continue;
    report.bad[verdict]++;
    say(`${where}, ${loss} at ${moment}: ${verdict}: ${reason}`);
  }
  for (const fault of faults) {
    report.faults++;
    say(`${where}: ${fault}`);
  }

  function say(message: string): void {
    if (report.messages.length < MESSAGES_MAX) report.messages.push(message);
  }
}

/** Every call that a run made, in random order: what a scenario has images for is a sample of them. */
function injectionsFor(
  { injects }: Scenario,
  made: ReadonlyMap<string, number>,
  random: Random,
): Injection[] {
  if (injects === undefined) return [];
  const { calls, effect } = injects;
  const all = calls.flatMap((call) => {
    return Array.from({ length: made.get(call) ?? 0 }, (_, n) => ({ call, when: n + 1, effect }));
  });
  for (let last = all.length - 1; last > 0; last--) {
    const other = random.below(last + 1);
    [all[last], all[other]] = [all[other]!, all[last]!];
  }
  return all;
}

function show({ call, when, effect }: Injection): string {
  return `${effect} at ${call} ${when}`;
}
