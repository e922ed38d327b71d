/** Reads a journal by offset, while this or another process writes it.
 *
 * @module
 */

import { resolve } from "@std/path";
import { StoreError } from "../codec/error.ts";
import { loadDigests } from "./digest.ts";
import { readDurableMark } from "./durable_mark.ts";
import { fileError } from "../codec/_file_error.ts";
import { type JournalFileSystem, nodeFileSystem } from "./file_system.ts";
import { findSegment, listSegments, type Segment } from "./segment.ts";
import { type Fault, type FoundRecord, SegmentReader } from "./segment_reader.ts";

/** A record as `read` returns it.
 *
 * @category Journal
 */
export interface JournalRecord {
  /** The payload, a copy that belongs to the caller. */
  readonly payload: Uint8Array;
  /** The offset of the record behind it, where the next `read` continues. */
  readonly next: bigint;
}

/** A record as `entries` yields it.
 *
 * @category Journal
 */
export interface JournalEntry extends JournalRecord {
  /** The offset of the record itself. */
  readonly offset: bigint;
}

/** Reads a journal that another process, or another part of this one, may be writing.
 *
 * Returns a record once it is whole, even if it is not on disk yet: a reader can see a record that the
 * writer takes back after a failed write. `Journal.follow` shows what is on disk alone. A segment that was removed stays readable for as long as it is
 * open here.
 *
 * @category Journal
 * @example Following a writer
 * ```ts
 * import { Journal, JournalReader } from "@hybrid/store/journal";
 * import { assertEquals } from "@std/assert";
 * import { mkdtempSync, rmSync } from "node:fs";
 *
 * const directory = mkdtempSync("journal-");
 * const journal = await Journal.open(directory);
 * const reader = await JournalReader.open(directory);
 * assertEquals(await reader.read(0n), undefined);
 *
 * const offset = await journal.append(new Uint8Array([1, 2, 3]));
 * assertEquals((await reader.read(offset))?.payload, new Uint8Array([1, 2, 3]));
 *
 * reader.close();
 * await journal.close();
 * rmSync(directory, { recursive: true });
 * ```
 */
export class JournalReader {
  readonly #fileSystem: JournalFileSystem;
  readonly #directory: string;
  #open: SegmentReader | undefined;
  #isClosed = false;

  private constructor(fileSystem: JournalFileSystem, directory: string) {
    this.#fileSystem = fileSystem;
    this.#directory = directory;
  }

  /** Opens a reader. Does not change, lock or check anything in the directory.
   *
   * @param directory The journal's directory; it may still be empty.
   * @param options `fileSystem`: other file access, for tests.
   * @throws {TypeError} The directory is not a string.
   * @throws {StoreError} `IO` where there is no such directory.
   */
  static async open(
    directory: string,
    options: { fileSystem?: JournalFileSystem } = {},
  ): Promise<JournalReader> {
    requireDirectory(directory);
    const reader = new JournalReader(options.fileSystem ?? nodeFileSystem, resolve(directory));
    await loadDigests();
    reader.#list();
    return reader;
  }

  /** Reads the record at an offset. On a miss it looks at the directory and the file again.
   *
   * @param offset Where a record starts: 0, or an offset that an append, `next` or an entry gave.
   * @returns The record, or `undefined` if the journal ends at `offset` so far.
   * @throws {TypeError} The offset is not a bigint.
   * @throws {RangeError} The offset lies before the oldest segment, or behind the end.
   * @throws {StoreError} `CORRUPT`: the bytes at the offset are not a valid record; `CLOSED`; `IO`.
   */
  // deno-lint-ignore require-await
  async read(offset: bigint): Promise<JournalRecord | undefined> {
    const found = this.#lookup(offset);
    return found && { payload: found.payload.slice(), next: found.next };
  }

  /** Yields the records from an offset on, in order, until the journal ends.
   *
   * Also yields records that are appended while it runs. To follow a journal, call it again with the last
   * `next`.
   *
   * @param options `from`: the first offset; without it, that of the oldest segment.
   * @throws As {@linkcode JournalReader.read} does.
   */
  async *entries(options: { from?: bigint } = {}): AsyncIterableIterator<JournalEntry> {
    let offset = options.from ?? this.#list()[0]?.base ?? 0n;
    for (;;) {
      const found = await this.read(offset);
      if (found === undefined) return;
      yield { offset, ...found };
      offset = found.next;
    }
  }

