import { test } from "node:test";
import { assertEquals, assertGreater, assertRejects } from "@std/assert";
import { Journal } from "../../journal/mod.ts";
import { tempDirectory } from "../support/temp.ts";
import {
  FaultyFileSystem,
  forSegments,
  type Operation,
  systemError,
} from "./_faulty_file_system.ts";
import { decodeJournal, segmentName, segmentNames } from "./_format.ts";
import {
  appendAll,
  assertWorks,
  nextTurn,
  payloadOf,
  readAll,
  until,
  writeJournal,
} from "./_journals.ts";
import { assertCode } from "../support/assert.ts";

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

test("a rotation waits for no sync, and the next one covers all of it in order", async () => {
  using temp = tempDirectory();
  const fileSystem = new FaultyFileSystem();
  const options = { fileSystem, sync: "manual", segmentBytes: SEGMENT_BYTES } as const;
  const journal = await Journal.open(temp.path, options);
  await appendAll(journal, PAYLOADS.slice(0, 4));
  const start = fileSystem.operations.length;
  const steps = () =>
    fileSystem.operations.slice(start)
      .map(({ kind, name }) => name.endsWith(".seg") ? `${kind} ${parseInt(name)}` : kind);
  await appendAll(journal, PAYLOADS.slice(4, 5));
  const written = ["create 200", "write 200", "write 200"];
  assertEquals(steps(), written);
  await journal.sync();
  // The write and the sync without a segment are those of the mark.
  assertEquals(steps(), [
    ...written,
    "sync 0",
    "syncDirectoryAsync",
    "sync 200",
    "write",
    "close 0",
    "sync",
  ]);
  await journal.close();
});

test("appends that wait for no sync wait for one once many segments do", async () => {
  using temp = tempDirectory();
  const fileSystem = new FaultyFileSystem();
  const options = { fileSystem, sync: "manual", segmentBytes: SEGMENT_BYTES } as const;
  const journal = await Journal.open(temp.path, options);
  const gates: (() => void)[] = [];
  fileSystem.beforeSync = () => new Promise((resolve) => gates.push(resolve));
  const payload = payloadOf(1, 150);
  for (let i = 0; i < 8; i++) await journal.append(payload);
  let isWritten = false;
  const append = journal.append(payload).then(() => isWritten = true);
  for (let i = 0; i < 5; i++) await nextTurn();
  assertEquals([isWritten, journal.stats().segments], [false, 9]);
  fileSystem.beforeSync = () => Promise.resolve();
  gates.forEach((open) => open());
  await append;
  assertEquals(fileSystem.openNames.length, 2);
  await journal.close();
  assertEquals(fileSystem.overlaps, []);
});

