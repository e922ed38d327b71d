import {
  assertionCountKey,
  assertionKey,
  cursorKey,
  encodeU64,
  mvKey,
  type OrderedStore,
  subjectIndexKey,
  subjectPredicateKey,
} from "@hybrid/store";
import { canonicalJson, type Hash } from "./assertion.ts";
import type { Job, Work } from "./job.ts";
import type { Subject } from "./parse.ts";
import { assertionCount, ingestCursor, type Journaled } from "./state.ts";
import { encodeJson, encodeText, joinDigests } from "./values.ts";
import { decodeSubject } from "./write_journal.ts";

/** Subjects that are committed together, in one batch. About 20 ms of work, for which nothing else gets
 * its turn. */
const WINDOW = 256;

/** A subject as it goes into the store: hashed, without statements that equal an earlier one. */
interface Prepared {
  readonly subject: string;
  readonly statements: number;
  readonly assertions: Map<string, { json: Uint8Array; digest: Uint8Array }>;
  readonly predicates: Map<string, Uint8Array[]>;
  readonly words: readonly string[];
}

/** Where the ingester is. */
interface Reached {
  /** The offset of the journal's next record. */
  readonly cursor: bigint;
  /** How many assertions the store holds. */
  readonly assertions: bigint;
}

/** Second phase: from the journal into the store.
 *
 * While a window of subjects is on its way to the disk, the next one is read and hashed, and then
 * waits for it: that is all the back-pressure it takes, because a store that is behind resolves late.
 * Nothing is added to what the store has: what is written twice is the same as what is written once.
 */
export async function ingest(job: Job, journaled: Journaled): Promise<Work> {
  const { store, journal, hash, progress, signal } = job;
  const from = await ingestCursor(store);
  let assertions = await assertionCount(store);
  // Equal statements are one assertion, so that this may be a few short.
  const before = Number(assertions);
  progress.begin("ingest", journaled.statements, "statements", before);
  let statements = 0;
  let keys = 0;
  let inFlight: { promise: Promise<number>; next: bigint } | undefined;
  const land = async () => {
    if (inFlight === undefined) return;
    const { promise, next } = inFlight;
    inFlight = undefined;
    keys += await promise;
    // Index entries are on the B-tree side, so that the cursor is on disk by now and the journal
    // before it is of no more use.
    await journal.removeBefore(next);
    progress.update(before + statements);
  };
  try {
    for await (const window of windows(journal.entries({ from }), WINDOW)) {
      const prepared = window.map(({ payload }) => prepare(decodeSubject(payload), hash));
      await land();
      signal.throwIfAborted();
      for (const subject of prepared) {
        statements += subject.statements;
        assertions += BigInt(subject.assertions.size);
      }
      const { next } = window.at(-1)!;
      inFlight = { promise: write(store, prepared, { cursor: next, assertions }), next };
    }
  } finally {
    await land();
  }
  progress.end(journaled.statements);
  return [[statements, "statements"], [keys, "keys"]];
}

async function* windows<T>(items: AsyncIterable<T>, size: number): AsyncGenerator<T[]> {
  let window: T[] = [];
  for await (const item of items) {
    window.push(item);
    if (window.length < size) continue;
    yield window;
    window = [];
  }
  if (window.length > 0) yield window;
}

function prepare(subject: Subject, hash: Hash): Prepared {
  const { id, statements } = subject;
  const assertions: Prepared["assertions"] = new Map();
  const predicates: Prepared["predicates"] = new Map();
  const words: string[] = [];
  for (const [predicate, object] of statements) {
    const json = encodeText(canonicalJson({ object, predicate, subject: id }));
    const digest = hash(json);
    const hex = digest.toHex();
    if (assertions.has(hex)) continue;
    assertions.set(hex, { json, digest });
    const digests = predicates.get(predicate);
    if (digests === undefined) predicates.set(predicate, [digest]);
    else digests.push(digest);
    if (predicate === "word") words.push(object);
  }
  return { subject: id, statements: statements.length, assertions, predicates, words };
}

/** Writes a window of subjects: all of their keys, on both engines, and how far the ingester is, or none
 * of it.
 *
 * @returns How many keys were written, once they are acknowledged.
 */
async function write(
  store: OrderedStore,
  window: readonly Prepared[],
  reached: Reached,
): Promise<number> {
  const batch = store.batch();
  for (const { subject, assertions, predicates, words } of window) {
    for (const [hex, { json }] of assertions) batch.put(assertionKey(subject, hex), json);
    const digests = [...assertions.values()].map(({ digest }) => digest);
    batch.put(subjectIndexKey(subject), joinDigests(digests));
    for (const [predicate, some] of predicates) {
      batch.put(subjectPredicateKey(subject, predicate), joinDigests(some));
    }
    batch.put(mvKey(subject, "word"), encodeJson(words));
  }
  batch.put(assertionCountKey(), encodeU64(reached.assertions));
  batch.put(cursorKey(), encodeU64(reached.cursor));
  await batch.commit();
  return batch.size;
}
