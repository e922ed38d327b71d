/** Writes records to the end of a journal: one write per group, group commit, rotation, cleanup.
 *
 * @module
 */

import { StoreError } from "../codec/error.ts";
import { DurableMark } from "./durable_mark.ts";
import { fileError } from "../codec/_file_error.ts";
import { now } from "../runtime/timers.ts";
import {
  closeQuietly,
  type JournalFile,
  type JournalFileSystem,
  syncDirectory,
  writeFully,
} from "./file_system.ts";
import { Poison } from "./poison.ts";
import type { Recovered } from "./recovery.ts";
import { rewriteUnproven } from "./rewrite.ts";
import {
  encodeSegmentHeader,
  RESERVE_BYTES,
  RESERVE_BYTES_MIN,
  type Segment,
  SEGMENT_HEADER_BYTES,
  segmentAt,
} from "./segment.ts";
import { SyncPath } from "./sync_path.ts";

/** Zeros that are written behind the last record, where later records go: a sync that finds its file
 * neither longer nor with new blocks has no metadata to write, which takes up to half of its time. */
const RESERVE = new Uint8Array(RESERVE_BYTES);

/** How a writer works with its files. */
export interface WriterOptions {
  /** Bytes at which a segment is rotated. */
  readonly segmentBytes: number;
  /** Milliseconds after which a segment is rotated by the next write; no limit without it. */
  readonly segmentMs?: number;
  /** Whether room is reserved for small syncs: zeros behind the last record, until the segment is
   * closed or the process dies. Recovery has to know of it. */
  readonly reserves?: boolean;
  /** Called before a segment is created, cut or removed, and before the last one is closed, with what
   * is about to happen as the beginning of a message: `Cannot create journal segment`. If it throws, because
   * the directory is no longer the journal's, the step is left out and the writer is poisoned. */
  readonly guard?: (what: string) => void;
}

/** The end of a journal. Writes are synchronous: when `write` returns, a group is in the file or nowhere.
 * All callers that ask within a turn of the event loop share a sync.
 *
 * A failed write is undone and leaves the writer as it was. After a failed sync, or a failed undo, it is not
 * known what is on disk: the writer is then poisoned and refuses everything but `close`.
 */
export class JournalWriter {
  readonly #fileSystem: JournalFileSystem;
  readonly #directory: string;
  readonly #segmentBytes: number;
  readonly #segmentMs: number;
  readonly #reserves: boolean;
  readonly #guard: (what: string) => void;
  readonly #poison = new Poison();
  readonly #segments: Segment[];
  readonly #syncPath: SyncPath;
  /** Called after each removal of a segment, so that those that hold it open can close it. */
  readonly removalListeners: Set<() => void> = new Set();
  #file: JournalFile;
  #end: bigint;
  /** Since when the current segment has records; before the first, since when there is the segment. */
  #segmentStart: number = now();
  /** Whether room is reserved in the current segment. */
  #canReserve: boolean;
  /** Where the zeros in the file end; anything below its end where there are none. */
  #reservedEnd = 0;
  /** The failed write that is being undone, and the sync that makes that final. */
  #undoing: { readonly failure: StoreError; readonly done: Promise<unknown> } | undefined;
  /** The latest removal of segments; the next one waits for it. */
  #removing: Promise<unknown> = Promise.resolve();
  #writes = 0;

  /** Takes over the end of a recovered journal, and starts a first segment where there is none.
   *
   * The recovered records are on disk before it resolves; before the crash they may not have been.
   *
   * @throws {StoreError} The error of the guard, or of a file operation.
   */
  static async open(
    fileSystem: JournalFileSystem,
    directory: string,
    options: WriterOptions,
    recovered: Recovered,
  ): Promise<JournalWriter> {
    const { end } = recovered;
    const segments = [...recovered.segments];
    const mark = new DurableMark(fileSystem, directory);
    let file: JournalFile | undefined;
    try {
      file = await rewriteUnproven(fileSystem, recovered);
      // The names before the mark: it must not speak of a segment that a power loss takes away.
      await syncDirectory(fileSystem, directory);
      // The mark before the first segment: a reader that sees one being created knows it by the mark.
      await mark.noteDurably(end);
      if (file === undefined) {
        options.guard?.("Cannot create journal segment");
        const segment = segmentAt(directory, end);
        segments.push(segment);
        file = fileSystem.create(segment.path);
        writeFully(file, encodeSegmentHeader(end), 0);
        await file.sync();
        await syncDirectory(fileSystem, directory);
      }
      const parts = { fileSystem, directory, mark, file, segments, end };
      return new JournalWriter(parts, options);
    } catch (error) {
      closeQuietly(file);
      await mark.close();
      throw error;
    }
  }

