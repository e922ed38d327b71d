/** Verification of a journal, of an open store or of a closed one.
 *
 * @module
 */

import type { Segment } from "../../journal/segment.ts";
import { SegmentReader } from "../../journal/segment_reader.ts";
import type { JournalWriter } from "../../journal/writer.ts";
import { isTurnOver, nextTurn } from "../../runtime/turn.ts";
import type { FaultLog } from "./fault_log.ts";
import { decodeWrites } from "../payload.ts";

/** A journal to verify, which may be written and trimmed meanwhile. */
export type VerifiedJournal = Pick<JournalWriter, "segments" | "end" | "fileSystem">;

/** What a verification of a journal needs besides. */
export interface JournalCheck {
  readonly log: FaultLog;
  /** Told how many bytes of how many are checked. */
  readonly onProgress: (done: number, total: number) => void;
  /** Throws once the store is closed: what is missing then is not a fault. */
  readonly requireOpen: () => void;
}

/** Compares both digests of every record, reads what it says, and returns how many there are. */
export async function verifyJournal(
  journal: VerifiedJournal,
  check: JournalCheck,
): Promise<number> {
  const { end } = journal;
  const segments = [...journal.segments];
  const first = segments[0]!.base;
  const onOffset = (offset: bigint) => {
    check.onProgress(Number(offset - first), Number(end - first));
  };
  let records = 0;
  for (const [index, segment] of segments.entries()) {
    const segmentEnd = segments[index + 1]?.base ?? end;
    records += await verifySegment(journal, segment, segmentEnd, check, onOffset);
  }
  return records;
}

async function verifySegment(
  journal: VerifiedJournal,
  segment: Segment,
  end: bigint,
  { log, requireOpen }: JournalCheck,
  onOffset: (offset: bigint) => void,
): Promise<number> {
  // The applier may have removed it since; once open, it stays readable.
  if (!journal.segments.includes(segment)) return 0;
  const { path } = segment;
  const attempt = <T>(place: string, read: () => T): T | undefined => {
    try {
      return read();
    } catch (error) {
      requireOpen();
      log.add("journal", `${place}: ${error instanceof Error ? error.message : error}`);
      return undefined;
    }
  };
  const reader = attempt(path, () => new SegmentReader(journal.fileSystem, segment));
  let offset = segment.base;
  let records = 0;
  try {
    while (reader !== undefined && offset < end) {
      const place = `no valid record at offset ${offset} of ${path}`;
      const next = attempt(place, () => nextOffset(reader, offset));
      if (next === undefined) return records;
      records++;
      offset = next;
      if (!isTurnOver()) continue;
      await nextTurn();
      requireOpen();
      onOffset(offset);
    }
    onOffset(end);
    return records;
  } finally {
    reader?.close();
  }
}

/** Checks the record at an offset, and returns where it ends. */
function nextOffset(reader: SegmentReader, offset: bigint): bigint {
  const found = reader.lookup(offset);
  if (found.fault !== undefined) throw new Error(found.fault);
  for (const _ of decodeWrites(found.payload));
  return found.next;
}
