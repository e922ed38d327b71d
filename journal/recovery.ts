/** Recovery: what opening a journal checks, cuts and reports.
 *
 * Below the durable mark everything was on disk, so a fault there is damage. What lies above it was being
 * written when the process or the machine died, and was not promised to a caller: the journal ends at the
 * first fault there, also where records follow in this or in further segments. Without a mark, everything but a
 * torn tail of the last segment counts as damage.
 *
 * @module
 */

import { REPAIR } from "../codec/_advice.ts";
import { StoreError } from "../codec/error.ts";
import { readDurableMark } from "./durable_mark.ts";
import { closeQuietly, type JournalFileSystem, readFully } from "./file_system.ts";
import { crcMatches, RECORD_HEADER_BYTES, statedLength } from "./record.ts";
import { cutJournal, setAside } from "./salvage.ts";
import { listSegments, RESERVED_BYTES_MAX, type Segment, SEGMENT_HEADER_BYTES } from "./segment.ts";
import { type Fault, SegmentReader } from "./segment_reader.ts";

/** What opening a journal found and cut.
 *
 * @category Journal
 */
export interface JournalRecovery {
  /** Valid records in all segments. */
  readonly records: number;
  /** Bytes that were cut from the end. Zeros that a writer had reserved do not count. */
  readonly truncatedBytes: number;
  /** Why something was cut or is missing: `torn tail at offset 123: crc32c`. */
  readonly reason?: string;
  /** The file into which `salvage` set damaged parts aside. */
  readonly salvageFile?: string;
}

/** A recovered journal: its segments, where it ends, and the report. */
export interface Recovered {
  readonly segments: Segment[];
  readonly end: bigint;
  /** Everything below this offset is known to be on disk. What lies behind it was found, but may be in
   * memory alone. */
  readonly provenEnd: bigint;
  readonly report: JournalRecovery;
}

/** How many bytes the search for a valid record behind a bad one may checksum. A search that gives up
 * counts as a hit, so that a doubtful case ends as `CORRUPT` and never as a silent cut. */
const SEARCH_BYTES_MAX = 512 * 1024 * 1024;

interface Damage {
  readonly offset: bigint;
  readonly fault: Exclude<Fault, "end"> | "header" | "gap";
}

/** What recovery does about damage. */
export interface RecoveryPolicy {
  /** Whether to set damaged parts aside instead of refusing. */
  readonly salvage: boolean;
  /** Whether to refuse, instead of cutting and reporting, if the end of the synced records is missing or
   * damaged. A disk that forgets what it has synced looks like that. */
  readonly requireSynced?: boolean;
  /** Whether zeros at the end of a segment are a reserve of its writer. They are then cut
   * off and not reported. */
  readonly reserves?: boolean;
  /** An offset at which a record begins or the journal ends. Records below it are not needed: damage there
   * is passed over. */
  readonly from?: bigint;
}

/** Checks the segments of a directory and cuts what was not promised. The writer that takes over makes
 * the rest durable, because callers may rely on what was found.
 *
 * @param fileSystem The file access.
 * @param directory The journal's directory.
 * @param policy What to do about damage.
 * @throws {StoreError} `CORRUPT` with the offset, if something durable is damaged.
 */
export function recover(
  fileSystem: JournalFileSystem,
  directory: string,
  policy: RecoveryPolicy,
): Recovered {
  const mark = readDurableMark(fileSystem, directory);
  const segments = listSegments(fileSystem, directory);
  const unborn = findUnborn(fileSystem, segments, mark);
  // Without a mark everything counts as durable, and so does what precedes an unfinished segment.
  const durable = mark ?? unborn?.base;
  const recovered = recoverSegments(fileSystem, directory, segments, {
    ...policy,
    unborn,
    durable,
  });
  return { ...recovered, provenEnd: mark ?? 0n };
}

