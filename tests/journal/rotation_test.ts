import { test } from "node:test";
import { assert, assertEquals, assertGreater } from "@std/assert";
import { Journal } from "../../journal/mod.ts";
import { tempDirectory } from "../helpers/temp.ts";
import { FaultyFileSystem, type Operation, systemError } from "./_faulty_file_system.ts";
import { decodeJournal, segmentName, segmentNames } from "./_format.ts";
import {
  appendAll,
  assertCode,
  assertWorks,
  nextTurn,
  payloadOf,
  readAll,
  until,
} from "./_journals.ts";

const SEGMENT_BYTES = 216;
/** Four records of 50 bytes fill a segment. */
const PAYLOADS = Array.from({ length: 12 }, (_, i) => payloadOf(i, 10));

test("segments are rotated at a record boundary, before they grow too large", async () => {
  using temp = tempDirectory();
  const journal = await Journal.open(temp.path, { segmentBytes: SEGMENT_BYTES });
  await appendAll(journal, PAYLOADS.slice(0, 4));
  assertEquals(segmentNames(temp.path), [segmentName(0)]);
  await appendAll(journal, PAYLOADS.slice(4, 5));
  assertEquals(segmentNames(temp.path), [0, 200].map(segmentName));
  // Longer than a segment: it gets one of its own.
  await appendAll(journal, [payloadOf(1, 300)]);
  await appendAll(journal, PAYLOADS.slice(6));
  assertEquals(segmentNames(temp.path), [0, 200, 250, 590, 790].map(segmentName));
  assertEquals(journal.stats().segments, 5);
  await journal.close();
});

test("a group that is larger than a segment is spread over several", async () => {
  using temp = tempDirectory();
  const journal = await Journal.open(temp.path, { segmentBytes: SEGMENT_BYTES });
  await appendAll(journal, PAYLOADS.slice(0, 1));
  const payloads = [...PAYLOADS, payloadOf(5, 500), ...PAYLOADS];
  const offsets = await Promise.all(payloads.map((payload) => journal.append(payload)));
  // 3 fill the first segment, then 4, 4 and 1, the long one alone, 4, 4 and 4.
  assertEquals(journal.stats().groups, 1 + 8);
  await journal.close();
  const bases = [0, 200, 400, 600, 650, 1190, 1390, 1590];
  assertEquals(segmentNames(temp.path), bases.map(segmentName));
  const expected = payloads.map((payload, i) => ({ offset: offsets[i]!, payload }));
  assertEquals((await decodeJournal(temp.path)).slice(1), expected);
});

test("a segment is durable before the next one is created, and that one before it is used", async () => {
  using temp = tempDirectory();
  const fileSystem = new FaultyFileSystem();
  const options = { fileSystem, sync: "manual", segmentBytes: SEGMENT_BYTES } as const;
  const journal = await Journal.open(temp.path, options);
  await appendAll(journal, PAYLOADS.slice(0, 4));
  const start = fileSystem.operations.length;
  await appendAll(journal, PAYLOADS.slice(4, 5));
  const steps = fileSystem.operations.slice(start)
    .map(({ kind, name }) => name.endsWith(".seg") ? `${kind} ${parseInt(name)}` : kind);
  // The write without a segment is that of the mark.
  assertEquals(steps, [
    "syncNow 0",
    "write",
    "create 200",
    "write 200",
    "syncNow 200",
    "syncDirectory",
    "close 0",
    "write 200",
  ]);
  await journal.close();
});

for (const step of ["create", "write", "syncNow", "syncDirectory"] as const) {
  test(`a next segment that fails at ${step} rejects the group alone`, async () => {
    using temp = tempDirectory();
    const fileSystem = new FaultyFileSystem();
    const options = { fileSystem, segmentBytes: SEGMENT_BYTES };
    const journal = await Journal.open(temp.path, options);
    const records = await appendAll(journal, PAYLOADS.slice(0, 3));

    const fail = ({ kind, name }: Operation) => {
      if (kind !== step || (step !== "syncDirectory" && name === segmentName(0))) return;
      fileSystem.before = () => {};
      throw systemError("ENOSPC");
    };
    // The fourth record fits, the fifth begins the segment that fails, and so does the sixth later.
    for (let round = 0; round < 2; round++) {
      fileSystem.before = fail;
      await assertCode("NO_SPACE", () => journal.append(payloadOf(7, 100)), "Cannot create");
      assertEquals(segmentNames(temp.path), [segmentName(0)]);
    }
    records.push(...await appendAll(journal, PAYLOADS.slice(3)));
    assertEquals(await readAll(journal), records);
    await journal.close();
    assertEquals(fileSystem.openNames, []);
    assertEquals(segmentNames(temp.path), [0, 200, 400].map(segmentName));
    await assertWorks(temp.path, records, { segmentBytes: SEGMENT_BYTES });
  });
}

test("a group of which a part is written acknowledges that part", async () => {
  using temp = tempDirectory();
  const fileSystem = new FaultyFileSystem();
  const journal = await Journal.open(temp.path, { fileSystem, segmentBytes: SEGMENT_BYTES });
  fileSystem.before = ({ kind }) => {
    if (kind === "create") throw systemError("ENOSPC");
  };
  const outcomes = await Promise.allSettled(PAYLOADS.map((payload) => journal.append(payload)));
  const values = outcomes.map((o) => o.status === "fulfilled" ? o.value : o.reason.code);
  const refused = Array.from({ length: 8 }, () => "NO_SPACE");
  assertEquals(values, [0n, 50n, 100n, 150n, ...refused]);
  await journal.close();
  assertEquals((await decodeJournal(temp.path)).length, 4);
});

