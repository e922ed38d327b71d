import { test } from "node:test";
import { assertEquals, assertRejects } from "@std/assert";
import fc from "fast-check";
import { type Journal, JournalReader } from "../../journal/mod.ts";
import { tempDirectory } from "../support/temp.ts";
import { type DecodedRecord, decodeJournal } from "./_format.ts";
import { openFast, payloadOf, readAll } from "./_journals.ts";

/** A journal as it should be: its records, those that may be removed included. */
class Model {
  readonly records: DecodedRecord[] = [];
  end = 0n;
  /** Where the oldest segment starts. */
  start = 0n;

  append(payload: Uint8Array): bigint {
    const offset = this.end;
    this.records.push({ offset, payload });
    this.end += 40n + BigInt(payload.length);
    return offset;
  }

  get left(): DecodedRecord[] {
    return this.records.filter(({ offset }) => offset >= this.start);
  }
}

/** A journal with a reader beside it, and the model that both have to match. */
class Subject {
  readonly model = new Model();
  readonly directory: string;
  readonly segmentBytes: number;
  readonly sync: "group" | "manual";
  journal!: Journal;
  reader!: JournalReader;
  cursor = 0n;

  constructor(directory: string, segmentBytes: number, sync: "group" | "manual") {
    this.directory = directory;
    this.segmentBytes = segmentBytes;
    this.sync = sync;
  }

  async open(): Promise<void> {
    const { directory, segmentBytes, sync } = this;
    this.journal = await openFast(directory, { segmentBytes, sync });
    assertEquals(this.journal.recovery.truncatedBytes, 0);
    assertEquals(this.journal.recovery.records, this.model.left.length);
    this.reader ??= await JournalReader.open(directory);
  }

  async close(): Promise<void> {
    await this.journal.close();
    assertEquals(await decodeJournal(this.directory), this.model.left);
  }
}

type Command = (subject: Subject) => Promise<void>;

const payload = fc.tuple(fc.nat(), fc.oneof(fc.nat(60), fc.nat(400)))
  .map(([seed, length]) => payloadOf(seed, length));

const append = fc.array(payload, { minLength: 1, maxLength: 12 }).map(
  (payloads): Command => async ({ journal, model }) => {
    const expected = payloads.map((payload) => model.append(payload));
    assertEquals(await Promise.all(payloads.map((payload) => journal.append(payload))), expected);
  },
);

const sync = fc.constant<Command>(({ journal }) => journal.sync());

const reopen = fc.constant<Command>(async (subject) => {
  await subject.close();
  await subject.open();
});

const removeBefore = fc.nat(100).map((percent): Command => async ({ journal, model }) => {
  const cursor = model.end * BigInt(percent) / 100n;
  const { segments, bytes } = journal.stats();
  const removed = await journal.removeBefore(cursor);
  const after = journal.stats();
  assertEquals(after.segments, segments - removed);
  if (removed === 0) return;
  // Whole segments went, all of them below the cursor.
  model.start += BigInt(bytes - after.bytes);
  assertEquals(model.start <= cursor, true);
  assertEquals(model.records.some(({ offset }) => offset === model.start), true);
});

const readOne = fc.nat().map((number): Command => async ({ journal, model }) => {
  const { records, start, end } = model;
  assertEquals(await journal.read(end), undefined);
  await assertRejects(() => journal.read(end + 1n), RangeError);
  if (records.length === 0) return;
  const { offset, payload } = records[number % records.length]!;
  if (offset < start) return void await assertRejects(() => journal.read(offset), RangeError);
  assertEquals(await journal.read(offset), {
    payload,
    next: offset + 40n + BigInt(payload.length),
  });
});

const readMany = fc.constant<Command>(async ({ journal, model }) => {
  assertEquals(await readAll(journal), model.left);
});

const follow = fc.constant<Command>(async (subject) => {
  const { reader, model } = subject;
  if (subject.cursor < model.start) subject.cursor = model.start;
  const expected = model.records.filter(({ offset }) => offset >= subject.cursor);
  assertEquals(await readAll(reader, subject.cursor), expected);
  subject.cursor = model.end;
});

const command = fc.oneof(
  { weight: 4, arbitrary: append },
  { weight: 1, arbitrary: sync },
  { weight: 1, arbitrary: reopen },
  { weight: 1, arbitrary: removeBefore },
  { weight: 2, arbitrary: readOne },
  { weight: 1, arbitrary: readMany },
  { weight: 2, arbitrary: follow },
);

test("a journal does what an array of records does, whatever the order of calls", {
  timeout: 600_000,
}, async () => {
  const property = fc.asyncProperty(
    fc.array(command, { maxLength: 40 }),
    fc.integer({ min: 64, max: 1000 }),
    fc.constantFrom<"group" | "manual">("group", "manual"),
    async (commands, segmentBytes, mode) => {
      using temp = tempDirectory();
      const subject = new Subject(temp.path, segmentBytes, mode);
      await subject.open();
      try {
        for (const command of commands) await command(subject);
      } finally {
        await subject.close();
        subject.reader.close();
      }
    },
  );
  await fc.assert(property, { numRuns: 100 });
});

test("appends that nobody waits for take effect in the order of the calls", {
  timeout: 600_000,
}, async () => {
  const property = fc.asyncProperty(
    fc.array(fc.oneof(append, sync), { maxLength: 30 }),
    fc.integer({ min: 64, max: 1000 }),
    async (commands, segmentBytes) => {
      using temp = tempDirectory();
      const subject = new Subject(temp.path, segmentBytes, "group");
      await subject.open();
      const calls = commands.map((command) => command(subject));
      await subject.close();
      await Promise.all(calls);
      subject.reader.close();
    },
  );
  await fc.assert(property, { numRuns: 100 });
});
