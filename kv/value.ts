/** The bytes of an entry: an envelope, and in it the value.
 *
 * | offset | bytes | |
 * |---:|---:|---|
 * | 0 | 1 | version of the format: 1 |
 * | 1 | 1 | what the value is: 1 structured, 2 bytes, 3 a counter, 4 a blob |
 * | 2 | 10 | versionstamp |
 * | 12 | 8 | when it expires: milliseconds since 1970, 0 for never |
 * | 20 | 4 | CRC32C of everything before and behind |
 * | 24 | | the value |
 *
 * Numbers are big-endian. A counter has 8 bytes; what a blob has, `blob.ts` says. A structured value is MessagePack without any extension but that
 * for `undefined`; what MessagePack lacks is a map whose first key is empty (see `_special.ts`).
 *
 * @module
 */

import { Packr } from "msgpackr";
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

const STAMP_AT = 2;
const EXPIRY_AT = 12;
const CRC_AT = 20;
const HEADER_BYTES = 24;

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
  return envelope(STRUCTURED, PACKER.pack(dump(value)));
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
  const view = viewOf(entry);
  view.setBigUint64(STAMP_AT, stamp);
  if (expiresAt > 0) view.setBigUint64(EXPIRY_AT, BigInt(expiresAt));
  else view.setBigUint64(EXPIRY_AT, 0n);
  view.setUint32(CRC_AT, digest(entry));
}

function digest(entry: Uint8Array): number {
  return crc32c(entry.subarray(HEADER_BYTES), crc32c(entry.subarray(0, CRC_AT)));
}

/** Checks an entry.
 *
 * @returns Its bytes, or `undefined` where there is none, or it has expired.
 * @throws {StoreError} `CORRUPT`; `UNSUPPORTED`: a later version wrote it.
 */
export function openEntry(entry: Uint8Array | undefined, now: number): Uint8Array | undefined {
  if (entry === undefined) return undefined;
  if (entry.length < HEADER_BYTES || viewOf(entry).getUint32(CRC_AT) !== digest(entry)) {
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
  const view = viewOf(entry);
  return view.getUint32(EXPIRY_AT) * 2 ** 32 + view.getUint32(EXPIRY_AT + 4);
}

/** Returns the versionstamp of an entry. */
export function stampOf(entry: Uint8Array): string {
  const view = viewOf(entry);
  return hex(view.getUint32(STAMP_AT)) + hex(view.getUint32(STAMP_AT + 4)) +
    view.getUint16(STAMP_AT + 8).toString(16).padStart(4, "0");
}

/** Returns the versionstamp of a commit. */
export function stampText(stamp: bigint): string {
  return `${stamp.toString(16).padStart(16, "0")}0000`;
}

function hex(number: number): string {
  return number.toString(16).padStart(8, "0");
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
  const payload = new Uint8Array(
    entry.buffer,
    entry.byteOffset + HEADER_BYTES,
    entry.length - HEADER_BYTES,
  );
  const number = counterOf(entry);
  if (number !== undefined) return new KvU64(number);
  if (entry[1] === BYTES) return payload.slice();
  try {
    if (entry[1] === BLOB) return new KvBlob(decodeReference(payload).size);
    if (entry[1] !== STRUCTURED) throw new Error(`there is no type ${entry[1]} of values`);
    return revive(PACKER.unpack(payload));
  } catch (cause) {
    if (cause instanceof StoreError) throw cause;
    throw new StoreError("CORRUPT", `Cannot read value: ${cause}`, { cause });
  }
}

function viewOf(entry: Uint8Array): DataView {
  return new DataView(entry.buffer, entry.byteOffset, entry.byteLength);
}
