/** The parts of keys: their checks, and how they become bytes.
 *
 * @module
 */

import { MAX_KEY_BYTES } from "./limits.ts";
import { findTextFault } from "./_text.ts";
import { U64_MAX } from "./_u64.ts";

// Every function here takes `what`, the thing being built, as the subject of its error message.

const U64_DIGITS = 20;

const utf8 = new TextEncoder();

/** Returns a part that may hold anything a key can: it is empty or not, with colons or without. */
export function textPart(what: string, name: string, value: string): string {
  const fault = findTextFault(value);
  if (fault !== undefined) throw new TypeError(`Cannot build ${what}: ${name} ${fault}`);
  return value;
}

/** Returns a part that another part follows after a `:`, and so must hold none. */
export function colonFreePart(what: string, name: string, value: string): string {
  const text = textPart(what, name, value);
  const colon = text.indexOf(":");
  if (colon !== -1) {
    throw new TypeError(`Cannot build ${what}: ${name} contains ":" at index ${colon}`);
  }
  return text;
}

/** Returns a subject. An empty one would make a global key. */
export function subjectPart(what: string, value: string): string {
  const text = textPart(what, "subject", value);
  if (text === "") throw new TypeError(`Cannot build ${what}: subject is empty`);
  return text;
}

/** Returns a number as 20 decimal digits, so that byte order is numeric order. */
export function decimalPart(what: string, name: string, value: number | bigint): string {
  if (typeof value !== "number" && typeof value !== "bigint") {
    throw new TypeError(`Cannot build ${what}: ${name} is neither a number nor a bigint`);
  }
  const fault = findRangeFault(value);
  if (fault !== undefined) throw new RangeError(`Cannot build ${what}: ${name} ${fault}`);
  return value.toString().padStart(U64_DIGITS, "0");
}

/** Encodes the text of a key or of a prefix of keys. */
export function encodeKey(what: string, text: string): Uint8Array {
  const bytes = utf8.encode(text);
  if (bytes.length > MAX_KEY_BYTES) {
    throw new RangeError(
      `Cannot build ${what}: it would be ${bytes.length} bytes long, more than the limit of ` +
        `${MAX_KEY_BYTES}; shorten its parts`,
    );
  }
  return bytes;
}

function findRangeFault(value: number | bigint): string | undefined {
  if (typeof value === "number" && !Number.isInteger(value)) return `${value} is not an integer`;
  if (value < 0) return `${value} is below 0`;
  if (value > U64_MAX) return `${value} exceeds 2^64 - 1`;
  if (typeof value === "number" && !Number.isSafeInteger(value)) {
    return `${value} exceeds 2^53 - 1, where only a bigint is exact`;
  }
  return undefined;
}
