/** Counters: the arithmetic of `fetchAndAddU64` and `compareAndSwapF32`, on stored bytes.
 *
 * @module
 */

import { U64_MAX } from "../../codec/_u64.ts";
import { StoreError } from "../../codec/error.ts";
import { decodeF32, decodeU64, encodeF32 } from "../../codec/value.ts";
import { describe, showKey } from "../limits.ts";

/** Counting is synchronous up to where the sum is copied, so that one buffer serves all sums. */
const SUM = new Uint8Array(8);
const SUM_VIEW = new DataView(SUM.buffer);

/** Adds to a stored u64.
 *
 * @param what What was asked, as the message's beginning.
 * @param key The key, for messages.
 * @param stored The stored value; `undefined` counts as 0.
 * @param delta What to add; negative to subtract.
 * @returns The sum and its 8 bytes, which the next call overwrites.
 * @throws {TypeError} `delta` is not a bigint.
 * @throws {RangeError} The sum is below 0 or above 2^64 - 1.
 * @throws {StoreError} `INVALID_VALUE`: the stored value is not 8 bytes long.
 */
export function addU64(
  what: string,
  key: Uint8Array,
  stored: Uint8Array | undefined,
  delta: bigint,
): { sum: bigint; bytes: Uint8Array } {
  if (typeof delta !== "bigint") {
    const advice = typeof delta === "number" ? "; write 1n in place of 1" : "";
    throw new TypeError(`${what}: delta is ${describe(delta)}, not a bigint${advice}`);
  }
  requireLength(what, key, stored, "a u64 counter", 8);
  const sum = (stored === undefined ? 0n : decodeU64(stored)) + delta;
  if (sum < 0n || sum > U64_MAX) {
    throw new RangeError(
      `${what}: the sum for key ${showKey(key)} is ${sum}, and a u64 counter holds 0 to ${U64_MAX}`,
    );
  }
  SUM_VIEW.setBigUint64(0, sum, true);
  return { sum, bytes: SUM };
}

/** Replaces a stored f32 by what a function makes of it.
 *
 * @param what What was asked, as the message's beginning.
 * @param key The key, for messages.
 * @param stored The stored value; `undefined` counts as 0.
 * @param update Called once with the stored number.
 * @returns The new number, rounded to f32, and its 4 bytes.
 * @throws {TypeError} `update` is not a function, or does not return a number.
 * @throws {RangeError} `update` returns NaN.
 * @throws {StoreError} `INVALID_VALUE`: the stored value is not 4 bytes long.
 */
export function updateF32(
  what: string,
  key: Uint8Array,
  stored: Uint8Array | undefined,
  update: (current: number) => number,
): { next: number; bytes: Uint8Array } {
  if (typeof update !== "function") {
    throw new TypeError(`${what}: update is ${describe(update)}, not a function`);
  }
  requireLength(what, key, stored, "an f32", 4);
  const next = update(stored === undefined ? 0 : decodeF32(stored));
  if (typeof next !== "number") {
    throw new TypeError(`${what}: update returned ${describe(next)}, not a number`);
  }
  if (Number.isNaN(next)) throw new RangeError(`${what}: update returned NaN, which is not stored`);
  return { next: Math.fround(next), bytes: encodeF32(next) };
}

function requireLength(
  what: string,
  key: Uint8Array,
  stored: Uint8Array | undefined,
  form: string,
  width: number,
): void {
  if (stored === undefined || stored.length === width) return;
  throw new StoreError(
    "INVALID_VALUE",
    `${what}: the value of key ${showKey(key)} is ${stored.length} bytes long, and ${form} has ` +
      `${width}; use keys that nothing else is written to`,
  );
}
