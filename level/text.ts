/** Text as the store has it, and back: UTF-8.
 *
 * @module
 */

import { Buffer } from "node:buffer";

/** What Level hands over: bytes, or text where the encoding of a key or a value is one of text. */
export type Form = string | Uint8Array;

const ENCODER = new TextEncoder();
/** The decoder of Level's own encodings drops a byte order mark, so that text would come back as another. */
const DECODER = new TextDecoder("utf-8", { ignoreBOM: true });

/** Text of up to this many UTF-16 units is encoded without an allocation of its own. */
const SHORT_TEXT = 8 * 1024;
const keyRoom = new Uint8Array(3 * SHORT_TEXT);
const valueRoom = new Uint8Array(3 * SHORT_TEXT);

/** Returns bytes that stay what they are: a copy of what the caller may change. */
export function copiedBytes(form: Form): Uint8Array {
  return typeof form === "string" ? ENCODER.encode(form) : new Uint8Array(form);
}

/** Returns the bytes of a key that are used at once: the next call writes over them. */
export function passingKey(form: Form): Uint8Array {
  return typeof form === "string" ? encodeInto(keyRoom, form) : form;
}

/** Returns the bytes of a value that are used at once: the next call writes over them. */
export function passingValue(form: Form): Uint8Array {
  return typeof form === "string" ? encodeInto(valueRoom, form) : form;
}

function encodeInto(room: Uint8Array, text: string): Uint8Array {
  // Half a surrogate pair becomes U+FFFD, as it does in every database of Level.
  if (text.length > SHORT_TEXT) return ENCODER.encode(text);
  return room.subarray(0, ENCODER.encodeInto(text, room).written);
}

type Slice = (this: Uint8Array, start: number, end: number) => string;

/** What `Buffer.toString` calls, on any bytes: two to three times as fast as a `TextDecoder`, where it is there. */
const { utf8Slice } = Buffer.prototype as { utf8Slice?: Slice };

/** Returns the text of bytes, in every runtime. */
export function textByDecoder(bytes: Uint8Array): string {
  return DECODER.decode(bytes);
}

/** Returns the text of bytes, as fast as the runtime can. */
export const textOf: (bytes: Uint8Array) => string = utf8Slice === undefined
  ? textByDecoder
  : (bytes) => utf8Slice.call(bytes, 0, bytes.length);

/** Returns the text of bytes, where there are any. */
export function textOfFound(bytes: Uint8Array | undefined): string | undefined {
  return bytes === undefined ? undefined : textOf(bytes);
}
