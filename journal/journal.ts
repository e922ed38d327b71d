/** The journal: an append-only log of records with group commit, usable alone.
 *
 * @module
 */

import { resolve } from "@std/path";
import { StoreError } from "../codec/error.ts";
import { loadDigests } from "./digest.ts";
import { fileError } from "../codec/_file_error.ts";
import { type JournalFileSystem, nodeFileSystem } from "./file_system.ts";
import { AppendGroup } from "./group.ts";
import { followPages, requireWithin } from "./follow.ts";
import type { JournalOptions, JournalStats } from "./options.ts";
import {
  type JournalEntry,
  JournalReader,
  type JournalRecord,
  requireDirectory,
  requireOffset,
} from "./reader.ts";
import { MAX_PAYLOAD_BYTES } from "./record.ts";
import { type JournalRecovery, recover, type RecoveryPolicy } from "./recovery.ts";
import { JournalWriter, type WriterOptions } from "./writer.ts";

/** Segments are rotated at this many bytes unless told otherwise (64 MiB). */
export const DEFAULT_SEGMENT_BYTES = 64 * 1024 * 1024;

/** Opens the parts of a journal: makes the directory, recovers it, and takes over its end.
 *
 * @throws {StoreError} As {@linkcode Journal.open} does.
 */
export async function openWriter(
  fileSystem: JournalFileSystem,
  directory: string,
  options: RecoveryPolicy & WriterOptions,
): Promise<{ writer: JournalWriter; recovery: JournalRecovery }> {
  // The path must not change its meaning with the process's working directory.
  const path = resolve(directory);
  await loadDigests();
  try {
    fileSystem.makeDirectory(path);
    const recovered = recover(fileSystem, path, options);
    const writer = await JournalWriter.open(fileSystem, path, options, recovered);
    return { writer, recovery: recovered.report };
  } catch (error) {
    throw fileError(`Cannot open journal ${directory}`, error);
  }
}

/** An append-only log of records in a directory of segment files.
 *
 * Each record carries a CRC32C and a BLAKE3 digest, and is whole or absent. Appends that are called until
 * the running code has finished share one write, up to about 1 MiB, and appends that wait for the disk
 * share its syncs. A journal has no lock: make sure that only one journal object at a time writes to a
 * directory. Any number of {@linkcode JournalReader}s may read it meanwhile.
 *
 * Source: the record and segment format is described in ARCHITECTURE.md, *Journal*.
 *
 * @category Journal
 * @example Appending and reading back
 * ```ts
 * import { Journal } from "@hybrid/store/journal";
 * import { assertEquals } from "@std/assert";
 * import { mkdtempSync, rmSync } from "node:fs";
 *
 * const directory = mkdtempSync("journal-");
 * const journal = await Journal.open(directory);
 * const text = new TextEncoder();
 * await Promise.all(["one", "two"].map((word) => journal.append(text.encode(word))));
 *
 * const words: string[] = [];
 * for await (const { payload } of journal.entries()) {
 *   words.push(new TextDecoder().decode(payload));
 * }
 * assertEquals(words, ["one", "two"]);
 * await journal.close();
 * rmSync(directory, { recursive: true });
 * ```
 */
export class Journal implements AsyncDisposable {
  /** What `open` found in the directory and what it cut. */
  readonly recovery: JournalRecovery;
  readonly #writer: JournalWriter;
  readonly #reader: JournalReader;
  readonly #group: AppendGroup;
  #closing: Promise<void> | undefined;

  private constructor(
    writer: JournalWriter,
    reader: JournalReader,
    recovery: JournalRecovery,
    isGroup: boolean,
  ) {
    this.#writer = writer;
    this.#reader = reader;
    this.recovery = recovery;
    this.#group = new AppendGroup(writer, isGroup);
  }

  /** Opens the journal in a directory, which is created where it is missing.
   *
   * Checks every segment. A process or a machine that dies while it writes leaves a torn tail, which is
   * cut and reported in {@linkcode Journal.recovery}. Anything else that is not as it was written is
   * damage.
   *
   * @param directory The directory.
   * @param options See {@linkcode JournalOptions}.
   * @returns The journal, ready for appends.
   * @throws {TypeError} An argument has the wrong type.
   * @throws {RangeError} `segmentBytes` or `segmentMs` is out of range.
   * @throws {StoreError} `CORRUPT` with the offset of the damage; `UNSUPPORTED` for another format
   * version; `NO_SPACE` or `IO`.
   */
  static async open(directory: string, options: JournalOptions = {}): Promise<Journal> {
    requireDirectory(directory);
    const { segmentBytes = DEFAULT_SEGMENT_BYTES, segmentMs, sync = "group" } = options;
    requireSegmentBytes(segmentBytes);
    if (segmentMs !== undefined) requireSegmentMs(segmentMs);
    if (sync !== "group" && sync !== "manual") {
      throw new TypeError(`Cannot open journal: sync is ${sync}, not "group" or "manual"`);
    }
    const fileSystem = options.fileSystem ?? nodeFileSystem;
    const { writer, recovery } = await openWriter(fileSystem, directory, {
      segmentBytes,
      ...(segmentMs !== undefined && { segmentMs }),
      salvage: options.salvage ?? false,
    });
    try {
      const reader = await JournalReader.open(directory, { fileSystem });
      return new Journal(writer, reader, recovery, sync === "group");
    } catch (error) {
      await writer.close();
      throw error;
    }
  }

