import { test } from "node:test";
import { assert, assertEquals, assertGreater } from "@std/assert";
import fc from "fast-check";
import { followPages } from "../../journal/follow.ts";
import {
  Journal,
  type JournalEntry,
  type JournalFileSystem,
  type JournalOptions,
  StoreError,
} from "../../journal/mod.ts";
import { FaultyFileSystem } from "./_faulty_file_system.ts";
import { Following } from "./_following.ts";
import type { DecodedRecord } from "./_format.ts";
import { nextTurn, payloadOf } from "./_journals.ts";
import { ReservingJournal, type TestJournal } from "./_reserving.ts";
import { randomOf, VolatileFileSystem } from "./_volatile_file_system.ts";

const DIRECTORY = "/journal";

type Options = JournalOptions & { fileSystem: JournalFileSystem };

/** A journal that can be followed and rotated: on its own, or as a store has it. */
interface Kind<J extends TestJournal> {
  open(directory: string, options: Options): Promise<J>;
  follow(journal: J, from: bigint): AsyncIterable<JournalEntry>;
  rotate(journal: J): Promise<void>;
}

const ALONE: Kind<Journal> = {
  open: Journal.open,
  follow: (journal, from) => journal.follow({ from }),
  rotate: (journal) => journal.rotate(),
};

const OF_A_STORE: Kind<ReservingJournal> = {
  open: ReservingJournal.open,
  async *follow({ writer }, from) {
    for await (const page of followPages(writer, { from, verify: "both" })) {
      for (const record of page) yield { ...record, payload: record.payload.slice() };
    }
  },
  async rotate(journal) {
    journal.writer.rotate();
    await journal.sync();
  },
};

/** How often what a test is about has happened. */
const happened = { losses: 0, refusals: 0, lateOnes: 0 };

/** A journal on a disk that is full now and then, its followers, and a model of what they have to show. */
class Subject<J extends TestJournal> {
  readonly #kind: Kind<J>;
  readonly #random: (limit: number) => number;
  readonly #files = new VolatileFileSystem();
  readonly #records: DecodedRecord[] = [];
  readonly #followers: { followed: Following; from: bigint }[] = [];
  readonly #options: Options;
  #cursor = 0n;
  #journal!: J;

  constructor(kind: Kind<J>, seed: number) {
    this.#kind = kind;
    this.#random = randomOf(seed);
    this.#options = {
      fileSystem: new FaultyFileSystem(this.#files),
      segmentBytes: 64 + this.#random(1000),
      sync: this.#random(2) === 0 ? "group" : "manual",
    };
  }

  async run(): Promise<void> {
    const random = this.#random;
    this.#journal = await this.#kind.open(DIRECTORY, this.#options);
    let isFull = false;
    this.#files.space = (wanted) => {
      if (isFull) return isFull = false, 0;
      isFull = random(10) === 0;
      return isFull ? 1 + random(wanted - 1) : wanted;
    };
    const pending: Promise<unknown>[] = [];
    for (let step = 0; step < 50; step++) {
      pending.push(this.#step());
      if (random(2) === 0) await nextTurn();
      if (random(6) === 0) await Promise.all(pending.splice(0));
    }
    await Promise.all(pending);
    await this.#journal.close();
    for (const follower of this.#followers) await this.#judge(follower);
    const { openNames } = this.#options.fileSystem as FaultyFileSystem;
    assertEquals(openNames, []);
  }

  async #step(): Promise<unknown> {
    const kind = this.#random(14);
    try {
      if (kind < 7) return await this.#append();
      if (kind < 8) return await this.#journal.sync();
      if (kind < 10) return await this.#kind.rotate(this.#journal);
      if (kind < 11) return await this.#remove();
    } catch (error) {
      assert(error instanceof StoreError && error.code === "NO_SPACE", `${error}`);
      happened.refusals++;
    }
    if (kind >= 11 && this.#followers.length < 6) this.#follow();
  }

  async #append(): Promise<void> {
    const payload = payloadOf(this.#random(2 ** 20), 1 + this.#random(120));
    this.#records.push({ offset: await this.#journal.append(payload), payload });
  }

  async #remove(): Promise<void> {
    const { offset } = this.#records[this.#random(this.#records.length)] ?? { offset: 0n };
    if (offset > this.#cursor) this.#cursor = offset;
    await this.#journal.removeBefore(offset);
  }

  #follow(): void {
    const { offset: from } = this.#records[this.#random(this.#records.length)] ?? { offset: 0n };
    const entries = this.#kind.follow(this.#journal, from);
    const isSlow = this.#random(2) === 0;
    const followed = new Following(entries, async (entry) => {
      if (this.#random(6) === 0) await this.#loseAndLook(entry);
      for (let turns = isSlow ? this.#random(6) : 0; turns > 0; turns--) await nextTurn();
    });
    this.#followers.push({ followed, from });
  }

  /** Looks for a record that was shown on what a power loss leaves. */
  async #loseAndLook({ offset, payload }: JournalEntry): Promise<void> {
    const fileSystem = this.#files.losePower(this.#random);
    await using journal = await this.#kind.open(DIRECTORY, { ...this.#options, fileSystem });
    for await (const entry of journal.entries()) {
      if (entry.offset < offset) continue;
      // Its segment may have been removed.
      if (entry.offset > offset) break;
      happened.losses++;
      return assertEquals(entry.payload, payload);
    }
    assertGreater(this.#cursor, offset, `record ${offset} was shown and is lost`);
  }

  async #judge({ followed, from }: { followed: Following; from: bigint }): Promise<void> {
    const error = await followed.ended;
    this.#records.sort((a, b) => a.offset < b.offset ? -1 : 1);
    const expected = this.#records.filter(({ offset }) => offset >= from);
    if (error !== undefined) {
      // What it needed next was removed.
      assert(error instanceof RangeError, `${error}`);
      const next = expected[followed.seen.length];
      assert(next !== undefined && next.offset < this.#cursor, error.message);
      expected.length = followed.seen.length;
      happened.lateOnes++;
    }
    assertEquals(followed.seen, expected);
  }
}

for (
  const [name, kind] of Object.entries({ "a journal": ALONE, "a store's journal": OF_A_STORE })
) {
  test(`followers of ${name} show all records in order, and none that a power loss takes`, {
    timeout: 600_000,
  }, async () => {
    Object.assign(happened, { losses: 0, refusals: 0, lateOnes: 0 });
    const property = fc.asyncProperty(fc.integer(), async (seed) => {
      await new Subject(kind as Kind<TestJournal>, seed).run();
    });
    await fc.assert(property, { numRuns: 60 });
    for (const count of Object.values(happened)) assertGreater(count, 10);
  });
}
