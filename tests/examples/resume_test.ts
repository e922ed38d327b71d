import { existsSync } from "node:fs";
import process from "node:process";
import { test } from "node:test";
import { assertEquals, assertGreater, assertRejects } from "@std/assert";
import { fillStore } from "../../examples/wordnet/fill.ts";
import { isFinished, requirePlan } from "../../examples/wordnet/state.ts";
import { HybridStore } from "../../mod.ts";
import { tempDirectory } from "../support/temp.ts";
import { Random } from "../support/random.ts";
import {
  digestDirectory,
  runExample,
  type RunResult,
  silentProgress,
  type StoreDigest,
} from "./_wordnet.ts";

// A failure names its seed; HYBRIDSTORE_KILL_SEED=… aims at the same moments again.
const seed = Number(process.env.HYBRIDSTORE_KILL_SEED ?? Math.floor(Math.random() * 2 ** 32));

const LIMIT = 2500;

/** When the child is killed: up to `delayMs` after it has come to this point or a later one. */
const KILLS = [
  { point: "lock", delayMs: 15 },
  { point: "journal", delayMs: 0 },
  { point: "journal", delayMs: 40 },
  { point: "ingest", delayMs: 0 },
  { point: "ingest", delayMs: 100 },
  { point: "ingest", delayMs: 200 },
  { point: "votes", delayMs: 0 },
  { point: "votes", delayMs: 50 },
  { point: "votes", delayMs: 100 },
];

/** A store begins with its lock; of the phases, each says when it begins. */
const POINTS = ["lock", "journal", "ingest", "votes"];

/** Runs the example and kills it some milliseconds after it has come to a point. */
async function runAndKill(
  directory: string,
  args: readonly string[],
  { point, delay }: { point: string; delay: number },
): Promise<RunResult> {
  let polling: ReturnType<typeof setInterval> | undefined;
  const result = await runExample([directory, ...args], (send) => {
    let isAimed = false;
    const reach = (reached: string) => {
      if (isAimed || POINTS.indexOf(reached) < POINTS.indexOf(point)) return;
      isAimed = true;
      setTimeout(() => send("SIGKILL"), delay);
    };
    polling = setInterval(() => existsSync(`${directory}/lock`) && reach("lock"), 1);
    return (line) => reach(line.split(" ")[0]!);
  });
  clearInterval(polling);
  return result;
}

test("a job that is killed again and again ends with the store of one that is not", {
  timeout: 600_000,
}, async () => {
  using temp = tempDirectory();
  const undisturbed = `${temp.path}/undisturbed`;
  const killed = `${temp.path}/killed`;
  const limit = ["--limit", `${LIMIT}`];
  assertEquals((await runExample([undisturbed, ...limit])).code, 0);

  const random = new Random(seed);
  const told = [`seed ${seed}`];
  let kills = 0;
  for (const { point, delayMs } of KILLS) {
    const delay = random.below(delayMs + 1);
    const { code, signal, output, errors } = await runAndKill(killed, limit, { point, delay });
    told.push(`aimed ${delay} ms after ${point}, ${signal ?? code}:\n${output}${errors}`);
    if (signal === "SIGKILL") kills++;
    else assertEquals(code, 0, told.join("\n"));
  }
  // On a fast machine the last ones may come too late.
  assertGreater(kills, 4, told.join("\n"));

  const last = await runExample([killed, ...limit]);
  assertEquals(last.code, 0, [...told, last.errors].join("\n"));
  assertEquals(await digestDirectory(killed), await digestDirectory(undisturbed), told.join("\n"));
});

/** Runs the job until it is complete, and stops it at the given updates on the way, one a run. */
async function fillWithStops(directory: string, stops: readonly number[]): Promise<StoreDigest> {
  for (const stop of [...stops, Infinity]) {
    await using store = await HybridStore.open(directory);
    await requirePlan(store, directory, 600);
    const controller = new AbortController();
    let updates = 0;
    const progress = silentProgress(() => {
      if (++updates === stop) controller.abort();
    });
    const filled = fillStore({
      store,
      journalDirectory: `${directory}/ingest`,
      limit: 600,
      progress,
      signal: controller.signal,
    });
    if (stop === Infinity) await filled;
    else await assertRejects(() => filled, DOMException, "abort");
    assertEquals(await isFinished(store), stop === Infinity);
  }
  return await digestDirectory(directory);
}

test("a job that is stopped between any two transactions goes on from there", {
  timeout: 600_000,
}, async () => {
  using temp = tempDirectory();
  const undisturbed = await fillWithStops(`${temp.path}/undisturbed`, []);
  // Two windows of the journal, three of the ingest, and then the blocks of the votes.
  for (const stops of [[1], [3], [1, 1, 1, 1, 1], [7, 50]]) {
    const stopped = await fillWithStops(`${temp.path}/${stops.join("-")}`, stops);
    assertEquals(stopped, undisturbed, `stopped at updates ${stops}`);
  }
});
