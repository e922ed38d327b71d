/** The bytes of an entry: an envelope, and in it the value.
 *
 * | offset | bytes | |
 * |---:|---:|---|
 * | 0 | 1 | version of the format: 1 |
 * | 1 | 1 | what the value is: 1 structured, 2 bytes, 3 a counter, 4 a blob, 5 plain |
 * | 2 | 10 | versionstamp |
 * | 12 | 8 | when it expires: milliseconds since 1970, 0 for never |
 * | 20 | 4 | CRC32C of everything before and behind |
 * | 24 | | the value |
 *
 * Numbers are big-endian. A counter has 8 bytes; what a blob has, `blob.ts` says. A structured value is MessagePack
 * without any extension but that for `undefined`; what MessagePack lacks is a map whose first key is empty (see
 * `_special.ts`). A plain one has no such map.
 *
 * @module
 */

import { Packr, RESERVE_START_SPACE } from "msgpackr";
import { StoreError } from "../codec/error.ts";
import { crc32c } from "../journal/digest.ts";
import { type BlobReference, decodeReference, encodeReference, KvBlob } from "./blob.ts";
import { dump } from "./_dump.ts";
import { revive } from "./_revive.ts";
import { KvU64, u64Of } from "./u64.ts";

const FORMAT = 1;
const STRUCTURED = 1;
const BYTES = 2;
const COUNTER = 3;
const BLOB = 4;
const PLAIN = 5;

const STAMP_AT = 2;
const EXPIRY_AT = 12;
const CRC_AT = 20;
const HEADER_BYTES = 24;
const STAMP_BYTES = 10;
/** The digits of a byte. */
const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));
/** Where the halves of a bigint are told apart. */
const WORD = new DataView(new ArrayBuffer(8));

/** Where short entries are unpacked: the packer needs a view of what it unpacks and keeps it with the bytes. To make
 * one for each entry would cost a fifth of its reading. */
const SHORT = new Uint8Array(1024);
/** What is unpacked. A view of a part would cost as much as the reading of a short value. */
const SPAN = { start: HEADER_BYTES, end: 0 };

const PACKER = new Packr({
  useRecords: false,
  mapsAsObjects: true,
  // The other form holds no more than 65,535 properties.
  variableMapSize: true,
  structuredClone: false,
  moreTypes: false,
  copyBuffers: true,
});

/** Returns an entry for a value, without versionstamp and expiry: {@linkcode seal} adds them.
 *
 * @throws {TypeError} The value cannot be cloned.
 * @throws {RangeError} It has more than 1,000 levels of objects.
 */
export function encodeEntry(value: unknown): Uint8Array {
  const number = u64Of(value);
  if (number !== undefined) return encodeCounter(number);
  if (value instanceof KvBlob) {
    throw new TypeError("a KvBlob is no value: pass the stream of getBlob() to setBlob()");
  }
  if (value instanceof Uint8Array) {
    // A copy by `set` would hold whatever a shared buffer has by then.
    return envelope(BYTES, value);
  }
  // With room for the envelope in front, so that there is no other copy.
  const { model, isPlain } = dump(value);
  const entry = PACKER.pack(model, RESERVE_START_SPACE + HEADER_BYTES);
  entry.fill(0, 0, HEADER_BYTES);
  entry[0] = FORMAT;
  entry[1] = isPlain ? PLAIN : STRUCTURED;
  return entry;
}

/** Returns an entry for a blob, likewise. */
export function encodeBlob(reference: BlobReference): Uint8Array {
  return envelope(BLOB, encodeReference(reference));
}

/** Returns an entry for a counter, likewise. */
export function encodeCounter(number: bigint): Uint8Array {
  const entry = new Uint8Array(HEADER_BYTES + 8);
  entry[0] = FORMAT;
  entry[1] = COUNTER;
  viewOf(entry).setBigUint64(HEADER_BYTES, number);
  return entry;
}

function envelope(type: number, value: Uint8Array): Uint8Array {
  const entry = new Uint8Array(HEADER_BYTES + value.length);
  entry[0] = FORMAT;
  entry[1] = type;
  entry.set(value, HEADER_BYTES);
  return entry;
}

/** Completes an entry, which may be sealed again.
 *
 * @param stamp The first 8 bytes of the versionstamp.
 * @param expiresAt When it expires; 0 for never.
 */
export function seal(entry: Uint8Array, stamp: bigint, expiresAt: number): void {
  WORD.setBigUint64(0, stamp);
  writeU32(entry, STAMP_AT, WORD.getUint32(0));
  writeU32(entry, STAMP_AT + 4, WORD.getUint32(4));
  writeU32(entry, EXPIRY_AT, Math.floor(expiresAt / 2 ** 32));
  writeU32(entry, EXPIRY_AT + 4, expiresAt);
  writeU32(entry, CRC_AT, digest(entry));
}

