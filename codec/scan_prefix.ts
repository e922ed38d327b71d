/** Prefixes that one scan reads.
 *
 * @module
 */

import { colonFreePart, encodeKey, subjectPart } from "./_key_text.ts";

/** Builds the prefix of every key of a subject, `{subject}\0` (keys of both engines). The NUL excludes
 * longer subjects: `Tesla` does not find `Tesla_Inc`.
 *
 * @category Keys of claims
 * @param subject The subject; not empty, no NUL.
 * @returns The prefix, as bytes that belong to the caller.
 * @throws {TypeError} When `subject` is not a string, contains NUL or a lone surrogate, or is
 * empty.
 * @throws {RangeError} When the prefix is longer than {@linkcode MAX_KEY_BYTES} bytes, and so
 * longer than any key.
 *
 * @example
 * ```ts
 * import { subjectScanPrefix } from "@hybrid/store/codec";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new TextDecoder().decode(subjectScanPrefix("Tesla")), "Tesla\0");
 * ```
 */
export function subjectScanPrefix(subject: string): Uint8Array {
  const what = "subject scan prefix";
  return encodeKey(what, `${subjectPart(what, subject)}\0`);
}

/** Builds the prefix of every key with one tag, `{subject}\0{TAG}:` for one subject or `\0{TAG}:`
 * for the global keys (keys of one engine). No prefix covers one tag across all subjects, because
 * the subject comes first in a key.
 *
 * @category Keys of claims
 * @param tag The tag, with its colon or without it: `"MV"` and `"MV:"` are the same tag. No NUL, no
 * other `:`. The tag that is a colon alone has to be written `":"`.
 * @param subject The subject; not empty, no NUL. Left out for global keys.
 * @returns The prefix, as bytes that belong to the caller.
 * @throws {TypeError} When a part is not a string, contains NUL or a lone surrogate, or is empty,
 * or `tag` contains `:` before its end.
 * @throws {RangeError} When the prefix is longer than {@linkcode MAX_KEY_BYTES} bytes, and so
 * longer than any key.
 *
 * @example
 * ```ts
 * import { tagScanPrefix } from "@hybrid/store/codec";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new TextDecoder().decode(tagScanPrefix("MV", "Tesla")), "Tesla\0MV:");
 * assertEquals(new TextDecoder().decode(tagScanPrefix("ESC:")), "\0ESC:");
 * ```
 */
export function tagScanPrefix(tag: string, subject?: string): Uint8Array {
  const what = "tag scan prefix";
  // An empty string is far more often a value gone missing than the tag of the key `\0:`.
  if (tag === "") throw new TypeError(`Cannot build ${what}: tag is empty`);
  const bare = typeof tag === "string" && tag.endsWith(":") ? tag.slice(0, -1) : tag;
  const name = colonFreePart(what, "tag", bare);
  const owner = subject === undefined ? "" : subjectPart(what, subject);
  return encodeKey(what, `${owner}\0${name}:`);
}

/** Builds the prefix of every agent's trust rank, `\0TRUST:` (B-tree side).
 *
 * @category Keys of claims
 * @returns The prefix, as bytes that belong to the caller.
 *
 * @example
 * ```ts
 * import { startsWith, trustRankKey, trustRankScanPrefix } from "@hybrid/store/codec";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(startsWith(trustRankKey("did:key:z6Mk"), trustRankScanPrefix()), true);
 * ```
 */
export function trustRankScanPrefix(): Uint8Array {
  return encodeKey("trust rank scan prefix", "\0TRUST:");
}
