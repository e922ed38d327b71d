/** Parts of byte arrays, compared and copied without a view of them: views of short parts are most of what the
 * memory engine would leave to the garbage collector.
 *
 * @module
 */

/** Shorter parts are copied byte by byte, which takes no longer. */
const VIEW_BYTES_MIN = 256;

/** Compares two parts as `compareBytes` does. */
export function compareParts(
  a: Uint8Array,
  aStart: number,
  aEnd: number,
  b: Uint8Array,
  bStart: number,
  bEnd: number,
): number {
  const shared = Math.min(aEnd - aStart, bEnd - bStart);
  for (let i = 0; i < shared; i++) {
    const difference = a[aStart + i]! - b[bStart + i]!;
    if (difference !== 0) return difference;
  }
  return aEnd - aStart - (bEnd - bStart);
}

/** Copies a part to a place in other bytes. */
export function copyPart(
  target: Uint8Array,
  at: number,
  source: Uint8Array,
  start: number,
  end: number,
): void {
  if (end - start >= VIEW_BYTES_MIN) target.set(source.subarray(start, end), at);
  else for (let i = start; i < end; i++) target[at + i - start] = source[i]!;
}