function digest(entry: Uint8Array): number {
  return crc32c(entry, crc32c(entry, 0, 0, CRC_AT), HEADER_BYTES);
}

/** Checks an entry.
 *
 * @returns Its bytes, or `undefined` where there is none, or it has expired.
 * @throws {StoreError} `CORRUPT`; `UNSUPPORTED`: a later version wrote it.
 */
export function openEntry(entry: Uint8Array | undefined, now: number): Uint8Array | undefined {
  if (entry === undefined) return undefined;
  if (entry.length < HEADER_BYTES || readU32(entry, CRC_AT) !== digest(entry)) {
    throw new StoreError(
      "CORRUPT",
      "Cannot read value: its bytes are not what was written; set it again, or restore a backup",
    );
  }
  if (entry[0] !== FORMAT) {
    throw new StoreError("UNSUPPORTED", `Cannot read value: its format ${entry[0]} is a later one`);
  }
  const expiresAt = expiryOf(entry);
  return expiresAt > 0 && expiresAt <= now ? undefined : entry;
}

/** Returns when an entry expires, in milliseconds; 0 for never. */
export function expiryOf(entry: Uint8Array): number {
  return readU32(entry, EXPIRY_AT) * 2 ** 32 + readU32(entry, EXPIRY_AT + 4);
}

/** The first six bytes of the last stamp that was read, as numbers and as text: those of most others are the same. */
let [lastHigh, lastLow, lastText] = [-1, -1, ""];

/** Returns the versionstamp of an entry. */
export function stampOf(entry: Uint8Array): string {
  const high = readU32(entry, STAMP_AT);
  const low = entry[STAMP_AT + 4]! << 8 | entry[STAMP_AT + 5]!;
  if (high !== lastHigh || low !== lastLow) {
    lastText = hex(entry, STAMP_AT, STAMP_AT + 6);
    [lastHigh, lastLow] = [high, low];
  }
  return lastText + hex(entry, STAMP_AT + 6, STAMP_AT + STAMP_BYTES);
}

function hex(entry: Uint8Array, start: number, end: number): string {
  let text = "";
  for (let at = start; at < end; at++) text += HEX[entry[at]!];
  return text;
}

/** Returns the versionstamp of a commit. */
export function stampText(stamp: bigint): string {
  return `${stamp.toString(16).padStart(16, "0")}0000`;
}

/** Returns the number of an entry that was checked; `undefined` where it is not a counter. */
export function counterOf(entry: Uint8Array): bigint | undefined {
  return entry[1] === COUNTER && entry.length === HEADER_BYTES + 8
    ? viewOf(entry).getBigUint64(HEADER_BYTES)
    : undefined;
}

/** Returns the blob of an entry, which may have expired; `undefined` where it is something else, or damaged. */
export function referenceOf(entry: Uint8Array): BlobReference | undefined {
  if (entry[1] !== BLOB) return undefined;
  try {
    openEntry(entry, -Infinity);
    return decodeReference(entry.subarray(HEADER_BYTES));
  } catch {
    return undefined;
  }
}

/** Returns the value of an entry that was checked.
 *
 * @throws {StoreError} `CORRUPT`: it is not one that is written; `UNSUPPORTED`: this runtime has no such value.
 */
export function valueOf(entry: Uint8Array): unknown {
  const number = counterOf(entry);
  if (number !== undefined) return new KvU64(number);
  if (entry[1] === BYTES) return entry.slice(HEADER_BYTES);
  try {
    if (entry[1] === PLAIN) return unpack(entry);
    if (entry[1] === STRUCTURED) return revive(unpack(entry));
    if (entry[1] === BLOB) return new KvBlob(decodeReference(entry.subarray(HEADER_BYTES)).size);
    throw new Error(`there is no type ${entry[1]} of values`);
  } catch (cause) {
    if (cause instanceof StoreError) throw cause;
    throw new StoreError("CORRUPT", `Cannot read value: ${cause}`, { cause });
  }
}

function unpack(entry: Uint8Array): unknown {
  SPAN.end = entry.length;
  if (entry.length > SHORT.length) return PACKER.unpack(entry, SPAN);
  SHORT.set(entry);
  return PACKER.unpack(SHORT, SPAN);
}

function viewOf(entry: Uint8Array): DataView {
  return new DataView(entry.buffer, entry.byteOffset, entry.byteLength);
}

// In place of a view, which costs more than a short value in some runtimes.

function writeU32(bytes: Uint8Array, at: number, number: number): void {
  bytes[at] = number >>> 24;
  bytes[at + 1] = number >>> 16;
  bytes[at + 2] = number >>> 8;
  bytes[at + 3] = number;
}

function readU32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 24 | bytes[at + 1]! << 16 | bytes[at + 2]! << 8 | bytes[at + 3]!) >>> 0;
}
