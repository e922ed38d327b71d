/** Limits of the store, and the checks of arguments against them.
 *
 * @module
 */

import type { BytesLike } from "./types.ts";

/** Longest value, in bytes (128 MiB).
 *
 * @category HybridStore
 */
export const MAX_VALUE_BYTES = 128 * 1024 * 1024;

/** Most bytes of keys and values in one batch or transaction, 7 bytes a write included (512 MiB).
 *
 * @category HybridStore
 */
export const MAX_BATCH_BYTES = 512 * 1024 * 1024;

const ENCODER = new TextEncoder();

/** Checks a value and returns its bytes, which are not copied where they are given as such.
 *
 * @param what What was asked, as the message's beginning: `Cannot put key`.
 * @param most The limit, 128 MiB where nothing else is said.
 * @param otherwise What else there is to do about a longer one, as the message's end.
 * @throws {TypeError} It is neither bytes nor a string; its buffer is detached; it is not well-formed.
 * @throws {RangeError} It is longer than the limit.
 */
export function valueBytes(
  what: string,
  value: BytesLike,
  most: number = MAX_VALUE_BYTES,
  otherwise = "",
): Uint8Array {
  const bytes = toBytes(what, "the value", value);
  if (bytes.length <= most) return bytes;
  throw new RangeError(
    `${what}: the value is ${bytes.length} bytes long, more than the limit of ${most}; split it among ` +
      `several keys${otherwise}`,
  );
}

/** Returns bytes as such, and the UTF-8 of a string.
 *
 * @param name What the bytes are: `the key`.
 * @throws {TypeError} They are neither bytes nor a string; their buffer is detached; the string is not
 * well-formed.
 */
export function toBytes(what: string, name: string, bytes: BytesLike): Uint8Array {
  if (typeof bytes === "string") {
    // It would be stored as another one, in which U+FFFD stands for it.
    if (bytes.isWellFormed()) return ENCODER.encode(bytes);
    throw new TypeError(`${what}: ${name} has half a surrogate pair, which UTF-8 cannot hold`);
  }
  if (!(bytes instanceof Uint8Array)) {
    throw new TypeError(`${what}: ${name} is ${describe(bytes)}, not a Uint8Array or a string`);
  }
  // What was transferred to a worker would pass for an empty value, or for the prefix of all keys.
  if (bytes.length === 0 && (bytes.buffer as ArrayBuffer).detached === true) {
    throw new TypeError(
      `${what}: ${name} has a detached buffer; copy it before the buffer is transferred`,
    );
  }
  return bytes;
}

/** Checks that options are an object, and that it has none but those that are known.
 *
 * @param known The names of all there are; others are for the caller to check where it is left out.
 * @throws {TypeError} They are not, or there is another one.
 */
export function requireOptions(what: string, options: object, known?: readonly string[]): void {
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    throw new TypeError(
      `${what}: the options are ${
        describe(options)
      }, not an object; leave them out for the defaults`,
    );
  }
  const other = known && Object.keys(options).find((name) => !known.includes(name));
  if (other === undefined) return;
  throw new TypeError(`${what}: there is no option ${other}, only ${known!.join(", ")}`);
}

/** Checks a signal that may be left out.
 *
 * @throws {TypeError} It is none.
 */
export function requireSignal(what: string, signal: AbortSignal | undefined): void {
  if (signal === undefined || signal instanceof AbortSignal) return;
  throw new TypeError(`${what}: signal is ${describe(signal)}, not an AbortSignal`);
}

/** Shows a key in a message: as text, the first 80 bytes of it. */
export function showKey(key: Uint8Array): string {
  return JSON.stringify(new TextDecoder().decode(key.subarray(0, 80)));
}

/** Names the type of a wrong argument: `undefined`, `a string`, `an Array`. */
export function describe(value: unknown): string {
  if (value === undefined || value === null) return String(value);
  const name = typeof value === "object" ? value.constructor?.name ?? "object" : typeof value;
  return `${/^[aeio]/i.test(name) ? "an" : "a"} ${name}`;
}
