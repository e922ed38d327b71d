/** Writes records to the end of a journal: one write per group, group commit, rotation, cleanup.
 *
 * @module
 */

import { StoreError } from "../codec/error.ts";
import { now } from "../runtime/timers.ts";
import { nextTurn } from "../runtime/turn.ts";
import { DurableMark } from "./durable_mark.ts";
import {
  closeQuietly,
  fileError,
  type JournalFile,
  type JournalFileSystem,
  syncDirectory,
  writeFully,
} from "./file_system.ts";
import type { Recovered } from "./recovery.ts";
import {
  encodeSegmentHeader,
  RESERVE_BYTES,
  RESERVE_BYTES_MIN,
  type Segment,
  SEGMENT_HEADER_BYTES,
  segmentAt,
} from "./segment.ts";

/** Starts a sync of its own accord once this much is unsynced, so that the sync that a rotation has
 * to wait for stays short. */
const UNSYNCED_BYTES_MAX = 8 * 1024 * 1024;

/** A sync that is expected to take less than this is run on the spot: handing it to another thread
 * and hearing of its end takes about 0.1 ms, as long as the sync itself on a fast disk. */
const SYNC_NOW_MS_MAX = 0.5;
/** More than this is not synced on the spot, whatever the disk did so far. */
const SYNC_NOW_BYTES_MAX = 256 * 1024;
/** The weight of the latest sync in what is expected of the next. */
const LATEST_SYNC_WEIGHT = 0.25;

/** Zeros that are written behind the records, for those to come: a sync that finds its file neither
 * longer nor with new blocks has no metadata to write, which is up to half of its time. */
const RESERVE = new Uint8Array(RESERVE_BYTES);

/** How a writer goes about its files. */
export interface WriterOptions {
  /** Bytes at which a segment is rotated. */
  readonly segmentBytes: number;
  /** Whether room is reserved for small syncs: zeros behind the last record, until the segment is
   * closed or the process dies. Recovery has to know of it. */
  readonly reserves?: boolean;
  /** Called before a segment is created or removed, and before the last one is cut and closed, with what
   * is about to happen as the beginning of a message: `Cannot create journal segment`. Where it throws,
   * because the directory is no longer the journal's, that does not happen and the writer is poisoned. */
  readonly guard?: (what: string) => void;
}

/** The end of a journal. Writes are synchronous, so that a group is either in the file or nowhere
 * when `write` returns; syncs are shared by whoever asks within a turn of the event loop.
 *
 * A failed write is undone and leaves the writer as it was. A failed sync, or a failed undo, leaves
 * unknown bytes on disk: the writer is then poisoned and refuses everything but `close`.
 */
export class JournalWriter {
  readonly #fileSystem: JournalFileSystem;
  readonly #directory: string;
  readonly #segmentBytes: number;
  readonly #reserves: boolean;
  readonly #guard: (what: string) => void;
  /** Whether room is reserved in the current segment. */
  #canReserve: boolean;
  readonly #mark: DurableMark;
  readonly #segments: Segment[];
  #file: JournalFile;
  /** Files that were rotated away from while a sync of them was under way. */
  #retired: JournalFile[] = [];
  #end: bigint;
  #durableEnd: bigint;
  /** The sync that is under way, and the one that has not begun. */
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;
  /** How long a small sync is expected to take. Unknown at first, so the first ones are not run on the
   * spot. */
  #expectedSyncMs = 2 * SYNC_NOW_MS_MAX;
  #poison: StoreError | undefined;
  /** The latest removal of segments; the next one waits for it. */
  #removing: Promise<unknown> = Promise.resolve();
  /** Where the zeros in the file end; anything below its end where there are none. */
  #reservedEnd = 0;
  #writes = 0;
  #syncs = 0;

  /** Takes over the end of a recovered journal, and starts a first segment where there is none.
   *
   * What was recovered is synced once: it may never have been before the crash.
   */
  constructor(
    fileSystem: JournalFileSystem,
    directory: string,
    { segmentBytes, reserves = false, guard = () => {} }: WriterOptions,
    recovered: Recovered,
  ) {
    this.#fileSystem = fileSystem;
    this.#directory = directory;
    this.#segmentBytes = segmentBytes;
    this.#reserves = this.#canReserve = reserves;
    this.#guard = guard;
    this.#segments = [...recovered.segments];
    this.#end = recovered.end;
    this.#durableEnd = recovered.end;
    this.#mark = new DurableMark(fileSystem, directory);
    const last = this.#segments.at(-1);
    let file: JournalFile | undefined;
    try {
      if (last !== undefined) {
        file = fileSystem.open(last.path, "write");
        file.syncNow();
      }
      // Before the first segment, so that a reader that sees one being created knows it by the mark.
      this.#mark.noteDurably(recovered.end);
      fileSystem.syncDirectory(directory);
      this.#file = file ?? this.#createSegment(recovered.end);
    } catch (error) {
      closeQuietly(file);
      this.#mark.close();
      throw error;
    }
  }

  /** The file access, for whoever reads the segments. */
  get fileSystem(): JournalFileSystem {
    return this.#fileSystem;
  }

