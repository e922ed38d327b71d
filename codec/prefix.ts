/** Prefixes as ranges.
 *
 * @module
 */

/** Computes the end of a prefix's range: the least byte string that is greater than every byte
 * string with the prefix. `prefix <= key && key < bound` holds for exactly the keys that begin with
 * `prefix`. Costs O(prefix).
 *
 * @category Keys and values
 * @param prefix The prefix; it is not changed.
 * @returns The bound, as bytes that belong to the caller, or `undefined` where there is none: for
 * the empty prefix and for one of `FF` bytes alone, whose range runs to the end of all keys.
 *
 * @example
 * ```ts
 * import { prefixUpperBound } from "@hybrid/store/codec";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(prefixUpperBound(Uint8Array.of(1, 2)), Uint8Array.of(1, 3));
 * assertEquals(prefixUpperBound(Uint8Array.of(1, 0xff)), Uint8Array.of(2));
 * assertEquals(prefixUpperBound(Uint8Array.of(0xff)), undefined);
 * ```
 */
export function prefixUpperBound(prefix: Uint8Array): Uint8Array | undefined {
  // FF has no successor of its length, so the last byte that has one is incremented, and what
  // follows it is dropped: a shorter string is less than any of its extensions.
  for (let i = prefix.length - 1; i >= 0; i--) {
    const byte = prefix[i]!;
    if (byte === 0xff) continue;
    // The constructor copies where `slice` would not: on a Node `Buffer`, `slice` is a view.
    const bound = new Uint8Array(prefix.subarray(0, i + 1));
    bound[i] = byte + 1;
    return bound;
  }
  return undefined;
}

/** Returns the longest byte string that both arguments begin with. Costs O(result), copies nothing.
 *
 * @category Keys and values
 * @param a One byte string.
 * @param b The other byte string.
 * @returns A view into `a`, which shares its memory and lives as long; empty where the first bytes
 * differ.
 *
 * @example Narrowing a range to a prefix
 * ```ts
 * import { commonPrefix } from "@hybrid/store/codec";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(commonPrefix(Uint8Array.of(1, 2, 3), Uint8Array.of(1, 2, 9)), Uint8Array.of(1, 2));
 * ```
 */
export function commonPrefix(a: Uint8Array, b: Uint8Array): Uint8Array {
  const limit = Math.min(a.length, b.length);
  let length = 0;
  while (length < limit && a[length] === b[length]) length++;
  return a.subarray(0, length);
}
