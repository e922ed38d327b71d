/** The limit of keys.
 *
 * @module
 */

/** Holds the most bytes that a key may have. It is LMDB's limit with pages of 4 KiB, and it applies to
 * both engines, so that each of them can take every key.
 *
 * @category Keys and values
 * @example Checking a key before it is put
 * ```ts
 * import { assertionKey, MAX_KEY_BYTES } from "@hybrid/store/codec";
 * import { assert } from "@std/assert";
 *
 * assert(assertionKey("Tesla_Inc", "h1").length <= MAX_KEY_BYTES);
 * ```
 */
export const MAX_KEY_BYTES = 1978;