  /** Closes the segment that is open. If it was removed meanwhile, that gives its space back. Reading
   * works as before.
   */
  release(): void {
    this.#open?.close();
    this.#open = undefined;
  }

  /** Closes the files. A second call does nothing. */
  close(): void {
    this.#isClosed = true;
    this.release();
  }

  #lookup(offset: bigint): FoundRecord | undefined {
    requireOffset("read journal", offset);
    if (this.#isClosed) {
      throw new StoreError("CLOSED", "Cannot read journal: the reader is closed");
    }
    try {
      if (this.#open !== undefined && offset >= this.#open.segment.base) {
        const found = this.#open.lookup(offset);
        if (found.fault === undefined) return found;
      }
      return this.#lookAnew(offset);
    } catch (error) {
      if (error instanceof RangeError) throw error;
      throw fileError(`Cannot read journal ${this.#directory} at offset ${offset}`, error);
    }
  }

  /** Looks at the directory and the file again. */
  #lookAnew(offset: bigint): FoundRecord | undefined {
    for (;;) {
      this.release();
      // In this order: what the mark covers was on disk before the file is looked at, and a segment
      // that has a successor in the list was complete.
      const durable = readDurableMark(this.#fileSystem, this.#directory);
      const segments = this.#list();
      const index = findSegment(segments, offset);
      if (index < 0) return missBeforeOldest(offset, segments[0]);
      const segment = segments[index]!;
      const isLast = index === segments.length - 1;
      try {
        this.#open = new SegmentReader(this.#fileSystem, segment);
      } catch (error) {
        const isListed = this.#list().some(({ base }) => base === segment.base);
        // The writer has removed it since it was listed.
        if (!isListed) continue;
        // The writer is about to give it its header.
        if (isLast && isDamage(error) && durable !== undefined && segment.base >= durable) return;
        throw error;
      }
      const found = this.#open.lookup(offset);
      return found.fault === undefined ? found : this.#miss(offset, found.fault, isLast, durable);
    }
  }

  /** Tells an end that may still grow from a place that has no record and gets none. */
  #miss(offset: bigint, fault: Fault, isLast: boolean, durable: bigint | undefined): undefined {
    const { segment } = this.#open!;
    const fileEnd = this.#open!.fileEnd();
    if (isLast && offset > fileEnd) {
      throw new RangeError(
        `Cannot read journal: offset ${offset} lies behind the end, which is ${fileEnd}`,
      );
    }
    if (isLast && fault === "end") return undefined;
    // The writer may be in the middle of this record, unless it has been synced.
    const mayGrow = durable === undefined
      ? fault === "short" || this.#open!.isZeroFrom(offset)
      : offset >= durable;
    if (isLast && mayGrow) return undefined;
    throw new StoreError(
      "CORRUPT",
      `Cannot read journal: no valid record at offset ${offset} of ${segment.path} (${fault})`,
    );
  }

  #list(): Segment[] {
    try {
      return listSegments(this.#fileSystem, this.#directory);
    } catch (error) {
      throw fileError(`Cannot read journal ${this.#directory}`, error);
    }
  }
}

/** Checks the type of a journal's directory.
 *
 * @throws {TypeError} It is not a string.
 */
export function requireDirectory(directory: string): void {
  if (typeof directory === "string") return;
  throw new TypeError(`Cannot open journal: the directory is a ${typeof directory}, not a string`);
}

/** Checks the type of an offset.
 *
 * @throws {TypeError} It is not a bigint.
 */
export function requireOffset(what: string, offset: bigint): void {
  if (typeof offset === "bigint") return;
  throw new TypeError(`Cannot ${what}: the offset is a ${typeof offset}, not a bigint`);
}

function missBeforeOldest(offset: bigint, oldest: Segment | undefined): undefined {
  if (oldest !== undefined) {
    throw new RangeError(
      `Cannot read journal: offset ${offset} lies before the oldest segment, which starts at ` +
        `${oldest.base}`,
    );
  }
  if (offset === 0n) return undefined;
  throw new RangeError(`Cannot read journal: it is empty, and offset ${offset} is not 0`);
}

function isDamage(error: unknown): boolean {
  return error instanceof StoreError && error.code === "CORRUPT";
}
