/** One run of the campaign: a process lives on a store and is recorded, and images are made of what a
 * power loss would have left, and looked at.
 */

import * as fs from "node:fs";
import { join } from "@std/path";
import type { OpenOptions } from "../../mod.ts";
import { Random } from "../support/random.ts";
import type { Finding } from "./_check.ts";
import type { Checkers } from "./_checkers.ts";
import { Disk } from "./_disk.ts";
import { type Loss, LOSSES, writeImage } from "./_image.ts";
import type { Life } from "./_life.ts";
import type { Load } from "./_load.ts";
import { type Injection, live, record } from "./_record.ts";
import type { Runtime } from "./_runtime.ts";
import { Testimony } from "./_testimony.ts";
import { markOf, readTrace, type TraceEvent } from "./_trace.ts";

/** What lives do, one after the other on the same files and in the same boot. */
export interface Plan {
  readonly seed: number;
  readonly load: Load;
  readonly options: OpenOptions;
  /** What there is before: nothing, a store, or a copy to restore. */
  readonly base: "none" | "store" | "copy";
  /** How many operations that holds. */
  readonly known: number;
  readonly lives: readonly PlannedLife[];
  /** Syncs of files with such a path do nothing. */
  readonly ignores?: RegExp;
}

/** A part of {@linkcode Plan}. */
export type PlannedLife =
  & Pick<Life, "count" | "makes" | "copies" | "reopens" | "end" | "onFailure">
  & { readonly injection?: Injection };

/** Which image is made when. */
interface Choice {
  /** How many events have happened. */
  readonly moment: number;
  readonly loss: Loss;
  readonly seed: number;
}

/** An image that was made, and what was found. */
export interface Result extends Finding, Choice {}

/** What came of a run. */
export interface RunReport {
  readonly results: readonly Result[];
  /** What must not happen in the process itself. */
  readonly faults: readonly string[];
  /** What strace let fail. */
  readonly failures: readonly string[];
  /** How often a thread made each call, at most. */
  readonly calls: ReadonlyMap<string, number>;
}

/** Where runs work: a directory for each, and stores that were prepared once. */
export interface Bench {
  readonly runtime: Runtime;
  readonly directory: string;
  readonly checkers: Checkers;
  /** Where failed images are kept, if they are. */
  readonly keep: string | undefined;
  readonly onImage: (finding: Finding) => void;
}

/** Some of what a failed run left is enough. */
const KEPT_MAX = 2;
/** Half of the images after a failed call are of the moments that follow it. */
const AFTERMATH_EVENTS = 60;

/** Makes a run.
 *
 * @param name Names what failed images are kept in.
 */
export async function makeRun(
  bench: Bench,
  plan: Plan,
  images: number,
  name: string,
): Promise<RunReport> {
  const directory = fs.mkdtempSync(join(bench.directory, "run-"));
  try {
    const recording = await recordLives(bench, plan, directory);
    const choices = choose(recording, new Random(plan.seed), images);
    const results: Result[] = [];
    const looks: Promise<void>[] = [];
    await replay(recording, choices, async (disk, testimony, choice) => {
      await bench.checkers.whenIdle();
      const image = fs.mkdtempSync(join(directory, "image-"));
      fs.rmdirSync(image);
      writeImage(disk, choice.loss, new Random(choice.seed), image);
      const look = bench.checkers.check(assign(plan, testimony, image)).then((finding) => {
        fs.rmSync(image, { recursive: true });
        results.push({ ...choice, ...finding });
        bench.onImage(finding);
      });
      looks.push(look);
    });
    await Promise.all(looks);
    if (bench.keep !== undefined) await keep(bench.keep, bench.runtime, recording, results, name);
    const { faults, failures, calls } = recording;
    return { results, faults, failures, calls };
  } finally {
    fs.rmSync(directory, { recursive: true });
  }
}

/** What was recorded of the lives of a plan. */
interface Recording {
  readonly plan: Plan;
  readonly root: string;
  readonly base: string;
  readonly traces: string[];
  /** All lives' events, and where each life ends among them. */
  readonly events: TraceEvent[];
  readonly ends: number[];
  readonly faults: string[];
  readonly failures: string[];
  readonly calls: Map<string, number>;
}

async function recordLives(bench: Bench, plan: Plan, directory: string): Promise<Recording> {
  const base = join(directory, "base");
  const live = join(directory, "live");
  fs.mkdirSync(base);
  if (plan.base !== "none") {
    fs.cpSync(await prepared(bench, plan), join(base, plan.base), { recursive: true });
  }
  fs.cpSync(base, live, { recursive: true });
  const root = fs.realpathSync(live);
  const recording: Recording = {
    ...{ plan, root, base, traces: [], events: [], ends: [], faults: [], failures: [] },
    calls: new Map(),
  };
  const { events, faults } = recording;
  const testimony = new Testimony(plan.known, plan.base === "copy");
  const disk = new Disk(root, base);
  for (const [index, { injection, ...planned }] of plan.lives.entries()) {
    const trace = join(directory, `trace-${index}`);
    const { options, load } = plan;
    const { numbers, promised, next } = testimony;
    const seed = plan.seed + index;
    const life = { root, options, load, seed, numbers, promised, next, ...planned };
    const failure = await record(bench.runtime, life, trace, injection);
    if (failure !== undefined) faults.push(failure);
    const lived = readTrace(trace, root);
    recording.traces.push(trace);
    for (const event of lived) {
      events.push(event);
      disk.follow(event);
      hear(testimony, event);
    }
    events.push(...disk.endCalls());
    recording.ends.push(events.length);
    disk.tree.compare();
    disk.endLife();
    for (const [name, count] of countCalls(lived)) recording.calls.set(name, count);
  }
  faults.push(...testimony.faults);
  recording.failures.push(...disk.failures);
  return recording;
}

