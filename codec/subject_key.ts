/** Keys that belong to a subject.
 *
 * @module
 */

import { colonFreePart, encodeKey, subjectPart, textPart } from "./_key_text.ts";

/** Builds the key of an assertion, `{subject}\0H:{hash}` (append side).
 *
 * @category Keys of claims
 * @param subject The subject; not empty, no NUL.
 * @param hash The hash of the assertion; no NUL, may be empty.
 * @returns The key, as bytes that belong to the caller.
 * @throws {TypeError} When a part is not a string, contains NUL or a lone surrogate, or `subject`
 * is empty.
 * @throws {RangeError} When the key is longer than {@linkcode MAX_KEY_BYTES} bytes.
 *
 * @example
 * ```ts
 * import { assertionKey } from "@hybrid/store/codec";
 * import { assertEquals } from "@std/assert";
 *
 * const key = assertionKey("Tesla_Inc", "h1");
 * assertEquals(new TextDecoder().decode(key), "Tesla_Inc\0H:h1");
 * ```
 */
export function assertionKey(subject: string, hash: string): Uint8Array {
  const what = "assertion key";
  const owner = subjectPart(what, subject);
  return encodeKey(what, `${owner}\0H:${textPart(what, "hash", hash)}`);
}

/** Builds the key of a vote, `{subject}\0V:{hash}:{voter}` (append side). The first `:` ends the hash,
 * so the hash cannot contain one; a voter such as `did:key:z6Mk` can. With an empty voter the key is
 * the prefix of all votes on one assertion, ready for a scan.
 *
 * @category Keys of claims
 * @param subject The subject; not empty, no NUL.
 * @param hash The hash of the assertion voted on; no NUL and no `:`, may be empty.
 * @param voter The voter; no NUL, may be empty.
 * @returns The key, as bytes that belong to the caller.
 * @throws {TypeError} When a part is not a string, contains NUL or a lone surrogate, `subject` is
 * empty, or `hash` contains `:`.
 * @throws {RangeError} When the key is longer than {@linkcode MAX_KEY_BYTES} bytes.
 *
 * @example
 * ```ts
 * import { voteKey } from "@hybrid/store/codec";
 * import { assertEquals } from "@std/assert";
 *
 * const key = voteKey("Tesla_Inc", "h1", "did:key:z6Mk");
 * assertEquals(new TextDecoder().decode(key), "Tesla_Inc\0V:h1:did:key:z6Mk");
 * ```
 */
export function voteKey(subject: string, hash: string, voter: string): Uint8Array {
  const what = "vote key";
  const head = `${subjectPart(what, subject)}\0V:${colonFreePart(what, "hash", hash)}`;
  return encodeKey(what, `${head}:${textPart(what, "voter", voter)}`);
}

/** Builds the key of an assertion's vote count, `{subject}\0VC:{hash}` (append side). The value is
 * a u64.
 *
 * @category Keys of claims
 * @param subject The subject; not empty, no NUL.
 * @param hash The hash of the assertion; no NUL, may be empty.
 * @returns The key, as bytes that belong to the caller.
 * @throws {TypeError} When a part is not a string, contains NUL or a lone surrogate, or `subject`
 * is empty.
 * @throws {RangeError} When the key is longer than {@linkcode MAX_KEY_BYTES} bytes.
 *
 * @example
 * ```ts
 * import { voteCountKey } from "@hybrid/store/codec";
 * import { assertEquals } from "@std/assert";
 *
 * const key = voteCountKey("Tesla_Inc", "h1");
 * assertEquals(new TextDecoder().decode(key), "Tesla_Inc\0VC:h1");
 * ```
 */
export function voteCountKey(subject: string, hash: string): Uint8Array {
  const what = "vote count key";
  const owner = subjectPart(what, subject);
  return encodeKey(what, `${owner}\0VC:${textPart(what, "hash", hash)}`);
}

/** Builds the key of an assertion's total vote weight, `{subject}\0VW:{hash}` (append side). The
 * value is an f32.
 *
 * @category Keys of claims
 * @param subject The subject; not empty, no NUL.
 * @param hash The hash of the assertion; no NUL, may be empty.
 * @returns The key, as bytes that belong to the caller.
 * @throws {TypeError} When a part is not a string, contains NUL or a lone surrogate, or `subject`
 * is empty.
 * @throws {RangeError} When the key is longer than {@linkcode MAX_KEY_BYTES} bytes.
 *
 * @example
 * ```ts
 * import { voteWeightKey } from "@hybrid/store/codec";
 * import { assertEquals } from "@std/assert";
 *
 * const key = voteWeightKey("Tesla_Inc", "h1");
 * assertEquals(new TextDecoder().decode(key), "Tesla_Inc\0VW:h1");
 * ```
 */
