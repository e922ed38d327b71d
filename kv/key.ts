/** The bytes of a key: its parts one after the other, in an encoding whose order is that of the keys.
 *
 * | part | first byte | then |
 * |---|---|---|
 * | `Uint8Array` | `01` | its bytes, `00` as `00 FF`; `00` |
 * | string | `02` | its UTF-8, `00` as `00 FF`; `00` |
 * | bigint below 0, more than 8 bytes | `0B` | the length, then the magnitude, both as ones' complement |
 * | bigint below 0, of n bytes | `14` - n | the magnitude, big-endian, as ones' complement |
 * | bigint 0 | `14` | |
 * | bigint above 0, of n bytes | `14` + n | big-endian |
 * | bigint above 0, more than 8 bytes | `1D` | the length, then big-endian |
 * | number | `21` | IEEE 754, big-endian: above 0 with the sign bit set, below 0 as ones' complement |
 * | `false`, `true` | `26`, `27` | |
 *
 * A length is one byte; `FF` and a u32, big-endian, where it is 255 or more. So a key that begins with the parts
 * of another one begins with its bytes, and keys come in Deno KV's order: bytes before strings before bigints
 * before numbers before booleans. Source: the tuple layer of FoundationDB, which Deno KV uses as well.
 *
 * @module
 */

import { StoreError } from "../codec/error.ts";
import { describe } from "../store/limits.ts";
import type { KvKey, KvKeyPart } from "./types.ts";

/** Longest key that is written, in bytes of its encoding.
 *
 * @category Kv
 */
export const MAX_KV_KEY_BYTES = 2048;

const BYTES = 0x01;
const STRING = 0x02;
const NEGATIVE_LONG = 0x0b;
const ZERO = 0x14;
const POSITIVE_LONG = 0x1d;
const NUMBER = 0x21;
const FALSE = 0x26;
const TRUE = 0x27;

/** A string that is longer takes longer to encode here than by the runtime. */
const SHORT_STRING_MAX = 48;

const ENCODER = new TextEncoder();
const DECODER = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const FLOAT = new DataView(new ArrayBuffer(8));

/** Where keys are put together. Grows to the longest one. */
let scratch = new Uint8Array(4096);
let length = 0;

/** Returns the bytes of a key that is written, behind a byte that tells what it is.
 *
 * @throws {TypeError} It has no parts, a part is of another type, or it is too long.
 */
export function encodeWrittenKey(lead: number, key: KvKey): Uint8Array {
  if (Array.isArray(key) && key.length === 0) throw new TypeError("key cannot be empty");
  const bytes = encodeKey(lead, key);
  if (bytes.length - 1 <= MAX_KV_KEY_BYTES) return bytes;
  throw new TypeError(`Key too large for write (max ${MAX_KV_KEY_BYTES} bytes)`);
}

/** Returns the bytes of a key that is read, likewise; the empty key is allowed.
 *
 * @throws {TypeError} A part is of another type, or it is too long.
 */
export function encodeReadKey(lead: number, key: KvKey): Uint8Array {
  const bytes = encodeKey(lead, key);
  if (bytes.length - 1 > MAX_KV_KEY_BYTES) throw tooLargeForRead();
  return bytes;
}

/** Returns the bytes of a key that is read at once, likewise: the next key that is encoded overwrites them. */
export function viewReadKey(lead: number, key: KvKey): Uint8Array {
  encode(lead, key);
  if (length - 1 > MAX_KV_KEY_BYTES) throw tooLargeForRead();
  return scratch.subarray(0, length);
}

/** Checks the bytes of a bound: it may be one byte longer than a key, as that of a prefix is.
 *
 * @throws {TypeError} It is too long.
 */
export function requireBound(bytes: Uint8Array): void {
  if (bytes.length - 1 > MAX_KV_KEY_BYTES + 1) throw tooLargeForRead();
}

function tooLargeForRead(): TypeError {
  // In Deno's words, for which reading a key is reading up to the next one.
  return new TypeError(`Key too large for read (max ${MAX_KV_KEY_BYTES + 1} bytes)`);
}

/** Returns the bytes of a key of any length.
 *
 * @throws {TypeError} A part is of another type.
 */
export function encodeKey(lead: number, key: KvKey): Uint8Array {
  encode(lead, key);
  return scratch.slice(0, length);
}

