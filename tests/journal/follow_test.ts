import process from "node:process";
import { test } from "node:test";
import { assert, assertEquals, assertGreater, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { followPages } from "../../journal/follow.ts";
import { Journal, type JournalOptions } from "../../journal/mod.ts";
import { withLazyClock } from "../support/clock.ts";
import { assertCode } from "../support/assert.ts";
import { descriptorsOf } from "../support/descriptors.ts";
import { tempDirectory } from "../support/temp.ts";
import { FaultyFileSystem, forSegments, systemError } from "./_faulty_file_system.ts";
import { Following } from "./_following.ts";
import { type DecodedRecord, segmentName } from "./_format.ts";
import { appendAll, edit, payloadOf } from "./_journals.ts";
import { ReservingJournal } from "./_reserving.ts";

const SEGMENT_BYTES = 216;
/** Four records of 50 bytes fill a segment. */
const PAYLOADS = Array.from({ length: 12 }, (_, i) => payloadOf(i, 10));

interface Opened {
  fileSystem: FaultyFileSystem;
  journal: Journal;
}

async function open(directory: string, options: JournalOptions = {}): Promise<Opened> {
  const fileSystem = new FaultyFileSystem();
  const all = { fileSystem, segmentBytes: SEGMENT_BYTES, ...options };
  return { fileSystem, journal: await Journal.open(directory, all) };
}

/** The names of the open segments, the one that is being written included. */
function openSegments({ openNames }: FaultyFileSystem): string[] {
  return openNames.filter((name) => name.endsWith(".seg")).sort();
}

test("Journal.follow() shows what there is, and then each record, over rotations", async () => {
  using temp = tempDirectory();
  const { journal, fileSystem } = await open(temp.path);
  const records = await appendAll(journal, PAYLOADS.slice(0, 6));
  const all = new Following(journal.follow());
  const rest = new Following(journal.follow({ from: 250n }));
  const coming = new Following(journal.follow({ from: 300n }));
  assertEquals(await all.shows(6), records);
  for (const payload of PAYLOADS.slice(6)) {
    records.push(...await appendAll(journal, [payload]));
    assertEquals(await all.shows(records.length), records);
  }
  assertEquals(await rest.shows(7), records.slice(5));
  assertEquals(await coming.shows(6), records.slice(6));
  // Each holds the segment open that it reads, and no other.
  assertEquals(openSegments(fileSystem), Array.from({ length: 4 }, () => segmentName(400)));
  await journal.close();
  assertEquals(await Promise.all([all.ended, rest.ended, coming.ended]), [
    undefined,
    undefined,
    undefined,
  ]);
  assertEquals(fileSystem.openNames, []);
});

test("Journal.follow() gives copies, and says where to resume", async () => {
  using temp = tempDirectory();
  const { journal } = await open(temp.path, { segmentBytes: 2 ** 20 });
  // More than a reader has in memory.
  const records = await appendAll(journal, PAYLOADS.map((_, i) => payloadOf(i, 60_000)));
  let from: bigint | undefined;
  const seen: DecodedRecord[] = [];
  while (seen.length < 12) {
    const followed = new Following(journal.follow(from === undefined ? {} : { from }), (entry) => {
      from = entry.next;
      return false;
    });
    assertEquals(await followed.ended, undefined);
    seen.push(...followed.seen);
  }
  assertEquals(seen, records);
  const all = new Following(journal.follow(), ({ next }) => next < BigInt(journal.stats().bytes));
  await all.ended;
  assertEquals(all.seen, records);
  await journal.close();
});

for (const sync of ["group", "manual"] as const) {
  test(`Journal.follow() shows no record before a sync has covered it, with sync ${sync}`, async () => {
    using temp = tempDirectory();
    const { journal, fileSystem } = await open(temp.path, { sync });
    const followed = new Following(journal.follow());
    const gates: (() => void)[] = [];
    fileSystem.beforeSync = forSegments(() => new Promise((resolve) => gates.push(resolve)));
    const appends = PAYLOADS.slice(0, 3).map((payload) => journal.append(payload));
    if (sync === "manual") {
      await Promise.all(appends);
      assertEquals(await followed.settles(), []);
      appends.push(journal.sync().then(() => 0n));
    }
    // The sync is under way.
    assertEquals(await followed.settles(), []);
    assertEquals(gates.length, 1);
    // What is written after it has begun waits for the next one.
    const later = journal.append(PAYLOADS[3]!);
    gates[0]!();
    assertEquals((await followed.shows(3)).length, 3);
    if (sync === "manual") void journal.sync();
    assertEquals((await followed.settles()).length, 3);
    fileSystem.beforeSync = () => Promise.resolve();
    gates[1]!();
    assertEquals((await followed.shows(4))[3], { offset: await later, payload: PAYLOADS[3]! });
    await Promise.all(appends);
    await journal.close();
  });
}

test("Journal.follow() never shows a record whose write failed", async () => {
  using temp = tempDirectory();
  const { journal, fileSystem } = await open(temp.path, { sync: "manual", segmentBytes: 2 ** 20 });
  const records = await appendAll(journal, PAYLOADS.slice(0, 2));
  await journal.sync();
  const followed = new Following(journal.follow());
  assertEquals(await followed.shows(2), records);
  for (const payload of PAYLOADS.slice(2)) {
    // All but the last byte is in the file until it is taken back.
    fileSystem.writeLimit = ({ name, bytes }) => {
      if (!name.endsWith(".seg")) return bytes;
      fileSystem.writeLimit = () => 0;
      return bytes - 1;
    };
    await assertCode(() => journal.append(payloadOf(99, 30)), "IO");
    fileSystem.writeLimit = () => Infinity;
    records.push(...await appendAll(journal, [payload]));
    if (records.length % 3 > 0) continue;
    await journal.sync();
    assertEquals(await followed.shows(records.length), records);
  }
  await journal.close();
  assertEquals(await followed.ended, undefined);
});

test("zeros that are reserved behind the last record do not hide the next one from a follower", async () => {
  using temp = tempDirectory();
  const fileSystem = new FaultyFileSystem();
  const journal = await ReservingJournal.open(temp.path, { fileSystem, segmentBytes: 600_000 });
  const { writer } = journal;
  const records: DecodedRecord[] = [];
  const pages = followPages(writer, { from: 0n, verify: "both" });
  // A long one goes past the window of the reader.
  for (const length of [10, 10, 0, 300_000, 10, 280_000, 10, 10, 250_000, 10]) {
    const [record] = await appendAll(journal, [payloadOf(records.length, length)]);
    records.push(record!);
    const { value, done } = await pages.next();
    assert(!done);
    const next = record!.offset + 40n + BigInt(length);
    assertEquals(value, [{ ...record!, next }]);
  }
  assertGreater(writer.segments.length, 1);
  await pages.return(undefined);
  await journal.close();
  assertEquals(fileSystem.openNames, []);
});

test("followPages() ends where it is told to, and yields views of whole pages", async () => {
  using temp = tempDirectory();
  const fileSystem = new FaultyFileSystem();
  const journal = await ReservingJournal.open(temp.path, { fileSystem, segmentBytes: 100_000 });
  const payloads = Array.from({ length: 3000 }, (_, i) => payloadOf(i, i % 70));
  const records: DecodedRecord[] = [];
  const offsets = await Promise.all(payloads.map((payload) => journal.append(payload)));
  payloads.forEach((payload, i) => records.push({ offset: offsets[i]!, payload }));
  const { writer } = journal;
  for (const verify of ["both", "crc32c"] as const) {
    for (const [first, last] of [[0, 3000], [1700, 2500], [7, 8], [5, 5], [0, 1]] as const) {
      const from = offsets[first]!;
      const until = offsets[last] ?? writer.end;
      let count = first;
      for await (const page of followPages(writer, { from, until, verify })) {
        assertGreater(page.length, 0);
        for (const { offset, payload, next } of page) {
          assertEquals({ offset, payload }, records[count++]);
          assertEquals(next, offsets[count] ?? writer.end);
        }
      }
      assertEquals(count, last);
    }
  }
  // An end that is not durable yet is waited for.
  const until = writer.end + 50n;
  const pages = followPages(writer, { from: writer.end, until, verify: "both" });
  const page = pages.next();
  await journal.append(PAYLOADS[0]!);
  assertEquals((await page).value?.length, 1);
  assertEquals((await pages.next()).done, true);
  await journal.close();
  assertEquals(fileSystem.openNames, []);
});

test("Journal.follow() lets the event loop turn while it reads", async () => {
  using temp = tempDirectory();
  const { journal } = await open(temp.path, { segmentBytes: 64 });
  await appendAll(journal, PAYLOADS);
  let turns = 0;
  await withLazyClock(async () => {
    const followed = new Following(journal.follow(), ({ next }) => next < 600n);
    while (!followed.hasEnded) {
      await new Promise((resolve) => setImmediate(resolve));
      turns++;
    }
    assertEquals(followed.seen.length, 12);
  });
  assertGreater(turns, 2);
  await journal.close();
});

test("Journal.follow() checks its arguments", async () => {
  using temp = tempDirectory();
  const { journal } = await open(temp.path);
  await appendAll(journal, PAYLOADS);
  await journal.removeBefore(200n);
  const first = (options: object) => () => journal.follow(options).next();
  for (const from of [null, 0, "0"]) {
    await assertRejects(first({ from }), TypeError, "not a bigint");
  }
  for (const signal of [null, {}, new AbortController()]) {
    await assertRejects(first({ signal }), TypeError, "not an AbortSignal");
  }
  for (const from of [-1n, 0n, 199n, 601n]) {
    await assertRejects(first({ from }), RangeError, `offset ${from} does not lie between`);
  }
  await assertCode(first({ from: 201n }), "CORRUPT", "offset 201");
  await journal.close();
  await assertCode(first({}), "CLOSED", "the journal is closed");
});

test("a signal ends a follower that waits, that reads, and that has not begun", async () => {
  using temp = tempDirectory();
  const { journal, fileSystem } = await open(temp.path);
  const records = await appendAll(journal, PAYLOADS);
  const reason = new Error("enough");
  const waits = new AbortController();
  const waiting = new Following(journal.follow({ signal: waits.signal }));
  await waiting.shows(12);
  await waiting.settles();
  waits.abort(reason);
  assertEquals(await waiting.ended, reason);
  assertEquals(waiting.seen, records);

  const reads = new AbortController();
  const reading = new Following(journal.follow({ signal: reads.signal }), ({ offset }) => {
    if (offset === 250n) reads.abort(reason);
  });
  assertEquals(await reading.ended, reason);
  // Not even the rest of what was read at once.
  assertEquals(reading.seen, records.slice(0, 6));

  const late = new Following(journal.follow({ signal: reads.signal }));
  assertEquals([await late.ended, late.seen], [reason, []]);
  assertEquals(openSegments(fileSystem), [segmentName(400)]);
  await journal.close();
});

test("a signal whose reason is like the end of the journal is an error all the same", async () => {
  using temp = tempDirectory();
  const { journal } = await open(temp.path);
  const closed = await open(join(temp.path, "other"));
  await closed.journal.close();
  const reason = await assertCode(() => closed.journal.sync(), "CLOSED");
  const controller = new AbortController();
  const followed = new Following(journal.follow({ signal: controller.signal }));
  await followed.settles();
  controller.abort(reason);
  assertEquals(await followed.ended, reason);
  await journal.close();
});

test("a follower ends with the journal, after everything that closing has made durable", async () => {
  using temp = tempDirectory();
  const { journal, fileSystem } = await open(temp.path, { sync: "manual" });
  await appendAll(journal, PAYLOADS.slice(0, 8));
  await journal.sync();
  const waiting = new Following(journal.follow());
  await waiting.shows(8);
  let resume = () => {};
  const slow = new Following(
    journal.follow(),
    ({ offset }) => offset > 0n || new Promise<void>((resolve) => resume = resolve),
  );
  await slow.shows(1);
  await appendAll(journal, PAYLOADS.slice(8, 11));
  const pending = journal.append(PAYLOADS[11]!);
  await journal.close();
  await pending;
  resume();
  assertEquals([await waiting.ended, waiting.seen.length], [undefined, 12]);
  assertEquals([await slow.ended, slow.seen.length], [undefined, 12]);
  assertEquals(fileSystem.openNames, []);
});

test("a poisoned journal shows a follower what is on disk, and then why there is no more", async () => {
  using temp = tempDirectory();
  const { journal, fileSystem } = await open(temp.path);
  const records = await appendAll(journal, PAYLOADS.slice(0, 6));
  const waiting = new Following(journal.follow());
  await waiting.shows(6);
  fileSystem.before = ({ kind, name }) => {
    if (kind.startsWith("sync") && name.endsWith(".seg")) throw systemError("EIO");
  };
  await assertCode(() => journal.append(PAYLOADS[6]!), "POISONED");
  const late = new Following(journal.follow());
  for (const followed of [waiting, late]) {
    await assertCode(async () => Promise.reject(await followed.ended), "POISONED", "EIO");
    assertEquals(followed.seen, records);
  }
  await journal.close();
  assertEquals(fileSystem.openNames, []);
});

test("a segment that is removed under a slow follower is read to its end", async () => {
  for (const removed of [200n, 400n]) {
    using temp = tempDirectory();
    const { journal, fileSystem } = await open(temp.path);
    const records = await appendAll(journal, PAYLOADS);
    const followed = new Following(journal.follow(), async ({ offset }) => {
      if (offset === 50n) await journal.removeBefore(removed);
    });
    if (removed === 200n) {
      assertEquals(await followed.shows(12), records);
      assertEquals(openSegments(fileSystem), [segmentName(400), segmentName(400)]);
    } else {
      const error = await followed.ended;
      assert(error instanceof RangeError, `${error}`);
      assertEquals(error.message.includes("offset 200 does not lie between its start"), true);
      assertEquals(followed.seen, records.slice(0, 4));
      assertEquals(openSegments(fileSystem), [segmentName(400)]);
    }
    await journal.close();
  }
});

test("a segment that was rotated and removed between two steps of a follower is read to its end", async () => {
  using temp = tempDirectory();
  const { journal } = await open(temp.path);
  await appendAll(journal, PAYLOADS.slice(0, 2));
  const entries = journal.follow();
  await entries.next();
  await entries.next();
  // The follower has not seen where the segment ends.
  await appendAll(journal, PAYLOADS.slice(2));
  await journal.removeBefore(600n);
  const { value } = await entries.next();
  assertEquals(value.offset, 100n);
  await entries.next();
  await assertRejects(() => entries.next(), RangeError, "offset 200");
  await journal.close();
});

test("zeros that could not be cut off do not pass for damage once their segment is removed", async () => {
  using temp = tempDirectory();
  const fileSystem = new FaultyFileSystem();
  const journal = await ReservingJournal.open(temp.path, { fileSystem });
  const { writer } = journal;
  fileSystem.before = ({ kind }) => {
    if (kind === "truncate") throw systemError("EIO");
  };
  await appendAll(journal, PAYLOADS.slice(0, 1));
  const pages = followPages(writer, { from: 0n, verify: "both" });
  await pages.next();
  // The follower has not seen where the segment ends.
  for (const payload of PAYLOADS.slice(1, 4)) {
    await appendAll(journal, [payload]);
    writer.rotate();
  }
  await journal.removeBefore(150n);
  assertEquals((await pages.next()).value?.length, 1);
  await assertRejects(() => pages.next(), RangeError, "offset 100 does not lie between");
  await journal.close();
});

test("followPages() looks at its signal before each page", async () => {
  using temp = tempDirectory();
  const journal = await ReservingJournal.open(temp.path, {
    fileSystem: new FaultyFileSystem(),
    segmentBytes: SEGMENT_BYTES,
  });
  await appendAll(journal, PAYLOADS);
  const controller = new AbortController();
  const { signal } = controller;
  const pages = followPages(journal.writer, { from: 0n, signal, verify: "both" });
  assertEquals((await pages.next()).value?.length, 4);
  controller.abort(new Error("enough"));
  await assertRejects(() => pages.next(), Error, "enough");
  await journal.close();
});

test("a follower that has read a removed segment gives its space back while it waits", async () => {
  using temp = tempDirectory();
  const { journal, fileSystem } = await open(temp.path);
  const records = await appendAll(journal, PAYLOADS.slice(0, 2));
  const followed = new Following(journal.follow());
  await followed.shows(2);
  await followed.settles();
  await journal.rotate();
  assertEquals(openSegments(fileSystem), [segmentName(0), segmentName(100)]);
  await journal.removeBefore(100n);
  assertEquals(openSegments(fileSystem), [segmentName(100)]);
  records.push(...await appendAll(journal, PAYLOADS.slice(2, 3)));
  assertEquals(await followed.shows(3), records);
  // Also if it reads the rest after the removal.
  const late = journal.follow({ from: 100n });
  await late.next();
  records.push(...await appendAll(journal, PAYLOADS.slice(3, 5)));
  await followed.shows(5);
  await journal.rotate();
  await journal.removeBefore(250n);
  assertEquals(openSegments(fileSystem), [100, 250].map(segmentName));
  const rest = new Following(late);
  assertEquals(await rest.shows(2), records.slice(3));
  await rest.settles();
  assertEquals(openSegments(fileSystem), [segmentName(250)]);
  await journal.close();
});

test("a follower meets damage where it is, and says where that is", async () => {
  for (const [at, count] of [[16 + 50 + 45, 5], [9, 4]] as const) {
    using temp = tempDirectory();
    const { journal, fileSystem } = await open(temp.path);
    const records = await appendAll(journal, PAYLOADS);
    edit(temp.path, segmentName(200), (bytes) => void (bytes[at]! ^= 1));
    const followed = new Following(journal.follow());
    const path = join(temp.path, segmentName(200));
    const where = count === 5 ? ["no valid record at offset 250"] : ["header"];
    await assertCode(async () => Promise.reject(await followed.ended), "CORRUPT", path, ...where);
    assertEquals(followed.seen, records.slice(0, count));
    assertEquals(openSegments(fileSystem), [segmentName(400)]);
    await journal.close();
  }
});

test("a follower of a segment that was cut short says so", async () => {
  using temp = tempDirectory();
  const { journal } = await open(temp.path);
  await appendAll(journal, PAYLOADS);
  edit(temp.path, segmentName(200), (bytes) => bytes.subarray(0, 16 + 100));
  const followed = new Following(journal.follow());
  await assertCode(async () => Promise.reject(await followed.ended), "CORRUPT", "offset 300");
  await journal.close();
});

test("a consumer that stops early, or throws, leaves no file open", async () => {
  using temp = tempDirectory();
  const { journal } = await open(temp.path, { segmentBytes: 2 ** 20 });
  await appendAll(journal, PAYLOADS);
  const path = join(temp.path, segmentName(0));
  const held = () => process.platform === "linux" ? descriptorsOf(path).length : 1;
  assertEquals(held(), 1);
  const stopped = new Following(journal.follow(), () => {
    if (process.platform === "linux") assertEquals(held(), 2);
    return false;
  });
  assertEquals(await stopped.ended, undefined);
  const failure = new Error("the consumer's");
  const failed = new Following(journal.follow(), () => Promise.reject(failure));
  assertEquals(await failed.ended, failure);
  assertEquals([stopped.seen.length, failed.seen.length, held()], [1, 1, 1]);
  await journal.close();
});
