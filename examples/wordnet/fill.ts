import { loadHash } from "./assertion.ts";
import { ingest } from "./ingest.ts";
import type { Job, PhaseReport, Work } from "./job.ts";
import { ingestCursor, journaled } from "./state.ts";
import { countVotes } from "./votes.ts";
import { openIngestJournal, writeJournal } from "./write_journal.ts";

/** What a job is made of. */
export interface JobParts extends Omit<Job, "journal" | "hash"> {
  /** The directory of the journal that the statements come through. */
  readonly journalDirectory: string;
}

/** Goes through the phases that are not complete yet, however far an earlier run has come.
 *
 * @returns What each of them did.
 */
export async function fillStore(parts: JobParts): Promise<PhaseReport[]> {
  const { store } = parts;
  await using journal = await openIngestJournal(parts.journalDirectory);
  const job: Job = { ...parts, journal, hash: await loadHash() };
  const reports: PhaseReport[] = [];
  if (await journaled(store) === undefined) {
    reports.push(await timed("journal", () => writeJournal(job)));
  }
  const through = (await journaled(store))!;
  if (await ingestCursor(store) < through.end) {
    reports.push(await timed("ingest", () => ingest(job, through)));
  }
  reports.push(await timed("votes", () => countVotes(job)));
  return reports;
}

/** Runs a phase, and measures it. */
export async function timed(phase: string, body: () => Promise<Work>): Promise<PhaseReport> {
  const start = performance.now();
  const work = await body();
  return { phase, ms: performance.now() - start, work };
}
