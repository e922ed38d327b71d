import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import process from "node:process";
import { test } from "node:test";
import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { join } from "@std/path";
import { Journal, JournalReader } from "../../journal/mod.ts";
import { tempDirectory } from "../support/temp.ts";
import { FaultyFileSystem } from "./_faulty_file_system.ts";
import { segmentName, segmentNames } from "./_format.ts";
import { appendAll, edit, payloadOf, readAll, writeJournal } from "./_journals.ts";
import { assertCode } from "../support/assert.ts";

const SEGMENT_BYTES = 216;
/** Four records of 50 bytes fill a segment. */
const PAYLOADS = Array.from({ length: 12 }, (_, i) => payloadOf(i, 10));

test("Journal.read() finds each record by its offset, in any segment and any order", async () => {
  using temp = tempDirectory();
  await using journal = await Journal.open(temp.path, { segmentBytes: SEGMENT_BYTES });
  const records = await appendAll(journal, PAYLOADS);
  assertEquals(journal.stats().segments, 3);
  for (const step of [1, 5, 7, 11]) {
    for (let i = 0; i < 12; i++) {
      const { offset, payload } = records[i * step % 12]!;
      assertEquals(await journal.read(offset), { payload, next: offset + 50n });
    }
  }
});

test("Journal.read() at the end gives undefined, and the record once there is one", async () => {
  using temp = tempDirectory();
  await using journal = await Journal.open(temp.path, { segmentBytes: SEGMENT_BYTES });
  assertEquals(await journal.read(0n), undefined);
  for (const payload of PAYLOADS) {
    const end = BigInt(journal.stats().bytes);
    assertEquals(await journal.read(end), undefined);
    await journal.append(payload);
    assertEquals((await journal.read(end))?.payload, payload);
  }
});

test("Journal.read() outside the journal is a RangeError", async () => {
  using temp = tempDirectory();
  await using journal = await Journal.open(temp.path, { segmentBytes: SEGMENT_BYTES });
  await appendAll(journal, PAYLOADS);
  await journal.removeBefore(200n);
  for (const offset of [-1n, 0n, 199n, 601n, 2n ** 63n, 2n ** 64n, 2n ** 80n]) {
    await assertRejects(() => journal.read(offset), RangeError, `offset ${offset} does not lie`);
  }
});

test("Journal.read() between two records is CORRUPT", async () => {
  using temp = tempDirectory();
  await using journal = await Journal.open(temp.path, { segmentBytes: SEGMENT_BYTES });
  const records = await appendAll(journal, PAYLOADS);
  const starts = new Set(records.map(({ offset }) => offset));
  for (let offset = 0n; offset < 600n; offset++) {
    if (starts.has(offset)) continue;
    await assertCode(() => journal.read(offset), "CORRUPT", `offset ${offset}`);
  }
});

test("Journal.read() of a record that was damaged since is CORRUPT", async () => {
  using temp = tempDirectory();
  await using journal = await Journal.open(temp.path, { segmentBytes: SEGMENT_BYTES });
  await appendAll(journal, PAYLOADS);
  edit(temp.path, segmentName(400), (bytes) => void (bytes[16 + 45]! ^= 1));
  await assertCode(() => journal.read(400n), "CORRUPT", "offset 400");
  assertEquals((await journal.read(450n))?.payload, PAYLOADS[9]);
});

test("Journal.entries() yields the records from an offset on, and those appended meanwhile", async () => {
  using temp = tempDirectory();
  await using journal = await Journal.open(temp.path, { segmentBytes: SEGMENT_BYTES });
  const records = await appendAll(journal, PAYLOADS.slice(0, 6));
  assertEquals(await readAll(journal, 250n), records.slice(5));
  assertEquals(await readAll(journal, 300n), []);
  await assertRejects(() => readAll(journal, 301n), RangeError);

  const seen: bigint[] = [];
  for await (const { offset, payload, next } of journal.entries()) {
    seen.push(offset);
    assertEquals(next, offset + 50n);
    assertEquals(payload, PAYLOADS[seen.length - 1]);
    if (seen.length < 11) await journal.append(PAYLOADS[seen.length + 5] ?? PAYLOADS[0]!);
    if (seen.length === 12) break;
  }
  assertEquals(seen, PAYLOADS.map((_, i) => BigInt(i * 50)));
});

