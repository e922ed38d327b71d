/** Limits of the store, and the checks of arguments against them.
 *
 * @module
 */

import { MAX_KEY_BYTES } from "../codec/limits.ts";

/** Longest value, in bytes (128 MiB). */
export const MAX_VALUE_BYTES = 128 * 1024 * 1024;

/** Most bytes of keys and values in one batch or transaction, 7 bytes a write included (512 MiB). */
export const MAX_BATCH_BYTES = 512 * 1024 * 1024;

/** Checks a key.
 *
 * @param what What was asked, as the message's beginning: `Cannot put key`.
 * @throws {TypeError} It is not a `Uint8Array`, or its buffer is detached.
 * @throws {RangeError} It is not 1 to 1978 bytes long.
 */
export function checkKey(what: string, key: Uint8Array): void {
  checkBytes(what, "the key", key);
  if (key.length === 0) throw new RangeError(`${what}: the key is empty; it has at least 1 byte`);
  if (key.length > MAX_KEY_BYTES) {
    throw new RangeError(
      `${what}: the key is ${key.length} bytes long, more than the limit of ${MAX_KEY_BYTES}; ` +
        "shorten it, or put a digest in place of its end",
    );
  }
}

/** Checks a value.
 *
 * @throws {TypeError} It is not a `Uint8Array`, or its buffer is detached.
 * @throws {RangeError} It is longer than 128 MiB.
 */
export function checkValue(what: string, value: Uint8Array): void {
  checkBytes(what, "the value", value);
  if (value.length > MAX_VALUE_BYTES) {
    throw new RangeError(
      `${what}: the value is ${value.length} bytes long, more than the limit of ` +
        `${MAX_VALUE_BYTES}; split it among several keys`,
    );
  }
}

/** Checks bytes, however many they are.
 *
 * @param name What the bytes are: `the key`.
 * @throws {TypeError} They are not a `Uint8Array`, or their buffer is detached.
 */
export function checkBytes(what: string, name: string, bytes: Uint8Array): void {
  if (!(bytes instanceof Uint8Array)) {
    const advice = typeof bytes === "string" ? "; encode it with TextEncoder" : "";
    throw new TypeError(`${what}: ${name} is ${describe(bytes)}, not a Uint8Array${advice}`);
  }
  // What was transferred to a worker would pass for an empty value, or for the prefix of all keys.
  if (bytes.length === 0 && (bytes.buffer as ArrayBuffer).detached === true) {
    throw new TypeError(
      `${what}: ${name} has a detached buffer; copy it before the buffer is transferred`,
    );
  }
}

/** Checks that options are an object. Which ones there are is for others to check.
 *
 * @throws {TypeError} They are not.
 */
export function checkOptions(what: string, options: object): void {
  if (typeof options === "object" && options !== null && !Array.isArray(options)) return;
  throw new TypeError(
    `${what}: the options are ${describe(options)}, not an object; leave them out for the defaults`,
  );
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