function encode(lead: number, key: KvKey): void {
  if (!Array.isArray(key)) {
    throw new TypeError(`the key is ${describe(key)}, not an array of parts`);
  }
  scratch[0] = lead;
  length = 1;
  for (let i = 0; i < key.length; i++) encodePart(key[i]!);
}

/** Returns the bytes of a key with the versionstamp as a further part, a string. */
export function stampedKey(key: Uint8Array, versionstamp: string): Uint8Array {
  const text = ENCODER.encode(versionstamp);
  const bytes = new Uint8Array(key.length + text.length + 2);
  bytes.set(key);
  bytes[key.length] = STRING;
  bytes.set(text, key.length + 1);
  return bytes;
}

function encodePart(part: KvKeyPart): void {
  switch (typeof part) {
    case "string":
      return encodeString(part);
    case "number":
      return encodeNumber(part);
    case "bigint":
      return encodeBigint(part);
    case "boolean":
      reserve(1);
      scratch[length++] = part ? TRUE : FALSE;
      return;
  }
  if (!ArrayBuffer.isView(part)) {
    throw new TypeError("expected string, number, bigint, ArrayBufferView, boolean");
  }
  encodeEscaped(BYTES, new Uint8Array(part.buffer, part.byteOffset, part.byteLength));
}

function encodeString(part: string): void {
  if (part.length > SHORT_STRING_MAX) return encodeEscaped(STRING, ENCODER.encode(part));
  reserve(part.length + 2);
  let at = length;
  scratch[at++] = STRING;
  for (let i = 0; i < part.length; i++) {
    const unit = part.charCodeAt(i);
    // What lies outside ASCII, and what is escaped, is left to the other way.
    if (unit === 0 || unit > 0x7f) return encodeEscaped(STRING, ENCODER.encode(part));
    scratch[at++] = unit;
  }
  scratch[at++] = 0;
  length = at;
}

function encodeEscaped(tag: number, bytes: Uint8Array): void {
  reserve(2 * bytes.length + 2);
  scratch[length++] = tag;
  if (bytes.indexOf(0) < 0) {
    scratch.set(bytes, length);
    length += bytes.length;
  } else {
    for (const byte of bytes) {
      scratch[length++] = byte;
      if (byte === 0) scratch[length++] = 0xff;
    }
  }
  scratch[length++] = 0;
}

function encodeNumber(part: number): void {
  reserve(9);
  // There is one NaN, behind Infinity, whatever bits the runtime has for it.
  if (Number.isNaN(part)) FLOAT.setBigUint64(0, 0x7ff8n << 48n);
  else FLOAT.setFloat64(0, part);
  const isNegative = FLOAT.getUint8(0) > 0x7f;
  scratch[length++] = NUMBER;
  scratch[length++] = FLOAT.getUint8(0) ^ (isNegative ? 0xff : 0x80);
  for (let i = 1; i < 8; i++) scratch[length++] = FLOAT.getUint8(i) ^ (isNegative ? 0xff : 0);
}

function encodeBigint(part: bigint): void {
  if (part === 0n) {
    reserve(1);
    scratch[length++] = ZERO;
    return;
  }
  const flip = part < 0n ? 0xff : 0;
  const digits = (part < 0n ? -part : part).toString(16);
  const count = digits.length + 1 >> 1;
  reserve(count + 6);
  if (count <= 8) {
    scratch[length++] = flip === 0 ? ZERO + count : ZERO - count;
  } else {
    scratch[length++] = flip === 0 ? POSITIVE_LONG : NEGATIVE_LONG;
    if (count < 255) {
      scratch[length++] = count ^ flip;
    } else {
      scratch[length++] = 0xff ^ flip;
      for (let shift = 24; shift >= 0; shift -= 8) scratch[length++] = count >>> shift ^ flip;
    }
  }
  for (let end = digits.length - 2 * (count - 1), start = 0; start < digits.length; end += 2) {
    scratch[length++] = parseInt(digits.slice(start, end), 16) ^ flip;
    start = end;
  }
}

function reserve(count: number): void {
  if (length + count <= scratch.length) return;
  const larger = new Uint8Array(2 * (length + count));
  larger.set(scratch.subarray(0, length));
  scratch = larger;
}