test("Journal.removeBefore() removes the segments that lie below the cursor as a whole", async () => {
  using temp = tempDirectory();
  const options = { segmentBytes: SEGMENT_BYTES };
  const journal = await Journal.open(temp.path, options);
  const records = await appendAll(journal, PAYLOADS);
  for (const [cursor, removed, left] of [[0, 0, 3], [199, 0, 3], [200, 1, 2], [399, 0, 2]]) {
    assertEquals(await journal.removeBefore(BigInt(cursor!)), removed, `${cursor}`);
    assertEquals(journal.stats().segments, left);
  }
  assertEquals(segmentNames(temp.path), [200, 400].map(segmentName));
  assertEquals(await readAll(journal), records.slice(4));
  assertEquals((await journal.read(200n))?.payload, PAYLOADS[4]);
  assertEquals(journal.stats().bytes, 400);

  // The last segment stays, even where the cursor is behind all of it.
  assertEquals(await journal.removeBefore(600n), 1);
  assertEquals(segmentNames(temp.path), [segmentName(400)]);
  await assertRejects(() => journal.removeBefore(601n), RangeError, "cursor 601");
  await assertRejects(() => journal.read(399n), RangeError);
  await journal.close();

  await using reopened = await Journal.open(temp.path, options);
  assertEquals(reopened.recovery, { records: 4, truncatedBytes: 0 });
  assertEquals(await readAll(reopened), records.slice(8));
  assertEquals(await reopened.append(PAYLOADS[0]!), 600n);
});

test("Journal.removeBefore() comes after the appends that were called before it", async () => {
  using temp = tempDirectory();
  await using journal = await Journal.open(temp.path, { segmentBytes: SEGMENT_BYTES });
  await appendAll(journal, PAYLOADS.slice(0, 4));
  const appending = journal.append(PAYLOADS[4]!);
  assertEquals(await journal.removeBefore(200n), 1);
  assertEquals(await appending, 200n);
});

test("Journal.removeBefore() keeps no removed segment open", async () => {
  using temp = tempDirectory();
  const fileSystem = new FaultyFileSystem();
  const options = { segmentBytes: SEGMENT_BYTES, fileSystem };
  await using journal = await Journal.open(temp.path, options);
  await appendAll(journal, PAYLOADS);
  await journal.read(0n);
  assertEquals(fileSystem.openNames.filter((name) => name === segmentName(0)).length, 1);
  await journal.removeBefore(600n);
  assertEquals(fileSystem.openNames.sort(), [".durable", segmentName(400)]);
  // One by one: a gap would read as damage.
  const kinds = fileSystem.operations.slice(-4).map(({ kind }) => kind.replace(/Async$/, ""));
  assertEquals(kinds, ["remove", "syncDirectory", "remove", "syncDirectory"]);
});

test("payloads are copied on the way in and on the way out", async () => {
  using temp = tempDirectory();
  await using journal = await Journal.open(temp.path);
  const payload = Uint8Array.of(1, 2, 3);
  const appending = journal.append(payload);
  payload.fill(9);
  const record = await journal.read(await appending);
  const again = await journal.read(0n);
  assertEquals(record?.payload, Uint8Array.of(1, 2, 3));
  record!.payload.fill(7);
  assertEquals(again?.payload, Uint8Array.of(1, 2, 3));

  const part = Uint8Array.of(0, 1, 2, 3, 4).subarray(1, 3);
  assertEquals((await journal.read(await journal.append(part)))?.payload, Uint8Array.of(1, 2));
  const buffer = Buffer.from("abc");
  const back = (await journal.read(await journal.append(buffer)))?.payload;
  assertEquals(back, Uint8Array.of(97, 98, 99));
});

test("wrong arguments are TypeErrors and RangeErrors, and change nothing", async () => {
  using temp = tempDirectory();
  await using journal = await Journal.open(temp.path);
  const records = await appendAll(journal, PAYLOADS.slice(0, 2));
  const size = statSync(join(temp.path, segmentName(0))).size;
  for (const wrong of [undefined, null, 1, "text", [1, 2], new ArrayBuffer(3), {}]) {
    await assertRejects(() => journal.append(wrong as Uint8Array), TypeError, "Cannot append");
  }
  // Its length is all that is looked at.
  const tooLong = Object.defineProperty(new Uint8Array(0), "length", { value: 2 ** 30 + 1 });
  await assertRejects(
    () => journal.append(tooLong),
    RangeError,
    "more than the limit of 1073741824",
  );
  for (const wrong of [undefined, null, 0, "0"]) {
    await assertRejects(() => journal.read(wrong as unknown as bigint), TypeError, "not a bigint");
    await assertRejects(() => journal.removeBefore(wrong as unknown as bigint), TypeError);
  }
  await assertRejects(() => readAll(journal, 0 as unknown as bigint), TypeError);
  assertEquals(statSync(join(temp.path, segmentName(0))).size, size);
  assertEquals(await readAll(journal), records);
  assertEquals(journal.stats().appends, 2);
});

