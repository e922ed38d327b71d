/** Unsigned 64-bit integers.
 *
 * @module
 */

/** The largest u64. */
export const U64_MAX: bigint = 2n ** 64n - 1n;
