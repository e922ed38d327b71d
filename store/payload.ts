/** The payload of a store's journal record: the writes of one group, in order.
 *
 * Each write, little-endian, one behind the other until the payload ends:
 *
 * | offset | width | meaning |
 * |---:|---:|---|
 * | 0 | 1 | 1 put, 2 delete, 3 cursor moved, 4 cursor removed |
 * | 1 | 2 | bytes of the key, or of the cursor's name in UTF-8 |
 * | 3 | 4 | bytes of the value; 0 for a delete and a cursor that is removed, 8 for one that is moved |
 * | 7 | | the key, then the value; of a cursor its position, a u64 |
 *
 * Values are final: a counter is logged as what it became, so that replaying twice changes nothing.
 *
 * @module
 */

import { REPAIR } from "../codec/_advice.ts";
import { StoreError } from "../codec/error.ts";
import { MAX_KEY_BYTES } from "../codec/limits.ts";
import { encodeU64 } from "../codec/value.ts";

/** Bytes of a write in front of its key. */
export const WRITE_HEADER_BYTES = 7;

const PUT = 1;
const DELETE = 2;
const CURSOR = 3;
const NO_CURSOR = 4;
const POSITION_BYTES = 8;

// Without `ignoreBOM` a name that begins with U+FEFF would come back as another one.
const NAMES = new TextDecoder("utf-8", { ignoreBOM: true });

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

/** Returns the bytes that a change of a cursor takes in a payload. */
export function cursorBytes(name: Uint8Array, position: bigint | undefined): number {
  return WRITE_HEADER_BYTES + name.length + (position === undefined ? 0 : POSITION_BYTES);
}

/** Encodes the change of a cursor and returns where it ends. */
export function encodeCursor(
  target: Uint8Array,
  start: number,
  name: Uint8Array,
  position: bigint | undefined,
): number {
  const value = position === undefined ? undefined : encodeU64(position);
  const end = encodeWrite(target, start, name, value);
  target[start] = position === undefined ? NO_CURSOR : CURSOR;
  return end;
}

/** Told that a cursor was moved, or removed where there is no position. */
export type OnCursor = (name: string, position: bigint | undefined) => void;

/** Where a write stands in a payload; `valueLength` is -1 for a delete. */
export interface WriteSpan {
  readonly keyStart: number;
  readonly keyLength: number;
  readonly valueLength: number;
}

/** Yields the writes of a payload, without changes of cursors.
 *
 * @param onCursor Told of those.
 * @throws {StoreError} `CORRUPT`: the payload is not one that a store wrote.
 */
export function* decodeWrites(
  payload: Uint8Array,
  onCursor: OnCursor = () => {},
): Generator<WriteSpan> {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
  let at = 0;
  while (at < payload.length) {
    if (at + WRITE_HEADER_BYTES > payload.length) throw malformed(at);
    const kind = view.getUint8(at);
    const keyLength = view.getUint16(at + 1, true);
    const valueLength = view.getUint32(at + 3, true);
    const keyStart = at + WRITE_HEADER_BYTES;
    const end = keyStart + keyLength + valueLength;
    const isKnown = kind === PUT || (kind === CURSOR && valueLength === POSITION_BYTES) ||
      ((kind === DELETE || kind === NO_CURSOR) && valueLength === 0);
    if (!isKnown || keyLength === 0 || keyLength > MAX_KEY_BYTES || end > payload.length) {
      throw malformed(at);
    }
    if (kind === CURSOR || kind === NO_CURSOR) {
      const nameEnd = keyStart + keyLength;
      const name = NAMES.decode(payload.subarray(keyStart, nameEnd));
      onCursor(name, kind === CURSOR ? view.getBigUint64(nameEnd, true) : undefined);
    } else {
      yield { keyStart, keyLength, valueLength: kind === PUT ? valueLength : -1 };
    }
    at = end;
  }
}

function malformed(at: number): StoreError {
  return new StoreError(
    "CORRUPT",
    `Cannot read journal record: no valid write at byte ${at} of its payload; ${REPAIR}`,
  );
}