for (const step of ["create", "write"] as const) {
  test(`a next segment that fails at ${step} rejects the group alone`, async () => {
    using temp = tempDirectory();
    const fileSystem = new FaultyFileSystem();
    const options = { fileSystem, segmentBytes: SEGMENT_BYTES };
    const journal = await Journal.open(temp.path, options);
    const records = await appendAll(journal, PAYLOADS.slice(0, 3));

    const fail = ({ kind, name }: Operation) => {
      if (kind !== step || name === segmentName(0)) return;
      fileSystem.before = () => {};
      throw systemError("ENOSPC");
    };
    // The fourth record fits, the fifth begins the segment that fails, and so does the sixth later.
    for (let round = 0; round < 2; round++) {
      fileSystem.before = fail;
      await assertCode(() => journal.append(payloadOf(7, 100)), "NO_SPACE", "Cannot create");
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

test("an unfinished segment that cannot be removed poisons the journal", async () => {
  using temp = tempDirectory();
  const fileSystem = new FaultyFileSystem();
  const journal = await Journal.open(temp.path, { fileSystem, segmentBytes: SEGMENT_BYTES });
  const records = await appendAll(journal, PAYLOADS.slice(0, 4));
  fileSystem.before = ({ kind, name }) => {
    if (kind === "write" && name === segmentName(200)) throw systemError("ENOSPC");
    if (kind === "remove") throw systemError("EIO");
  };
  await assertCode(() => journal.append(PAYLOADS[4]!), "POISONED", "Cannot remove unfinished");
  await assertCode(() => journal.append(PAYLOADS[4]!), "POISONED");
  assertEquals(await readAll(journal), records);
  await journal.close();
  assertEquals(fileSystem.openNames, []);
  await assertWorks(temp.path, records, { segmentBytes: SEGMENT_BYTES });
});

test("the removal of an unfinished segment is on disk before anything behind it is durable", async () => {
  using temp = tempDirectory();
  const fileSystem = new FaultyFileSystem();
  const journal = await Journal.open(temp.path, { fileSystem, segmentBytes: SEGMENT_BYTES });
  await appendAll(journal, PAYLOADS.slice(0, 3));
  fileSystem.before = ({ kind, name }) => {
    if (kind === "write" && name === segmentName(150)) throw systemError("ENOSPC");
  };
  await assertCode(() => journal.append(payloadOf(4, 100)), "NO_SPACE", "Cannot create");
  const start = fileSystem.operations.length;
  await journal.append(PAYLOADS[3]!);
  const kinds = fileSystem.operations.slice(start).map(({ kind }) => kind);
  // The last one is that of the mark.
  assertEquals(kinds, ["write", "syncDirectoryAsync", "sync", "write"]);
  await journal.close();
});

for (
  const [what, isMeant] of Object.entries<(operation: Operation) => boolean>({
    "the old segment": ({ kind, name }) => kind.startsWith("sync") && name === segmentName(0),
    "the directory": ({ kind }) => kind.startsWith("syncDirectory"),
    "the new segment": ({ kind, name }) => kind.startsWith("sync") && name === segmentName(200),
  })
) {
  test(`a sync of ${what} that fails after a rotation poisons the journal`, async () => {
    using temp = tempDirectory();
    const fileSystem = new FaultyFileSystem();
    const options = { fileSystem, sync: "manual", segmentBytes: SEGMENT_BYTES } as const;
    const journal = await Journal.open(temp.path, options);
    const records = await appendAll(journal, PAYLOADS.slice(0, 5));
    fileSystem.before = (operation) => {
      if (isMeant(operation)) throw systemError("EIO");
    };
    await assertCode(() => journal.sync(), "POISONED", "Cannot sync journal");
    fileSystem.before = () => {};
    await assertCode(() => journal.append(PAYLOADS[5]!), "POISONED");
    await assertCode(() => journal.removeBefore(200n), "POISONED");
    assertEquals(await readAll(journal), records);
    assertEquals(segmentNames(temp.path).length, 2);
    await journal.close();
    assertEquals(fileSystem.openNames, []);
  });
}

for (const kind of ["sync", "syncDirectoryAsync"] as const) {
  test(`a ${kind} that fails poisons a removal, and stops it`, async () => {
    using temp = tempDirectory();
    const fileSystem = new FaultyFileSystem();
    const options = { fileSystem, sync: "manual", segmentBytes: SEGMENT_BYTES } as const;
    const journal = await Journal.open(temp.path, options);
    await appendAll(journal, PAYLOADS);
    const isSynced = kind === "syncDirectoryAsync";
    if (isSynced) await journal.sync();
    fileSystem.before = (operation) => {
      if (operation.kind === kind) throw systemError("EIO");
    };
    await assertCode(() => journal.removeBefore(400n), "POISONED");
    // What would become the first segment is not known to be on disk, or the first removal is not.
    assertEquals(segmentNames(temp.path).length, isSynced ? 2 : 3);
    await journal.close();
  });
}

test("a rotation during a sync keeps the old file open until that sync is over", async () => {
  using temp = tempDirectory();
  const fileSystem = new FaultyFileSystem();
  const journal = await Journal.open(temp.path, { fileSystem, segmentBytes: SEGMENT_BYTES });
  const gates: (() => void)[] = [];
  fileSystem.beforeSync = forSegments(() => new Promise((resolve) => gates.push(resolve)));
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

test("a sync that fails although a rotation has overtaken it poisons whoever waits", async () => {
  using temp = tempDirectory();
  const fileSystem = new FaultyFileSystem();
  const journal = await Journal.open(temp.path, { fileSystem, segmentBytes: SEGMENT_BYTES });
  const syncs = fileSystem.count("sync");
  let fail = () => {};
  fileSystem.beforeSync = () => new Promise((_, reject) => fail = () => reject(systemError("EIO")));
  const waiting = PAYLOADS.slice(0, 4).map((payload) =>
    assertCode(() => journal.append(payload), "POISONED")
  );
  await until(() => fileSystem.count("sync") === syncs + 1);
  waiting.push(assertCode(() => journal.append(PAYLOADS[4]!), "POISONED"));
  for (let i = 0; i < 3; i++) await nextTurn();
  assertEquals(segmentNames(temp.path).length, 2);
  // The rotation has begun no other sync, which would have taken the report.
  assertEquals([fileSystem.count("sync"), fileSystem.count("syncNow")], [syncs + 1, 0]);
  fileSystem.beforeSync = () => Promise.resolve();
  fail();
  await Promise.all(waiting);
  await journal.close();
  assertEquals([fileSystem.openNames, fileSystem.overlaps], [[], []]);
});

test("Journal.close() of a poisoned journal waits for the sync that still runs", async () => {
  using temp = tempDirectory();
  const fileSystem = new FaultyFileSystem();
  const journal = await Journal.open(temp.path, { fileSystem, segmentBytes: SEGMENT_BYTES });
  const syncs = fileSystem.count("sync");
  let open = () => {};
  fileSystem.beforeSync = forSegments(() => new Promise((resolve) => open = resolve));
  const running = journal.append(PAYLOADS[0]!);
  await until(() => fileSystem.count("sync") === syncs + 1);
  fileSystem.before = ({ kind, name }) => {
    if (kind === "write" && name === segmentName(50)) throw systemError("ENOSPC");
    if (kind === "remove") throw systemError("EIO");
  };
  await assertCode(() => journal.append(payloadOf(1, 200)), "POISONED");
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
  const syncs = fileSystem.count("sync", ".seg");
  let open = () => {};
  fileSystem.beforeSync = () => new Promise((resolve) => open = resolve);
  const events: string[] = [];
  const first = journal.append(PAYLOADS[0]!).then(() => events.push("first"));
  await until(() => fileSystem.count("sync", ".seg") === syncs + 1);
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
  assertEquals(fileSystem.count("sync", ".seg"), syncs + 2);
});

test("Journal.rotate() ends a segment that is not full, so that it can be removed", async () => {
  using temp = tempDirectory();
  const journal = await Journal.open(temp.path, { segmentBytes: SEGMENT_BYTES });
  await journal.rotate();
  assertEquals(segmentNames(temp.path), [segmentName(0)]);
  // Those that were appended before the call belong to the segment that ends.
  const appends = PAYLOADS.slice(0, 2).map((payload) => journal.append(payload));
  const rotations = [journal.rotate(), journal.rotate()];
  appends.push(journal.append(PAYLOADS[2]!));
  await Promise.all(rotations);
  assertEquals(await Promise.all(appends), [0n, 50n, 100n]);
  assertEquals(segmentNames(temp.path), [0, 100].map(segmentName));
  await journal.rotate();
  assertEquals(await journal.removeBefore(150n), 2);
  assertEquals(segmentNames(temp.path), [segmentName(150)]);
  assertEquals(journal.stats().bytes, 0);
  const records = await appendAll(journal, PAYLOADS.slice(3, 4));
  await journal.close();
  await assertWorks(temp.path, records, { segmentBytes: SEGMENT_BYTES });
});

for (const sync of ["group", "manual"] as const) {
  test(`Journal.rotate() resolves once the old segment is on disk, with sync ${sync}`, async () => {
    using temp = tempDirectory();
    const fileSystem = new FaultyFileSystem();
    const journal = await Journal.open(temp.path, { fileSystem, sync });
    const gates: (() => void)[] = [];
    fileSystem.beforeSync = () => new Promise((resolve) => gates.push(resolve));
    const append = journal.append(PAYLOADS[0]!);
    let rotated = 0;
    const rotations = [1, 2].map(() => journal.rotate().then(() => rotated++));
    // The segments and the name, one after the other.
    for (let i = 0; i < 3; i++) {
      await until(() => gates.length > i);
      assertEquals(rotated, 0);
      gates[i]!();
    }
    fileSystem.beforeSync = () => Promise.resolve();
    await Promise.all([append, ...rotations]);
    gates.forEach((open) => open());
    await journal.close();
    assertEquals(fileSystem.openNames, []);
  });
}

test("Journal.rotate() that fails leaves the segment in use", async () => {
  using temp = tempDirectory();
  const fileSystem = new FaultyFileSystem();
  const journal = await Journal.open(temp.path, { fileSystem, segmentBytes: SEGMENT_BYTES });
  const records = await appendAll(journal, PAYLOADS.slice(0, 1));
  fileSystem.before = ({ kind }) => {
    if (kind === "create") throw systemError("ENOSPC");
  };
  await assertCode(() => journal.rotate(), "NO_SPACE", "Cannot create journal segment");
  records.push(...await appendAll(journal, PAYLOADS.slice(1, 2)));
  fileSystem.before = ({ kind }) => {
    if (kind.startsWith("sync")) throw systemError("EIO");
  };
  await assertCode(() => journal.rotate(), "POISONED", "Cannot sync journal");
  await assertCode(() => journal.rotate(), "POISONED");
  fileSystem.before = () => {};
  await journal.close();
  await assertCode(
    () => journal.rotate(),
    "CLOSED",
    "Cannot rotate journal: the journal is closed",
  );
  await assertWorks(temp.path, records, { segmentBytes: SEGMENT_BYTES });
});

test("segmentMs lets the next append rotate a segment that is old", async () => {
  using temp = tempDirectory();
  await writeJournal(temp.path, PAYLOADS.slice(0, 1));
  const options = { fileSystem: new FaultyFileSystem(), segmentMs: 1 };
  const journal = await Journal.open(temp.path, options);
  const age = () => new Promise((resolve) => setTimeout(resolve, 5));
  await age();
  // From the opening on, for a segment that has records.
  await appendAll(journal, PAYLOADS.slice(1, 2));
  assertEquals(segmentNames(temp.path), [0, 50].map(segmentName));
  await age();
  // Not before there is something to append, and a group is not spread over several.
  assertEquals(journal.stats().segments, 2);
  await Promise.all(PAYLOADS.slice(2, 6).map((payload) => journal.append(payload)));
  assertEquals(segmentNames(temp.path), [0, 50, 100].map(segmentName));
  assertEquals(journal.stats().groups, 2);
  await journal.close();

  const patient = await Journal.open(temp.path, { ...options, segmentMs: 2 ** 31 - 1 });
  await age();
  await appendAll(patient, PAYLOADS.slice(6));
  assertEquals(patient.stats().segments, 3);
  await patient.close();
});

test("the age of a segment counts from its first record", async () => {
  for (let ms = Infinity; ms >= 50;) {
    using temp = tempDirectory();
    const options = { fileSystem: new FaultyFileSystem(), segmentMs: 50 };
    const journal = await Journal.open(temp.path, options);
    await new Promise((resolve) => setTimeout(resolve, 60));
    const start = performance.now();
    await appendAll(journal, PAYLOADS.slice(0, 2));
    // On a busy machine it may be too old by now.
    ms = performance.now() - start;
    if (ms < 50) assertEquals(journal.stats().segments, 1);
    await new Promise((resolve) => setTimeout(resolve, 60));
    const again = performance.now();
    await appendAll(journal, PAYLOADS.slice(2, 4));
    ms = Math.max(ms, performance.now() - again);
    if (ms < 50) assertEquals(journal.stats().segments, 2);
    await journal.close();
  }
});

test("Journal.open() refuses a segmentMs that is no time", async () => {
  using temp = tempDirectory();
  for (const segmentMs of [0, -1, 1.5, NaN, Infinity, 2 ** 31]) {
    await assertRejects(
      () => Journal.open(temp.path, { segmentMs }),
      RangeError,
      `segmentMs is ${segmentMs}, not an integer from 1 to 2^31-1`,
    );
  }
  for (const wrong of [null, "10", 10n]) {
    const options = { segmentMs: wrong as unknown as number };
    await assertRejects(() => Journal.open(temp.path, options), TypeError, "not a number");
  }
  assertEquals(segmentNames(temp.path), []);
});
