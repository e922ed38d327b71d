/** Opens what a killed process left, and compares it with what the process said. */

import { HybridStore, Router } from "../../mod.ts";
import { closeParts, openParts } from "../../store/directory/lifecycle.ts";
import { resolveOptions } from "../../store/options.ts";
import { checkFeed, isNoted } from "./_feed_views.ts";
import type { Life, Testimony } from "./_kill_life.ts";
import { Model, operationAt, text } from "./_kill_operations.ts";

/** What was found. */
export interface Finding {
  /** What is there. */
  readonly entries: Map<string, string>;
  /** Acknowledged operations that are not. */
  readonly losses: number;
  /** What is wrong, a sentence each. */
  readonly faults: string[];
}

/** Checks a directory.
 *
 * @param directory A store that nobody has open. It is closed in order afterwards.
 * @param before What it held before the life.
 * @param life The seed and the number of the first operation of the life.
 * @param testimony What the process said.
 */
export async function checkStore(
  directory: string,
  before: Map<string, string>,
  { seed, from, isFed = false }: Pick<Life, "seed" | "from" | "isFed">,
  testimony: Testimony,
): Promise<Finding> {
  const store = await HybridStore.open(directory, { memtableBytes: 5000, segmentBytes: 20_000 });
  const faults: string[] = [];
  let entries: Map<string, string>;
  let losses = 0;
  try {
    if (isFed) {
      faults.push(...compareMoves(store, testimony));
      faults.push(...await checkFeed(store, testimony.shown));
    }
    entries = await entriesOf(store);
    // Views that are not up to date fit nothing.
    if (faults.length === 0) {
      const found = findPrefix(entries, before, { seed, from, isFed }, testimony);
      losses = found.losses;
      faults.push(...found.faults);
    }
    const report = await store.verify();
    faults.push(...report.faults.map(({ part, message }) => `verify: ${part}: ${message}`));
    faults.push(...await compareEngines(store, entries));
  } finally {
    await store.close();
  }
  faults.push(...await comparePositions(directory));
  return { entries, losses, faults };
}

async function entriesOf(store: HybridStore): Promise<Map<string, string>> {
  const entries = new Map<string, string>();
  for await (const { key, value } of store.scan()) entries.set(text(key), text(value));
  return entries;
}

/** A move of a cursor that was acknowledged is a write like any other. */
function compareMoves(store: HybridStore, { moved }: Testimony): string[] {
  return store.cursors().flatMap(({ name, position }) => {
    const least = moved.get(name) ?? 0n;
    return position >= least ? [] : [`cursor ${name} is back at ${position} from ${least}`];
  });
}

/** Finds the operation up to which everything is there, and nothing of what follows. Whole batches,
 * and counters that are the sums of what was added, follow from that.
 */
function findPrefix(
  entries: Map<string, string>,
  before: Map<string, string>,
  { seed, from, isFed }: Required<Pick<Life, "seed" | "from" | "isFed">>,
  { end, outcomes }: Testimony,
): { losses: number; faults: string[] } {
  const model = new Model(before, isFed);
  const faults: string[] = [];
  const keys = [...entries.keys(), ...before.keys()].filter((key) => !isNoted(key));
  const different = new Set(keys.filter((key) => entries.get(key) !== before.get(key)));
  let fits = different.size === 0 ? from : undefined;
  let acknowledgedEnd = from;
  let closest = { end: from, keys: [...different] };
  for (let n = from; n < end; n++) {
    const effect = model.apply(operationAt(seed, n));
    const outcome = outcomes.get(n);
    if (outcome !== undefined && outcome !== effect.outcome) {
      faults.push(`operation ${n} was answered with ${outcome}, not ${effect.outcome}`);
    }
    // What wrote nothing is not in the journal, and says nothing of what came before.
    if (outcome !== undefined && effect.keys.length > 0) acknowledgedEnd = n + 1;
    for (const key of effect.keys) {
      if (entries.get(key) === model.entries.get(key)) different.delete(key);
      else different.add(key);
    }
    if (different.size === 0) fits = n + 1;
    else if (different.size <= closest.keys.length) closest = { end: n + 1, keys: [...different] };
  }
  if (fits === undefined) {
    faults.push(
      `no prefix of operations ${from} to ${end} fits; up to ${closest.end} differ ` +
        `${closest.keys.length} keys, the first ${JSON.stringify(closest.keys[0])}`,
    );
  }
  const upTo = fits ?? closest.end;
  let losses = 0;
  for (let n = upTo; n < acknowledgedEnd; n++) if (outcomes.has(n)) losses++;
  if (losses > 0) {
    faults.push(`${losses} acknowledged operations are lost: ${upTo} to ${acknowledgedEnd}`);
  }
  return { losses, faults };
}

/** Once everything is applied, the engines alone have to hold what journal and engines held together. */
async function compareEngines(store: HybridStore, entries: Map<string, string>): Promise<string[]> {
  const faults: string[] = [];
  await store.checkpoint();
  const stats = store.stats();
  if (stats.memtable.keys > 0) faults.push(`${stats.memtable.keys} keys are not applied`);
  const applied = await entriesOf(store);
  const keys = new Set([...entries.keys(), ...applied.keys()]);
  const different = [...keys].filter((key) => entries.get(key) !== applied.get(key));
  if (different.length > 0) {
    faults.push(`${different.length} keys changed by being applied: ${JSON.stringify(different)}`);
  }
  const router = new Router();
  const counts = { append: 0, btree: 0 };
  for (const key of entries.keys()) {
    counts[router.routeOf(Uint8Array.from(key, (char) => char.charCodeAt(0)))]++;
  }
  for (const side of ["append", "btree"] as const) {
    if (stats[side].keys === counts[side]) continue;
    faults.push(`the ${side} side holds ${stats[side].keys} keys, not ${counts[side]}`);
  }
  return faults;
}

/** A store that was closed in order has both engines where the journal ends. */
async function comparePositions(directory: string): Promise<string[]> {
  const parts = await openParts(directory, resolveOptions({}));
  const { journal: { end }, engines: { append, btree } } = parts;
  const faults = [append.position, btree.position]
    .filter((position) => position !== end)
    .map((position) => `an engine is at ${position}, the journal ends at ${end}`);
  await closeParts(parts);
  return faults;
}
