/** How the cost of an operation grows with a store.
 *
 * @module
 */

import { GROWTH } from "./_contestants.ts";
import { appendKeyOf, btreeKeyOf, KeySet, makeValues } from "./_data.ts";
import { today } from "./_machine.ts";
import { runInTurn, settle } from "./_measure.ts";
import { uniformIndexes } from "./_random.ts";
import type { GrowthLine } from "./_results.ts";
import { makeTemp, removeTemp } from "./_temp.ts";
import { OPENERS, type Session } from "./peers/mod.ts";

const SIZES = [10_000, 30_000, 100_000, 300_000, 1_000_000, 3_000_000];
const SIZES_QUICK = 2;
/** Keys that are made, and put un-awaited, together. */
const CHUNK = 100_000;
const VALUES = 10_000;
const GETS = 20_000;
const WARM_UP_GETS = 2_000;
const SCANS = 500;
const SCAN_ROWS = 200;

const WORKS = ["put", "get", "scan row"] as const;

/** How many steps {@linkcode measureGrowth} takes. */
export function growthSteps(isQuick: boolean): number {
  return GROWTH.length * sizesOf(isQuick).length;
}

/** Grows a store of each contestant, and measures at each size: puts in a burst until they are in the
 * engines, of the keys that were added; random gets; scans of 200 rows. */
export async function measureGrowth(
  isQuick: boolean,
  onStep: (name: string) => void,
): Promise<GrowthLine[]> {
  const results: GrowthLine[] = [];
  const values = makeValues(VALUES, 100);
  const chunkValues = Array.from({ length: CHUNK }, (_, i) => values[i % VALUES]!);
  for (const { id, contestant, name, side } of GROWTH) {
    const keyOf = side === "append" ? appendKeyOf : btreeKeyOf;
    const directory = makeTemp();
    const session = await OPENERS[contestant]!(directory);
    const date = today();
    const found = WORKS.map((of): GrowthLine => ({ growth: id, of, date, points: [] }));
    try {
      let keys = 0;
      for (const size of sizesOf(isQuick)) {
        onStep(`${name}, ${size} keys`);
        const put = await grow(session, keyOf, keys, size, chunkValues);
        keys = size;
        await settle();
        const costs = [put, await get(session, keyOf, keys), await scan(session, keyOf, keys)];
        found.forEach(({ points }, i) => points.push([keys, costs[i]!]));
      }
    } finally {
      await session.close();
      removeTemp(directory);
    }
    results.push(...found);
  }
  return results;
}

function sizesOf(isQuick: boolean): number[] {
  return isQuick ? SIZES.slice(0, SIZES_QUICK) : SIZES;
}

type KeyOf = (i: number) => Uint8Array;

/** Puts the keys from one number to another, and returns the time of a put until it is in the engine. */
async function grow(
  session: Session,
  keyOf: KeyOf,
  from: number,
  to: number,
  values: readonly Uint8Array[],
): Promise<number> {
  let ms = 0;
  for (let done = from; done < to;) {
    const length = Math.min(CHUNK, to - done);
    const set = new KeySet(Array.from({ length }, (_, i) => keyOf(done + i)));
    const keys = session.keysOf(set);
    done += length;
    const start = performance.now();
    await session.putAll(keys, values);
    if (done === to) await session.settle();
    ms += performance.now() - start;
  }
  return ms * 1000 / (to - from);
}

async function get(session: Session, keyOf: KeyOf, count: number): Promise<number> {
  const set = new KeySet(Array.from(uniformIndexes(GETS + WARM_UP_GETS, count, count), keyOf));
  const keys = session.keysOf(set);
  const { getSync } = session;
  // Once to warm up: the first get of a size meets code that is not compiled yet. With other keys, which
  // no cache has then.
  await runInTurn((i) => getSync(keys[GETS + i]), { count: WARM_UP_GETS, limitMs: Infinity });
  const { ms } = await runInTurn((i) => getSync(keys[i]), { count: GETS, limitMs: Infinity });
  return ms * 1000 / GETS;
}

async function scan(session: Session, keyOf: KeyOf, count: number): Promise<number> {
  const set = new KeySet(Array.from(uniformIndexes(SCANS, count, count + 1), keyOf));
  const keys = session.keysOf(set);
  const limits = { count: SCANS, limitMs: Infinity };
  const { rows, ms } = await runInTurn((i) => session.scanFrom(keys[i], SCAN_ROWS), limits);
  return ms * 1000 / rows;
}
