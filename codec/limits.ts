/** The limit of keys.
 *
 * @module
 */

/** Holds the most bytes that a key may have, on either side of a store. LMDB's pages of 8 KiB, which new stores
 * have, would take 4026; a row of a PostgreSQL index takes somewhat more than this. A store that was created
 * with a lower limit keeps that.
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
export const MAX_KEY_BYTES = 2600;
