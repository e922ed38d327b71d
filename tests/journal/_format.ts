/** The journal's format, written anew from its description alone: nothing of `journal/` is used here,
 * so that a mistake there cannot hide itself.
 */

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { blake3 } from "hash-wasm";
import { join } from "@std/path";

const HEADER_BYTES = 16;
const RECORD_HEADER_BYTES = 40;

/** CRC32C bit by bit: reflected, polynomial 0x1EDC6F41, begun and ended with all ones. */
export function crc32cBitwise(...parts: Uint8Array[]): number {
  let crc = 0xffffffff;
  for (const part of parts) {
    for (const byte of part) {
      crc ^= byte;
      for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ ((crc & 1) === 1 ? 0x82f63b78 : 0);
    }
  }
  return (crc ^ 0xffffffff) >>> 0;
}

/** Returns a number as little-endian bytes. */
export function littleEndian(value: number | bigint, width: number): Uint8Array {
  const bytes = new Uint8Array(width);
  let rest = BigInt(value);
  for (let i = 0; i < width; i++) {
    bytes[i] = Number(rest % 256n);
    rest /= 256n;
  }
  return bytes;
}

function parseLittleEndian(bytes: Uint8Array, at: number, width: number): bigint {
  let value = 0n;
  for (let i = width - 1; i >= 0; i--) value = value * 256n + BigInt(bytes[at + i]!);
  return value;
}

export function concat(...parts: Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

async function digest(payload: Uint8Array): Promise<Uint8Array> {
  const hex = await blake3(payload);
  return Uint8Array.from(hex.match(/../g)!, (pair) => parseInt(pair, 16));
}

/** Returns the bytes of one record. */
export async function encodeRecord(payload: Uint8Array): Promise<Uint8Array> {
  const length = littleEndian(payload.length, 4);
  const hash = await digest(payload);
  return concat(length, littleEndian(crc32cBitwise(length, hash, payload), 4), hash, payload);
}

/** Returns the bytes of a segment file. */
export async function encodeSegment(base: bigint, payloads: Uint8Array[]): Promise<Uint8Array> {
  const magic = Uint8Array.from("HSJL", (letter) => letter.charCodeAt(0));
  const records = await Promise.all(payloads.map(encodeRecord));
  return concat(magic, littleEndian(2, 4), littleEndian(base, 8), ...records);
}

/** Returns the file name of the segment that starts at `base`. */
export function segmentName(base: bigint | number): string {
  return `${base}`.padStart(20, "0") + ".seg";
}

/** Writes a segment file that starts at `base`. */
export async function writeSegment(
  directory: string,
  base: bigint,
  payloads: Uint8Array[],
): Promise<void> {
  writeFileSync(join(directory, segmentName(base)), await encodeSegment(base, payloads));
}

/** Returns the names of the segment files, in order. */
export function segmentNames(directory: string): string[] {
  return readdirSync(directory).filter((name) => name.endsWith(".seg")).sort();
}

/** A record as the independent decoder found it. */
export interface DecodedRecord {
  offset: bigint;
  payload: Uint8Array;
}

/** Decodes all segments of a directory and throws where a byte is not as the format says. */
export async function decodeJournal(directory: string): Promise<DecodedRecord[]> {
  const records: DecodedRecord[] = [];
  let end: bigint | undefined;
  for (const name of segmentNames(directory)) {
    const bytes = new Uint8Array(readFileSync(join(directory, name)));
    const base = parseLittleEndian(bytes, 8, 8);
    expect(String.fromCharCode(...bytes.subarray(0, 4)), "HSJL", `${name}: magic`);
    expect(parseLittleEndian(bytes, 4, 4), 2n, `${name}: version`);
    expect(name, segmentName(base), `${name}: base offset`);
    expect(base, end ?? base, `${name}: end of the segment before`);
    const found = await decodeRecords(bytes.subarray(HEADER_BYTES), base);
    records.push(...found);
    end = base + BigInt(bytes.length - HEADER_BYTES);
  }
  return records;
}

/** Decodes records that follow one another without anything in between. */
export async function decodeRecords(bytes: Uint8Array, base: bigint): Promise<DecodedRecord[]> {
  const records: DecodedRecord[] = [];
  for (let at = 0; at < bytes.length;) {
    const offset = base + BigInt(at);
    const length = Number(parseLittleEndian(bytes, at, 4));
    const end = at + RECORD_HEADER_BYTES + length;
    if (end > bytes.length) throw new Error(`record at ${offset} is cut off`);
    const payload = bytes.slice(at + RECORD_HEADER_BYTES, end);
    const crc = crc32cBitwise(bytes.subarray(at, at + 4), bytes.subarray(at + 8, end));
    expect(parseLittleEndian(bytes, at + 4, 4), BigInt(crc), `crc32c at ${offset}`);
    const hash = bytes.subarray(at + 8, at + RECORD_HEADER_BYTES);
    expect(hash.join(), (await digest(payload)).join(), `blake3 at ${offset}`);
    records.push({ offset, payload });
    at = end;
  }
  return records;
}

function expect<T>(actual: T, expected: T, what: string): void {
  if (actual !== expected) throw new Error(`${what}: found ${actual}, expected ${expected}`);
}