/** Returns the parts of a key.
 *
 * @param start Where they begin in the bytes.
 * @throws {StoreError} `CORRUPT`: these are not the bytes of a key.
 */
export function decodeKey(bytes: Uint8Array, start: number): KvKeyPart[] {
  const parts: KvKeyPart[] = [];
  let at = start;
  while (at < bytes.length) {
    const tag = bytes[at++]!;
    if (tag === STRING || tag === BYTES) {
      const end = endOfEscaped(bytes, at);
      parts.push(tag === STRING ? decodeString(bytes, at, end) : unescaped(bytes, at, end));
      at = end + 1;
    } else if (tag === NUMBER) {
      parts.push(decodeNumber(bytes, at));
      at += 8;
    } else if (tag === FALSE || tag === TRUE) {
      parts.push(tag === TRUE);
    } else if (tag >= NEGATIVE_LONG && tag <= POSITIVE_LONG) {
      const isNegative = tag < ZERO;
      let count = Math.abs(tag - ZERO);
      if (count > 8) [count, at] = decodeLength(bytes, at, isNegative ? 0xff : 0);
      if (at + count > bytes.length) throw corrupt(bytes, start);
      parts.push(decodeBigint(bytes.subarray(at, at + count), isNegative));
      at += count;
    } else {
      throw corrupt(bytes, start);
    }
  }
  return parts;
}

/** Returns where the `00` is that ends bytes or a string. */
function endOfEscaped(bytes: Uint8Array, start: number): number {
  for (let at = start; at < bytes.length; at++) {
    if (bytes[at] !== 0) continue;
    if (bytes[at + 1] !== 0xff) return at;
    at++;
  }
  throw corrupt(bytes, start);
}

function decodeString(bytes: Uint8Array, start: number, end: number): string {
  if (end - start <= SHORT_STRING_MAX) {
    let text = "";
    let at = start;
    for (; at < end; at++) {
      const byte = bytes[at]!;
      if (byte === 0 || byte > 0x7f) break;
      text += String.fromCharCode(byte);
    }
    if (at === end) return text;
  }
  try {
    return DECODER.decode(unescaped(bytes, start, end));
  } catch {
    throw corrupt(bytes, start);
  }
}

function unescaped(bytes: Uint8Array, start: number, end: number): Uint8Array {
  const part = bytes.slice(start, end);
  let to = 0;
  for (let from = 0; from < part.length; from++) {
    const byte = part[to++] = part[from]!;
    if (byte === 0) from++;
  }
  // Not a view on more than it shows: the caller may look at its buffer.
  return to === part.length ? part : part.slice(0, to);
}

function decodeNumber(bytes: Uint8Array, start: number): number {
  if (start + 8 > bytes.length) throw corrupt(bytes, start);
  const flip = bytes[start]! > 0x7f ? 0 : 0xff;
  FLOAT.setUint8(0, bytes[start]! ^ (flip === 0 ? 0x80 : 0xff));
  for (let i = 1; i < 8; i++) FLOAT.setUint8(i, bytes[start + i]! ^ flip);
  return FLOAT.getFloat64(0);
}

function decodeLength(bytes: Uint8Array, start: number, flip: number): [number, number] {
  const count = (bytes[start] ?? flip) ^ flip;
  if (count !== 0xff) return [count, start + 1];
  let long = 0;
  for (let i = 1; i <= 4; i++) long = long * 256 + ((bytes[start + i] ?? flip) ^ flip);
  return [long, start + 5];
}

function decodeBigint(bytes: Uint8Array, isNegative: boolean): bigint {
  let digits = "0x0";
  for (const byte of bytes) {
    digits += (isNegative ? 0xff - byte : byte).toString(16).padStart(2, "0");
  }
  const magnitude = BigInt(digits);
  return isNegative ? -magnitude : magnitude;
}

function corrupt(bytes: Uint8Array, start: number): StoreError {
  const shown = bytes.subarray(0, 40).reduce((text, byte) => {
    return text + byte.toString(16).padStart(2, "0");
  }, "");
  return new StoreError(
    "CORRUPT",
    `Cannot read key ${shown}: from byte ${start} on these are not the parts of a key; something ` +
      "else has written to the keys of this Kv",
  );
}
