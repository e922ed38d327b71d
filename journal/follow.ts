/** Follows a journal: its records from an offset on, in order, as they become durable.
 *
 * What a follower has shown stays: a record in the file that no sync covers yet may be lost with the power, and
 * one whose write failed is taken back. So nothing is read from the files beyond what is on disk, not even
 * ahead of its time into a window.
 *
 * @module
 */

import { fileError } from "../codec/_file_error.ts";
import { StoreError } from "../codec/error.ts";
import { isTurnOver, nextTurn } from "../runtime/turn.ts";
import { findSegment, type Segment } from "./segment.ts";
import { type Fault, SegmentReader } from "./segment_reader.ts";
import type { JournalWriter } from "./writer.ts";

/** A page ends with this many records, so that short ones do not hold the event loop. */
const PAGE_RECORDS_MAX = 512;

/** The journal that is followed. */
export type FollowedJournal = Pick<
  JournalWriter,
  "segments" | "end" | "durableEnd" | "fileSystem" | "whenDurableBeyond" | "removalListeners"
>;

/** What part of a journal is followed, and how. */
export interface FollowOptions {
  /** The offset of the first record. */
  readonly from: bigint;
  /** Where to end: no record that begins here or later is yielded. Without it, following ends with the
   * journal or by the signal. */
  readonly until?: bigint;
  /** Ends it. */
  readonly signal?: AbortSignal;
  /** The digests that are compared. */
  readonly verify: "crc32c" | "both";
}

/** A record of a page. */
export interface FollowedRecord {
  /** The offset of the record. */
  readonly offset: bigint;
  /** The payload: a view that is overwritten once the next page is asked for. */
  readonly payload: Uint8Array;
  /** The offset of the record behind it, where another follower would continue. */
  readonly next: bigint;
}

/** Yields the durable records of a journal in pages, none of them empty, and waits for more.
 *
 * Ends at `until`, or once the journal is closed and everything is yielded that is on disk then. It holds one
 * segment open and one window of it in memory, and lets the event loop turn. A segment that is removed
 * stays readable for as long as it is open here, and is closed once it has been read.
 *
 * @throws {RangeError} `from` lies outside the journal, or a segment was removed before it was opened.
 * @throws {StoreError} `CORRUPT`, with the segment's path and the offset; `POISONED` once everything is yielded
 * that is on disk; `IO`.
 * @throws The reason of the signal, once it is aborted: before each page, and while it waits.
 */
export async function* followPages(
  journal: FollowedJournal,
  { from, until, signal, verify }: FollowOptions,
): AsyncGenerator<FollowedRecord[], undefined> {
  requireWithin("follow journal", journal, from);
  const cursor = new Cursor(journal, from);
  const onRemoval = () => cursor.releaseRemoved();
  journal.removalListeners.add(onRemoval);
  try {
    while (until === undefined || cursor.offset < until) {
      signal?.throwIfAborted();
      if (cursor.offset >= journal.durableEnd) {
        cursor.releaseRemoved();
        if (!(await hasMore(journal, cursor.offset, signal))) return undefined;
        continue;
      }
      const page = cursor.readPage(until, verify);
      if (isTurnOver()) await nextTurn();
      yield page;
    }
    return undefined;
  } finally {
    journal.removalListeners.delete(onRemoval);
    cursor.close();
  }
}

/** Checks that an offset lies in a journal. What lies before its oldest segment has been removed.
 *
 * @throws {RangeError} It lies before the oldest segment or behind the end.
 */
export function requireWithin(
  what: string,
  { segments, end }: Pick<JournalWriter, "segments" | "end">,
  offset: bigint,
): void {
  const start = segments[0]!.base;
  if (offset >= start && offset <= end) return;
  throw new RangeError(
    `Cannot ${what}: offset ${offset} does not lie between its start, which is ${start}, ` +
      `and its end, which is ${end}`,
  );
}

/** Returns whether an offset of a journal, from its start to its end, lies within a record: nobody could follow the
 * journal from there.
 *
 * Reads the record that begins there. Only where none does, it reads those before it in the segment.
 */