function recoverSegments(
  fileSystem: JournalFileSystem,
  directory: string,
  segments: Segment[],
  policy: RecoveryPolicy & { unborn: Segment | undefined; durable: bigint | undefined },
): Omit<Recovered, "provenEnd"> {
  const { salvage, requireSynced = false, reserves = false, from = 0n, unborn, durable } = policy;
  // Where no segment is left, offsets still continue where they were: none is ever given twice.
  let end = segments[0]?.base ?? durable ?? 0n;
  if (segments.length === 0 && end > 0n) {
    const reason = `no segment is left of what had been synced up to offset ${end}`;
    if (!salvage) throw corrupt(directory, reason, policy);
    return { segments, end, report: { records: 0, truncatedBytes: 0, reason } };
  }
  let records = 0;
  let truncatedBytes = 0;
  const reasons = unborn === undefined ? [] : [`unfinished segment at offset ${unborn.base}`];
  for (let index = 0; index < segments.length; index++) {
    let scan = scanSegment(fileSystem, segments, index);
    records += scan.records;
    if (scan.damage !== undefined && scan.damage.offset < from) {
      // It ends in the segments that follow, at the latest where the first that is needed begins.
      if ((segments[index + 1]?.base ?? from + 1n) <= from) continue;
      if (canResume(fileSystem, segments[index]!, scan.damage, from)) {
        scan = scanSegment(fileSystem, segments, index, from);
        records += scan.records;
      }
    }
    end = scan.end;
    if (scan.damage === undefined) continue;
    const { offset, fault } = scan.damage;
    const segment = segments[index]!;
    const next = segments[index + 1];
    const isUnpromised = durable !== undefined && offset >= durable;
    // Zeros behind the last record are not part of the journal: in a segment that has a successor always,
    // in the last one if no record is known to have been there.
    const mayBeReserve = next !== undefined
      ? next.base === offset
      : reserves && fault !== "header" && isUnpromised;
    if (mayBeReserve && isReserve(fileSystem, segment, offset)) {
      if (next === undefined) cutJournal(fileSystem, directory, segments, index, offset);
      continue;
    }
    const mayBeTorn = (next === undefined || next === unborn) && fault !== "header" &&
      !(requireSynced && durable !== undefined);
    if (isUnpromised || (mayBeTorn && !validRecordFollows(fileSystem, segment, offset))) {
      truncatedBytes = countBytes(fileSystem, segments.slice(index), offset, reserves);
      cutJournal(fileSystem, directory, segments, index, offset);
      segments.length = index + 1;
      if (segment !== unborn) reasons.push(`torn tail at offset ${offset}: ${fault}`);
      break;
    }
    const reason = `damage at offset ${offset}: ${fault}`;
    if (!salvage) throw corrupt(segment.path, `${reason}, and it is no torn tail`, policy);
    const salvaged = setAside(fileSystem, directory, segments, index, offset);
    const kept = segments.slice(0, index + 1);
    return { segments: kept, end, report: { records, reason, ...salvaged } };
  }
  // Records are missing although nothing has to be cut: that must be reported.
  if (durable !== undefined && durable > end) {
    const reason = `${durable - end} bytes from offset ${end} on had been synced and are missing`;
    if (requireSynced) throw corrupt(segments.at(-1)?.path ?? directory, reason, policy);
    reasons.push(reason);
  }
  const reason = reasons.length === 0 ? {} : { reason: reasons.join("; ") };
  return { segments, end, report: { records, truncatedBytes, ...reason } };
}

function corrupt(path: string, reason: string, policy: RecoveryPolicy): StoreError {
  const advice = policy.requireSynced
    ? REPAIR
    : "open with { salvage: true } to keep the records before it";
  return new StoreError("CORRUPT", `Cannot open journal ${path}: ${reason}; ${advice}`);
}

/** Returns a last segment that was being created when the process died: too short to hold a record,
 * with a header that is not whole.
 */
function findUnborn(
  fileSystem: JournalFileSystem,
  segments: readonly Segment[],
  mark: bigint | undefined,
): Segment | undefined {
  const last = segments.at(-1);
  if (last === undefined || (mark !== undefined && mark > last.base)) return undefined;
  const start = new Uint8Array(SEGMENT_HEADER_BYTES + 1);
  const file = fileSystem.open(last.path, "read");
  try {
    const length = readFully(file, start, 0);
    const isUnborn = length < SEGMENT_HEADER_BYTES ||
      (length === SEGMENT_HEADER_BYTES && start.every((byte) => byte === 0));
    return isUnborn ? last : undefined;
  } finally {
    closeQuietly(file);
  }
}

