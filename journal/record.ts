/** The record of a journal: framing, checksums and their verification.
 *
 * All integers are little-endian.
 *
 * | offset | width | meaning |
 * |---:|---:|---|
 * | 0 | 4 | `len`, the bytes of the payload |
 * | 4 | 4 | CRC32C over `len`, then `blake3`, then the payload |
 * | 8 | 32 | BLAKE3 of the payload |
 * | 40 | `len` | the payload |
 *
 * The CRC is fast and finds every error of up to three flipped bits and every burst of up to 32. The BLAKE3
 * digest finds what a CRC may miss, and can serve as the payload's name elsewhere.
 *
 * @module
 */

import { blake3, crc32c } from "./digest.ts";

/** Bytes of a record in front of its payload. */
export const RECORD_HEADER_BYTES = 40;

/** Longest payload of one record, in bytes (1 GiB). */
export const MAX_PAYLOAD_BYTES = 2 ** 30;

const BLAKE3_BYTES = 32;
const BLAKE3_OFFSET = 8;

function readU32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | bytes[at + 1]! << 8 | bytes[at + 2]! << 16 | bytes[at + 3]! << 24) >>> 0;
}

function writeU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
  bytes[at + 2] = value >>> 16;
  bytes[at + 3] = value >>> 24;
}

/** The CRC skips its own four bytes, so it takes two steps. */
function recordCrc(bytes: Uint8Array, start: number, end: number): number {
  const length = bytes.subarray(start, start + 4);
  return crc32c(bytes.subarray(start + BLAKE3_OFFSET, end), crc32c(length));
}

/** Fills in the 40 bytes before a payload that is already in its place.
 *
 * @param bytes The buffer; the payload starts at `start + 40`.
 * @param start Where the record starts.
 * @param payloadLength The bytes of the payload.
 */
export function sealRecord(bytes: Uint8Array, start: number, payloadLength: number): void {
  const payloadStart = start + RECORD_HEADER_BYTES;
  const end = payloadStart + payloadLength;
  writeU32(bytes, start, payloadLength);
  bytes.set(blake3(bytes.subarray(payloadStart, end)), start + BLAKE3_OFFSET);
  writeU32(bytes, start + 4, recordCrc(bytes, start, end));
}

/** Returns the payload length that a record header states. Does not verify the header. */
export function statedLength(bytes: Uint8Array, start: number): number {
  return readU32(bytes, start);
}

/** Returns whether the CRC32C of a record matches. The whole record has to be in the buffer. */
export function crcMatches(bytes: Uint8Array, start: number): boolean {
  const end = start + RECORD_HEADER_BYTES + readU32(bytes, start);
  return readU32(bytes, start + 4) === recordCrc(bytes, start, end);
}

/** Returns whether the BLAKE3 digest of a record matches its payload. */
export function blake3Matches(bytes: Uint8Array, start: number): boolean {
  const payloadStart = start + RECORD_HEADER_BYTES;
  const digest = blake3(bytes.subarray(payloadStart, payloadStart + readU32(bytes, start)));
  for (let i = 0; i < BLAKE3_BYTES; i++) {
    if (digest[i] !== bytes[start + BLAKE3_OFFSET + i]) return false;
  }
  return true;
}
