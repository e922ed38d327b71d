import { appendFileSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { assertEquals, assertGreater, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { Journal, JournalReader } from "../../journal/mod.ts";
import { tempDirectory } from "../support/temp.ts";
import { FaultyFileSystem, type Operation, systemError } from "./_faulty_file_system.ts";
import {
  concat,
  crc32cBitwise,
  encodeRecord,
  encodeSegment,
  littleEndian,
  segmentName,
  writeSegment,
} from "./_format.ts";
import { appendAll, edit, payloadOf, readAll, writeJournal } from "./_journals.ts";
import { assertCode } from "../support/assert.ts";

const SEGMENT = segmentName(0);
const SEGMENT_BYTES = 216;
/** Four records of 50 bytes fill a segment. */
const PAYLOADS = Array.from({ length: 12 }, (_, i) => payloadOf(i, 10));

function writeMark(directory: string, offset: bigint): void {
  const bytes = littleEndian(offset, 8);
  const crc = littleEndian(crc32cBitwise(bytes), 4);
  writeFileSync(join(directory, ".durable"), concat(bytes, crc));
}

/** Calls `react` once, before the first operation that matches, or the nth. */
function once(
  fileSystem: FaultyFileSystem,
  matches: (operation: Operation) => boolean,
  react: () => void,
  nth = 1,
): void {
  fileSystem.before = (operation) => {
    if (!matches(operation) || --nth > 0) return;
    fileSystem.before = () => {};
    react();
  };
}

test("JournalReader.read() looks again on a miss, over segments that come and go", async () => {
  using temp = tempDirectory();
  await using journal = await Journal.open(temp.path, { segmentBytes: SEGMENT_BYTES });
  const reader = await JournalReader.open(temp.path);
  for (const [i, payload] of PAYLOADS.entries()) {
    const offset = BigInt(i * 50);
    assertEquals(await reader.read(offset), undefined);
    await journal.append(payload);
    assertEquals(await reader.read(offset), { payload, next: offset + 50n });
    await journal.removeBefore(offset);
  }
  await assertRejects(() => reader.read(0n), RangeError, "before the oldest segment, which starts");
  assertEquals(await readAll(reader), await readAll(journal));
  reader.close();
});

test("JournalReader.read() of an empty directory waits for offset 0 alone", async () => {
  using temp = tempDirectory();
  const reader = await JournalReader.open(temp.path);
  assertEquals(await reader.read(0n), undefined);
  assertEquals(await readAll(reader), []);
  await assertRejects(() => reader.read(1n), RangeError, "it is empty");
  await assertRejects(() => reader.read(-1n), RangeError);
  reader.close();
});

test("JournalReader.read() behind the end is a RangeError, however far", async () => {
  using temp = tempDirectory();
  await writeJournal(temp.path, PAYLOADS, { segmentBytes: SEGMENT_BYTES });
  const reader = await JournalReader.open(temp.path);
  for (const warmUp of [0n, 550n]) {
    await reader.read(warmUp);
    for (const offset of [601n, 700n, 2n ** 53n, 2n ** 63n, 2n ** 70n]) {
      await assertRejects(() => reader.read(offset), RangeError, "behind the end, which is 600");
    }
  }
  reader.close();
});

test("JournalReader takes bigints alone, and nothing once it is closed", async () => {
  using temp = tempDirectory();
  const reader = await JournalReader.open(temp.path);
  await assertRejects(() => reader.read(0 as unknown as bigint), TypeError, "not a bigint");
  reader.close();
  reader.close();
  await assertCode(() => reader.read(0n), "CLOSED", "the reader is closed");
  await assertCode(() => readAll(reader), "CLOSED");
});

test("JournalReader.read() gives a record once it is whole, at whatever byte it was seen", async () => {
  using temp = tempDirectory();
  await writeSegment(temp.path, 0n, PAYLOADS.slice(0, 1));
  writeMark(temp.path, 50n);
  const record = await encodeRecord(PAYLOADS[1]!);
  const reader = await JournalReader.open(temp.path);
  for (const byte of record) {
    assertEquals(await reader.read(50n), undefined);
    appendFileSync(join(temp.path, SEGMENT), Uint8Array.of(byte));
  }
  assertEquals(await reader.read(50n), { payload: PAYLOADS[1]!, next: 100n });
  reader.close();
});

test("JournalReader.read() does not mix a cut record with the one that took its place", async () => {
  using temp = tempDirectory();
  const path = join(temp.path, SEGMENT);
  const long = await encodeRecord(payloadOf(5, 1000));
  await writeSegment(temp.path, 0n, PAYLOADS.slice(0, 1));
  writeMark(temp.path, 50n);
  appendFileSync(path, long.subarray(0, 500));
  const reader = await JournalReader.open(temp.path);
  // This brings the beginning of the long record into memory.
  assertEquals((await reader.read(0n))?.next, 50n);
  truncateSync(path, 16 + 50);
  const short = await Promise.all(Array.from({ length: 40 }, () => encodeRecord(PAYLOADS[2]!)));
  appendFileSync(path, concat(...short));
  assertEquals(await reader.read(50n), { payload: PAYLOADS[2]!, next: 100n });
  reader.close();
});

test("JournalReader.read() finds a segment that was made anew under the same name", async () => {
  using temp = tempDirectory();
  const reader = await JournalReader.open(temp.path);
  await writeSegment(temp.path, 0n, []);
  writeMark(temp.path, 0n);
  assertEquals(await reader.read(0n), undefined);
  // As a writer does that could not finish it, and tries again.
  rmSync(join(temp.path, SEGMENT));
  await writeSegment(temp.path, 0n, PAYLOADS);
  assertEquals((await reader.read(0n))?.payload, PAYLOADS[0]);
  reader.close();
});

test("JournalReader.read() waits for a segment that is being created", async () => {
  using temp = tempDirectory();
  await writeSegment(temp.path, 0n, PAYLOADS.slice(0, 4));
  writeMark(temp.path, 200n);
  const reader = await JournalReader.open(temp.path);
  const path = join(temp.path, segmentName(200));
  writeFileSync(path, "");
  for (const byte of await encodeSegment(200n, [PAYLOADS[4]!])) {
    assertEquals(await reader.read(200n), undefined);
    appendFileSync(path, Uint8Array.of(byte));
  }
  assertEquals((await reader.read(200n))?.payload, PAYLOADS[4]);
  reader.close();
});

test("JournalReader.read() sees an empty journal while its first segment is being created", async () => {
  using temp = tempDirectory();
  const reader = await JournalReader.open(temp.path);
  const fileSystem = new FaultyFileSystem();
  const seen: Promise<unknown>[] = [];
  fileSystem.before = () => void seen.push(reader.read(0n));
  const journal = await Journal.open(temp.path, { fileSystem });
  fileSystem.before = () => {};
  assertEquals(await Promise.all(seen), seen.map(() => undefined));
  assertGreater(seen.length, 5);
  reader.close();
  await journal.close();
});

test("JournalReader.read() of damage is CORRUPT, of another version UNSUPPORTED", async () => {
  using temp = tempDirectory();
  await writeJournal(temp.path, PAYLOADS, { segmentBytes: SEGMENT_BYTES });
  const reader = await JournalReader.open(temp.path);
  edit(temp.path, segmentName(200), (bytes) => void (bytes[16 + 60]! ^= 1));
  assertEquals((await reader.read(200n))?.payload, PAYLOADS[4]);
  await assertCode(() => reader.read(250n), "CORRUPT", "offset 250");
  await assertCode(() => reader.read(201n), "CORRUPT", "offset 201");
  edit(temp.path, segmentName(200), (bytes) => bytes.subarray(0, 16 + 120));
  reader.release();
  await assertCode(() => reader.read(300n), "CORRUPT", "offset 300");
  await assertCode(() => reader.read(350n), "CORRUPT", "offset 350");

  edit(temp.path, segmentName(400), (bytes) => void (bytes[16 + 160]! ^= 1));
  await assertCode(() => reader.read(550n), "CORRUPT", "offset 550");
  // What the mark does not cover may still be in the middle of being written.
  writeMark(temp.path, 550n);
  assertEquals(await reader.read(550n), undefined);
  rmSync(join(temp.path, ".durable"));
  await assertCode(() => reader.read(550n), "CORRUPT", "offset 550");

  edit(temp.path, segmentName(0), (bytes) => void (bytes[4] = 9));
  await assertCode(() => reader.read(0n), "UNSUPPORTED", "version is 9");
  edit(temp.path, segmentName(400), (bytes) => void (bytes[0] = 9));
  await assertCode(() => reader.read(400n), "CORRUPT", "segment header");
  reader.close();
});

test("JournalReader.read() does not take what was synced while it looked for damage", async () => {
  using temp = tempDirectory();
  const record = await encodeRecord(PAYLOADS[1]!);
  for (const seen of [0, 20, 45]) {
    // Before each operation of the read in turn.
    for (let nth = 1; nth <= 20; nth++) {
      await writeSegment(temp.path, 0n, PAYLOADS.slice(0, 1));
      writeMark(temp.path, 50n);
      appendFileSync(join(temp.path, SEGMENT), record.subarray(0, seen));
      const fileSystem = new FaultyFileSystem();
      const reader = await JournalReader.open(temp.path, { fileSystem });
      assertEquals(await reader.read(50n), undefined);
      const append = () => {
        appendFileSync(join(temp.path, SEGMENT), record.subarray(seen));
        writeMark(temp.path, 100n);
      };
      once(fileSystem, () => true, append, nth);
      const found = await reader.read(50n);
      if (found !== undefined) assertEquals(found.payload, PAYLOADS[1]);
      fileSystem.before = () => {};
      append();
      assertEquals((await reader.read(50n))?.payload, PAYLOADS[1]);
      reader.close();
    }
  }
});

test("JournalReader.read() of a segment that goes while it looks is as of one that is gone", async () => {
  using temp = tempDirectory();
  await writeJournal(temp.path, PAYLOADS, { segmentBytes: SEGMENT_BYTES });
  const fileSystem = new FaultyFileSystem();
  const reader = await JournalReader.open(temp.path, { fileSystem });
  once(fileSystem, (op) => op.kind === "open" && op.name === SEGMENT, () => {
    rmSync(join(temp.path, SEGMENT));
  });
  await assertRejects(() => reader.read(0n), RangeError, "the oldest segment, which starts at 200");

  // A segment that is taken back before it was finished: the one before it may go on.
  writeFileSync(join(temp.path, segmentName(600)), "");
  once(fileSystem, (op) => op.kind === "open" && op.name === segmentName(600), () => {
    rmSync(join(temp.path, segmentName(600)));
  });
  assertEquals(await reader.read(600n), undefined);
  assertEquals((await reader.read(550n))?.payload, PAYLOADS[11]);
  reader.close();
});

test("JournalReader keeps a removed segment readable while it is open, until it is released", async () => {
  using temp = tempDirectory();
  const fileSystem = new FaultyFileSystem();
  await using journal = await Journal.open(temp.path, { segmentBytes: SEGMENT_BYTES });
  await appendAll(journal, PAYLOADS);
  const reader = await JournalReader.open(temp.path, { fileSystem });
  await reader.read(0n);
  await journal.removeBefore(600n);
  assertEquals((await reader.read(150n))?.payload, PAYLOADS[3]);
  assertEquals(fileSystem.openNames, [SEGMENT]);
  reader.release();
  assertEquals(fileSystem.openNames, []);
  await assertRejects(() => reader.read(150n), RangeError);
  assertEquals((await reader.read(400n))?.payload, PAYLOADS[8]);
  reader.close();
  assertEquals(fileSystem.openNames, []);
});

test("JournalReader turns errors of file operations into StoreErrors, and goes on after", async () => {
  using temp = tempDirectory();
  await writeJournal(temp.path, PAYLOADS, { segmentBytes: SEGMENT_BYTES });
  const fileSystem = new FaultyFileSystem();
  const reader = await JournalReader.open(temp.path, { fileSystem });
  for (const kind of ["list", "open", "read", "size"] as const) {
    reader.release();
    once(fileSystem, (op) => op.kind === kind, () => {
      throw systemError("EIO");
    });
    await assertCode(() => reader.read(250n), "IO", "at offset 250");
    assertEquals((await reader.read(250n))?.payload, PAYLOADS[5]);
  }
  reader.close();
  assertEquals(fileSystem.openNames, []);
});

test("JournalReader reads long records without keeping them, and short ones from memory", async () => {
  using temp = tempDirectory();
  const payloads = [...PAYLOADS, payloadOf(1, 700_000), ...PAYLOADS, payloadOf(2, 300_000)];
  const records = await writeJournal(temp.path, payloads);
  const fileSystem = new FaultyFileSystem();
  const reader = await JournalReader.open(temp.path, { fileSystem });
  assertEquals(await readAll(reader), records);
  const { length } = readFileSync(join(temp.path, SEGMENT));
  // Each window takes at most four calls, and there are few windows.
  assertEquals(fileSystem.count("read") <= 4 * (2 + Math.ceil(length / 2 ** 18)), true);
  reader.close();
});
