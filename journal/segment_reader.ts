/** Reads and verifies the records of one segment file.
 *
 * @module
 */

import {
  closeQuietly,
  type JournalFile,
  type JournalFileSystem,
  readFully,
} from "./file_system.ts";
import { blake3Matches, crcMatches, RECORD_HEADER_BYTES, statedLength } from "./record.ts";
import { requireSegmentHeader, type Segment, SEGMENT_HEADER_BYTES } from "./segment.ts";

const WINDOW_BYTES = 256 * 1024;

/** Why there is no record at an offset. `end`: the segment ends right there. */
export type Fault = "end" | "short" | "crc32c" | "blake3";

/** A record that was found and checked. */
export interface FoundRecord {
  readonly fault: undefined;
  /** The payload: a view that the next call overwrites. */
  readonly payload: Uint8Array;
  /** The offset of the record behind it. */
  readonly next: bigint;
}

/** A record that was found, or the fault that was met in its place. */
export type RecordLookup = FoundRecord | { readonly fault: Fault };

/** Reads one segment file through a moving window, so that reading in order costs a few file operations per
 * 256 KiB. Reads the file again for bytes that the window does not hold.
 */
export class SegmentReader {
  readonly segment: Segment;
  /** Where reading ends: neither a record nor the window extends beyond it. What is behind it may still change,
   * and a window would not show that. It may grow. */
  limit: bigint | undefined;
  readonly #file: JournalFile;
  #window: Uint8Array = new Uint8Array(0);
  #windowStart = 0;
  #windowLength = 0;

  /** Opens a segment and checks its header.
   *
   * @param options `checksHeader`: whether a damaged header is refused; the file's name holds the same offset.
   * @throws {StoreError} `CORRUPT` or `UNSUPPORTED` if the header is not that of the segment.
   */
  constructor(
    fileSystem: JournalFileSystem,
    segment: Segment,
    { checksHeader = true }: { readonly checksHeader?: boolean } = {},
  ) {
    this.segment = segment;
    this.#file = fileSystem.open(segment.path, "read");
    try {
      if (checksHeader) requireSegmentHeader(this.#file, segment);
    } catch (error) {
      closeQuietly(this.#file);
      throw error;
    }
  }

  /** Returns the offset at which the bytes in the file end. */
  fileEnd(): bigint {
    return this.segment.base + BigInt(Math.max(0, this.#file.size() - SEGMENT_HEADER_BYTES));
  }

  /** Returns whether there are only zeros from an offset on. */
  isZeroFrom(offset: bigint): boolean {
    for (let at = Number(offset - this.segment.base) + SEGMENT_HEADER_BYTES;;) {
      const available = this.#load(at, WINDOW_BYTES);
      if (available === 0) return true;
      const start = at - this.#windowStart;
      const bytes = this.#window.subarray(start, start + available);
      if (!bytes.every((byte) => byte === 0)) return false;
      at += available;
    }
  }

  /** Looks for the record at an offset, by CRC32C and, unless told otherwise, by BLAKE3 too. */
  lookup(offset: bigint, verify: "crc32c" | "both" = "both"): RecordLookup {
    const position = Number(offset - this.segment.base) + SEGMENT_HEADER_BYTES;
    const headerAvailable = this.#load(position, RECORD_HEADER_BYTES);
    if (headerAvailable === 0) return { fault: "end" };
    if (headerAvailable < RECORD_HEADER_BYTES) return { fault: "short" };
    const length = statedLength(this.#window, position - this.#windowStart);
    const recordBytes = RECORD_HEADER_BYTES + length;
    if (this.#load(position, recordBytes) < recordBytes) return { fault: "short" };
    // The header may have come from a window that was read before a recovery cut this very record and
    // another was written in its place.
    if (statedLength(this.#window, position - this.#windowStart) !== length) {
      return { fault: "short" };
    }
    const start = position - this.#windowStart;
    if (!crcMatches(this.#window, start)) return { fault: "crc32c" };
    if (verify === "both" && !blake3Matches(this.#window, start)) return { fault: "blake3" };
    return {
      fault: undefined,
      payload: this.#window.subarray(start + RECORD_HEADER_BYTES, start + recordBytes),
      next: offset + BigInt(recordBytes),
    };
  }

  /** Returns whether the window has all of the record at an offset. Looking it up then leaves the views of
   * earlier records as they are. */
  holds(offset: bigint): boolean {
    const start = Number(offset - this.segment.base) + SEGMENT_HEADER_BYTES - this.#windowStart;
    const length = this.#windowLength - start;
    return start >= 0 && length >= RECORD_HEADER_BYTES &&
      length >= RECORD_HEADER_BYTES + statedLength(this.#window, start);
  }

  /** Closes the file. */
  close(): void {
    closeQuietly(this.#file);
  }

  /** Brings `length` bytes from `position` on into the window and returns how many there are. */
  #load(position: number, length: number): number {
    const inWindow = this.#windowStart + this.#windowLength - position;
    if (position >= this.#windowStart && inWindow >= length) return length;
    // A damaged length may ask for gigabytes: never allocate more than the file holds.
    const end = this.limit === undefined
      ? Infinity
      : Number(this.limit - this.segment.base) + SEGMENT_HEADER_BYTES;
    const inFile = Math.min(this.#file.size(), end) - position;
    if (inFile <= 0) return 0;
    // One long record must not leave a long window behind.
    const windowBytes = Math.max(Math.min(length, inFile), WINDOW_BYTES);
    if (this.#window.length !== windowBytes) this.#window = new Uint8Array(windowBytes);
    this.#windowStart = position;
    this.#windowLength = 0;
    this.#windowLength = readFully(
      this.#file,
      this.#window.subarray(0, end - position),
      position,
    );
    return Math.min(this.#windowLength, length);
  }
}
