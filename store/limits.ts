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
 * @throws {TypeError} It is no `Uint8Array`.
 * @throws {RangeError} It is not 1 to 1978 bytes long.
 */
export function checkKey(what: string, key: Uint8Array): void {
  checkBytes(what, "key", key);
  if (key.length === 0) throw new RangeError(`${what}: the key is empty`);
  if (key.length > MAX_KEY_BYTES) {
    throw new RangeError(`${what}: length ${key.length} exceeds ${MAX_KEY_BYTES} bytes`);
  }
}

/** Checks a value.
 *
 * @throws {TypeError} It is no `Uint8Array`.
 * @throws {RangeError} It is longer than 128 MiB.
 */
export function checkValue(what: string, value: Uint8Array): void {
  checkBytes(what, "value", value);
  if (value.length > MAX_VALUE_BYTES) {
    throw new RangeError(`${what}: length ${value.length} exceeds ${MAX_VALUE_BYTES} bytes`);
  }
}

/** Checks bytes, however many they are.
 *
 * @param name What the bytes are: `key`.
 * @throws {TypeError} They are not a `Uint8Array`.
 */
export function checkBytes(what: string, name: string, bytes: Uint8Array): void {
  if (bytes instanceof Uint8Array) return;
  throw new TypeError(`${what}: the ${name} is ${describe(bytes)}, not a Uint8Array`);
}

/** Names the type of a wrong argument: `undefined`, `a string`, `an Array`. */
export function describe(value: unknown): string {
  if (value === undefined || value === null) return String(value);
  const name = typeof value === "object" ? value.constructor?.name ?? "object" : typeof value;
  return `${/^[aeio]/i.test(name) ? "an" : "a"} ${name}`;
}
