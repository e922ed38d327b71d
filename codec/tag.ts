/** The tag of a key.
 *
 * @module
 */

const NUL = 0x00;
const COLON = 0x3a;

/** Extracts the tag of a key: the bytes after the first NUL, up to and including the next `:`.
 * Works on any bytes, of this layout or not. Costs O(key); a {@linkcode Router} finds the engine
 * of a key without this copy.
 *
 * @category Keys of claims
 * @param key The key; it is not changed.
 * @returns The tag with its colon, as a copy that belongs to the caller; empty where the key has no
 * NUL, or no `:` after it.
 *
 * @example
 * ```ts
 * import { extractTag, voteKey } from "@hybrid/store/codec";
 * import { assertEquals } from "@std/assert";
 *
 * const tag = extractTag(voteKey("Tesla_Inc", "h1", "did:key:z6Mk"));
 * assertEquals(new TextDecoder().decode(tag), "V:");
 * ```
 */
export function extractTag(key: Uint8Array): Uint8Array {
  const nul = key.indexOf(NUL);
  if (nul === -1) return new Uint8Array(0);
  const colon = key.indexOf(COLON, nul + 1);
  if (colon === -1) return new Uint8Array(0);
  // The constructor copies where `slice` would not: on a Node `Buffer`, `slice` is a view.
  return new Uint8Array(key.subarray(nul + 1, colon + 1));
}