  private constructor(
    parts: {
      fileSystem: JournalFileSystem;
      directory: string;
      mark: DurableMark;
      file: JournalFile;
      segments: Segment[];
      end: bigint;
    },
    { segmentBytes, segmentMs = Infinity, reserves = false, guard = () => {} }: WriterOptions,
  ) {
    const { fileSystem, directory, mark } = parts;
    this.#fileSystem = fileSystem;
    this.#directory = directory;
    this.#segmentBytes = segmentBytes;
    this.#segmentMs = segmentMs;
    this.#reserves = this.#canReserve = reserves;
    this.#guard = guard;
    this.#segments = parts.segments;
    this.#file = parts.file;
    this.#end = parts.end;
    const current = () => this.#file;
    const end = () => this.#end;
    const source = {
      get file() {
        return current();
      },
      get end() {
        return end();
      },
      reserve: () => this.#reserve(),
    };
    this.#syncPath = new SyncPath({ fileSystem, directory, mark, source, poison: this.#poison });
  }

  /** The file access, for readers of the segments. */
  get fileSystem(): JournalFileSystem {
    return this.#fileSystem;
  }

  /** The offset behind the last record. */
  get end(): bigint {
    return this.#end;
  }

  /** The offset below which everything is on disk. */
  get durableEnd(): bigint {
    return this.#syncPath.durableEnd;
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
    if (this.#segmentMs !== Infinity && now() - this.#segmentStart >= this.#segmentMs) return 0;
    const used = this.#end - this.#segments.at(-1)!.base;
    return Math.max(0, this.segmentRoom - Number(used));
  }

  /** Whether so much waits for the disk that all appends should wait for it. */
  get isBehind(): boolean {
    return this.#syncPath.isBehind;
  }

  /** Why writes are refused, if they are. */
  get poison(): StoreError | undefined {
    return this.#poison.error;
  }

  /** Write calls that carried records, and syncs of any segment, since the journal was opened. */
  get counts(): { writes: number; syncs: number } {
    return { writes: this.#writes, syncs: this.#syncPath.syncs };
  }

  /** Writes sealed records behind the last one, in a new segment where they do not fit.
   *
   * Do not tell callers of a failure before {@linkcode afterUndo} resolves: until then a power loss may
   * bring the records back.
   *
   * @param records One or more whole records.
   * @returns The offset of the first.
   * @throws {StoreError} `NO_SPACE` or `IO`, with nothing left behind; `POISONED`.
   */
  write(records: Uint8Array): bigint {
    const what = "Cannot write record";
    this.#poison.requireNone(what);
    this.#requireUndone(what);
    if (this.#end === this.#segments.at(-1)!.base) this.#segmentStart = now();
    else if (records.length > this.room) this.rotate();
    const position = this.#position;
    try {
      writeFully(this.#file, records, position);
    } catch (error) {
      const failure = fileError(what, error);
      this.#undo(position, failure);
      throw failure;
    }
    const offset = this.#end;
    this.#end += BigInt(records.length);
    this.#writes++;
    this.#syncPath.catchUp();
    return offset;
  }

  /** Resolves once nothing can bring back what a failed `write` has left. The result is why it failed:
   * `POISONED` if it may come back after all.
   *
   * @param failure What `write` threw.
   */
  async afterUndo(failure: unknown): Promise<unknown> {
    await this.#undoing?.done;
    return this.#poison.error ?? failure;
  }

  /** Resolves once everything written before the call is on disk. However many callers wait, at most one
   * sync runs and one follows. It begins when the event loop turns, and covers everything written by then.
   *
   * @throws {StoreError} `POISONED` where the sync fails, or failed before.
   */
  sync(): Promise<void> {
    return this.#syncPath.sync();
  }

  /** Resolves once the journal is on disk beyond an offset: at once, if it is. Asks for no sync.
   *
   * @param offset An offset that {@linkcode durableEnd} is to pass.
   * @param signal Ends the wait.
   * @throws {StoreError} `POISONED` or `CLOSED`: that will not be.
   * @throws The reason of the signal, once it is aborted.
   */
  whenDurableBeyond(offset: bigint, signal?: AbortSignal): Promise<void> {
    return this.#syncPath.whenDurableBeyond(offset, signal);
  }

  /** Ends the current segment and starts the next one; does nothing while the segment is empty.
   *
   * This does not wait for the disk: the next sync covers the old segment, then the name of the new one.
   *
   * @throws {StoreError} `NO_SPACE` or `IO`, with the old segment still in use; `POISONED`.
   */
  rotate(): void {
    this.#poison.requireNone("Cannot start journal segment");
    if (this.#end === this.#segments.at(-1)!.base) return;
    this.#giveUpReserve();
    const previous = this.#file;
    this.#file = this.#createSegment(this.#end);
    this.#syncPath.retire(previous);
  }

  /** Removes the segments that lie wholly below `cursor`; the current one always stays. Calls run one after
   * the other, and `close` waits for them.
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
      if (this.#poison.error === undefined) {
        // What is behind the last record may be another owner's by now.
        this.#requireOwner("Cannot close journal");
        await this.sync();
      }
      this.#giveUpReserve();
    } finally {
      await this.#syncPath.close();
      closeQuietly(this.#file);
    }
  }

  async #remove(cursor: bigint): Promise<number> {
    const what = "Cannot remove journal segment";
    this.#poison.requireNone(what);
    let removed = 0;
    while (this.#segments.length > 1 && this.#segments[1]!.base <= cursor) {
      // What is going to be the first segment has to be on disk. And one by one: removals that reach the
      // disk in another order would leave a gap, which reads as damage.
      await this.sync();
      this.#requireOwner(what);
      try {
        this.#fileSystem.remove(this.#segments[0]!.path);
      } catch (error) {
        throw fileError(what, error);
      }
      this.#segments.shift();
      this.#syncPath.noteNames();
      this.removalListeners.forEach((listener) => listener());
      removed++;
    }
    if (removed > 0) await this.sync();
    return removed;
  }

  /** Where the next record goes in the file. */
  get #position(): number {
    return Number(this.#end - this.#segments.at(-1)!.base) + SEGMENT_HEADER_BYTES;
  }

  /** Puts zeros behind the last record if few are left; returns whether it did. */
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
      // The disk may be nearly full, and the space that is left is for the records.
      this.#reservedEnd = end;
      this.#giveUpReserve();
      this.#canReserve = false;
      return false;
    }
  }

  /** Cuts the zeros off. If that fails they stay, and recovery recognizes them. */
  #giveUpReserve(): void {
    if (this.#reservedEnd <= this.#position || this.#poison.error !== undefined) return;
    try {
      this.#file.truncate(this.#position);
    } catch {
      // They do no harm.
    }
    this.#reservedEnd = 0;
  }

  #createSegment(base: bigint): JournalFile {
    this.#requireOwner("Cannot create journal segment");
    const segment = segmentAt(this.#directory, base);
    let file: JournalFile | undefined;
    try {
      file = this.#fileSystem.create(segment.path);
      writeFully(file, encodeSegmentHeader(base), 0);
    } catch (error) {
      closeQuietly(file);
      if (file !== undefined) this.#removeUnborn(segment);
      throw fileError(`Cannot create journal segment ${segment.path}`, error);
    }
    this.#segments.push(segment);
    this.#segmentStart = now();
    this.#reservedEnd = 0;
    this.#canReserve = this.#reserves;
    return file;
  }

  /** Removes a segment that was not finished. Left in place, it would read as damage once the segment
   * before it has grown past its base. The next sync makes sure that it does not come back.
   */
  #removeUnborn(segment: Segment): void {
    try {
      this.#fileSystem.remove(segment.path);
    } catch (error) {
      throw this.#poison.set(`Cannot remove unfinished journal segment ${segment.path}`, error);
    }
    this.#syncPath.noteNames();
  }

  /** Takes back what a failed write may have left. A sync then makes sure that not even a power loss
   * brings it back.
   */
  #undo(size: number, failure: StoreError): void {
    try {
      if (this.#file.size() <= size) return;
      // What is behind the last record may be another owner's by now.
      this.#guard("Cannot undo a failed write to the journal");
      this.#file.truncate(size);
    } catch (error) {
      throw this.#poison.set("Cannot undo a failed write to the journal", error);
    }
    this.#reservedEnd = 0;
    this.#syncPath.noteFile();
    const done = this.sync().catch(() => {}).then(() => this.#undoing = undefined);
    this.#undoing = { failure, done };
  }

  /** Refuses a write where an earlier one is being undone: what that one has left, brought back by a
   * power loss, could come to lie in front of records that follow this one.
   */
  #requireUndone(what: string): void {
    if (this.#undoing === undefined) return;
    const { code, message, cause } = this.#undoing.failure;
    throw new StoreError(code, `${what}: an earlier one is still being undone: ${message}`, {
      cause,
    });
  }

  /** Asks the guard whether the directory may still be changed. */
  #requireOwner(what: string): void {
    try {
      this.#guard(what);
    } catch (error) {
      throw this.#poison.set(what, error, "writes are refused");
    }
  }
}
