/** A follower of a journal that runs by itself, for tests that do something else meanwhile. */

import type { JournalEntry } from "../../journal/mod.ts";
import type { DecodedRecord } from "./_format.ts";
import { nextTurn, until } from "./_journals.ts";

export class Following {
  /** What was shown so far. */
  readonly seen: DecodedRecord[] = [];
  /** Resolves once it has ended: with the error, if there was one. */
  readonly ended: Promise<unknown>;
  hasEnded = false;

  /** @param onRecord Called for each record; following waits for it, and ends if it returns `false`. */
  constructor(
    entries: AsyncIterable<JournalEntry>,
    onRecord: (entry: JournalEntry) => unknown = () => {},
  ) {
    this.ended = this.#run(entries, onRecord).catch((error) => error)
      .finally(() => this.hasEnded = true);
  }

  /** Resolves once so many records were shown. */
  async shows(count: number): Promise<DecodedRecord[]> {
    await until(() => this.seen.length >= count || this.hasEnded);
    return this.seen;
  }

  /** Resolves after several turns in which everything could have been shown that is to be shown. */
  async settles(): Promise<DecodedRecord[]> {
    for (let i = 0; i < 8; i++) await nextTurn();
    return this.seen;
  }

  async #run(
    entries: AsyncIterable<JournalEntry>,
    onRecord: (entry: JournalEntry) => unknown,
  ): Promise<void> {
    for await (const entry of entries) {
      this.seen.push({ offset: entry.offset, payload: entry.payload });
      if (await onRecord(entry) === false) return;
    }
  }
}
