/** Which keys of the store are whose: the byte in front of each says it.
 *
 * | first byte | then | value |
 * |---|---|---|
 * | `01` | a key: see `key.ts` | an entry: see `value.ts` |
 * | `02` | `f` | version of the format: 1 |
 * | `02` | `s` | the versionstamp up to which they may have been given: 8 bytes, big-endian |
 * | `02` | `b` | nothing: there are, or were, blobs |
 * | `03` | milliseconds, 8 bytes, big-endian; a key | nothing: the entry of the key may expire then |
 * | `04` | milliseconds, versionstamp, number: see `message.ts` | a message of the queue |
 * | `05` | blob, 8 bytes; chunk, 4 bytes: see `blob.ts` | a chunk of a blob |
 * | `06` | blob, 8 bytes | nothing: the blob has no entry |
 *
 * @module
 */

/** In front of the keys of entries. */
export const ENTRY = 0x01;
/** In front of what the Kv knows about itself. */
export const META = 0x02;
/** In front of the index by time of expiry. */
export const EXPIRY = 0x03;
/** In front of the messages of the queue. */
export const MESSAGE = 0x04;
/** In front of the chunks of blobs. */
export const CHUNK = 0x05;
/** In front of the numbers of blobs that no entry has. */
export const UNUSED = 0x06;

/** The version of this layout, and of what is in it. */
export const FORMAT = 1;

const LETTERS = new TextEncoder().encode("fsb");
/** Where the version of the format is. */
export const FORMAT_KEY: Uint8Array = new Uint8Array([META, LETTERS[0]!]);
/** Where the limit of the versionstamps is. */
export const STAMP_KEY: Uint8Array = new Uint8Array([META, LETTERS[1]!]);
/** Where it says that there are, or were, blobs. */
export const BLOB_FLAG_KEY: Uint8Array = new Uint8Array([META, LETTERS[2]!]);

/** Returns 8 bytes, big-endian. */
export function u64Bytes(number: bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, number);
  return bytes;
}

/** Returns the number in 8 bytes, big-endian. */
export function u64From(bytes: Uint8Array, offset = 0): bigint {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getBigUint64(offset);
}

/** Bytes of the key of a note that no entry has a blob. */
export const UNUSED_KEY_BYTES = 9;

/** Returns the key of the note that no entry has a blob. */
export function unusedKey(id: bigint): Uint8Array {
  const key = new Uint8Array(UNUSED_KEY_BYTES);
  key[0] = UNUSED;
  key.set(u64Bytes(id), 1);
  return key;
}

/** Returns the key in the index of expiry.
 *
 * @param key The key of the entry, its first byte included.
 */
export function expiryKey(expiresAt: number, key: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(8 + key.length);
  bytes.set(u64Bytes(BigInt(expiresAt)), 1);
  bytes[0] = EXPIRY;
  bytes.set(key.subarray(1), 9);
  return bytes;
}

/** Returns the first key of the index that is for a later time. */
export function expiryBound(now: number): Uint8Array {
  return expiryKey(now + 1, new Uint8Array(1));
}

/** Returns the entry's key that a key of the index is for. */
export function expiringKey(indexKey: Uint8Array): Uint8Array {
  const key = indexKey.slice(8);
  key[0] = ENTRY;
  return key;
}
