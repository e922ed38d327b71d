import { readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { assertEquals, assertLess, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { openWriter } from "../../journal/journal.ts";
import { Journal, nodeFileSystem } from "../../journal/mod.ts";
import { tempDirectory } from "../support/temp.ts";
import { FaultyFileSystem } from "./_faulty_file_system.ts";
import {
  concat,
  crc32cBitwise,
  encodeRecord,
  littleEndian,
  segmentName,
  segmentNames,
  writeSegment,
} from "./_format.ts";
import {
  assertWorks,
  copyDirectory,
  edit,
  openFast,
  payloadOf,
  readAll,
  writeJournal,
} from "./_journals.ts";
import { assertCode } from "../support/assert.ts";

const SEGMENT = segmentName(0);
const PAYLOADS = [payloadOf(1, 20), payloadOf(2, 0), payloadOf(3, 7), payloadOf(4, 31)];

for (const mark of ["as it was", "missing"]) {
  test(`a segment cut anywhere in its last record recovers to those before it, mark ${mark}`, async () => {
    using temp = tempDirectory();
    const whole = join(temp.path, "whole");
    const records = await writeJournal(whole, PAYLOADS);
    if (mark === "missing") rmSync(join(whole, ".durable"));
    const last = records.at(-1)!;
    const start = 16 + Number(last.offset);
    for (let size = start; size < start + 71; size++) {
      const directory = copyDirectory(whole, join(temp.path, `${size}`));
      truncateSync(join(directory, SEGMENT), size);
      {
        await using journal = await openFast(directory);
        const { recovery } = journal;
        assertEquals([recovery.records, recovery.truncatedBytes], [3, size - start]);
        const reasons: string[] = [];
        if (size > start) reasons.push(`torn tail at offset ${last.offset}: short`);
        if (mark !== "missing") {
          reasons.push(`71 bytes from offset ${last.offset} on had been synced and are missing`);
        }
        assertEquals(recovery.reason, reasons.length === 0 ? undefined : reasons.join("; "));
      }
      assertEquals(readFileSync(join(directory, SEGMENT)).length, start);
      await assertWorks(directory, records.slice(0, -1));
    }
  });

  test(`a segment cut anywhere recovers to whole records or is CORRUPT, mark ${mark}`, async () => {
    using temp = tempDirectory();
    const whole = join(temp.path, "whole");
    const records = await writeJournal(whole, PAYLOADS);
    if (mark === "missing") rmSync(join(whole, ".durable"));
    const size = readFileSync(join(whole, SEGMENT)).length;
    for (let cut = 0; cut < size; cut++) {
      const directory = copyDirectory(whole, join(temp.path, `${cut}`));
      truncateSync(join(directory, SEGMENT), cut);
      if (cut < 16 && mark !== "missing") {
        await assertCode(() => openFast(directory), "CORRUPT", "offset 0: header");
        continue;
      }
      const left = records.filter(({ offset, payload }) =>
        offset + 40n + BigInt(payload.length) <= BigInt(cut - 16)
      );
      await assertWorks(directory, left);
    }
  });
}

test("bytes behind the last record that are none are cut, whatever they are", async () => {
  using temp = tempDirectory();
  const whole = join(temp.path, "whole");
  const records = await writeJournal(whole, PAYLOADS);
  const tails = [
    Uint8Array.of(0),
    new Uint8Array(39),
    new Uint8Array(40),
    new Uint8Array(5000),
    new Uint8Array(39).fill(0xff),
    new Uint8Array(300).fill(0xff),
    (await encodeRecord(payloadOf(9, 50))).fill(7, 60, 61),
    (await encodeRecord(payloadOf(9, 50))).subarray(0, 89),
  ];
  for (const [i, tail] of tails.entries()) {
    const directory = copyDirectory(whole, join(temp.path, `${i}`));
    edit(directory, SEGMENT, (bytes) => concat(bytes, tail));
    await using journal = await Journal.open(directory);
    assertEquals(journal.recovery.truncatedBytes, tail.length);
    assertStringIncludes(journal.recovery.reason!, "torn tail at offset 218: ");
    await journal.close();
    await assertWorks(directory, records);
  }
});

test("a last record whose payload does not match its BLAKE3 is a torn tail by that name", async () => {
  using temp = tempDirectory();
  const good = payloadOf(1, 10);
  // A digest with which the CRC32C is right and the payload is not the one that was hashed.
  const length = littleEndian(3, 4);
  const rest = new Uint8Array(35).fill(9);
  const bad = concat(length, littleEndian(crc32cBitwise(length, rest), 4), rest);
  await writeSegment(temp.path, 0n, [good]);
  edit(temp.path, SEGMENT, (bytes) => concat(bytes, bad));
  await using journal = await Journal.open(temp.path);
  assertEquals(journal.recovery, {
    records: 1,
    truncatedBytes: 43,
    reason: "torn tail at offset 50: blake3",
  });
});

test("a damaged length takes no more memory than the file is long", async () => {
  using temp = tempDirectory();
  await writeJournal(temp.path, PAYLOADS);
  edit(temp.path, SEGMENT, (bytes) => void bytes.fill(0xff, 16 + 147, 16 + 151));
  const fileSystem = new FaultyFileSystem();
  await using journal = await Journal.open(temp.path, { fileSystem });
  assertEquals(journal.recovery.truncatedBytes, 71);
  assertLess(Math.max(...fileSystem.operations.map(({ bytes }) => bytes)), 2 ** 20);
});

test("a last segment without a whole header was being created, and is begun anew", async () => {
  using temp = tempDirectory();
  const whole = join(temp.path, "whole");
  const records = await writeJournal(whole, PAYLOADS);
  const header = readFileSync(join(whole, SEGMENT)).subarray(0, 16);
  const starts = [
    new Uint8Array(16),
    ...Array.from({ length: 16 }, (_, i) => header.subarray(0, i)),
  ];
  for (const [i, start] of starts.entries()) {
    const directory = copyDirectory(whole, join(temp.path, `${i}`));
    writeFileSync(join(directory, segmentName(218)), start);
    await using journal = await Journal.open(directory);
    assertEquals(journal.recovery, {
      records: 4,
      truncatedBytes: 0,
      reason: "unfinished segment at offset 218",
    });
    await journal.close();
    assertEquals(segmentNames(directory), [SEGMENT, segmentName(218)]);
    assertEquals(readFileSync(join(directory, segmentName(218))).length, 16);
    await assertWorks(directory, records);
  }
});

test("what precedes an unfinished segment had been synced, and its loss is reported", async () => {
  using temp = tempDirectory();
  const records = await writeJournal(temp.path, PAYLOADS);
  rmSync(join(temp.path, ".durable"));
  writeFileSync(join(temp.path, segmentName(218)), "");
  truncateSync(join(temp.path, SEGMENT), 16 + 218 - 5);
  await using journal = await Journal.open(temp.path);
  assertEquals(journal.recovery.reason?.split("; "), [
    "unfinished segment at offset 218",
    "torn tail at offset 147: short",
    "71 bytes from offset 147 on had been synced and are missing",
  ]);
  await journal.close();
  await assertWorks(temp.path, records.slice(0, -1));
});

test("openWriter() that requires what was synced refuses its loss, and changes nothing", async () => {
  using temp = tempDirectory();
  const whole = join(temp.path, "whole");
  await writeJournal(whole, PAYLOADS);
  for (const proof of ["mark", "unfinished segment"]) {
    for (const size of [16 + 147, 16 + 218 - 5]) {
      const directory = copyDirectory(whole, join(temp.path, `${proof} ${size}`));
      if (proof !== "mark") {
        rmSync(join(directory, ".durable"));
        writeFileSync(join(directory, segmentName(218)), "");
      }
      truncateSync(join(directory, SEGMENT), size);
      const before = readdirSync(directory).sort();
      const options = { segmentBytes: 1000, salvage: false, requireSynced: true };
      for (let round = 0; round < 2; round++) {
        await assertCode(() => openWriter(nodeFileSystem, directory, options), "CORRUPT", "147");
        assertEquals(readdirSync(directory).sort(), before);
        assertEquals(readFileSync(join(directory, SEGMENT)).length, size);
      }
    }
  }
  const { writer, recovery } = await openWriter(nodeFileSystem, whole, {
    segmentBytes: 1000,
    salvage: false,
    requireSynced: true,
  });
  assertEquals(recovery, { records: 4, truncatedBytes: 0 });
  await writer.close();
});

test("an empty last segment is kept and written to", async () => {
  using temp = tempDirectory();
  const records = await writeJournal(temp.path, PAYLOADS);
  await writeSegment(temp.path, 218n, []);
  await assertWorks(temp.path, records);
  assertEquals(segmentNames(temp.path), [SEGMENT, segmentName(218)]);
});

test("a journal without its segments is CORRUPT, and salvage goes on with its offsets", async () => {
  using temp = tempDirectory();
  await writeJournal(temp.path, PAYLOADS);
  rmSync(join(temp.path, SEGMENT));
  const reason = "no segment is left of what had been synced up to offset 218";
  await assertCode(() => Journal.open(temp.path), "CORRUPT", reason);
  await using journal = await Journal.open(temp.path, { salvage: true });
  assertEquals(journal.recovery, { records: 0, truncatedBytes: 0, reason });
  assertEquals(await journal.append(payloadOf(1, 1)), 218n);
});

test("offsets go on where they were when the only segment is an unfinished one", async () => {
  using temp = tempDirectory();
  writeFileSync(join(temp.path, segmentName(500)), "HSJL");
  await using journal = await Journal.open(temp.path);
  assertEquals(await journal.append(payloadOf(1, 1)), 500n);
  assertEquals(segmentNames(temp.path), [segmentName(500)]);
});

test("Journal.open() leaves files alone that are no segments", async () => {
  using temp = tempDirectory();
  const strangers = ["1.seg", "000000000000000000000.seg", "0".repeat(20) + ".seg.bak", "notes"];
  for (const name of strangers) writeFileSync(join(temp.path, name), name);
  await writeJournal(temp.path, PAYLOADS);
  await using journal = await Journal.open(temp.path);
  assertEquals((await readAll(journal)).length, 4);
  for (const name of strangers) assertEquals(readFileSync(join(temp.path, name), "utf8"), name);
  assertEquals(readdirSync(temp.path).length, strangers.length + 2);
});

test("Journal.open() refuses another format version and says which", async () => {
  using temp = tempDirectory();
  await writeJournal(temp.path, PAYLOADS);
  edit(temp.path, SEGMENT, (bytes) => void (bytes[4] = 3));
  for (const salvage of [false, true]) {
    await assertCode(() => Journal.open(temp.path, { salvage }), "UNSUPPORTED", "version is 3");
  }
});
