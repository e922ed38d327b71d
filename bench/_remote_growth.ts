/** How the cost of what a remote store does grows with its keys.
 *
 * @module
 */

import { Progress } from "../scripts/_progress.ts";
import { appendKeyOf, makeValues } from "./_data.ts";
import { median } from "./_measure.ts";
import { uniformIndexes } from "./_random.ts";
import type { HandWritten, Pair } from "./_remote_peer.ts";
import type { RemoteStore } from "../remote/mod.ts";

const SIZES = [10_000, 100_000, 1_000_000];
const BATCH = 1_000;
const SCAN_ROWS = 1_000;
const SINGLES = 500;
const REPEATS = 9;
const VALUES = 10_000;

/** Fills both with ever more keys, and prints what each operation takes at each size. */
export async function measureRemoteGrowth(store: RemoteStore, peer: HandWritten): Promise<void> {
  const values = makeValues(VALUES, 100);
  const pairOf = (i: number): Pair => [appendKeyOf(i), values[i % VALUES]!];
  const progress = new Progress("keys", SIZES.at(-1)!);
  const lines: string[] = [];
  let keys = 0;
  try {
    for (const size of SIZES) {
      for (; keys < size; keys += BATCH) {
        const pairs = Array.from({ length: BATCH }, (_, i) => pairOf(keys + i));
        await Promise.all([commitBatch(store, pairs), peer.putUnnest(pairs)]);
        progress.update(keys + BATCH, "filled");
      }
      const works = worksOf(store, peer, keys, pairOf);
      for (const [name, own, beside] of works) {
        const found: [number[], number[]] = [[], []];
        for (let round = 0; round < REPEATS; round++) {
          for (const side of round % 2 === 0 ? [0, 1] : [1, 0]) {
            found[side]!.push(await [own, beside][side]!(round));
          }
        }
        const [ms, other] = [median(found[0]), median(found[1])];
        lines.push(
          `  ${name.padEnd(24)}${keys.toLocaleString("en").padStart(10)}` +
            `${ms.toFixed(3).padStart(10)}${other.toFixed(3).padStart(10)}`,
        );
      }
    }
  } finally {
    progress.stop();
  }
  console.log(`milliseconds, medians of ${REPEATS} rounds: RemoteStore, then by hand`);
  console.log(lines.sort().join("\n"));
}

/** Returns the milliseconds of one operation. */
type Timed = (round: number) => Promise<number>;

function worksOf(
  store: RemoteStore,
  peer: HandWritten,
  keys: number,
  pairOf: (i: number) => Pair,
): [name: string, own: Timed, beside: Timed][] {
  const each = (run: (i: number) => Promise<unknown>): Timed => async (round) => {
    const order = uniformIndexes(SINGLES, keys, round);
    const start = performance.now();
    for (const i of order) await run(i);
    return (performance.now() - start) / SINGLES;
  };
  const some = (run: (order: Uint32Array) => Promise<unknown>): Timed => async (round) => {
    const order = uniformIndexes(BATCH, keys, round);
    const start = performance.now();
    await run(order);
    return performance.now() - start;
  };
  const pairsOf = (order: Uint32Array) => {
    // The same key twice is no valid statement by hand.
    return [...new Set(order)].map(pairOf);
  };
  return [
    ["get", each((i) => store.get(appendKeyOf(i))), each((i) => peer.get(appendKeyOf(i)))],
    ["put", each((i) => store.put(...pairOf(i))), each((i) => peer.put(pairOf(i)))],
    [
      `batch of ${BATCH}`,
      some((order) => commitBatch(store, pairsOf(order))),
      some((order) => peer.putUnnest(pairsOf(order))),
    ],
    [
      `scan of ${SCAN_ROWS} rows`,
      some(async ([from]) => {
        const range = { gte: appendKeyOf(from!), limit: SCAN_ROWS };
        let rows = 0;
        for await (const _entry of store.scan(range)) rows++;
        return rows;
      }),
      some(([from]) => peer.scan(appendKeyOf(from!), SCAN_ROWS)),
    ],
  ];
}

/** Puts some pairs in one batch. */
export async function commitBatch(store: RemoteStore, pairs: readonly Pair[]): Promise<void> {
  const batch = store.batch();
  for (const [key, value] of pairs) batch.put(key, value);
  await batch.commit();
}