export function voteWeightKey(subject: string, hash: string): Uint8Array {
  const what = "vote weight key";
  const owner = subjectPart(what, subject);
  return encodeKey(what, `${owner}\0VW:${textPart(what, "hash", hash)}`);
}

/** Builds the key of a subject's index, `{subject}\0S:` (B-tree side).
 *
 * @category Keys of claims
 * @param subject The subject; not empty, no NUL.
 * @returns The key, as bytes that belong to the caller.
 * @throws {TypeError} When `subject` is not a string, contains NUL or a lone surrogate, or is
 * empty.
 * @throws {RangeError} When the key is longer than {@linkcode MAX_KEY_BYTES} bytes.
 *
 * @example
 * ```ts
 * import { subjectIndexKey } from "@hybrid/store/codec";
 * import { assertEquals } from "@std/assert";
 *
 * const key = subjectIndexKey("Tesla_Inc");
 * assertEquals(new TextDecoder().decode(key), "Tesla_Inc\0S:");
 * ```
 */
export function subjectIndexKey(subject: string): Uint8Array {
  const what = "subject index key";
  return encodeKey(what, `${subjectPart(what, subject)}\0S:`);
}

/** Builds the key of the index of one predicate of a subject, `{subject}\0SP:{predicate}` (B-tree
 * side).
 *
 * @category Keys of claims
 * @param subject The subject; not empty, no NUL.
 * @param predicate The predicate; no NUL, may be empty.
 * @returns The key, as bytes that belong to the caller.
 * @throws {TypeError} When a part is not a string, contains NUL or a lone surrogate, or `subject`
 * is empty.
 * @throws {RangeError} When the key is longer than {@linkcode MAX_KEY_BYTES} bytes.
 *
 * @example
 * ```ts
 * import { subjectPredicateKey } from "@hybrid/store/codec";
 * import { assertEquals } from "@std/assert";
 *
 * const key = subjectPredicateKey("Tesla_Inc", "revenue");
 * assertEquals(new TextDecoder().decode(key), "Tesla_Inc\0SP:revenue");
 * ```
 */
export function subjectPredicateKey(subject: string, predicate: string): Uint8Array {
  const what = "subject predicate key";
  const owner = subjectPart(what, subject);
  return encodeKey(what, `${owner}\0SP:${textPart(what, "predicate", predicate)}`);
}

/** Builds the key of the materialized view of one predicate of a subject,
 * `{subject}\0MV:{predicate}` (B-tree side).
 *
 * @category Keys of claims
 * @param subject The subject; not empty, no NUL.
 * @param predicate The predicate; no NUL, may be empty.
 * @returns The key, as bytes that belong to the caller.
 * @throws {TypeError} When a part is not a string, contains NUL or a lone surrogate, or `subject`
 * is empty.
 * @throws {RangeError} When the key is longer than {@linkcode MAX_KEY_BYTES} bytes.
 *
 * @example
 * ```ts
 * import { mvKey } from "@hybrid/store/codec";
 * import { assertEquals } from "@std/assert";
 *
 * const key = mvKey("Tesla_Inc", "revenue");
 * assertEquals(new TextDecoder().decode(key), "Tesla_Inc\0MV:revenue");
 * ```
 */
export function mvKey(subject: string, predicate: string): Uint8Array {
  const what = "materialized view key";
  const owner = subjectPart(what, subject);
  return encodeKey(what, `${owner}\0MV:${textPart(what, "predicate", predicate)}`);
}

/** Builds the key of the gold standard for one predicate of a subject, `{subject}\0GS:{predicate}`
 * (B-tree side).
 *
 * @category Keys of claims
 * @param subject The subject; not empty, no NUL.
 * @param predicate The predicate; no NUL, may be empty.
 * @returns The key, as bytes that belong to the caller.
 * @throws {TypeError} When a part is not a string, contains NUL or a lone surrogate, or `subject`
 * is empty.
 * @throws {RangeError} When the key is longer than {@linkcode MAX_KEY_BYTES} bytes.
 *
 * @example
 * ```ts
 * import { goldStandardKey } from "@hybrid/store/codec";
 * import { assertEquals } from "@std/assert";
 *
 * const key = goldStandardKey("Tesla_Inc", "revenue");
 * assertEquals(new TextDecoder().decode(key), "Tesla_Inc\0GS:revenue");
 * ```
 */
export function goldStandardKey(subject: string, predicate: string): Uint8Array {
  const what = "gold standard key";
  const owner = subjectPart(what, subject);
  return encodeKey(what, `${owner}\0GS:${textPart(what, "predicate", predicate)}`);
}
