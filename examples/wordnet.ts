/** The main job: WordNet as a claims database.
 *
 *     bun examples/wordnet.ts [directory] [--limit N]
 *     deno run --allow-ffi --allow-read --allow-write --allow-env examples/wordnet.ts
 *
 * WordNet's statements go through a journal into a store, where each becomes an assertion under its
 * hash, with indexes and a view per subject; then the occurrences that WordNet has counted become
 * votes. Kill it at any moment and start it again: it resumes, and ends with the same store.
 *
 * To read it, follow the data: `parse.ts`, `write_journal.ts`, `ingest.ts`, `votes.ts`, and then
 * `questions.ts`. `values.ts` says which keys there are, `state.ts` what keeps the job exact.
 *
 * @module
 */

import { HybridStore } from "@hybrid/store";
import { join } from "@std/path";
import process from "node:process";
import { takeCensus } from "./wordnet/census.ts";
import {
  HELP,
  type Options,
  readCommandLine,
  requireStoreDirectory,
} from "./wordnet/command_line.ts";
import { fillStore, timed } from "./wordnet/fill.ts";
import { formatCount } from "./wordnet/format.ts";
import type { PhaseReport } from "./wordnet/job.ts";
import { reportEnd } from "./wordnet/job_error.ts";
import { ShownProgress } from "./wordnet/progress.ts";
import { answerQuestions } from "./wordnet/questions.ts";
import { reportDisk, reportKeys, reportPhases } from "./wordnet/report.ts";
import { SOURCE } from "./wordnet/source.ts";
import { assertionCount, isFinished, requirePlan } from "./wordnet/state.ts";

const RUNTIME = process.versions.bun
  ? `Bun ${process.versions.bun}`
  : `Deno ${process.versions.deno}`;

/** Columns of the terminal. Where the output goes elsewhere, nobody knows how wide it will be shown. */
const WIDTH = process.stdout.columns || 110;

/** How many senses the third question asks for. */
const TOP_COUNT = 10;

async function main(options: Options, signal: AbortSignal): Promise<void> {
  const { directory, limit } = options;
  requireStoreDirectory(directory);
  // The store's lock keeps others from the ingest journal beside it, too.
  await using store = await HybridStore.open(directory);
  await requirePlan(store, directory, limit);
  console.log(`WordNet as a claims database: ${SOURCE} in ${directory}, ${RUNTIME}`);
  const progress = new ShownProgress();
  try {
    let phases: PhaseReport[] = [];
    if (await isFinished(store)) {
      const assertions = formatCount(await assertionCount(store));
      console.log(`It is complete: ${assertions} assertions, and their votes.`);
      // A run that was killed at its very end may have left something to the journal.
      await store.checkpoint();
    } else {
      const journalDirectory = join(directory, "ingest");
      phases = await fillStore({ store, journalDirectory, limit, progress, signal });
      // What is in the engines need not be replayed, and the bytes on disk are then the final ones.
      phases.push(await timed("checkpoint", () => store.checkpoint().then(() => [])));
    }
    const { append, btree } = store.stats();
    const keys = append.keys + btree.keys;
    const engineOf = (key: Uint8Array) => store.routeOf(key);
    const census = await takeCensus(store, {
      keys,
      engineOf,
      topCount: TOP_COUNT,
      progress,
      signal,
    });
    if (phases.length > 0) reportPhases(phases, WIDTH);
    reportKeys(census, WIDTH);
    reportDisk(directory, WIDTH);
    const answers = await answerQuestions(store, { top: census.top, engineOf, width: WIDTH });
    console.log(answers.join("\n"));
  } finally {
    progress.abandon();
  }
}

const stop = new AbortController();
const interrupt = () => stop.abort();

try {
  const options = readCommandLine(process.argv.slice(2));
  if (options.help) {
    console.log(HELP);
  } else {
    // The store is closed in order, and a second Ctrl-C does not wait for it.
    process.once("SIGINT", interrupt);
    await main(options, stop.signal);
  }
} catch (error) {
  reportEnd(error, stop.signal, "Stopped. The same command goes on from here.");
} finally {
  process.off("SIGINT", interrupt);
}
