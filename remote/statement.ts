/** Statements: their text, their parameters, and how bytes travel.
 *
 * Data is never a part of the text. Bytes are sent in the binary form, several of them as one binary array, so that
 * one statement serves any number of keys. They come back as text in hexadecimal: `pg` decodes every field that it
 * receives as UTF-8, which bytes do not survive.
 *
 * @module
 */

import { Buffer } from "node:buffer";
/** A statement with its parameters. */
export interface Statement {
  /** The name under which a connection prepares it, once; without it it is parsed each time. */
  readonly name?: string;
  readonly text: string;
  readonly values?: readonly unknown[];
}

/** What a statement returned: rows of text and bytes, and how many rows it was about. */
export interface Result {
  readonly rows: readonly (readonly unknown[])[];
  readonly rowCount: number | null;
}

const ARRAY_HEADER_BYTES = 20;
const BYTEA_OID = 17;

/** Returns byte strings as one parameter of the type `bytea[]`. */
export function byteaArray(items: readonly Uint8Array[]): Uint8Array {
  let length = ARRAY_HEADER_BYTES;
  for (const item of items) length += 4 + item.length;
  const bytes = Buffer.allocUnsafe(length);
  // One dimension, no nulls, elements of the type bytea, and indexes from 1 on.
  bytes.writeInt32BE(1, 0);
  bytes.writeInt32BE(0, 4);
  bytes.writeInt32BE(BYTEA_OID, 8);
  bytes.writeInt32BE(items.length, 12);
  bytes.writeInt32BE(1, 16);
  let at = ARRAY_HEADER_BYTES;
  for (const item of items) {
    bytes.writeInt32BE(item.length, at);
    bytes.set(item, at + 4);
    at += 4 + item.length;
  }
  return bytes;
}

/** Returns bytes as a parameter: as they are, with what the driver wants of them. */
export function bytea(bytes: Uint8Array): Uint8Array {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** How columns become values: bytes, or the text that the server sent. */
export const COLUMN_TYPES = {
  getTypeParser: (oid: number): (text: string) => unknown => oid === BYTEA_OID ? bytesOf : textOf,
};

function textOf(text: string): string {
  return text;
}

/** Returns the bytes of hexadecimal text: `\x…`. They are no part of a larger buffer. */
function bytesOf(text: string): Uint8Array {
  return decodeHex(text.slice(2));
}

/** Each value that is read comes through here. Not every Node has `fromHex`, and what `Buffer` returns may be a part
 * of its pool. */
const decodeHex: (hex: string) => Uint8Array = "fromHex" in Uint8Array
  ? (hex) => Uint8Array.fromHex(hex)
  : (hex) => new Uint8Array(Buffer.from(hex, "hex"));
