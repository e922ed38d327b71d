/** Keys that belong to no subject.
 *
 * @module
 */

import { decimalPart, encodeKey, textPart } from "./_key_text.ts";

const TRUST_PACK_ID_BYTES = 32;

/** Builds the key of an epoch, `\0E:{id}` (append side).
 *
 * @category Keys of claims
 * @param id The id of the epoch; no NUL, may be empty.
 * @returns The key, as bytes that belong to the caller.
 * @throws {TypeError} When `id` is not a string, or contains NUL or a lone surrogate.
 * @throws {RangeError} When the key is longer than {@linkcode MAX_KEY_BYTES} bytes.
 *
 * @example
 * ```ts
 * import { epochKey } from "@hybrid/store/codec";
 * import { assertEquals } from "@std/assert";
 *
 * const key = epochKey("e7");
 * assertEquals(new TextDecoder().decode(key), "\0E:e7");
 * ```
 */
export function epochKey(id: string): Uint8Array {
  const what = "epoch key";
  return encodeKey(what, `\0E:${textPart(what, "id", id)}`);
}

/** Builds the key of the record that an assertion is superseded, `\0SUPERSEDED:{hash}` (append
 * side).
 *
 * @category Keys of claims
 * @param hash The hash of the assertion; no NUL, may be empty.
 * @returns The key, as bytes that belong to the caller.
 * @throws {TypeError} When `hash` is not a string, or contains NUL or a lone surrogate.
 * @throws {RangeError} When the key is longer than {@linkcode MAX_KEY_BYTES} bytes.
 *
 * @example
 * ```ts
 * import { supersededKey } from "@hybrid/store/codec";
 * import { assertEquals } from "@std/assert";
 *
 * const key = supersededKey("h1");
 * assertEquals(new TextDecoder().decode(key), "\0SUPERSEDED:h1");
 * ```
 */
export function supersededKey(hash: string): Uint8Array {
  const what = "superseded key";
  return encodeKey(what, `\0SUPERSEDED:${textPart(what, "hash", hash)}`);
}

/** Builds the key of the stored cursor, `\0META:cursor` (append side).
 *
 * @category Keys of claims
 * @returns The key, as bytes that belong to the caller.
 *
 * @example
 * ```ts
 * import { cursorKey } from "@hybrid/store/codec";
 * import { assertEquals } from "@std/assert";
 *
 * const key = cursorKey();
 * assertEquals(new TextDecoder().decode(key), "\0META:cursor");
 * ```
 */
export function cursorKey(): Uint8Array {
  return encodeKey("cursor key", "\0META:cursor");
}

/** Builds the key of the count of all assertions, `\0META:assertion_count` (append side). The value
 * is a u64.
 *
 * @category Keys of claims
 * @returns The key, as bytes that belong to the caller.
 *
 * @example
 * ```ts
 * import { assertionCountKey } from "@hybrid/store/codec";
 * import { assertEquals } from "@std/assert";
 *
 * const key = assertionCountKey();
 * assertEquals(new TextDecoder().decode(key), "\0META:assertion_count");
 * ```
 */
export function assertionCountKey(): Uint8Array {
  return encodeKey("assertion count key", "\0META:assertion_count");
}

/** Builds the key of the trust rank of an agent, `\0TRUST:{agent}` (B-tree side).
 *
 * @category Keys of claims
 * @param agent The agent, such as `did:key:z6Mk`; no NUL, may be empty.
 * @returns The key, as bytes that belong to the caller.
 * @throws {TypeError} When `agent` is not a string, or contains NUL or a lone surrogate.
 * @throws {RangeError} When the key is longer than {@linkcode MAX_KEY_BYTES} bytes.
 *
 * @example
 * ```ts
 * import { trustRankKey } from "@hybrid/store/codec";
 * import { assertEquals } from "@std/assert";
 *
 * const key = trustRankKey("did:key:z6Mk");
 * assertEquals(new TextDecoder().decode(key), "\0TRUST:did:key:z6Mk");
 * ```
 */
export function trustRankKey(agent: string): Uint8Array {
  const what = "trust rank key";
  return encodeKey(what, `\0TRUST:${textPart(what, "agent", agent)}`);
}

