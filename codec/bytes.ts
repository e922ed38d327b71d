/** Byte strings: their order, and how they begin.
 *
 * @module
 */

/** Compares two byte strings as unsigned bytes from the left; where one is a prefix of the other,
 * the shorter comes first. It is the order of every scan. Costs O(shared prefix), allocates
 * nothing.
 *
 * @category Keys and values
 * @param a The left byte string.
 * @param b The right byte string.
 * @returns A negative number when `a` comes first, a positive one when `b` does, 0 when they are
 * equal. Only the sign has a meaning.
 *
 * @example Sorting keys into scan order
 * ```ts
 * import { compareBytes } from "@hybrid/store/codec";
 * import { assertEquals } from "@std/assert";
 *
 * const keys = [Uint8Array.of(0xff), Uint8Array.of(1, 0), Uint8Array.of(1)];
 * keys.sort(compareBytes);
 * assertEquals(keys, [Uint8Array.of(1), Uint8Array.of(1, 0), Uint8Array.of(0xff)]);
 * ```
 */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) {
    // Both indexes are in bounds; a fallback value here would cost a branch per byte.
    const difference = a[i]! - b[i]!;
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/** Tells whether two byte strings hold the same bytes. Costs O(length), or O(1) when the lengths
 * differ. The time depends on the contents: unfit for comparing secrets.
 *
 * @category Keys and values
 * @param a One byte string.
 * @param b The other byte string.
 * @returns `true` when lengths and bytes agree.
 *
 * @example
 * ```ts
 * import { equalBytes } from "@hybrid/store/codec";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 2)), true);
 * assertEquals(equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1)), false);
 * ```
 */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && startsWith(a, b);
}

/** Returns the least byte string above another: the same bytes with a zero behind them. No byte string lies
 * between the two.
 *
 * @category Keys and values
 * @param bytes The byte string; it is not changed.
 * @returns Bytes that belong to the caller.
 *
 * @example
 * ```ts
 * import { bytesBehind } from "@hybrid/store/codec";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(bytesBehind(Uint8Array.of(1, 0xff)), Uint8Array.of(1, 0xff, 0));
 * ```
 */
export function bytesBehind(bytes: Uint8Array): Uint8Array {
  const behind = new Uint8Array(bytes.length + 1);
  behind.set(bytes);
  return behind;
}

/** Tells whether a byte string begins with a prefix. Every byte string begins with the empty one.
 * Costs O(prefix), allocates nothing.
 *
 * @category Keys and values
 * @param bytes The byte string to look at.
 * @param prefix The bytes it may begin with.
 * @returns `true` when `bytes` begins with `prefix`.
 *
 * @example
 * ```ts
 * import { assertionKey, startsWith, subjectScanPrefix } from "@hybrid/store/codec";
 * import { assertEquals } from "@std/assert";
 *
 * const key = assertionKey("Tesla_Inc", "h1");
 * assertEquals(startsWith(key, subjectScanPrefix("Tesla_Inc")), true);
 * assertEquals(startsWith(key, subjectScanPrefix("Tesla")), false);
 * ```
 */
export function startsWith(bytes: Uint8Array, prefix: Uint8Array): boolean {
  if (prefix.length > bytes.length) return false;
  for (let i = 0; i < prefix.length; i++) {
    if (bytes[i] !== prefix[i]) return false;
  }
  return true;
}
