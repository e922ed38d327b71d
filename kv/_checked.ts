/** Bytes with a CRC32C in front, big-endian, by which damage to them is found.
 *
 * @module
 */

import { crc32c } from "../journal/digest.ts";

const CRC_BYTES = 4;

/** Returns bytes with their CRC32C in front.
 *
 * @param place What they belong to, if that is checked as well: then they are damaged at any other one.
 */
export function withCrc(bytes: Uint8Array, place?: Uint8Array): Uint8Array<ArrayBuffer> {
  const checked = new Uint8Array(CRC_BYTES + bytes.length);
  checked.set(bytes, CRC_BYTES);
  new DataView(checked.buffer).setUint32(0, crc32c(bytes, place && crc32c(place)));
  return checked;
}

/** Returns the bytes behind a CRC32C, as a view; `undefined` where they are damaged. */
export function behindCrc(checked: Uint8Array, place?: Uint8Array): Uint8Array | undefined {
  if (checked.length < CRC_BYTES) return undefined;
  const bytes = checked.subarray(CRC_BYTES);
  const view = new DataView(checked.buffer, checked.byteOffset, checked.byteLength);
  return view.getUint32(0) === crc32c(bytes, place && crc32c(place)) ? bytes : undefined;
}
