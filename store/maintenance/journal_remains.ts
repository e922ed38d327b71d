/** What is left of a closed store's journal, read without changing it.
 *
 * Every record proves itself by two digests, so that reading may begin wherever one is known to begin: at
 * the base of a segment, at an engine's position, or where a search meets one.
 *
 * @module
 */

import * as fs from "node:fs";
import { StoreError } from "../../codec/error.ts";
import { dryFileSystem } from "../../journal/dry_file_system.ts";
import { readDurableMark } from "../../journal/durable_mark.ts";
import { fileError } from "../../codec/_file_error.ts";
import { nodeFileSystem } from "../../journal/file_system.ts";
import {
  blake3Matches,
  crcMatches,
  RECORD_HEADER_BYTES,
  statedLength,
} from "../../journal/record.ts";
import { recover } from "../../journal/recovery.ts";
import {
  findSegment,
  listSegments,
  type Segment,
  SEGMENT_HEADER_BYTES,
} from "../../journal/segment.ts";
import { SegmentReader } from "../../journal/segment_reader.ts";
import { readJournalOwner } from "../directory/journal_owner.ts";
import { decodeWrites } from "../payload.ts";

/** What a search for records holds in memory at a time. */
const SEARCH_BYTES_MAX = 2 ** 30;

/** Valid records, one behind the other. */
export interface RecordRun {
  /** The offset of the first. */
  readonly from: bigint;
  /** The offset behind the last. */
  readonly to: bigint;
  readonly records: number;
}

/** A record and where it is. */
export interface RecordPlace {
  readonly offset: bigint;
  readonly next: bigint;
  /** A view that the next record overwrites. */
  readonly payload: Uint8Array;
}

/** The readable rest of a journal. */
export class JournalRemains {
  readonly directory: string;
  /** The store that it belongs to, `undefined` where that cannot be read. */
  readonly identity: string | undefined;
  readonly segments: readonly Segment[];
  /** The offset below which everything had been synced, `undefined` where that is not known. */
  readonly mark: bigint | undefined;

  /** @throws {StoreError} `IO`: the directory cannot be read. */
  constructor(directory: string) {
    this.directory = directory;
    if (!fs.existsSync(directory)) {
      this.segments = [];
      return;
    }
    try {
      this.identity = readJournalOwner(directory);
      this.segments = listSegments(nodeFileSystem, directory);
      this.mark = readDurableMark(nodeFileSystem, directory);
    } catch (error) {
      throw fileError(`Cannot read journal ${directory}`, error);
    }
  }

  /** The offset of the first record, where there is a segment. */
  get start(): bigint | undefined {
    return this.segments[0]?.base;
  }

  /** Returns what opening the store would make of the journal, or why it would be refused.
   *
   * @param from The lower position of both engines: what precedes it is not needed.
   * @throws {StoreError} `UNSUPPORTED`: another version wrote it; `IO`.
   */
  recover(
    from: bigint,
  ): { readonly segments: readonly Segment[]; readonly end: bigint } | StoreError {
    try {
      const policy = { salvage: false, requireSynced: true, reserves: true, from };
      return recover(dryFileSystem(nodeFileSystem), this.directory, policy);
    } catch (error) {
      const failure = fileError(`Cannot read journal ${this.directory}`, error);
      if (failure.code === "UNSUPPORTED") throw failure;
      return failure;
    }
  }

  /** Yields the valid records from an offset on, where one begins, up to the first that is not. A header of
   * a segment that is damaged costs nothing: its name says the same.
   *
   * @throws {StoreError} `UNSUPPORTED`: another version wrote it.
   */
  *records(from: bigint): Generator<RecordPlace> {
    let reader: SegmentReader | undefined;
    let offset = from;
    try {
      for (;;) {
        const segment = this.segments[findSegment(this.segments, offset)];
        if (segment === undefined) return;
        if (reader?.segment !== segment) {
          reader?.close();
          reader = openSegment(segment);
        }
        const found = reader && lookup(reader, offset);
        if (found === undefined) return;
        yield found;
        offset = found.next;
      }
    } finally {
      reader?.close();
    }
  }

  /** Returns where the valid records end that begin at an offset. */
  endOf(from: bigint): RecordRun {
    let records = 0;
    let to = from;
    for (const { next } of this.records(from)) {
      records++;
      to = next;
    }
    return { from, to, records };
  }

  /** Returns the valid records from an offset on, wherever they are. Between them something is missing or
   * damaged. What is within another record may be among them where that one is damaged. */
  runsFrom(from: bigint): RecordRun[] {
    const runs: RecordRun[] = [];
    let at: bigint | undefined = from;
    while (at !== undefined) {
      const run = this.endOf(at);
      if (run.records > 0) runs.push(run);
      at = this.#nextStart(run.to);
    }
    return runs;
  }

  /** Returns where the next record behind an offset may begin that is none itself. */
  #nextStart(offset: bigint): bigint | undefined {
    const index = findSegment(this.segments, offset);
    const segment = this.segments[index];
    const found = segment && searchRecord(segment, offset);
    return found ?? this.segments[index + 1]?.base;
  }
}

function openSegment(segment: Segment): SegmentReader | undefined {
  for (const checksHeader of [true, false]) {
    try {
      return new SegmentReader(nodeFileSystem, segment, { checksHeader });
    } catch (error) {
      if (error instanceof StoreError && error.code === "UNSUPPORTED") throw error;
    }
  }
  return undefined;
}

function lookup(reader: SegmentReader, offset: bigint): RecordPlace | undefined {
  try {
    const found = reader.lookup(offset);
    if (found.fault !== undefined || !isPayload(found.payload)) return undefined;
    return { offset, next: found.next, payload: found.payload };
  } catch {
    // A sector that the disk does not give, say.
    return undefined;
  }
}

function isPayload(payload: Uint8Array): boolean {
  try {
    for (const _ of decodeWrites(payload));
    return true;
  } catch {
    return false;
  }
}

/** Looks at every byte behind an offset for the start of a record. */
function searchRecord(segment: Segment, offset: bigint): bigint | undefined {
  let bytes: Uint8Array;
  const start = Number(offset - segment.base) + SEGMENT_HEADER_BYTES + 1;
  try {
    const size = fs.statSync(segment.path).size - start;
    if (size < RECORD_HEADER_BYTES || size > SEARCH_BYTES_MAX) return undefined;
    bytes = readFrom(segment.path, start, size);
  } catch {
    return undefined;
  }
  for (let at = 0; at + RECORD_HEADER_BYTES <= bytes.length; at++) {
    const payloadStart = at + RECORD_HEADER_BYTES;
    const end = payloadStart + statedLength(bytes, at);
    // What is written says more cheaply than a checksum that it is not written here.
    if (end > bytes.length || end === payloadStart) continue;
    if (!isPayload(bytes.subarray(payloadStart, end))) continue;
    if (crcMatches(bytes, at) && blake3Matches(bytes, at)) return offset + BigInt(at + 1);
  }
  return undefined;
}

function readFrom(path: string, start: number, size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  const descriptor = fs.openSync(path, "r");
  try {
    let length = 0;
    while (length < size) {
      const count = fs.readSync(descriptor, bytes, length, size - length, start + length);
      if (count === 0) break;
      length += count;
    }
    return bytes.subarray(0, length);
  } finally {
    fs.closeSync(descriptor);
  }
}
