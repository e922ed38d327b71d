/** The hash by which memtables and the read cache find a key.
 *
 * @module
 */

/** Where hashing begins: another number in each process, so that keys cannot be chosen to collide. */
const SEED = crypto.getRandomValues(new Uint32Array(1))[0]!;

/** Returns a hash of a key, 32 bits. It takes the bytes four at a time, and mixes the high bits into the low ones, which pick the slot of a table.
 */
export function hashKey(bytes: Uint8Array, start = 0, length: number = bytes.length): number {
  let hash = SEED ^ length;
  const end = start + length;
  let at = start;
  for (; at + 4 <= end; at += 4) {
    const word = bytes[at]! | bytes[at + 1]! << 8 | bytes[at + 2]! << 16 | bytes[at + 3]! << 24;
    hash = Math.imul(hash ^ word, 0x9e3779b1);
    hash ^= hash >>> 15;
  }
  for (; at < end; at++) {
    hash = Math.imul(hash ^ bytes[at]!, 0x01000193);
  }
  hash = Math.imul(hash ^ hash >>> 16, 0x85ebca6b);
  return (hash ^ hash >>> 13) >>> 0;
}
