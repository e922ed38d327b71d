import { type EngineName, type HybridStore, parseKey } from "@hybrid/store";
import { Claims } from "./claims.ts";
import type { Progress } from "./progress.ts";

/** The keys of one kind. */
export interface TagCount {
  readonly tag: string;
  readonly engine: EngineName;
  keys: number;
}

/** An assertion and its votes. */
export interface Voted {
  readonly subject: string;
  readonly hash: string;
  readonly count: number;
  readonly weight: number;
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
  store: HybridStore,
  topCount: number,
  progress: Progress,
  signal: AbortSignal,
): Promise<Census> {
  const { append, btree } = store.stats();
  progress.begin("census", append.keys + btree.keys, "keys");
  const claims = new Claims(store);
  const tags = new Map<string, TagCount>();
  let top: Voted[] = [];
  let keys = 0;
  for await (const key of store.keys()) {
    const { subject, tag, suffix: hash } = parseKey(key);
    const known = tags.get(tag);
    if (known === undefined) tags.set(tag, { tag, engine: store.routeOf(key), keys: 1 });
    else known.keys++;
    if (tag === "VC:" && subject !== undefined) {
      top.push({ subject, hash, ...claims.votes(subject, hash) });
    }
    if (++keys % STEP > 0) continue;
    signal.throwIfAborted();
    progress.update(keys);
    top = best(top, topCount);
  }
  progress.end(keys);
  return { tags: [...tags.values()], top: best(top, topCount), keys };
}

function best(voted: Voted[], count: number): Voted[] {
  voted.sort((a, b) => b.count - a.count || (a.subject < b.subject ? -1 : 1));
  return voted.slice(0, count);
}