/** Builds the key of an agent's quota in a window, `\0QUOTA:{agent}:{window}` (B-tree side). The
 * window is 20 decimal digits: the keys of one agent sort by window, and an agent with colons is
 * unambiguous.
 *
 * @category Keys of claims
 * @param agent The agent, such as `did:key:z6Mk`; no NUL, may be empty.
 * @param window The number of the window: a safe integer or a bigint, 0 to 2^64 - 1.
 * @returns The key, as bytes that belong to the caller.
 * @throws {TypeError} When `agent` is not a string, or contains NUL or a lone surrogate, or
 * `window` is neither a number nor a bigint.
 * @throws {RangeError} When `window` is negative, fractional, NaN, an unsafe integer or above 2^64
 * - 1, or the key is longer than {@linkcode MAX_KEY_BYTES} bytes.
 *
 * @example
 * ```ts
 * import { quotaKey } from "@hybrid/store/codec";
 * import { assertEquals } from "@std/assert";
 *
 * const key = quotaKey("did:key:z6Mk", 42);
 * assertEquals(new TextDecoder().decode(key), "\0QUOTA:did:key:z6Mk:00000000000000000042");
 * ```
 */
export function quotaKey(agent: string, window: number | bigint): Uint8Array {
  const what = "quota key";
  const head = `\0QUOTA:${textPart(what, "agent", agent)}`;
  return encodeKey(what, `${head}:${decimalPart(what, "window", window)}`);
}

/** Builds the key of the audit trail of a query, `\0AUD:{query}` (B-tree side).
 *
 * @category Keys of claims
 * @param query The id of the query; no NUL, may be empty.
 * @returns The key, as bytes that belong to the caller.
 * @throws {TypeError} When `query` is not a string, or contains NUL or a lone surrogate.
 * @throws {RangeError} When the key is longer than {@linkcode MAX_KEY_BYTES} bytes.
 *
 * @example
 * ```ts
 * import { auditKey } from "@hybrid/store/codec";
 * import { assertEquals } from "@std/assert";
 *
 * const key = auditKey("q1");
 * assertEquals(new TextDecoder().decode(key), "\0AUD:q1");
 * ```
 */
export function auditKey(query: string): Uint8Array {
  const what = "audit key";
  return encodeKey(what, `\0AUD:${textPart(what, "query", query)}`);
}

/** Builds the key of an escalation, `\0ESC:{timestamp}:{hash}` (B-tree side). The timestamp is 20
 * decimal digits: escalations sort by time.
 *
 * @category Keys of claims
 * @param timestamp The time, always in the same unit, which the caller chooses: a safe integer or a
 * bigint, 0 to 2^64 - 1.
 * @param hash The hash of the assertion; no NUL, may be empty.
 * @returns The key, as bytes that belong to the caller.
 * @throws {TypeError} When `hash` is not a string, or contains NUL or a lone surrogate, or
 * `timestamp` is neither a number nor a bigint.
 * @throws {RangeError} When `timestamp` is negative, fractional, NaN, an unsafe integer or above
 * 2^64 - 1, or the key is longer than {@linkcode MAX_KEY_BYTES} bytes.
 *
 * @example
 * ```ts
 * import { escalationKey } from "@hybrid/store/codec";
 * import { assertEquals } from "@std/assert";
 *
 * const key = escalationKey(1700000000000, "h1");
 * assertEquals(new TextDecoder().decode(key), "\0ESC:00000001700000000000:h1");
 * ```
 */
export function escalationKey(timestamp: number | bigint, hash: string): Uint8Array {
  const what = "escalation key";
  const head = `\0ESC:${decimalPart(what, "timestamp", timestamp)}`;
  return encodeKey(what, `${head}:${textPart(what, "hash", hash)}`);
}

/** Builds the key of a trust pack, `\0TP:{id}` with the id as 64 lower-case hex digits (B-tree
 * side).
 *
 * @category Keys of claims
 * @param id The id, 32 bytes; it is not changed.
 * @returns The key, as bytes that belong to the caller.
 * @throws {TypeError} When `id` is not a `Uint8Array` of 32 bytes.
 *
 * @example
 * ```ts
 * import { trustPackKey } from "@hybrid/store/codec";
 * import { assertEquals } from "@std/assert";
 *
 * const key = trustPackKey(new Uint8Array(32).fill(0xab));
 * assertEquals(new TextDecoder().decode(key), "\0TP:" + "ab".repeat(32));
 * ```
 */
export function trustPackKey(id: Uint8Array): Uint8Array {
  const what = "trust pack key";
  if (!(id instanceof Uint8Array)) {
    throw new TypeError(`Cannot build ${what}: id is not a Uint8Array`);
  }
  if (id.length !== TRUST_PACK_ID_BYTES) {
    throw new TypeError(
      `Cannot build ${what}: id is ${id.length} bytes long, not ${TRUST_PACK_ID_BYTES}`,
    );
  }
  let digits = "";
  for (const byte of id) digits += byte.toString(16).padStart(2, "0");
  return encodeKey(what, `\0TP:${digits}`);
}