export function isWithinRecord(
  { segments, end, fileSystem }: Pick<FollowedJournal, "segments" | "end" | "fileSystem">,
  offset: bigint,
): boolean {
  const segment = segments[findSegment(segments, offset)]!;
  if (offset === end || offset === segment.base) return false;
  try {
    const reader = new SegmentReader(fileSystem, segment);
    reader.limit = end;
    try {
      if (reader.lookup(offset, "crc32c").fault === undefined) return false;
      let at = segment.base;
      while (at < offset) {
        const found = reader.lookup(at, "crc32c");
        // Damaged, which is for those to say who read it.
        if (found.fault !== undefined) return false;
        at = found.next;
      }
      return at > offset;
    } finally {
      reader.close();
    }
  } catch (error) {
    throw fileError(`Cannot read journal at offset ${offset}`, error);
  }
}

/** Waits for a record at an offset; returns whether there is one, or the journal is closed. */
async function hasMore(
  journal: FollowedJournal,
  offset: bigint,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  try {
    await journal.whenDurableBeyond(offset, signal);
    return true;
  } catch (error) {
    // The reason of the signal may be of the same kind.
    signal?.throwIfAborted();
    if (error instanceof StoreError && error.code === "CLOSED") return false;
    throw error;
  }
}

/** A place in a journal, and the segment that is open there. */
class Cursor {
  readonly #journal: FollowedJournal;
  #offset: bigint;
  #reader: SegmentReader | undefined;

  constructor(journal: FollowedJournal, offset: bigint) {
    this.#journal = journal;
    this.#offset = offset;
  }

  /** The offset of the next record. */
  get offset(): bigint {
    return this.#offset;
  }

  /** Reads at least one record and moves behind the last. At least one has to be durable. */
  readPage(until: bigint | undefined, verify: FollowOptions["verify"]): FollowedRecord[] {
    try {
      const reader = this.#open();
      const page: FollowedRecord[] = [];
      let offset = this.#offset;
      do {
        const found = reader.lookup(offset, verify);
        if (found.fault !== undefined) {
          // What precedes it is intact.
          if (page.length > 0) break;
          this.#fail(reader, found.fault);
        }
        page.push({ offset, payload: found.payload, next: found.next });
        offset = found.next;
      } while (
        page.length < PAGE_RECORDS_MAX && (until === undefined || offset < until) &&
        reader.holds(offset)
      );
      this.#offset = offset;
      return page;
    } catch (error) {
      if (error instanceof RangeError) throw error;
      throw fileError(`Cannot follow journal at offset ${this.#offset}`, error);
    }
  }

  /** Closes the segment that is open if it was removed and is read to its end: that gives its space back. */
  releaseRemoved(): void {
    const oldest = this.#journal.segments[0]!.base;
    if (
      this.#offset >= oldest && this.#reader !== undefined && this.#reader.segment.base < oldest
    ) {
      this.close();
    }
  }

  close(): void {
    this.#reader?.close();
    this.#reader = undefined;
  }

  /** Returns a reader of the segment that holds the next record. */
  #open(): SegmentReader {
    const { segments, durableEnd, fileSystem } = this.#journal;
    const segment: Segment | undefined = segments[findSegment(segments, this.#offset)];
    if (segment === undefined) {
      // Removed: readable if it is open.
      if (this.#reader === undefined) requireWithin("follow journal", this.#journal, this.#offset);
    } else if (segment.base !== this.#reader?.segment.base) {
      this.close();
      this.#reader = new SegmentReader(fileSystem, segment);
    }
    this.#reader!.limit = durableEnd;
    return this.#reader!;
  }

  /** Throws because there is no record: the segment is damaged, or it has been read to its end and its successor
   * was removed. */
  #fail(reader: SegmentReader, fault: Fault): never {
    // A reserve that could not be cut off is still there.
    if (fault === "end" || reader.isZeroFrom(this.#offset)) {
      requireWithin("follow journal", this.#journal, this.#offset);
    }
    throw new StoreError(
      "CORRUPT",
      `Cannot follow journal: no valid record at offset ${this.#offset} of ` +
        `${reader.segment.path} (${fault})`,
    );
  }
}
