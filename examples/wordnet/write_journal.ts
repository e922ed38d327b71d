import { Journal } from "@hybrid/store";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Job, Work } from "./job.ts";
import type { Subject } from "./parse.ts";
import { countSubjects, readSubjects } from "./source.ts";
import { noteJournaled } from "./state.ts";
import { decodeJson, encodeJson } from "./values.ts";

/** Segments are small, so that the ingester can give space back as it goes. */
const SEGMENT_BYTES = 8 * 1024 * 1024;

/** Records appended before their promises are awaited: they share a write. */
const WINDOW = 256;

/** Opens the journal that the statements go through on their way into the store.
 *
 * Nobody waits for its single records to be durable, so that it syncs when it is told to.
 */
export function openIngestJournal(directory: string): Promise<Journal> {
  return Journal.open(directory, { sync: "manual", segmentBytes: SEGMENT_BYTES });
}

/** Encodes a subject as a journal record. One record is what is ingested atomically. */
function encodeSubject(subject: Subject): Uint8Array {
  return encodeJson(subject);
}

/** Decodes a journal record. */
export function decodeSubject(payload: Uint8Array): Subject {
  return decodeJson<Subject>(payload);
}

/** First phase: WordNet's statements go into the journal.
 *
 * A journal keeps whole records, in order, so that after a kill their number says how many subjects to
 * skip. No progress has to be noted elsewhere.
 */
export async function writeJournal(job: Job): Promise<Work> {
  const { store, journal, limit, progress, signal } = job;
  const written = journal.recovery.records;
  progress.begin("journal", countSubjects(limit), "subjects", written);
  let subjects = 0;
  let statements = 0;
  let skipped = 0;
  let window: Promise<bigint>[] = [];
  for (const subject of readSubjects(limit)) {
    subjects++;
    statements += subject.statements.length;
    if (subjects <= written) {
      skipped = statements;
      continue;
    }
    window.push(journal.append(encodeSubject(subject)));
    if (window.length < WINDOW) continue;
    await Promise.all(window);
    window = [];
    // The operating system takes records faster than anyone waits for it: let signals in.
    await nextTurn();
    signal.throwIfAborted();
    progress.update(subjects);
  }
  await Promise.all(window);
  await journal.sync();
  await noteJournaled(store, { subjects, statements, end: journal.stats().bytes });
  progress.end(subjects);
  return [[statements - skipped, "statements"]];
}