  /** The offset behind the last record. */
  get end(): bigint {
    return this.#end;
  }

  /** The offset below which everything is on disk. */
  get durableEnd(): bigint {
    return this.#durableEnd;
  }

  /** The segments, in order; the last one is being written. */
  get segments(): readonly Segment[] {
    return this.#segments;
  }

  /** The bytes of records that a fresh segment takes before it is rotated. */
  get segmentRoom(): number {
    return this.#segmentBytes - SEGMENT_HEADER_BYTES;
  }

  /** The bytes of records that the current segment still takes before it is rotated. */
  get room(): number {
    const used = this.#end - this.#segments.at(-1)!.base;
    return Math.max(0, this.segmentRoom - Number(used));
  }

  /** Why nothing can be written any more, if so. */
  get poison(): StoreError | undefined {
    return this.#poison;
  }

  /** Write calls that carried records, and syncs of any segment, since the journal was opened. */
  get counts(): { writes: number; syncs: number } {
    return { writes: this.#writes, syncs: this.#syncs };
  }

  /** Writes sealed records behind the last one, in a new segment where they do not fit.
   *
   * @param records One or more whole records.
   * @returns The offset of the first.
   * @throws {StoreError} `NO_SPACE` or `IO`, with nothing left behind; `POISONED`.
   */
  write(records: Uint8Array): bigint {
    this.#requireSound("Cannot write record");
    if (records.length > this.room && this.#end > this.#segments.at(-1)!.base) this.rotate();
    const position = this.#position;
    try {
      writeFully(this.#file, records, position);
    } catch (error) {
      this.#undo(position);
      throw fileError("Cannot write record", error);
    }
    const offset = this.#end;
    this.#end += BigInt(records.length);
    this.#writes++;
    if (this.#end - this.#durableEnd > UNSYNCED_BYTES_MAX && this.#running === undefined) {
      // Whoever waits for a sync hears of the failure; here it is enough that the writer is poisoned.
      this.sync().catch(() => {});
    }
    return offset;
  }

  /** Resolves once everything written before the call is on disk. However many wait, at most one sync is
   * under way and one is to follow. It begins when the event loop turns, and covers all that was written
   * by then.
   *
   * @throws {StoreError} `POISONED` where the sync fails, or failed before.
   */
  sync(): Promise<void> {
    if (this.#poison !== undefined) return Promise.reject(this.#poison);
    if (this.#running === undefined && this.#durableEnd === this.#end) return Promise.resolve();
    return this.#next ??= this.#syncNext();
  }

  /** Ends the current segment and starts the next one; does nothing while the segment is empty.
   *
   * The old segment is made durable first: that a segment has a successor proves that it is whole.
   *
   * @throws {StoreError} `NO_SPACE` or `IO`, with the old segment still in use; `POISONED`.
   */
  rotate(): void {
    this.#requireSound("Cannot start journal segment");
    if (this.#end === this.#segments.at(-1)!.base) return;
    if (this.#durableEnd < this.#end) {
      try {
        this.#syncs++;
        this.#file.syncNow();
      } catch (error) {
        throw this.#poisonWith("Cannot sync journal segment", error);
      }
      this.#noteDurable(this.#end);
    }
    this.#giveUpReserve();
    const previous = this.#file;
    this.#file = this.#createSegment(this.#end);
    if (this.#running === undefined) closeQuietly(previous);
    else this.#retired.push(previous);
  }

  /** Removes the segments that lie below `cursor` as a whole; the current one always stays. Calls follow
   * one another, and `close` waits for them.
   *
   * @returns How many were removed, once that is on disk.
   * @throws {StoreError} `IO`; `POISONED`.
   */
  removeBefore(cursor: bigint): Promise<number> {
    const removal = this.#removing.then(() => this.#remove(cursor));
    this.#removing = removal.catch(() => {});
    return removal;
  }

  /** Syncs, unless poisoned, and closes the files. */
  async close(): Promise<void> {
    await this.#removing;
    try {
      if (this.#poison === undefined) {
        // What is behind the last record may be another owner's by now.
        this.#requireOwner("Cannot close journal");
        await this.sync();
      }
      this.#giveUpReserve();
    } finally {
      await (this.#next ?? this.#running)?.catch(() => {});
      this.#mark.close();
      closeQuietly(this.#file);
    }
  }

  async #remove(cursor: bigint): Promise<number> {
    const what = "Cannot remove journal segment";
    this.#requireSound(what);
    let removed = 0;
    while (this.#segments.length > 1 && this.#segments[1]!.base <= cursor) {
      this.#requireOwner(what);
      try {
        this.#fileSystem.remove(this.#segments[0]!.path);
        this.#segments.shift();
        removed++;
        // One by one: removals that reach the disk in another order would leave a gap, which reads
        // as damage.
        await syncDirectory(this.#fileSystem, this.#directory);
      } catch (error) {
        throw fileError(what, error);
      }
    }
    return removed;
  }

  async #syncNext(): Promise<void> {
    await nextTurn();
    // The one before may have begun before the latest write. Its failure concerns whoever asks now even
    // if a rotation has since synced the same file: the kernel reports an error once.
    await this.#running;
    this.#running = this.#next;
    this.#next = undefined;
    try {
      await this.#runSync();
    } finally {
      this.#running = undefined;
      this.#retired.splice(0).forEach(closeQuietly);
    }
  }

  async #runSync(): Promise<void> {
    // A sync that failed was the only one to hear of it: the next one of the same file may succeed.
    if (this.#poison !== undefined) throw this.#poison;
    const target = this.#end;
    const bytes = Number(target - this.#durableEnd);
    if (bytes === 0) return;
    const isSmall = bytes <= SYNC_NOW_BYTES_MAX;
    const isReserving = bytes <= RESERVE_BYTES_MIN && this.#reserve();
    const start = now();
    try {
      this.#syncs++;
      if (isSmall && this.#expectedSyncMs < SYNC_NOW_MS_MAX) this.#file.syncNow();
      else await this.#file.sync();
      this.#noteDurable(target);
    } catch (error) {
      throw this.#poisonWith("Cannot sync journal segment", error);
    }
    // What the reserve costs says nothing of the next sync.
    if (!isSmall || isReserving) return;
    this.#expectedSyncMs += (now() - start - this.#expectedSyncMs) * LATEST_SYNC_WEIGHT;
  }

  /** Where the next record goes in the file. */
  get #position(): number {
    return Number(this.#end - this.#segments.at(-1)!.base) + SEGMENT_HEADER_BYTES;
  }

  /** Puts zeros behind the last record where few are left; returns whether it did. */
  #reserve(): boolean {
    const position = this.#position;
    if (!this.#canReserve || this.#reservedEnd > position + RESERVE_BYTES_MIN) return false;
    const start = Math.max(position, this.#reservedEnd);
    const end = Math.min(start + RESERVE.length, this.#segmentBytes);
    if (end <= start) return false;
    try {
      writeFully(this.#file, RESERVE.subarray(0, end - start), start);
      this.#reservedEnd = end;
      return true;
    } catch {
      // A disk that is nearly full, say, and what is left is for the records.
      this.#reservedEnd = end;
      this.#giveUpReserve();
      this.#canReserve = false;
      return false;
    }
  }

  /** Cuts the zeros off. Where that fails they stay, and recovery knows them. */
  #giveUpReserve(): void {
    if (this.#reservedEnd <= this.#position || this.#poison !== undefined) return;
    try {
      this.#file.truncate(this.#position);
    } catch {
      // They are no harm.
    }
    this.#reservedEnd = 0;
  }

  #noteDurable(offset: bigint): void {
    if (offset <= this.#durableEnd) return;
    this.#durableEnd = offset;
    this.#mark.note(offset);
  }

  #createSegment(base: bigint): JournalFile {
    this.#requireOwner("Cannot create journal segment");
    const segment = segmentAt(this.#directory, base);
    let file: JournalFile | undefined;
    try {
      file = this.#fileSystem.create(segment.path);
      writeFully(file, encodeSegmentHeader(base), 0);
      file.syncNow();
      this.#fileSystem.syncDirectory(this.#directory);
    } catch (error) {
      closeQuietly(file);
      if (file !== undefined) this.#removeUnborn(segment);
      throw fileError(`Cannot create journal segment ${segment.path}`, error);
    }
    this.#segments.push(segment);
    this.#reservedEnd = 0;
    this.#canReserve = this.#reserves;
    return file;
  }

  /** Removes a segment that was not finished. Left in place, or brought back by a power loss when the
   * segment before it has grown past its base, it would read as damage.
   */
  #removeUnborn(segment: Segment): void {
    try {
      this.#fileSystem.remove(segment.path);
      this.#fileSystem.syncDirectory(this.#directory);
    } catch (error) {
      throw this.#poisonWith(`Cannot remove unfinished journal segment ${segment.path}`, error);
    }
  }

  /** Takes back what a failed write may have left, so that not even a power loss brings it back. */
  #undo(size: number): void {
    try {
      if (this.#file.size() <= size) return;
      this.#file.truncate(size);
      this.#reservedEnd = 0;
      this.#syncs++;
      this.#file.syncNow();
    } catch (error) {
      throw this.#poisonWith("Cannot undo a failed write to the journal", error);
    }
  }

  #poisonWith(
    what: string,
    cause: unknown,
    why = "what is on disk is unknown, so writes are refused",
  ): StoreError {
    const { message } = fileError(what, cause);
    this.#poison ??= new StoreError(
      "POISONED",
      `${message}; ${why} until the journal is reopened`,
      {
        cause,
      },
    );
    return this.#poison;
  }

  /** Asks the guard whether the directory may still be changed. */
  #requireOwner(what: string): void {
    try {
      this.#guard(what);
    } catch (error) {
      throw this.#poisonWith(what, error, "writes are refused");
    }
  }

  #requireSound(what: string): void {
    if (this.#poison === undefined) return;
    throw new StoreError("POISONED", `${what}: ${this.#poison.message}`, {
      cause: this.#poison.cause,
    });
  }
}