function scanSegment(
  fileSystem: JournalFileSystem,
  segments: readonly Segment[],
  index: number,
  from: bigint = segments[index]!.base,
): { records: number; end: bigint; damage?: Damage } {
  const segment = segments[index]!;
  const successor = segments[index + 1];
  let end = from;
  let reader: SegmentReader;
  try {
    reader = new SegmentReader(fileSystem, segment);
  } catch (error) {
    if (!(error instanceof StoreError && error.code === "CORRUPT")) throw error;
    return { records: 0, end, damage: { offset: end, fault: "header" } };
  }
  try {
    for (let records = 0;; records++) {
      const found = reader.lookup(end, successor === undefined ? "both" : "crc32c");
      if (found.fault === undefined) {
        end = found.next;
      } else if (found.fault !== "end") {
        return { records, end, damage: { offset: end, fault: found.fault } };
      } else if (successor !== undefined && successor.base !== end) {
        return { records, end, damage: { offset: end, fault: "gap" } };
      } else {
        return { records, end };
      }
    }
  } finally {
    reader.close();
  }
}

/** Returns whether a segment can be read from an offset behind its damage: its header is right, and it is
 * long enough. */
function canResume(
  fileSystem: JournalFileSystem,
  segment: Segment,
  { fault }: Damage,
  from: bigint,
): boolean {
  if (fault === "header" || fault === "gap") return false;
  const file = fileSystem.open(segment.path, "read");
  try {
    return BigInt(file.size() - SEGMENT_HEADER_BYTES) >= from - segment.base;
  } finally {
    closeQuietly(file);
  }
}

/** Returns whether a segment has only zeros from an offset on, and not more than a writer leaves. */
function isReserve(fileSystem: JournalFileSystem, segment: Segment, offset: bigint): boolean {
  const rest = readFrom(fileSystem, segment, offset);
  return rest.length <= RESERVED_BYTES_MAX && rest.every((byte) => byte === 0);
}

/** Returns how many bytes of records lie behind an offset. Zeros at the end of a segment may be what its
 * writer had reserved, and are left out then.
 *
 * @param segments The segments from the one that holds the offset on.
 */
function countBytes(
  fileSystem: JournalFileSystem,
  segments: readonly Segment[],
  offset: bigint,
  reserves: boolean,
): number {
  let count = 0;
  for (const segment of segments) {
    const from = segment === segments[0] ? offset : segment.base;
    const bytes = readFrom(fileSystem, segment, from);
    const zeros = bytes.length - 1 - bytes.findLastIndex((byte) => byte !== 0);
    count += bytes.length - (reserves ? Math.min(zeros, RESERVED_BYTES_MAX) : 0);
  }
  return count;
}

/** Looks at every byte behind a bad record for the start of a valid one. */
function validRecordFollows(
  fileSystem: JournalFileSystem,
  segment: Segment,
  offset: bigint,
): boolean {
  const rest = readFrom(fileSystem, segment, offset);
  let checkedBytes = 0;
  for (let start = 1; start + RECORD_HEADER_BYTES <= rest.length; start++) {
    const recordBytes = RECORD_HEADER_BYTES + statedLength(rest, start);
    if (start + recordBytes > rest.length) continue;
    checkedBytes += recordBytes;
    if (checkedBytes > SEARCH_BYTES_MAX || crcMatches(rest, start)) return true;
  }
  return false;
}

function readFrom(fileSystem: JournalFileSystem, segment: Segment, offset: bigint): Uint8Array {
  const position = Number(offset - segment.base) + SEGMENT_HEADER_BYTES;
  const file = fileSystem.open(segment.path, "read");
  try {
    const bytes = new Uint8Array(Math.max(0, file.size() - position));
    return bytes.subarray(0, readFully(file, bytes, position));
  } finally {
    closeQuietly(file);
  }
}
