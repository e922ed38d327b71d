/** Values that are numbers.
 *
 * @module
 */

import { U64_MAX } from "./_u64.ts";
import { StoreError } from "./error.ts";

const U64_BYTES = 8;
const F32_BYTES = 4;

// Numbers pass through one buffer: a view over the caller's bytes would have to be made for each call.
const SCRATCH = new Uint8Array(U64_BYTES);
const SCRATCH_VIEW = new DataView(SCRATCH.buffer);

/** Encodes an unsigned 64-bit integer, the form of the store's counters.
 *
 * | offset | width | endianness | meaning |
 * |---|---|---|---|
 * | 0 | 8 | little | the integer, unsigned |
 *
 * @category Keys and values
 * @param n The integer, 0 to 2^64 - 1.
 * @returns 8 bytes that belong to the caller.
 * @throws {TypeError} When `n` is not a bigint.
 * @throws {RangeError} When `n` is below 0 or above 2^64 - 1.
 *
 * @example
 * ```ts
 * import { encodeU64 } from "@hybrid/store/codec";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(encodeU64(258n), Uint8Array.of(2, 1, 0, 0, 0, 0, 0, 0));
 * ```
 */
export function encodeU64(n: bigint): Uint8Array {
  if (typeof n !== "bigint") {
    throw new TypeError("Cannot encode u64: the value is not a bigint; write 1n in place of 1");
  }
  if (n < 0n) throw new RangeError(`Cannot encode u64: ${n} is below 0`);
  if (n > U64_MAX) throw new RangeError(`Cannot encode u64: ${n} exceeds 2^64 - 1`);
  SCRATCH_VIEW.setBigUint64(0, n, true);
  return SCRATCH.slice();
}

/** Decodes an unsigned 64-bit integer that {@linkcode encodeU64} has encoded.
 *
 * @category Keys and values
 * @param bytes 8 bytes, little-endian.
 * @returns The integer, 0 to 2^64 - 1.
 * @throws {TypeError} When `bytes` is not a `Uint8Array`.
 * @throws {StoreError} `INVALID_VALUE` when `bytes` is not 8 bytes long.
 *
 * @example
 * ```ts
 * import { decodeU64 } from "@hybrid/store/codec";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(decodeU64(Uint8Array.of(2, 1, 0, 0, 0, 0, 0, 0)), 258n);
 * ```
 */
export function decodeU64(bytes: Uint8Array): bigint {
  load(bytes, "u64", U64_BYTES);
  return SCRATCH_VIEW.getBigUint64(0, true);
}

/** Encodes a number as a 32-bit float, the form of the store's weights.
 *
 * The number is rounded to the nearest 32-bit float, as `Math.fround` does: about 7 decimal digits
 * remain, and a finite number of about 3.4e38 or more becomes an infinity of its sign. This is the
 * rounding of IEEE 754, not an error; compare with `Math.fround(n)` where it matters.
 *
 * | offset | width | endianness | meaning |
 * |---|---|---|---|
 * | 0 | 4 | little | the number, IEEE 754 binary32 |
 *
 * @category Keys and values
 * @param n The number; infinities and -0 are kept.
 * @returns 4 bytes that belong to the caller.
 * @throws {TypeError} When `n` is not a number.
 * @throws {RangeError} When `n` is NaN.
 *
 * @example
 * ```ts
 * import { decodeF32, encodeF32 } from "@hybrid/store/codec";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(encodeF32(1), Uint8Array.of(0, 0, 0x80, 0x3f));
 * assertEquals(decodeF32(encodeF32(0.1)), Math.fround(0.1));
 * assertEquals(decodeF32(encodeF32(1e39)), Infinity);
 * ```
 */
export function encodeF32(n: number): Uint8Array {
  if (typeof n !== "number") throw new TypeError("Cannot encode f32: the value is not a number");
  if (Number.isNaN(n)) throw new RangeError("Cannot encode f32: the value is NaN");
  SCRATCH_VIEW.setFloat32(0, n, true);
  return SCRATCH.slice(0, F32_BYTES);
}

/** Decodes a 32-bit float that {@linkcode encodeF32} has encoded. Bytes from elsewhere may hold
 * NaN, which is returned as it is.
 *
 * @category Keys and values
 * @param bytes 4 bytes, little-endian.
 * @returns The number, exactly.
 * @throws {TypeError} When `bytes` is not a `Uint8Array`.
 * @throws {StoreError} `INVALID_VALUE` when `bytes` is not 4 bytes long.
 *
 * @example
 * ```ts
 * import { decodeF32 } from "@hybrid/store/codec";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(decodeF32(Uint8Array.of(0, 0, 0x80, 0x3f)), 1);
 * ```
 */
export function decodeF32(bytes: Uint8Array): number {
  load(bytes, "f32", F32_BYTES);
  return SCRATCH_VIEW.getFloat32(0, true);
}

function load(bytes: Uint8Array, form: string, width: number): void {
  if (!(bytes instanceof Uint8Array)) {
    throw new TypeError(`Cannot decode ${form}: the value is not a Uint8Array`);
  }
  if (bytes.length !== width) {
    throw new StoreError(
      "INVALID_VALUE",
      `Cannot decode ${form}: the value is ${bytes.length} bytes long, not ${width}`,
    );
  }
  for (let i = 0; i < width; i++) SCRATCH[i] = bytes[i]!;
}
