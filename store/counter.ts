/** Counters: the arithmetic of `fetchAndAddU64` and `compareAndSwapF32`, on stored bytes.
 *
 * @module
 */

import { decodeF32, decodeU64, encodeF32 } from "../codec/value.ts";
import { describe } from "./limits.ts";

const U64_MAX = 2n ** 64n - 1n;
/** Counting is synchronous up to where the sum is copied, so that one buffer serves all sums. */
const SUM = new Uint8Array(8);
const SUM_VIEW = new DataView(SUM.buffer);

/** Adds to a stored u64.
 *
 * @param stored The stored value; `undefined` counts as 0.
 * @param delta What to add; negative to subtract.
 * @returns The sum and its 8 bytes, which the next call overwrites.
 * @throws {TypeError} `delta` is no bigint.
 * @throws {RangeError} The sum is below 0 or above 2^64 - 1.
 * @throws {StoreError} `INVALID_VALUE`: the stored value is not 8 bytes long.
 */
export function addU64(
  stored: Uint8Array | undefined,
  delta: bigint,
): { sum: bigint; bytes: Uint8Array } {
  if (typeof delta !== "bigint") {
    throw new TypeError(`Cannot add to counter: delta is ${describe(delta)}, not a bigint`);
  }
  const sum = (stored === undefined ? 0n : decodeU64(stored)) + delta;
  if (sum < 0n || sum > U64_MAX) {
    throw new RangeError(`Cannot add to counter: the sum ${sum} is not from 0 to ${U64_MAX}`);
  }
  SUM_VIEW.setBigUint64(0, sum, true);
  return { sum, bytes: SUM };
}

/** Replaces a stored f32 by what a function makes of it.
 *
 * @param stored The stored value; `undefined` counts as 0.
 * @param update Called once with the stored number.
 * @returns The new number, rounded to f32, and its 4 bytes.
 * @throws {TypeError} `update` is no function, or returns no number.
 * @throws {RangeError} `update` returns NaN.
 * @throws {StoreError} `INVALID_VALUE`: the stored value is not 4 bytes long.
 */
export function updateF32(
  stored: Uint8Array | undefined,
  update: (current: number) => number,
): { next: number; bytes: Uint8Array } {
  if (typeof update !== "function") {
    throw new TypeError(`Cannot update number: update is ${describe(update)}, not a function`);
  }
  const next = update(stored === undefined ? 0 : decodeF32(stored));
  if (typeof next !== "number") {
    throw new TypeError(`Cannot update number: update returned ${describe(next)}, not a number`);
  }
  return { next: Math.fround(next), bytes: encodeF32(next) };
}
