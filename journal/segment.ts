/** Segment files: their names, their 16-byte header, and the list of those in a directory.
 *
 * | offset | width | meaning |
 * |---:|---:|---|
 * | 0 | 4 | `HSJL` |
 * | 4 | 4 | format version, 2, little-endian |
 * | 8 | 8 | offset of the first record, little-endian |
 *
 * @module
 */

import { join } from "@std/path";
import { StoreError } from "../codec/error.ts";
import { type JournalFile, type JournalFileSystem, readFully } from "./file_system.ts";

/** Bytes of a segment file before its first record. */
export const SEGMENT_HEADER_BYTES = 16;

/** Zeros that a writer puts behind the last record at a time, and how few are left when it does so again. */
export const RESERVE_BYTES = 256 * 1024;
export const RESERVE_BYTES_MIN = 16 * 1024;
/** The most zeros that are ever behind the last record. */
export const RESERVED_BYTES_MAX: number = RESERVE_BYTES + RESERVE_BYTES_MIN;

/** The version of the record and segment format that this code reads and writes. */
export const FORMAT_VERSION = 2;

const MAGIC = new TextEncoder().encode("HSJL");
const NAME_PATTERN = /^(\d{20})\.seg$/;

/** A segment file: where it is, and the offset of its first record. */
export interface Segment {
  /** The offset of the first record, in record bytes since the journal's birth. */
  readonly base: bigint;
  /** The path of the file. */
  readonly path: string;
}

/** Returns the segment of a directory that starts at `base`. */
export function segmentAt(directory: string, base: bigint): Segment {
  return { base, path: join(directory, `${base.toString().padStart(20, "0")}.seg`) };
}

/** Returns the segments in a directory, in the order of their offsets. Other files are ignored. */
export function listSegments(fileSystem: JournalFileSystem, directory: string): Segment[] {
  const bases: bigint[] = [];
  for (const name of fileSystem.list(directory)) {
    const match = NAME_PATTERN.exec(name);
    if (match) bases.push(BigInt(match[1]!));
  }
  bases.sort((a, b) => a < b ? -1 : a > b ? 1 : 0);
  return bases.map((base) => segmentAt(directory, base));
}

/** Returns the index of the last segment whose base is at or below `offset`, -1 where there is none. */
export function findSegment(segments: readonly Segment[], offset: bigint): number {
  let low = 0;
  let high = segments.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (segments[middle]!.base <= offset) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** Returns the header of a segment. */
export function encodeSegmentHeader(base: bigint): Uint8Array {
  const header = new Uint8Array(SEGMENT_HEADER_BYTES);
  header.set(MAGIC);
  const view = new DataView(header.buffer);
  view.setUint32(4, FORMAT_VERSION, true);
  view.setBigUint64(8, base, true);
  return header;
}

/** Checks the header of an open segment file against its name.
 *
 * @throws {StoreError} `UNSUPPORTED` for another format version; `CORRUPT` for anything else that is
 * not the header of this segment.
 */
export function requireSegmentHeader(file: JournalFile, segment: Segment): void {
  const header = new Uint8Array(SEGMENT_HEADER_BYTES);
  const length = readFully(file, header, 0);
  const magicMatches = MAGIC.every((byte, i) => header[i] === byte);
  if (length < SEGMENT_HEADER_BYTES || !magicMatches) {
    throw new StoreError(
      "CORRUPT",
      `Cannot read journal segment ${segment.path}: it does not open with a segment header`,
    );
  }
  const view = new DataView(header.buffer);
  const version = view.getUint32(4, true);
  if (version !== FORMAT_VERSION) {
    throw new StoreError(
      "UNSUPPORTED",
      `Cannot read journal segment ${segment.path}: its format version is ${version}, ` +
        `this code reads version ${FORMAT_VERSION}; use the version that wrote it`,
    );
  }
  const base = view.getBigUint64(8, true);
  if (base !== segment.base) {
    throw new StoreError(
      "CORRUPT",
      `Cannot read journal segment ${segment.path}: its header says that it starts at ${base}`,
    );
  }
}
