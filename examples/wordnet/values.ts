/** What the keys of this job hold.
 *
 * | key | value |
 * |---|---|
 * | `{subject}\0H:{hash}` | the canonical JSON of the assertion |
 * | `{subject}\0S:` | the digests of the subject's assertions, 32 bytes each, in WordNet's order |
 * | `{subject}\0SP:{predicate}` | the same for one predicate |
 * | `{subject}\0MV:word` | the words, as a JSON array |
 * | `{subject}\0VC:{hash}`, `{subject}\0VW:{hash}` | u64, f32 |
 * | `\0META:cursor` | u64: the journal offset up to which statements were ingested |
 * | `\0META:assertion_count` | u64: how many assertions that made |
 * | `\0META:wordnet_…` | see `state.ts` |
 *
 * @module
 */

const encoder = new TextEncoder();
const decoder = new TextDecoder();

const DIGEST_BYTES = 32;

/** Encodes text. */
export function encodeText(text: string): Uint8Array {
  return encoder.encode(text);
}

/** Encodes a value as JSON. */
export function encodeJson(value: unknown): Uint8Array {
  return encoder.encode(JSON.stringify(value));
}

/** Decodes JSON that this job has written: its type is known from its key. */
export function decodeJson<T>(bytes: Uint8Array): T {
  return JSON.parse(decoder.decode(bytes));
}

/** Joins digests into the value of an index key. */
export function joinDigests(digests: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(digests.length * DIGEST_BYTES);
  digests.forEach((digest, index) => joined.set(digest, index * DIGEST_BYTES));
  return joined;
}

/** Returns the hashes that an index key lists, as they stand in keys: 64 hex digits each. */
export function splitHashes(joined: Uint8Array): string[] {
  const hashes: string[] = [];
  for (let at = 0; at < joined.length; at += DIGEST_BYTES) {
    hashes.push(joined.subarray(at, at + DIGEST_BYTES).toHex());
  }
  return hashes;
}