/** Returns a closed store of a plan's first operations. */
async function prepared({ runtime, directory }: Bench, { load, known }: Plan): Promise<string> {
  const place = join(directory, `prepared-${load.isLarge ? "large" : "small"}-${known}`);
  if (!fs.existsSync(place)) {
    fs.mkdirSync(place);
    const life = { count: known, reopens: 0, end: "close", onFailure: "exit" } as const;
    const start = { numbers: [], promised: 0, next: 0, seed: 0, options: {} };
    await live(runtime, { root: place, load, ...start, ...life });
  }
  return join(place, "store");
}

function hear(testimony: Testimony, { call, isEnd }: TraceEvent): void {
  const mark = isEnd ? undefined : markOf(call);
  if (mark !== undefined) testimony.hear(mark);
}

function countCalls(events: readonly TraceEvent[]): Map<string, number> {
  const byThread = new Map<string, number>();
  const most = new Map<string, number>();
  for (const { call: { thread, name }, isEnd } of events) {
    if (isEnd) continue;
    const count = (byThread.get(`${name} ${thread}`) ?? 0) + 1;
    byThread.set(`${name} ${thread}`, count);
    most.set(name, Math.max(most.get(name) ?? 0, count));
  }
  return most;
}

function choose({ events, ends }: Recording, random: Random, images: number): Choice[] {
  const first = ends.at(-2) ?? 0;
  const last = events.length;
  const failed = events.flatMap(({ call }, index) => call.isInjected ? [index] : []);
  const choices = Array.from({ length: images }, (_, index) => {
    const isAftermath = failed.length > 0 && random.once(2);
    const moment = index === 0
      ? last
      : isAftermath
      ? Math.min(last, random.pick(failed) + random.below(AFTERMATH_EVENTS))
      : first + random.below(last - first + 1);
    return { moment, loss: LOSSES[index % LOSSES.length]!, seed: random.below(2 ** 32) };
  });
  return choices.sort((a, b) => a.moment - b.moment);
}

/** Follows a recording, and stops for each image. */
async function replay(
  { plan, root, base, events, ends }: Recording,
  choices: readonly Choice[],
  onImage: (disk: Disk, testimony: Testimony, choice: Choice) => Promise<void>,
): Promise<void> {
  const pages = new Random(plan.seed);
  // Of a sync that fails, either nothing is on disk or some pages are.
  const losesAll = pages.once(2);
  const disk = new Disk(root, base, {
    loses: () => losesAll || pages.once(2),
    ...(plan.ignores !== undefined && { ignores: plan.ignores }),
  });
  const testimony = new Testimony(plan.known, plan.base === "copy");
  let next = 0;
  for (let moment = 0; moment <= events.length; moment++) {
    while (choices[next]?.moment === moment) await onImage(disk, testimony, choices[next++]!);
    const event = events[moment];
    if (event === undefined) break;
    if (ends.includes(moment)) disk.endLife();
    disk.follow(event);
    hear(testimony, event);
  }
}

function assign(plan: Plan, testimony: Testimony, directory: string) {
  const outcomes = [...testimony.outcomes];
  const { shown } = testimony;
  return { directory, load: plan.load, outcomes, shown: [...shown], claims: testimony.claims() };
}

/** Keeps the traces of a run where something is wrong. Makes the images once more, as nobody has looked at
 * them, and writes down how to.
 */
async function keep(
  kept: string,
  runtime: Runtime,
  recording: Recording,
  results: readonly Result[],
  name: string,
): Promise<void> {
  const { plan, faults, traces } = recording;
  const failed = results.filter(({ verdict }) => verdict !== "good").slice(0, KEPT_MAX);
  if (failed.length === 0 && faults.length === 0) return;
  for (const [index, trace] of traces.entries()) {
    fs.copyFileSync(trace, join(kept, `${name}-trace-${index}`));
  }
  const choices = failed.toSorted((a, b) => a.moment - b.moment);
  let count = 0;
  // deno-lint-ignore require-await
  await replay(recording, choices, async (disk, testimony, choice) => {
    const directory = join(kept, `${name}-${count++}`);
    fs.mkdirSync(directory);
    const image = join(directory, "disk");
    writeImage(disk, choice.loss, new Random(choice.seed), image);
    const details = { runtime, ...choice, plan, assignment: assign(plan, testimony, image) };
    fs.writeFileSync(join(directory, "image.json"), JSON.stringify(details, undefined, 1));
  });
}
