/** From a key back to its parts.
 *
 * @module
 */

// A leading U+FEFF belongs to the subject; without `ignoreBOM` the decoder would drop it. And two
// keys that differ in bytes must not parse alike, hence `fatal`.
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The parts of a key, as {@linkcode parseKey} returns them.
 *
 * @category Keys of claims
 */
export type ParsedKey = {
  /** What precedes the NUL; absent for a global key. */
  subject?: string;
  /** The tag with its colon, as in a `Route`. */
  tag: string;
  /** What follows the tag, undivided: `{hash}:{voter}` for a vote. */
  suffix: string;
};

/** Parses a key into its parts, the inverse of building it. Any key of the layout
 * `[{subject}]\0{TAG}:{suffix}` is taken, whether its tag has a route or not. The first NUL ends
 * the subject and the next `:` ends the tag, so both may occur again in the suffix. Costs O(key).
 *
 * @category Keys of claims
 * @param key The key.
 * @returns Its parts.
 * @throws {TypeError} When `key` is not a `Uint8Array`, is not UTF-8, holds no NUL, or holds no `:`
 * after it.
 *
 * @example
 * ```ts
 * import { epochKey, parseKey, voteKey } from "@hybrid/store/codec";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(parseKey(voteKey("Tesla_Inc", "h1", "did:key:z6Mk")), {
 *   subject: "Tesla_Inc",
 *   tag: "V:",
 *   suffix: "h1:did:key:z6Mk",
 * });
 * assertEquals(parseKey(epochKey("e7")), { tag: "E:", suffix: "e7" });
 * ```
 */
export function parseKey(key: Uint8Array): ParsedKey {
  if (!(key instanceof Uint8Array)) throw new TypeError("Cannot parse key: it is not a Uint8Array");
  const text = decode(key);
  const nul = text.indexOf("\0");
  if (nul === -1) {
    throw new TypeError("Cannot parse key: it holds no NUL, as every key of this module does");
  }
  const colon = text.indexOf(":", nul + 1);
  if (colon === -1) throw new TypeError('Cannot parse key: it holds no ":" after its first NUL');
  const tag = text.slice(nul + 1, colon + 1);
  const suffix = text.slice(colon + 1);
  return nul === 0 ? { tag, suffix } : { subject: text.slice(0, nul), tag, suffix };
}

function decode(key: Uint8Array): string {
  try {
    return utf8.decode(key);
  } catch (cause) {
    throw new TypeError("Cannot parse key: it is not UTF-8", { cause });
  }
}
