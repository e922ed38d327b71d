import { join } from "@std/path";
import { loadHash } from "./assertion.ts";
import { ingest } from "./ingest.ts";
import type { Job, PhaseReport, Work } from "./job.ts";
import { ingestCursor, journaled } from "./state.ts";
import { countVotes } from "./votes.ts";
import { openIngestJournal, writeJournal } from "./write_journal.ts";

/** Goes through the phases that are not complete yet, however far an earlier run has come.
 *
 * @returns What each of them did.
 */
export async function fillStore(parts: Omit<Job, "journal" | "hash">): Promise<PhaseReport[]> {
  const { store } = parts;
  await using journal = await openIngestJournal(join(store.path, "ingest"));
  const job: Job = { ...parts, journal, hash: await loadHash() };
  const reports: PhaseReport[] = [];
  const run = async (phase: string, body: () => Promise<Work>) => {
    const start = performance.now();
    const work = await body();
    reports.push({ phase, ms: performance.now() - start, work });
  };

  if (journaled(store) === undefined) await run("journal", () => writeJournal(job));
  const through = journaled(store)!;
  if (ingestCursor(store) < through.end) await run("ingest", () => ingest(job, through));
  await run("votes", () => countVotes(job));
  await run("checkpoint", async () => {
    // What is in the engines need not be replayed, and the bytes on disk are then the final ones.
    await store.checkpoint();
    return [];
  });
  return reports;
}
