/** A journal that is written as a store writes its own: with zeros reserved behind the last record. */

import { AppendGroup } from "../../journal/group.ts";
import { openWriter } from "../../journal/journal.ts";
import {
  type JournalEntry,
  type JournalFileSystem,
  type JournalOptions,
  JournalReader,
  type JournalRecovery,
} from "../../journal/mod.ts";
import type { JournalWriter } from "../../journal/writer.ts";

/** The part of a `Journal` that tests of both kinds use. */
export interface TestJournal extends AsyncDisposable {
  readonly recovery: JournalRecovery;
  append(payload: Uint8Array): Promise<bigint>;
  entries(): AsyncIterableIterator<JournalEntry>;
  sync(): Promise<void>;
  removeBefore(cursor: bigint): Promise<number>;
  close(): Promise<void>;
}

/** How zeros lie in a segment behind its last record at the most: a small sync writes as many as these
 * where fewer than 16 KiB are left. */
export const RESERVED_BYTES_MAX = (256 + 16) * 1024;

export class ReservingJournal implements TestJournal {
  readonly recovery: JournalRecovery;
  readonly writer: JournalWriter;
  readonly #group: AppendGroup;
  readonly #reader: JournalReader;

  private constructor(
    writer: JournalWriter,
    recovery: JournalRecovery,
    reader: JournalReader,
    isGroup: boolean,
  ) {
    this.writer = writer;
    this.recovery = recovery;
    this.#reader = reader;
    this.#group = new AppendGroup(writer, isGroup);
  }

  /** Opens a journal with the options of a store. */
  static async open(
    directory: string,
    options: JournalOptions & { fileSystem: JournalFileSystem },
  ): Promise<ReservingJournal> {
    const { fileSystem, segmentBytes = 2 ** 26, sync = "group" } = options;
    const { writer, recovery } = await openWriter(fileSystem, directory, {
      segmentBytes,
      salvage: false,
      requireSynced: true,
      reserves: true,
    });
    try {
      const reader = await JournalReader.open(directory, { fileSystem });
      return new ReservingJournal(writer, recovery, reader, sync === "group");
    } catch (error) {
      await writer.close();
      throw error;
    }
  }

  append(payload: Uint8Array): Promise<bigint> {
    return this.#group.add(payload);
  }

  /** Reads what there is; a reader has to find that nothing follows, whatever is reserved. */
  async *entries(): AsyncIterableIterator<JournalEntry> {
    let offset = this.writer.segments[0]!.base;
    for (;;) {
      const { end, poison } = this.writer;
      // After a write that failed and could not be undone, the file may go on.
      if (offset === end && poison !== undefined) return;
      const record = await this.#reader.read(offset);
      if ((record === undefined) !== (offset === end)) throw new Error(`${offset} is not ${end}`);
      if (record === undefined) return;
      yield { offset, ...record };
      offset = record.next;
    }
  }

  async sync(): Promise<void> {
    this.#group.commit();
    await this.writer.sync();
  }

  async removeBefore(cursor: bigint): Promise<number> {
    this.#group.commit();
    this.#reader.release();
    return await this.writer.removeBefore(cursor);
  }

  async close(): Promise<void> {
    this.#group.commit();
    this.#reader.close();
    await this.writer.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
