/** How far the job is: what it needs to go on where it was killed. All of it stands in the store,
 * under `META:`, and each step changes it together with the work that it describes.
 *
 * @module
 */

import { assertionCountKey, cursorKey, decodeU64, type OrderedStore } from "@hybrid/store";
import { JobError } from "./job_error.ts";
import { senseBytes, SOURCE } from "./source.ts";
import { decodeJson, encodeJson, encodeText } from "./values.ts";

/** What the store is made from. A store of another plan is refused. */
const PLAN_KEY = metaKey("wordnet_plan");
/** Written once all statements are in the journal. */
const JOURNALED_KEY = metaKey("wordnet_journaled");
/** The position in `index.sense` up to which votes are counted, as u64. */
export const VOTES_KEY = metaKey("wordnet_votes");

interface Plan {
  readonly limit: number | "none";
  readonly source: string;
}

/** What went through the journal. */
export interface Journaled {
  readonly subjects: number;
  readonly statements: number;
  /** The offset at which the journal ended, which is where the ingester's cursor ends up. */
  readonly end: number;
}

/** Keys of one's own can stand beside the store's, as long as they keep the layout. */
function metaKey(name: string): Uint8Array {
  return encodeText(`\0META:${name}`);
}

/** Makes a new store this job's, or checks that it is this job's already.
 *
 * @param where What the store is called in messages.
 * @param limit How many subjects, `Infinity` for all.
 * @throws {JobError} The store holds other data, or was begun with other options.
 */
export async function requirePlan(
  store: OrderedStore,
  where: string,
  limit: number,
): Promise<void> {
  const plan: Plan = { limit: limit === Infinity ? "none" : limit, source: SOURCE };
  const stored = await store.get(PLAN_KEY);
  if (stored === undefined) {
    for await (const _key of store.keys({ limit: 1 })) {
      throw new JobError(`Cannot use ${where}: it is a store, but holds other data`);
    }
    await store.put(PLAN_KEY, encodeJson(plan));
    // Nothing must be in the ingest journal of which the store does not know what it is.
    await store.flush();
    return;
  }
  const found = decodeJson<Plan>(stored);
  if (found.source !== plan.source) {
    throw new JobError(`Cannot go on in ${where}: it was made from ${found.source}`);
  }
  if (found.limit !== plan.limit) {
    const options = found.limit === "none" ? "without --limit" : `with --limit ${found.limit}`;
    throw new JobError(`Cannot go on in ${where}: it was begun ${options}`);
  }
}

/** Returns what went through the journal, `undefined` while it is not complete. */
export async function journaled(store: OrderedStore): Promise<Journaled | undefined> {
  const stored = await store.get(JOURNALED_KEY);
  return stored && decodeJson<Journaled>(stored);
}

/** Notes that the journal is complete. */
export async function noteJournaled(store: OrderedStore, journaled: Journaled): Promise<void> {
  await store.put(JOURNALED_KEY, encodeJson(journaled));
}

/** The offset of the first journal record that is not ingested. */
export async function ingestCursor(store: OrderedStore): Promise<bigint> {
  return await counter(store, cursorKey());
}

/** How many assertions the store holds. */
export async function assertionCount(store: OrderedStore): Promise<bigint> {
  return await counter(store, assertionCountKey());
}

/** The position of the first line of `index.sense` whose votes are not counted. */
export async function votesCursor(store: OrderedStore): Promise<number> {
  return Number(await counter(store, VOTES_KEY));
}

/** Returns whether every phase is complete. */
export async function isFinished(store: OrderedStore): Promise<boolean> {
  return await votesCursor(store) === senseBytes();
}

async function counter(store: OrderedStore, key: Uint8Array): Promise<bigint> {
  const stored = await store.get(key);
  return stored === undefined ? 0n : decodeU64(stored);
}
