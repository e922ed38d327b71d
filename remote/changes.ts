/** Changes of values by what they are, for stores and for transactions.
 *
 * @module
 */

import { addU64, updateF32 } from "../store/write/counter.ts";
import { copied } from "../runtime/copy.ts";

/** Computes the value of a key, and what the caller gets, from the value that is there. */
export type ChangeOf<T> = (
  key: Uint8Array,
  stored: Uint8Array | undefined,
) => { value: Uint8Array; result: T };

/** Returns the addition to a u64 counter. */
export function addition(what: string, delta: bigint): ChangeOf<bigint> {
  return (key, stored) => {
    const { sum, bytes } = addU64(what, key, stored, delta);
    // The next addition writes over them.
    return { value: copied(bytes), result: sum };
  };
}

/** Returns the replacement of an f32. */
export function replacement(
  what: string,
  update: (current: number) => number,
): ChangeOf<number> {
  return (key, stored) => {
    const { next, bytes } = updateF32(what, key, stored, update);
    return { value: bytes, result: next };
  };
}
