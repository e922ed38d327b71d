import {
  assertionCountKey,
  assertionKey,
  cursorKey,
  encodeU64,
  type HybridStore,
  mvKey,
  subjectIndexKey,
  subjectPredicateKey,
} from "@hybrid/store";
import { canonicalJson, type Hash } from "./assertion.ts";
import type { Job, Work } from "./job.ts";
import type { Subject } from "./parse.ts";
import { assertionCount, ingestCursor, type Journaled } from "./state.ts";
import { encodeJson, encodeText, joinDigests } from "./values.ts";
import { decodeSubject } from "./write_journal.ts";

/** Subjects that are committed together: each is a transaction of its own, but they share a write and
 * a sync. About 20 ms of work, for which nothing else gets its turn. */
const WINDOW = 256;

/** A subject as it goes into the store: hashed, without statements that equal an earlier one. */
interface Prepared {
  readonly subject: string;
  readonly statements: number;
  readonly assertions: Map<string, { json: Uint8Array; digest: Uint8Array }>;
  readonly predicates: Map<string, Uint8Array[]>;
  readonly words: readonly string[];
  /** The offset of the journal's next record. */
  readonly next: bigint;
}

/** Second phase: from the journal into the store.
 *
 * While a window of transactions is on its way to the disk, the next one is read and hashed, and then
 * waits for it: that is all the back-pressure it takes, because a store that is behind resolves late.
 */
export async function ingest(job: Job, journaled: Journaled): Promise<Work> {
  const { store, journal, hash, progress, signal } = job;
  const from = ingestCursor(store);
  // Equal statements are one assertion, so that this may be a few short.
  const before = Number(assertionCount(store));
  progress.begin("ingest", journaled.statements, "statements", before);
  let statements = 0;
  let keys = 0;
  let inFlight: { promise: Promise<number[]>; next: bigint } | undefined;
  const land = async () => {
    if (inFlight === undefined) return;
    const { promise, next } = inFlight;
    inFlight = undefined;
    for (const count of await promise) keys += count;
    // Index entries are on the B-tree side, so that the cursor is on disk by now and the journal
    // before it is of no more use.
    await journal.removeBefore(next);
    progress.update(before + statements);
  };
  try {
    for await (const window of windows(journal.entries({ from }), WINDOW)) {
      const prepared = window.map(({ payload, next }) =>
        prepare(decodeSubject(payload), next, hash)
      );
      await land();
      signal.throwIfAborted();
      for (const subject of prepared) statements += subject.statements;
      const promise = Promise.all(prepared.map((subject) => write(store, subject)));
      inFlight = { promise, next: prepared.at(-1)!.next };
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

function prepare(subject: Subject, next: bigint, hash: Hash): Prepared {
  const { id, statements } = subject;
  const prepared = { subject: id, statements: statements.length, next };
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
  return { ...prepared, assertions, predicates, words };
}

/** Writes a subject: all of its keys, on both engines, and how far the ingester is, or none of it.
 *
 * @returns How many keys were written, once they are acknowledged.
 */
function write(store: HybridStore, prepared: Prepared): Promise<number> {
  const { subject, assertions, predicates, words, next } = prepared;
  return store.transact((tx) => {
    for (const [hex, { json }] of assertions) tx.put(assertionKey(subject, hex), json);
    const digests = [...assertions.values()].map(({ digest }) => digest);
    tx.put(subjectIndexKey(subject), joinDigests(digests));
    for (const [predicate, some] of predicates) {
      tx.put(subjectPredicateKey(subject, predicate), joinDigests(some));
    }
    tx.put(mvKey(subject, "word"), encodeJson(words));
    tx.fetchAndAddU64(assertionCountKey(), BigInt(assertions.size));
    tx.put(cursorKey(), encodeU64(next));
    return assertions.size + predicates.size + 4;
  });
}
