/** Ranges: from the options of Level to bounds of the store.
 *
 * @module
 */

import { bytesBehind, compareBytes } from "../codec/bytes.ts";
import type { KeyRange } from "../store/range.ts";
import type { KeyNames } from "./keys.ts";
import { copiedBytes, type Form } from "./text.ts";

/** What Level hands over, with the bounds encoded. */
export interface RangeForms {
  gt?: Form;
  gte?: Form;
  lt?: Form;
  lte?: Form;
  reverse: boolean;
  /** Below 0 for no limit. */
  limit: number;
}

const NO_BYTES = new Uint8Array(0);

/** Returns the range of some options. Inclusive bounds win over exclusive ones, as Level has it. */
export function rangeOf({ gt, gte, lt, lte, reverse }: RangeForms, names: KeyNames): KeyRange {
  let start: Uint8Array = NO_BYTES;
  if (gte !== undefined) start = names.stored(copiedBytes(gte));
  else if (gt !== undefined) start = bytesBehind(names.stored(copiedBytes(gt)));
  let end: Uint8Array | undefined;
  if (lte !== undefined) end = bytesBehind(names.stored(copiedBytes(lte)));
  else if (lt !== undefined) end = names.stored(copiedBytes(lt));
  return { start, end, reverse };
}

/** Returns how many rows are wanted at most. */
export function limitOf({ limit }: RangeForms): number {
  return limit < 0 ? Infinity : limit;
}

/** Returns whether a key is within a range. */
export function isWithin({ start, end }: KeyRange, key: Uint8Array): boolean {
  return compareBytes(key, start) >= 0 && (end === undefined || compareBytes(key, end) < 0);
}

/** Returns what is left of a range from a key within it on, in its direction. The key is copied. */
export function rangeFrom(range: KeyRange, key: Uint8Array): KeyRange {
  return range.reverse
    ? { ...range, end: bytesBehind(key) }
    : { ...range, start: new Uint8Array(key) };
}