test("Journal.open() checks its arguments before it touches the disk", async () => {
  using temp = tempDirectory();
  const directory = join(temp.path, "journal");
  for (const wrong of [undefined, null, 1, {}]) {
    await assertRejects(() => Journal.open(wrong as string), TypeError, "directory is");
    await assertRejects(() => JournalReader.open(wrong as string), TypeError, "directory is");
  }
  for (const segmentBytes of [0, 63, 64.5, NaN, Infinity, -1, 2 ** 40 + 1]) {
    await assertRejects(
      () => Journal.open(directory, { segmentBytes }),
      RangeError,
      "segmentBytes",
    );
  }
  const wrongType = { segmentBytes: "100" as unknown as number };
  await assertRejects(() => Journal.open(directory, wrongType), TypeError, "segmentBytes");
  const wrongSync = { sync: "always" as "group" };
  await assertRejects(() => Journal.open(directory, wrongSync), TypeError, "sync is always");
  assertEquals(existsSync(directory), false);
});

test("Journal.open() creates its directory for the owner alone", async () => {
  using temp = tempDirectory();
  const directory = join(temp.path, "a", "b");
  await using journal = await Journal.open(directory, { segmentBytes: 64 });
  await appendAll(journal, PAYLOADS);
  const mode = (...path: string[]) => statSync(join(temp.path, ...path)).mode & 0o777;
  if (process.platform !== "win32") {
    assertEquals([mode("a"), mode("a", "b")], [0o700, 0o700]);
    const names = readdirSync(directory);
    assertEquals(names.map((name) => mode("a", "b", name)), names.map(() => 0o600));
  }
  assertEquals(readdirSync(directory).length, PAYLOADS.length + 1);
});

test("Journal.open() of a path that is no directory is an IO error", async () => {
  using temp = tempDirectory();
  const path = join(temp.path, "file");
  writeFileSync(path, "");
  await assertCode(() => Journal.open(path), "IO", "Cannot open journal");
  await assertCode(() => Journal.open(join(path, "below")), "IO", "Cannot open journal");
  await assertCode(() => JournalReader.open(join(temp.path, "none")), "IO", "Cannot read journal");
});

test("a journal stays where it is when the working directory changes", async () => {
  using temp = tempDirectory();
  const elsewhere = join(temp.path, "elsewhere");
  mkdirSync(elsewhere);
  const before = process.cwd();
  try {
    process.chdir(temp.path);
    await using journal = await Journal.open("journal", { segmentBytes: SEGMENT_BYTES });
    const reader = await JournalReader.open("journal");
    process.chdir(elsewhere);
    const records = await appendAll(journal, PAYLOADS);
    assertEquals(await readAll(journal), records);
    assertEquals(await readAll(reader), records);
    reader.close();
    assertEquals(segmentNames(join(temp.path, "journal")).length, 3);
  } finally {
    process.chdir(before);
  }
});

test("Journal.close() drains, is idempotent, and refuses all use from then on", async () => {
  using temp = tempDirectory();
  const journal = await Journal.open(temp.path, { segmentBytes: SEGMENT_BYTES });
  const appends = PAYLOADS.map((payload) => journal.append(payload));
  const closing = journal.close();
  assertStrictEquals(journal.close(), closing);
  const calls: (() => Promise<unknown>)[] = [
    () => journal.append(PAYLOADS[0]!),
    () => journal.read(0n),
    () => readAll(journal),
    () => journal.sync(),
    () => journal.removeBefore(0n),
  ];
  for (const call of calls) await assertCode(call, "CLOSED", "the journal is closed");
  assertEquals(await Promise.all(appends), PAYLOADS.map((_, i) => BigInt(i * 50)));
  await closing;
  await journal[Symbol.asyncDispose]();
  for (const call of calls) await assertCode(call, "CLOSED", "the journal is closed");

  await using reopened = await Journal.open(temp.path);
  assertEquals(reopened.recovery, { records: 12, truncatedBytes: 0 });
});

test("Journal.close() makes durable what was appended right before", async () => {
  using temp = tempDirectory();
  const fileSystem = new FaultyFileSystem();
  const journal = await Journal.open(temp.path, { fileSystem, sync: "manual" });
  const appending = journal.append(PAYLOADS[0]!);
  await journal.close();
  assertEquals(await appending, 0n);
  const steps = fileSystem.operations.filter(({ name }) => name === segmentName(0));
  assertEquals(steps.slice(-3).map(({ kind }) => kind), ["write", "sync", "close"]);
});

test("Journal.stats() counts what was done since the journal was opened", async () => {
  using temp = tempDirectory();
  await writeJournal(temp.path, PAYLOADS, { segmentBytes: SEGMENT_BYTES });
  await using journal = await Journal.open(temp.path, { segmentBytes: SEGMENT_BYTES });
  const size = { bytes: 600, segments: 3 };
  assertEquals(journal.stats(), { appends: 0, groups: 0, syncs: 0, ...size });
  await Promise.all([journal.append(new Uint8Array(0)), journal.append(new Uint8Array(1))]);
  assertEquals(journal.stats(), { appends: 2, groups: 1, syncs: 2, bytes: 681, segments: 4 });
});
