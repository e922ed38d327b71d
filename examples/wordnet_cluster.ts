/** The main job in a PostgreSQL cluster, whose primary is killed in the middle.
 *
 *     bun examples/wordnet_cluster.ts [--limit N]
 *     deno run -A examples/wordnet_cluster.ts
 *
 * It starts a primary and a synchronous standby, and runs the ingester of `wordnet.ts` into them through
 * a `RemoteStore`. Halfway the primary is killed, and the standby promoted. Then it runs the same into a
 * store in a directory, and compares: keys, values, counts and answers have to be the same.
 *
 * @module
 */

import { HybridStore, type OrderedStore } from "@hybrid/store";
import { RemoteStore } from "@hybrid/store/remote";
import { join } from "@std/path";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import process from "node:process";
import { isDeepStrictEqual } from "node:util";
import { PostgresCluster } from "../servers/cluster.ts";
import { whyNoPostgres } from "../servers/programs.ts";
import { type Census, takeCensus } from "./wordnet/census.ts";
import { CLUSTER_HELP, type Options, readCommandLine } from "./wordnet/command_line.ts";
import { requireSame } from "./wordnet/compare.ts";
import { atHalf, fillPatiently } from "./wordnet/failover.ts";
import { fillStore, type JobParts } from "./wordnet/fill.ts";
import { formatCount, formatSeconds } from "./wordnet/format.ts";
import { JobError, reportEnd } from "./wordnet/job_error.ts";
import { ShownProgress } from "./wordnet/progress.ts";
import { answerQuestions } from "./wordnet/questions.ts";
import { reportKeys, reportPhases } from "./wordnet/report.ts";
import { SOURCE } from "./wordnet/source.ts";
import { requirePlan } from "./wordnet/state.ts";

const RUNTIME = process.versions.bun
  ? `Bun ${process.versions.bun}`
  : `Deno ${process.versions.deno}`;
const WIDTH = process.stdout.columns || 110;
const TOP_COUNT = 10;

/** What a run has in common. */
type Run = Omit<JobParts, "store" | "journalDirectory" | "progress"> & {
  readonly directory: string;
  readonly progress: ShownProgress;
};

/** What is compared. */
interface Results {
  readonly census: Census;
  readonly answers: readonly string[];
}

async function main({ limit }: Options, interrupted: AbortSignal): Promise<void> {
  const missing = whyNoPostgres();
  if (missing !== undefined) {
    throw new JobError(`Cannot start PostgreSQL: ${missing}`);
  }
  const directory = mkdtempSync(join(tmpdir(), "wordnet-cluster-"));
  const progress = new ShownProgress();
  try {
    console.log(`WordNet in a PostgreSQL cluster: ${SOURCE}, ${RUNTIME}`);
    const start = performance.now();
    await using cluster = await PostgresCluster.start();
    const time = formatSeconds(performance.now() - start);
    const { primary, standby } = cluster;
    console.log(
      `A primary at port ${primary.port}, a synchronous standby at port ${standby.port}: ${time}`,
    );
    interrupted.throwIfAborted();
    await RemoteStore.setup(cluster.url());
    await using remote = await RemoteStore.open(cluster.url());
    await fillCluster(cluster, remote, { directory, limit, progress, signal: interrupted });

    console.log("\nThe same in a store in a directory");
    await using embedded = await HybridStore.open(join(directory, "store"));
    const run = { directory, limit, progress, signal: interrupted };
    await requirePlan(embedded, directory, limit);
    await fillStore({ ...run, store: embedded, journalDirectory: join(directory, "embedded") });

    console.log("\nBoth");
    const results = await resultsOf(remote, remote.dialect, run);
    const expected = await resultsOf(embedded, remote.dialect, run);
    const { keys } = expected.census;
    const same = await requireSame(remote, embedded, { keys, progress, signal: interrupted });
    reportKeys(results.census, WIDTH);
    console.log(results.answers.join("\n"));
    if (!isDeepStrictEqual(results, expected)) {
      throw new JobError(`The store in a directory answers:\n${expected.answers.join("\n")}`);
    }
    console.log(
      `\nThe cluster and the store in a directory have the same ${formatCount(same)} keys and ` +
        "values, and give the same answers.",
    );
  } finally {
    progress.abandon();
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Fills the cluster; its primary is killed, and the standby promoted, halfway through the ingest. */
async function fillCluster(cluster: PostgresCluster, store: RemoteStore, run: Run): Promise<void> {
  const { progress } = run;
  const failure = new AbortController();
  let failover: Promise<void> | undefined;
  const failOver = async (percent: number) => {
    const start = performance.now();
    await cluster.kill();
    progress.note(`-- the primary is killed at ${percent} %`);
    await cluster.promote();
    progress.note(`-- the standby takes writes after ${formatSeconds(performance.now() - start)}`);
  };
  await requirePlan(store, "the cluster", run.limit);
  const phases = await fillPatiently({
    ...run,
    store,
    journalDirectory: join(run.directory, "ingest"),
    progress: atHalf(progress, "ingest", (percent) => {
      failover = failOver(percent);
      failover.catch((error) => failure.abort(error));
    }),
    // Without a standby there is nothing to wait for.
    signal: AbortSignal.any([run.signal, failure.signal]),
  }, (error) => progress.note(`-- ${error.message}`));
  if (failover === undefined) {
    throw new JobError("The ingest ended, and the primary was not killed");
  }
  await failover;
  reportPhases(phases, WIDTH);
}

/** Counts and asks. Both stores are said to be one engine, so that what they say can be compared. */
async function resultsOf(
  store: OrderedStore,
  engine: string,
  { progress, signal }: Run,
): Promise<Results> {
  const engineOf = () => engine;
  const keys = await store.count();
  const census = await takeCensus(store, { keys, engineOf, topCount: TOP_COUNT, progress, signal });
  const answers = await answerQuestions(store, { top: census.top, engineOf, width: WIDTH });
  return { census, answers };
}

const stop = new AbortController();
// Not once: a second Ctrl-C would end the program before its servers.
const interrupt = () => stop.abort();

try {
  const options = readCommandLine(process.argv.slice(2), 0);
  if (options.help) {
    console.log(CLUSTER_HELP);
  } else {
    process.on("SIGINT", interrupt);
    process.on("SIGTERM", interrupt);
    await main(options, stop.signal);
  }
} catch (error) {
  reportEnd(error, stop.signal, "Stopped.");
} finally {
  process.off("SIGINT", interrupt);
  process.off("SIGTERM", interrupt);
}