for (const step of ["remove", "syncDirectory"] as const) {
  test(`an unfinished segment that stays because of ${step} poisons the journal`, async () => {
    using temp = tempDirectory();
    const fileSystem = new FaultyFileSystem();
    const journal = await Journal.open(temp.path, { fileSystem, segmentBytes: SEGMENT_BYTES });
    const records = await appendAll(journal, PAYLOADS.slice(0, 4));
    fileSystem.before = ({ kind, name }) => {
      if (kind === "write" && name === segmentName(200)) throw systemError("ENOSPC");
      if (kind === step) throw systemError("EIO");
    };
    await assertCode("POISONED", () => journal.append(PAYLOADS[4]!), "Cannot remove unfinished");
    await assertCode("POISONED", () => journal.append(PAYLOADS[4]!));
    assertEquals(await readAll(journal), records);
    await journal.close();
    assertEquals(fileSystem.openNames, []);
    await assertWorks(temp.path, records, { segmentBytes: SEGMENT_BYTES });
  });
}

test("a rotation during a sync keeps the old file open until that sync is over", async () => {
  using temp = tempDirectory();
  const fileSystem = new FaultyFileSystem();
  const journal = await Journal.open(temp.path, { fileSystem, segmentBytes: SEGMENT_BYTES });
  const gates: (() => void)[] = [];
  fileSystem.beforeSync = () => new Promise((resolve) => gates.push(resolve));
  const settled: number[] = [];
  const appends = PAYLOADS.map(async (payload, i) => {
    for (let turn = 0; turn < i; turn++) await nextTurn();
    await journal.append(payload);
    settled.push(i);
  });
  while (journal.stats().appends < PAYLOADS.length) {
    await nextTurn();
  }
  assertEquals(settled, []);
  const [mark, ...segments] = fileSystem.openNames;
  assertEquals([mark, ...segments.sort()], [".durable", ...[0, 200, 400].map(segmentName)]);

  fileSystem.beforeSync = () => Promise.resolve();
  gates.forEach((open) => open());
  await Promise.all(appends);
  assertEquals(settled, PAYLOADS.map((_, i) => i));
  assertEquals(fileSystem.openNames, [".durable", segmentName(400)]);
  await journal.close();
  assertEquals(fileSystem.openNames, []);
  assertEquals((await decodeJournal(temp.path)).length, PAYLOADS.length);
});

for (const turns of [0, 1, 2]) {
  test(`a sync that fails although a rotation has overtaken it poisons whoever asked ${turns} turns before`, async () => {
    using temp = tempDirectory();
    const fileSystem = new FaultyFileSystem();
    const journal = await Journal.open(temp.path, { fileSystem, segmentBytes: SEGMENT_BYTES });
    let fail = () => {};
    fileSystem.beforeSync = () =>
      new Promise((_, reject) => fail = () => reject(systemError("EIO")));
    const waiting = PAYLOADS.slice(0, 4).map((payload) =>
      assertCode("POISONED", () => journal.append(payload))
    );
    await until(() => fileSystem.count("sync") === 1);
    // The next segment is there, so everything before it was synced, and nothing is in it.
    fileSystem.before = ({ kind, name }) => {
      const isRecord = kind === "write" && name === segmentName(200);
      if (isRecord && fileSystem.count("syncNow", name) > 0) throw systemError("ENOSPC");
    };
    await assertCode("NO_SPACE", () => journal.append(PAYLOADS[4]!));
    assertEquals(segmentNames(temp.path).length, 2);
    waiting.push(assertCode("POISONED", () => journal.sync()));
    // Before the sync that was asked for begins, or when it already waits.
    for (let i = 0; i < turns; i++) await nextTurn();
    fail();
    await Promise.all(waiting);
    await journal.close();
    assertEquals(fileSystem.openNames, []);
  });
}

test("Journal.close() of a poisoned journal waits for the sync that still runs", async () => {
  using temp = tempDirectory();
  const fileSystem = new FaultyFileSystem();
  const journal = await Journal.open(temp.path, { fileSystem, segmentBytes: SEGMENT_BYTES });
  let open = () => {};
  fileSystem.beforeSync = () => new Promise((resolve) => open = resolve);
  const running = journal.append(PAYLOADS[0]!);
  await until(() => fileSystem.count("sync") === 1);
  fileSystem.before = ({ kind }) => {
    if (kind === "syncNow") throw systemError("EIO");
  };
  await assertCode("POISONED", () => journal.append(payloadOf(1, 200)));
  const closing = journal.close();
  await nextTurn();
  assertEquals(fileSystem.openNames, [".durable", segmentName(0)]);
  open();
  await closing;
  assertEquals(await running, 0n);
  assertEquals(fileSystem.openNames, []);
});

test("Journal.close() waits for what is queued behind a sync", async () => {
  using temp = tempDirectory();
  const fileSystem = new FaultyFileSystem();
  const journal = await Journal.open(temp.path, { fileSystem, segmentBytes: SEGMENT_BYTES });
  let open = () => {};
  fileSystem.beforeSync = () => new Promise((resolve) => open = resolve);
  const events: string[] = [];
  const first = journal.append(PAYLOADS[0]!).then(() => events.push("first"));
  await until(() => fileSystem.count("sync") === 1);
  const second = journal.append(PAYLOADS[1]!).then(() => events.push("second"));
  const closed = journal.close().then(() => events.push("closed"));
  await nextTurn();
  assertEquals(events, []);
  assertGreater(fileSystem.openNames.length, 0);
  fileSystem.beforeSync = () => Promise.resolve();
  open();
  await Promise.all([first, second, closed]);
  assertEquals(events, ["first", "second", "closed"]);
  assertEquals(fileSystem.openNames, []);
  assertEquals((await decodeJournal(temp.path)).length, 2);
  assert(fileSystem.count("sync") === 2);
});
