/** Indexes of which few come often: the distribution of YCSB.
 *
 * Source: Gray et al., "Quickly Generating Billion-Record Synthetic Databases", SIGMOD 1994, as in
 * YCSB's ZipfianGenerator and ScrambledZipfianGenerator.
 *
 * @module
 */

import { randomNumbers } from "./_random.ts";

/** YCSB's constant: how much more often the popular ones come. */
const THETA = 0.99;

/** Returns ranks below `count`: 0 comes most often, 1 next. */
export function zipfianRanks(length: number, count: number, seed: number): Uint32Array {
  const random = randomNumbers(seed);
  const zetaN = zeta(count);
  const alpha = 1 / (1 - THETA);
  const eta = (1 - (2 / count) ** (1 - THETA)) / (1 - zeta(2) / zetaN);
  return Uint32Array.from({ length }, () => {
    const u = random() / 2 ** 32;
    const uz = u * zetaN;
    if (uz < 1) return 0;
    if (uz < 1 + 0.5 ** THETA) return Math.min(1, count - 1);
    return Math.min(count - 1, Math.floor(count * (eta * u - eta + 1) ** alpha));
  });
}

/** Returns indexes below `count` with the same distribution, the popular ones scattered over all of them
 * by a hash, so that they do not lie side by side in a tree. */
export function scrambledZipfianIndexes(length: number, count: number, seed: number): Uint32Array {
  return zipfianRanks(length, count, seed).map((rank) => scramble(rank) % count);
}

function zeta(count: number): number {
  let sum = 0;
  for (let i = 1; i <= count; i++) sum += 1 / i ** THETA;
  return sum;
}

/** FNV-1a over the four bytes, which is what YCSB hashes with (there over eight), then mixed: its low
 * bits alone are too regular for a remainder. */
function scramble(rank: number): number {
  let hash = 0x811c9dc5;
  for (let shift = 0; shift < 32; shift += 8) {
    hash = Math.imul(hash ^ (rank >>> shift & 0xff), 0x01000193);
  }
  hash = Math.imul(hash ^ hash >>> 16, 0x85ebca6b);
  return (hash ^ hash >>> 13) >>> 0;
}
