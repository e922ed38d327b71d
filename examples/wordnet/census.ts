import { type OrderedStore, parseKey } from "@hybrid/store";
import { type AssertionName, Claims, type Votes } from "./claims.ts";
import type { Progress } from "./progress.ts";

/** The keys of one kind. */
export interface TagCount {
  readonly tag: string;
  /** What keeps them. */
  readonly engine: string;
  keys: number;
}

/** An assertion and its votes. */
export interface Voted extends AssertionName, Votes {}

/** Names what keeps a key. */
export type EngineOf = (key: Uint8Array) => string;

/** What a census is taken of. */
export interface CensusOptions {
  /** How many keys there are, for the progress. */
  readonly keys: number;
  readonly engineOf: EngineOf;
  /** How many of the most voted assertions are wanted. */
  readonly topCount: number;
  readonly progress: Progress;
  readonly signal: AbortSignal;
}

/** What one walk over all keys finds. */
export interface Census {
  readonly tags: readonly TagCount[];
  /** The most voted assertions, in descending order. */
  readonly top: readonly Voted[];
  readonly keys: number;
}

/** Keys between two looks at the clock and the signal. */
const STEP = 16_384;

/** Walks over every key of the store, once: counts them by tag, and picks out the votes.
 *
 * Votes are keyed by subject, so that a subject's keys lie together; a ranking over all subjects has to
 * look at all of them. It takes the keys alone and reads the values of the vote counts.
 */
export async function takeCensus(
  store: OrderedStore,
  { keys: total, engineOf, topCount, progress, signal }: CensusOptions,
): Promise<Census> {
  progress.begin("census", total, "keys");
  const claims = new Claims(store);
  const tags = new Map<string, TagCount>();
  let top: Voted[] = [];
  let names: AssertionName[] = [];
  const rank = async () => {
    const votes = await claims.votes(names);
    const voted = names.map((name, index) => ({ ...name, ...votes[index]! }));
    names = [];
    top = best([...top, ...voted], topCount);
  };
  let keys = 0;
  for await (const key of store.keys()) {
    const { subject, tag, suffix: hash } = parseKey(key);
    const known = tags.get(tag);
    if (known === undefined) tags.set(tag, { tag, engine: engineOf(key), keys: 1 });
    else known.keys++;
    if (tag === "VC:" && subject !== undefined) names.push({ subject, hash });
    if (++keys % STEP > 0) continue;
    signal.throwIfAborted();
    progress.update(keys);
    await rank();
  }
  await rank();
  progress.end(keys);
  return { tags: [...tags.values()], top, keys };
}

function best(voted: Voted[], count: number): Voted[] {
  voted.sort((a, b) => b.count - a.count || (a.subject < b.subject ? -1 : 1));
  return voted.slice(0, count);
}