  /** Appends a record. The payload is copied before the call returns.
   *
   * Records are written in the order of the calls. With `sync: "group"` the promise resolves once the
   * record is on disk. With `"manual"` it resolves once the operating system has the record, or, while
   * eight full segments wait for the disk, once it is on disk.
   *
   * @param payload 0 bytes to 1 GiB.
   * @returns The record's offset.
   * @throws {TypeError} The payload is not a `Uint8Array`.
   * @throws {RangeError} The payload is too long.
   * @throws {StoreError} `NO_SPACE` or `IO`: nothing of the record is left; `POISONED`; `CLOSED`.
   */
  append(payload: Uint8Array): Promise<bigint> {
    try {
      this.#requireOpen("append record");
      if (!(payload instanceof Uint8Array)) {
        throw new TypeError("Cannot append record: the payload is not a Uint8Array");
      }
      if (payload.length > MAX_PAYLOAD_BYTES) {
        throw new RangeError(
          `Cannot append record: the payload is ${payload.length} bytes long, more than the limit of ` +
            `${MAX_PAYLOAD_BYTES}; split it among several records`,
        );
      }
      return this.#group.add(payload);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Reads the record at an offset.
   *
   * @param offset An offset that an append, `next` or an entry gave.
   * @returns The record, or `undefined` if `offset` is the end of the journal.
   * @throws {TypeError} The offset is not a bigint.
   * @throws {RangeError} The offset lies before the oldest segment or behind the end.
   * @throws {StoreError} `CORRUPT`: there is no valid record at the offset; `CLOSED`.
   */
  async read(offset: bigint): Promise<JournalRecord | undefined> {
    this.#requireOpen("read journal");
    requireOffset("read journal", offset);
    requireWithin("read journal", this.#writer, offset);
    // The file itself may continue behind the end, after a write that failed and could not be undone.
    if (offset === this.#writer.end) return undefined;
    const record = await this.#reader.read(offset);
    if (record === undefined) {
      throw new StoreError("CORRUPT", `Cannot read journal: no valid record at offset ${offset}`);
    }
    return record;
  }

  /** Yields the records from an offset on, in order, until the end of the journal.
   *
   * @param options `from`: the first offset; without it, that of the oldest segment.
   * @throws As {@linkcode Journal.read} does.
   */
  async *entries(options: { from?: bigint } = {}): AsyncIterableIterator<JournalEntry> {
    let offset = options.from ?? this.#writer.segments[0]!.base;
    for (;;) {
      const record = await this.read(offset);
      if (record === undefined) return;
      yield { offset, ...record };
      offset = record.next;
    }
  }

  /** Yields the records from an offset on, in order, as they become durable, and waits for more.
   *
   * A record is shown once it is on disk: no crash takes back what was shown. With `sync: "manual"` that is
   * once a `sync` has covered it. Any number of followers may run. Each holds one segment open, and goes at
   * the pace of its consumer. A segment that is removed meanwhile is read to its end if it is open.
   *
   * Following ends when the journal is closed, after everything that is on disk then. To end a wait, abort
   * the signal; to resume, pass the last `next` as `from`.
   *
   * @param options `from`: the first offset; without it, that of the oldest segment. `signal`: ends it.
   * @throws {TypeError} `from` is not a bigint, or `signal` not an `AbortSignal`.
   * @throws {RangeError} `from` lies before the oldest segment or behind the end, or a segment was removed
   * before it was reached.
   * @throws {StoreError} `CORRUPT` with the offset of a damaged record; `POISONED`, after everything that is
   * on disk; `IO`; `CLOSED` at the start.
   * @throws The reason of the signal, once it is aborted.
   * @example Handling each record, and resuming
   * ```ts
   * import { Journal } from "@hybrid/store/journal";
   * import { assertEquals } from "@std/assert";
   * import { mkdtempSync, rmSync } from "node:fs";
   *
   * const directory = mkdtempSync("journal-");
   * const journal = await Journal.open(directory);
   * const text = new TextEncoder();
   *
   * let cursor = 0n;
   * const words: string[] = [];
   * const following = (async () => {
   *   for await (const { payload, next } of journal.follow({ from: cursor })) {
   *     words.push(new TextDecoder().decode(payload));
   *     cursor = next;
   *   }
   * })();
   *
   * await journal.append(text.encode("one"));
   * await journal.append(text.encode("two"));
   * await journal.close();
   * await following;
   * assertEquals(words, ["one", "two"]);
   * rmSync(directory, { recursive: true });
   * ```
   */
  async *follow(
    options: { from?: bigint; signal?: AbortSignal } = {},
  ): AsyncIterableIterator<JournalEntry> {
    const what = "follow journal";
    this.#requireOpen(what);
    const { from = this.#writer.segments[0]!.base, signal } = options;
    requireOffset(what, from);
    if (signal !== undefined && !(signal instanceof AbortSignal)) {
      throw new TypeError(`Cannot ${what}: the signal is not an AbortSignal`);
    }
    const pages = followPages(this.#writer, { from, verify: "both", ...(signal && { signal }) });
    for await (const page of pages) {
      for (const { offset, payload, next } of page) {
        signal?.throwIfAborted();
        yield { offset, payload: payload.slice(), next };
      }
    }
  }

  /** Resolves once everything appended before the call is on disk.
   *
   * @throws {StoreError} `POISONED` where a sync failed; `CLOSED`.
   */
  async sync(): Promise<void> {
    this.#requireOpen("sync journal");
    this.#group.commit();
    await this.#writer.sync();
  }

  /** Ends the current segment, so that `removeBefore` can remove it although it is not full. Records appended
   * before the call lie in it or before it, later ones in the next segment. An empty segment stays.
   *
   * Resolves once everything appended before the call is on disk, as `sync` does, and so is the name of the
   * next segment.
   *
   * @throws {StoreError} `NO_SPACE` or `IO`, with the segment still in use; `POISONED`; `CLOSED`.
   */
  async rotate(): Promise<void> {
    this.#requireOpen("rotate journal");
    this.#group.commit();
    this.#writer.rotate();
    await this.#writer.sync();
  }

  /** Removes the segments whose records all lie below a cursor. The last segment always stays: `rotate` ends
   * it. A follower that still reads a removed segment keeps its space until it has read it.
   *
   * @param cursor The offset of the first record that is still needed.
   * @returns How many segments were removed.
   * @throws {TypeError} The cursor is not a bigint.
   * @throws {RangeError} The cursor lies behind the end.
   * @throws {StoreError} `IO`; `POISONED`; `CLOSED`.
   */
  async removeBefore(cursor: bigint): Promise<number> {
    this.#requireOpen("remove segments");
    requireOffset("remove segments", cursor);
    this.#group.commit();
    if (cursor > this.#writer.end) {
      throw new RangeError(
        `Cannot remove segments: cursor ${cursor} lies behind the end, which is ${this.#writer.end}`,
      );
    }
    // An open file would keep the space of a removed segment.
    this.#reader.release();
    return await this.#writer.removeBefore(cursor);
  }

  /** Returns counts since the journal was opened, and its size. */
  stats(): JournalStats {
    const { writes, syncs } = this.#writer.counts;
    const { segments, end } = this.#writer;
    return {
      appends: this.#group.appends,
      groups: writes,
      syncs,
      bytes: Number(end - segments[0]!.base),
      segments: segments.length,
    };
  }

  /** Writes and syncs what is pending, and closes the files. A second call returns the same promise.
   *
   * @throws {StoreError} `POISONED` where the last sync fails.
   */
  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  /** Closes the journal: `await using` calls it. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    this.#group.commit();
    this.#reader.close();
    await this.#writer.close();
  }

  #requireOpen(what: string): void {
    if (this.#closing !== undefined) {
      throw new StoreError("CLOSED", `Cannot ${what}: the journal is closed`);
    }
  }
}

/** Checks the size at which segments are rotated.
 *
 * @throws {TypeError} It is not a number.
 * @throws {RangeError} It is not an integer from 64 to 2^40.
 */
export function requireSegmentBytes(segmentBytes: number): void {
  if (typeof segmentBytes !== "number") {
    throw new TypeError(
      `Cannot open journal: segmentBytes is a ${typeof segmentBytes}, not a number`,
    );
  }
  if (Number.isInteger(segmentBytes) && segmentBytes >= 64 && segmentBytes <= 2 ** 40) return;
  throw new RangeError(
    `Cannot open journal: segmentBytes is ${segmentBytes}, not an integer from 64 to 2^40`,
  );
}

function requireSegmentMs(segmentMs: number): void {
  if (typeof segmentMs !== "number") {
    throw new TypeError(`Cannot open journal: segmentMs is a ${typeof segmentMs}, not a number`);
  }
  if (Number.isInteger(segmentMs) && segmentMs >= 1 && segmentMs < 2 ** 31) return;
  throw new RangeError(
    `Cannot open journal: segmentMs is ${segmentMs}, not an integer from 1 to 2^31-1`,
  );
}
