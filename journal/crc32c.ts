/** CRC32C in plain JavaScript: reflected, polynomial 0x1EDC6F41, initial value and final XOR all ones.
 *
 * @module
 */

const REFLECTED_POLYNOMIAL = 0x82f63b78;

/** Eight tables: what a byte does to the checksum with 0 to 7 bytes behind it. */
const TABLES = new Int32Array(8 * 256);
for (let byte = 0; byte < 256; byte++) {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc >>> 1 ^ ((crc & 1) === 1 ? REFLECTED_POLYNOMIAL : 0);
  TABLES[byte] = crc;
}
for (let i = 256; i < TABLES.length; i++) {
  TABLES[i] = TABLES[i - 256]! >>> 8 ^ TABLES[TABLES[i - 256]! & 0xff]!;
}

/** Returns the CRC32C of bytes, or that of two parts, given that of the first.
 *
 * Source: M. E. Kounavis and F. L. Berry, *A Systematic Approach to Building High Performance
 * Software-Based CRC Generators*, 2005 ("slicing by 8").
 *
 * @param initial The CRC32C of the first part.
 * @param start Where the bytes begin that are meant: a view of them would cost as much as the digest of a few.
 * @param end Where they end.
 */
export function portableCrc32c(
  bytes: Uint8Array,
  initial = 0,
  start = 0,
  end: number = bytes.length,
): number {
  let crc = ~initial;
  let i = start;
  for (const last = end - 7; i < last; i += 8) {
    const first = crc ^
      (bytes[i]! | bytes[i + 1]! << 8 | bytes[i + 2]! << 16 | bytes[i + 3]! << 24);
    crc = TABLES[1792 + (first & 0xff)]! ^ TABLES[1536 + (first >>> 8 & 0xff)]! ^
      TABLES[1280 + (first >>> 16 & 0xff)]! ^ TABLES[1024 + (first >>> 24)]! ^
      TABLES[768 + bytes[i + 4]!]! ^ TABLES[512 + bytes[i + 5]!]! ^
      TABLES[256 + bytes[i + 6]!]! ^ TABLES[bytes[i + 7]!]!;
  }
  for (; i < end; i++) crc = TABLES[(crc ^ bytes[i]!) & 0xff]! ^ crc >>> 8;
  return ~crc >>> 0;
}
