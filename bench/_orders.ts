/** The orders in which keys are read: another one in each round, so that no round reads what the one before
 * has left in a cache, and the same for all contestants of a round.
 *
 * @module
 */

import { shuffledIndexes, uniformIndexes } from "./_random.ts";
import { scrambledZipfianIndexes, zipfianRanks } from "./_zipfian.ts";

const ORDERS = {
  /** Each key once. */
  once: (count: number, _length: number, seed: number) => shuffledIndexes(count, seed),
  uniform: (count: number, length: number, seed: number) => uniformIndexes(length, count, seed),
  /** Few keys often, scattered over all. */
  zipfian: (count: number, length: number, seed: number) =>
    scrambledZipfianIndexes(length, count, seed),
  /** As zipfian, and the lower the index, the more often it comes. */
  ranks: (count: number, length: number, seed: number) => zipfianRanks(length, count, seed),
};

let known = new Map<string, Uint32Array>();
let knownSeed: number | undefined;

/** Returns the seed of the orders of a work in one round. */
export function seedOf(work: string, round: number): number {
  let seed = round;
  for (const character of work) {
    seed = Math.imul(seed, 31) + character.codePointAt(0)! | 0;
  }
  return seed;
}

/** Returns indexes below `count`, the same for the same arguments. They are made once for a seed: call it
 * before the clock runs.
 *
 * @param length How many; `once` has as many as there are keys.
 * @param variant Tells apart orders of the same seed that should differ.
 */
export function orderOf(
  kind: keyof typeof ORDERS,
  seed: number,
  count: number,
  length = count,
  variant = 0,
): Uint32Array {
  if (seed !== knownSeed) known = new Map();
  knownSeed = seed;
  const name = `${kind} ${count} ${length} ${variant}`;
  let order = known.get(name);
  if (order === undefined) {
    known.set(name, order = ORDERS[kind](count, length, seed + variant));
  }
  return order;
}
