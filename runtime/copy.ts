/** Copies of parts of bytes.
 *
 * @module
 */

/** Copies the bytes from `start` to `end`. */
export type Copy = (bytes: Uint8Array, start: number, end: number) => Uint8Array;

/** Copies into a buffer of its own, for callers: the buffer is theirs as well. */
export const copyWhole: Copy = (bytes, start, end) => bytes.slice(start, end);

const PIECE_BYTES = 16 * 1024;
/** A longer copy would fill pieces badly, and its own buffer costs little beside its bytes. */
const CUT_BYTES_MAX = 2048;

let piece = new Uint8Array(0);
let used = 0;

function cut(bytes: Uint8Array, start: number, end: number): Uint8Array {
  const length = end - start;
  if (length > CUT_BYTES_MAX) return bytes.slice(start, end);
  if (used + length > piece.length) {
    piece = new Uint8Array(PIECE_BYTES);
    used = 0;
  }
  const from = used;
  used += length;
  // In place of `set`, which would need a view of what it copies.
  for (let i = 0; i < length; i++) piece[from + i] = bytes[start + i]!;
  return piece.subarray(from, used);
}

/** Copies into a piece that holds other copies as well, for what no caller gets: its own memory costs a short copy
 * more than a microsecond in V8, and a view thirty nanoseconds. JavaScriptCore has it the other way round. No byte of
 * a piece is used twice. */
export const copyShort: Copy = "Bun" in globalThis ? copyWhole : cut;

/** Returns a copy of bytes that the caller may change. (A `Buffer` has a `slice` that copies nothing.) */
export function copied(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes);
}
