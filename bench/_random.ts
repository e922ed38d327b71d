/** Random numbers that are the same for the same seed.
 *
 * @module
 */

/** Returns a function that yields whole numbers below 2^32, the same for the same seed (mulberry32). */
export function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = state + 0x6d2b79f5 | 0;
    let mixed = Math.imul(state ^ state >>> 15, 1 | state);
    mixed = mixed + Math.imul(mixed ^ mixed >>> 7, 61 | mixed) ^ mixed;
    return (mixed ^ mixed >>> 14) >>> 0;
  };
}

/** Returns random indexes below `count`, each as likely as any other. */
export function uniformIndexes(length: number, count: number, seed: number): Uint32Array {
  const random = randomNumbers(seed);
  return Uint32Array.from({ length }, () => Math.floor(random() / 2 ** 32 * count));
}

/** Returns all indexes below `count`, each once, in random order. */
export function shuffledIndexes(count: number, seed: number): Uint32Array {
  const random = randomNumbers(seed);
  const indexes = Uint32Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const other = Math.floor(random() / 2 ** 32 * (i + 1));
    [indexes[i], indexes[other]] = [indexes[other]!, indexes[i]!];
  }
  return indexes;
}
