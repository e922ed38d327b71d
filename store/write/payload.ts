/** The payload of a store's journal record: the writes of one group, in order.
 *
 * Each write, little-endian, one behind the other until the payload ends:
 *
 * | offset | width | meaning |
 * |---:|---:|---|
 * | 0 | 1 | 1 put, 2 delete |
 * | 1 | 2 | bytes of the key |
 * | 3 | 4 | bytes of the value; 0 for a delete |
 * | 7 | | the key, then the value |
 *
 * Values are final: a counter is logged as what it became, so that replaying twice changes nothing.
 *
 * @module
 */

import { REPAIR } from "../../codec/_advice.ts";
import { StoreError } from "../../codec/error.ts";
import { MAX_KEY_BYTES } from "../../codec/limits.ts";

/** Bytes of a write in front of its key. */
export const WRITE_HEADER_BYTES = 7;

const PUT = 1;
const DELETE = 2;

/** Returns the bytes that a write takes in a payload. */
export function writeBytes(key: Uint8Array, value: Uint8Array | undefined): number {
  return WRITE_HEADER_BYTES + key.length + (value?.length ?? 0);
}

/** Encodes a write and returns where it ends. */
export function encodeWrite(
  target: Uint8Array,
  start: number,
  key: Uint8Array,
  value: Uint8Array | undefined,
): number {
  const valueLength = value?.length ?? 0;
  target[start] = value === undefined ? DELETE : PUT;
  target[start + 1] = key.length;
  target[start + 2] = key.length >>> 8;
  target[start + 3] = valueLength;
  target[start + 4] = valueLength >>> 8;
  target[start + 5] = valueLength >>> 16;
  target[start + 6] = valueLength >>> 24;
  const keyStart = start + WRITE_HEADER_BYTES;
  const valueStart = keyStart + key.length;
  target.set(key, keyStart);
  if (value !== undefined) target.set(value, valueStart);
  return valueStart + valueLength;
}

/** Where a write stands in a payload; `valueLength` is -1 for a delete. */
export interface WriteSpan {
  readonly keyStart: number;
  readonly keyLength: number;
  readonly valueLength: number;
}

/** Yields the writes of a payload.
 *
 * @throws {StoreError} `CORRUPT`: the payload is not one that a store wrote.
 */
export function* decodeWrites(payload: Uint8Array): Generator<WriteSpan> {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
  let at = 0;
  while (at < payload.length) {
    if (at + WRITE_HEADER_BYTES > payload.length) throw malformed(at);
    const kind = view.getUint8(at);
    const keyLength = view.getUint16(at + 1, true);
    const valueLength = view.getUint32(at + 3, true);
    const keyStart = at + WRITE_HEADER_BYTES;
    const end = keyStart + keyLength + valueLength;
    const isKnown = kind === PUT || (kind === DELETE && valueLength === 0);
    if (!isKnown || keyLength === 0 || keyLength > MAX_KEY_BYTES || end > payload.length) {
      throw malformed(at);
    }
    yield { keyStart, keyLength, valueLength: kind === PUT ? valueLength : -1 };
    at = end;
  }
}

function malformed(at: number): StoreError {
  return new StoreError(
    "CORRUPT",
    `Cannot read journal record: no valid write at byte ${at} of its payload; ${REPAIR}`,
  );
}
