/** Blobs: values that are kept in chunks, and read and written as streams.
 *
 * The entry of a blob holds its number, how many bytes it has, and how many of them a chunk has: three u64. Its
 * chunks are keys of their own: `05`, the number of the blob (u64), the number of the chunk (u32). A chunk has a
 * CRC32C of its key and its bytes, and the bytes. Numbers are big-endian.
 *
 * @module
 */

import { bytesBehind } from "../codec/bytes.ts";
import { StoreError } from "../codec/error.ts";
import { behindCrc, withCrc } from "./_checked.ts";
import { CHUNK, u64From } from "./layout.ts";

/** Bytes of a chunk, but for the last one. */
export const CHUNK_BYTES = 64 * 1024;

/** What `get`, `list` and `watch` have for a blob: that there is one. {@linkcode Kv.getBlob} has its bytes.
 *
 * @category Kv
 */
export class KvBlob {
  /** How many bytes it has. */
  readonly size: number;

  /** @internal */
  constructor(size: number) {
    this.size = size;
    Object.freeze(this);
  }
}

/** What the entry of a blob holds. */
export interface BlobReference {
  readonly id: bigint;
  readonly size: number;
  readonly chunkBytes: number;
}

/** Returns the bytes of a reference. */
export function encodeReference({ id, size, chunkBytes }: BlobReference): Uint8Array {
  const bytes = new Uint8Array(24);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, id);
  view.setBigUint64(8, BigInt(size));
  view.setBigUint64(16, BigInt(chunkBytes));
  return bytes;
}

/** Returns the reference that some bytes are.
 *
 * @throws {Error} They are none.
 */
export function decodeReference(bytes: Uint8Array): BlobReference {
  if (bytes.length !== 24) throw new Error("it is no reference to a blob");
  const [size, chunkBytes] = [Number(u64From(bytes, 8)), Number(u64From(bytes, 16))];
  return { id: u64From(bytes), size, chunkBytes };
}

/** Returns the key of a chunk. */
export function chunkKey(id: bigint, index: number): Uint8Array {
  const key = new Uint8Array(13);
  const view = new DataView(key.buffer);
  key[0] = CHUNK;
  view.setBigUint64(1, id);
  view.setUint32(9, index);
  return key;
}

/** Returns a key behind those of all chunks of a blob. */
export function chunksEnd(id: bigint): Uint8Array {
  return bytesBehind(chunkKey(id, 0xFFFF_FFFF));
}

/** Returns the value of a chunk. */
export function encodeChunk(key: Uint8Array, bytes: Uint8Array): Uint8Array {
  return withCrc(bytes, key);
}

/** Returns the bytes of a chunk.
 *
 * @param length How many there are.
 * @throws {StoreError} `CORRUPT`.
 */
export function decodeChunk(
  key: Uint8Array,
  value: Uint8Array | undefined,
  length: number,
): Uint8Array {
  const bytes = value && behindCrc(value, key);
  if (bytes?.length !== length) throw corrupt();
  return bytes;
}

function corrupt(): StoreError {
  return new StoreError(
    "CORRUPT",
    "Cannot read blob: its bytes are not what was written; set it again, or restore a backup",
  );
}
