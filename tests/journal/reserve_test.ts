import { appendFileSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { assert, assertEquals, assertGreater } from "@std/assert";
import { join } from "@std/path";
import { openWriter } from "../../journal/journal.ts";
import { Journal, JournalReader, type JournalRecovery } from "../../journal/mod.ts";
import { sealRecord } from "../../journal/record.ts";
import { tempDirectory } from "../support/temp.ts";
import { FaultyFileSystem, systemError } from "./_faulty_file_system.ts";
import { type DecodedRecord, decodeJournal, segmentName, segmentNames } from "./_format.ts";
import { appendAll, copyDirectory, edit, payloadOf, readAll } from "./_journals.ts";
import { RESERVED_BYTES_MAX, ReservingJournal } from "./_reserving.ts";
import { assertCode } from "../support/assert.ts";

const SEGMENT = segmentName(0);
const RECORD_BYTES = 50;
/** Four records of 50 bytes fill a segment. */
const SEGMENT_BYTES = 216;
const PAYLOADS = Array.from({ length: 10 }, (_, i) => payloadOf(i, 10));
const SOUND: JournalRecovery = { records: 10, truncatedBytes: 0 };

function open(
  directory: string,
  segmentBytes = 2 ** 26,
  fileSystem = new FaultyFileSystem(),
): Promise<ReservingJournal> {
  return ReservingJournal.open(directory, { fileSystem, segmentBytes });
}

function sizeOf(directory: string, name = SEGMENT): number {
  return statSync(join(directory, name)).size;
}

/** Writes ten records with a sync for each, and copies the journal as its process would leave it. */
async function crash(
  directory: string,
  target: string,
  segmentBytes?: number,
): Promise<DecodedRecord[]> {
  await using journal = await open(directory, segmentBytes);
  const records = await appendAll(journal, PAYLOADS);
  copyDirectory(directory, target);
  return records;
}

/** Fails unless a journal opens without a word and holds these records, and nothing but records is left
 * in its last segment.
 */
async function assertSound(
  directory: string,
  records: DecodedRecord[],
  segmentBytes?: number,
): Promise<void> {
  const extra = payloadOf(99, 7);
  let offset: bigint;
  {
    await using journal = await open(directory, segmentBytes);
    assertEquals(journal.recovery, { records: records.length, truncatedBytes: 0 });
    const { base } = journal.writer.segments.at(-1)!;
    const used = 16 + Number(journal.writer.end - base);
    assertEquals(sizeOf(directory, segmentName(base)), used);
    assertEquals(await readAll(journal), records);
    offset = await journal.append(extra);
  }
  await using journal = await open(directory, segmentBytes);
  assertEquals(journal.recovery, { records: records.length + 1, truncatedBytes: 0 });
  assertEquals(await readAll(journal), [...records, { offset, payload: extra }]);
}

test("small syncs find zeros behind the records, which are topped up before they run out", async () => {
  using temp = tempDirectory();
  const journal = await open(temp.path);
  const sizes: number[] = [];
  const payload = payloadOf(1, 4000);
  for (let i = 0; i < 200; i++) {
    await journal.append(payload);
    const size = sizeOf(temp.path);
    if (size !== sizes.at(-1)) sizes.push(size);
    const zeros = readFileSync(join(temp.path, SEGMENT)).subarray(16 + Number(journal.writer.end));
    assert(zeros.every((byte) => byte === 0));
    assertGreater(zeros.length, 16 * 1024 - 1);
    assertGreater(RESERVED_BYTES_MAX + 1, zeros.length);
  }
  const step = 256 * 1024;
  const first = 16 + 4040 + step;
  assertEquals(sizes, [first, first + step, first + 2 * step, first + 3 * step]);
  await journal.close();
  assertEquals(sizeOf(temp.path), 16 + 200 * 4040);
  assertEquals((await decodeJournal(temp.path)).length, 200);
});

test("zeros end where the segment is to end", async () => {
  using temp = tempDirectory();
  const journal = await open(temp.path, SEGMENT_BYTES);
  for (const [i, payload] of PAYLOADS.entries()) {
    await journal.append(payload);
    const names = segmentNames(temp.path);
    assertEquals(names.length, Math.floor(i / 4) + 1);
    // What was rotated away from ends with its last record.
    assertEquals(names.map((name) => sizeOf(temp.path, name)), names.map(() => SEGMENT_BYTES));
  }
  await journal.close();
  assertEquals((await decodeJournal(temp.path)).map(({ payload }) => payload), PAYLOADS);
});

test("neither large syncs nor a journal of its own reserve anything", async () => {
  using temp = tempDirectory();
  const large = await open(join(temp.path, "large"));
  await large.append(payloadOf(1, 16 * 1024));
  assertEquals(sizeOf(join(temp.path, "large")), 16 + 40 + 16 * 1024);
  await large.close();
  const directory = join(temp.path, "plain");
  const plain = await Journal.open(directory, { fileSystem: new FaultyFileSystem() });
  await appendAll(plain, PAYLOADS);
  assertEquals(sizeOf(directory), 16 + 10 * RECORD_BYTES);
  await plain.close();
});

test("a segment that is rotated away from, and one that is closed, end with a record", async () => {
  using temp = tempDirectory();
  const journal = await open(temp.path, 400_000);
  // The reserve is large in each segment when it is rotated.
  const payloads = [300_000, 10, 200_000, 10, 250_000, 10].map((length, i) => payloadOf(i, length));
  await appendAll(journal, payloads);
  assertEquals(segmentNames(temp.path).length, 3);
  const last = segmentNames(temp.path).at(-1)!;
  assertEquals(sizeOf(temp.path, last), 400_000);
  for (const name of segmentNames(temp.path).slice(0, -1)) {
    assertGreater(350_000, sizeOf(temp.path, name));
  }
  await journal.close();
  assertEquals((await decodeJournal(temp.path)).map(({ payload }) => payload), payloads);
});

test("zeros that a crash leaves are cut without a word, however many are left of them", async () => {
  using temp = tempDirectory();
  const image = join(temp.path, "image");
  const records = await crash(join(temp.path, "journal"), image);
  const end = 16 + 10 * RECORD_BYTES;
  assertEquals(sizeOf(image), 16 + RECORD_BYTES + 256 * 1024);
  for (const zeros of [0, 1, 39, 40, 41, 4096, 256 * 1024, RESERVED_BYTES_MAX]) {
    const copy = copyDirectory(image, join(temp.path, `${zeros}`));
    edit(copy, SEGMENT, (bytes) => {
      const changed = new Uint8Array(end + zeros);
      changed.set(bytes.subarray(0, end));
      return changed;
    });
    await assertSound(copy, records);
  }
});

test("one byte among the zeros is reported, and the zeros behind it do not count", async () => {
  using temp = tempDirectory();
  const image = join(temp.path, "image");
  await crash(join(temp.path, "journal"), image);
  const end = 16 + 10 * RECORD_BYTES;
  const size = sizeOf(image);
  for (const at of [end, end + 7, end + 39, end + 40, end + 5000, size - 1]) {
    const copy = copyDirectory(image, join(temp.path, `${at}`));
    edit(copy, SEGMENT, (bytes) => void (bytes[at] = 1));
    const journal = await open(copy);
    const { records, truncatedBytes, reason } = journal.recovery;
    assertEquals([records, truncatedBytes], [10, at + 1 - end]);
    assert(/^torn tail at offset 500: (short|crc32c)$/.test(reason!), reason);
    await journal.close();
  }
});

test("zeros that are more than any writer reserves are reported", async () => {
  using temp = tempDirectory();
  const image = join(temp.path, "image");
  await crash(join(temp.path, "journal"), image);
  appendFileSync(join(image, SEGMENT), new Uint8Array(RESERVED_BYTES_MAX));
  const journal = await open(image);
  assertEquals(journal.recovery, {
    records: 10,
    // There were 256 KiB with the first record.
    truncatedBytes: 256 * 1024 - 9 * RECORD_BYTES,
    reason: "torn tail at offset 500: crc32c",
  });
  await journal.close();
});

test("zeros over what was synced are CORRUPT, wherever they begin and end", async () => {
  using temp = tempDirectory();
  const image = join(temp.path, "image");
  await crash(join(temp.path, "journal"), image);
  const size = sizeOf(image);
  for (let from = 0; from < 10 * RECORD_BYTES; from += 5) {
    for (const to of [16 + 10 * RECORD_BYTES, size]) {
      for (const isCut of [false, true]) {
        const copy = copyDirectory(image, join(temp.path, "copy"));
        edit(copy, SEGMENT, (bytes) => {
          bytes.fill(0, 16 + from, to);
          if (isCut) return bytes.subarray(0, to);
        });
        const damaged = sizeOf(copy);
        const error = await assertCode(() => open(copy), "CORRUPT");
        assertEquals(sizeOf(copy), damaged);
        const offset = Math.floor(from / RECORD_BYTES) * RECORD_BYTES;
        assert(error.message.includes(`offset ${offset}`), error.message);
        rmSync(copy, { recursive: true });
      }
    }
  }
});

test("zeros over records of a segment that has a successor are CORRUPT", async () => {
  using temp = tempDirectory();
  const image = join(temp.path, "image");
  await crash(join(temp.path, "journal"), image, SEGMENT_BYTES);
  for (const mark of ["there", "missing"]) {
    for (const name of segmentNames(image).slice(0, -1)) {
      for (let from = 16; from < SEGMENT_BYTES; from += 25) {
        for (const zeros of [0, 30, 1000]) {
          const copy = copyDirectory(image, join(temp.path, "copy"));
          edit(copy, name, (bytes) => void bytes.fill(0, from));
          appendFileSync(join(copy, name), new Uint8Array(zeros));
          if (mark === "missing") rmSync(join(copy, ".durable"));
          await assertCode(() => open(copy, SEGMENT_BYTES), "CORRUPT");
          rmSync(copy, { recursive: true });
        }
      }
    }
  }
});

test("zeros where the mark is missing are reported", async () => {
  using temp = tempDirectory();
  const image = join(temp.path, "image");
  await crash(join(temp.path, "journal"), image);
  rmSync(join(image, ".durable"));
  edit(image, SEGMENT, (bytes) => void bytes.fill(0, 16 + 6 * RECORD_BYTES));
  const journal = await open(image);
  assertEquals(journal.recovery.records, 6);
  assertEquals(journal.recovery.reason, "torn tail at offset 300: crc32c");
  await journal.close();
});

for (const zeros of [0, 1, 1000]) {
  test(`a damaged header of a segment with ${zeros} zeros and no record costs nothing`, async () => {
    using temp = tempDirectory();
    await (await open(temp.path)).close();
    appendFileSync(join(temp.path, SEGMENT), new Uint8Array(zeros));
    const healthy = readFileSync(join(temp.path, SEGMENT));
    for (let at = 0; at < 16; at++) {
      edit(temp.path, SEGMENT, (bytes) => void (bytes[at]! ^= 1));
      if (at >= 4 && at < 8) {
        await assertCode(() => open(temp.path), "UNSUPPORTED");
      } else {
        const journal = await open(temp.path);
        const reason = "torn tail at offset 0: header";
        assertEquals(journal.recovery, { records: 0, truncatedBytes: 0, reason });
        await journal.close();
        assertEquals(readFileSync(join(temp.path, SEGMENT)), healthy.subarray(0, 16));
      }
      writeFileSync(join(temp.path, SEGMENT), healthy);
    }
    await assertSound(temp.path, []);
  });
}

for (const zeros of [0, 1000]) {
  test(`a segment that goes on behind its successor's base is CORRUPT, ${zeros} zeros`, async () => {
    using temp = tempDirectory();
    const image = join(temp.path, "image");
    await crash(join(temp.path, "journal"), image, SEGMENT_BYTES);
    const [first, second] = segmentNames(image);
    // A record of the successor again, as in a file that was put together by hand.
    const record = readFileSync(join(image, second!)).subarray(16, 16 + RECORD_BYTES);
    appendFileSync(join(image, first!), record);
    appendFileSync(join(image, first!), new Uint8Array(zeros));
    await assertCode(() => open(image, SEGMENT_BYTES), "CORRUPT", "damage at offset 250");
  });
}

for (const loss of ["fails", "is not durable"]) {
  test(`zeros that stay because the truncate at a rotation ${loss} are no harm`, async () => {
    using temp = tempDirectory();
    const directory = join(temp.path, "journal");
    const fileSystem = new FaultyFileSystem();
    const journal = await open(directory, 300, fileSystem);
    const payloads = [120, 10, 120, 10].map((length, i) => payloadOf(i, length));
    if (loss === "fails") {
      fileSystem.before = ({ kind }) => {
        if (kind === "truncate") throw systemError("EIO");
      };
    }
    const records = await appendAll(journal, payloads.slice(0, 2));
    const reader = await JournalReader.open(directory, { fileSystem });
    assertEquals(await readAll(reader), records);
    records.push(...await appendAll(journal, payloads.slice(2)));
    assertEquals(await readAll(reader), records);
    reader.close();
    const image = copyDirectory(directory, join(temp.path, "image"));
    await journal.close();
    assertEquals(segmentNames(image).length, 2);
    if (loss !== "fails") appendFileSync(join(image, SEGMENT), new Uint8Array(300 - 226));
    assertEquals(sizeOf(image), 300);

    const plain = copyDirectory(image, join(temp.path, "plain"));
    await assertSound(image, records, 300);
    // The zeros are proven to be none of the records, so they cost nothing anywhere.
    await using other = await Journal.open(plain, { fileSystem: new FaultyFileSystem() });
    assertEquals(other.recovery.records, 4);
    assertEquals(await readAll(other), records);
  });
}

test("salvage keeps the segments behind one that ends in zeros", async () => {
  using temp = tempDirectory();
  const image = join(temp.path, "image");
  const records = await crash(join(temp.path, "journal"), image, SEGMENT_BYTES);
  const names = segmentNames(image);
  assertEquals(names.length, 3);
  appendFileSync(join(image, names[0]!), new Uint8Array(100));
  edit(image, names[1]!, (bytes) => void (bytes[16 + 2 * RECORD_BYTES + 20]! ^= 1));
  const fileSystem = new FaultyFileSystem();
  await using journal = await Journal.open(image, { fileSystem, salvage: true });
  assertEquals(journal.recovery.reason, "damage at offset 300: crc32c");
  assertEquals(await readAll(journal), records.slice(0, 6));
});

test("zeros in front of a segment that was never finished are no harm", async () => {
  for (const header of [0, 7, 16]) {
    using temp = tempDirectory();
    const image = join(temp.path, "image");
    const records = await crash(join(temp.path, "journal"), image);
    writeFileSync(join(image, segmentName(500)), new Uint8Array(header));
    {
      await using journal = await open(image);
      const reason = "unfinished segment at offset 500";
      assertEquals(journal.recovery, { ...SOUND, reason });
    }
    await assertSound(image, records);
  }
});

/** How a disk is full for zeros, from some time on. */
const FULL: Record<string, (fileSystem: FaultyFileSystem) => void> = {
  "takes none of them": (fileSystem) => {
    fileSystem.before = ({ kind, bytes }) => {
      if (kind === "write" && bytes > 5000) throw systemError("ENOSPC");
    };
  },
  "takes some of them": (fileSystem) => {
    fileSystem.writeLimit = ({ bytes }) => bytes > 200_000 ? 60_000 : Infinity;
    fileSystem.before = ({ kind, bytes }) => {
      if (kind === "write" && bytes > 5000 && bytes < 200_000) throw systemError("ENOSPC");
    };
  },
  "takes some of them and cannot give them back": (fileSystem) => {
    fileSystem.writeLimit = ({ bytes }) => bytes > 200_000 ? 60_000 : Infinity;
    fileSystem.before = ({ kind, bytes }) => {
      if (kind === "truncate") throw systemError("EIO");
      if (kind === "write" && bytes > 5000 && bytes < 200_000) throw systemError("ENOSPC");
    };
  },
};

for (const [what, fill] of Object.entries(FULL)) {
  test(`a full disk that ${what} does not keep records from being written`, async () => {
    using temp = tempDirectory();
    const directory = join(temp.path, "journal");
    const fileSystem = new FaultyFileSystem();
    const journal = await open(directory, undefined, fileSystem);
    fill(fileSystem);
    const records = await appendAll(journal, PAYLOADS);
    assertEquals(journal.writer.poison, undefined);
    assertEquals(await readAll(journal), records);
    const isGivenBack = !what.includes("cannot");
    const image = copyDirectory(directory, join(temp.path, "image"));
    if (isGivenBack) assertEquals(sizeOf(image), 516);
    else assertGreater(sizeOf(image), 60_000);
    await assertSound(image, records);
    fileSystem.before = () => {};
    fileSystem.writeLimit = () => Infinity;
    records.push(...await appendAll(journal, PAYLOADS.slice(0, 2)));
    await journal.close();
    await assertSound(directory, records);
  });
}

test("a write that fails within the zeros leaves nothing, and the next one follows", async () => {
  using temp = tempDirectory();
  const directory = join(temp.path, "journal");
  const fileSystem = new FaultyFileSystem();
  const journal = await open(directory, undefined, fileSystem);
  const records = await appendAll(journal, PAYLOADS.slice(0, 3));
  let writes = 0;
  fileSystem.writeLimit = () => 20;
  fileSystem.before = ({ kind }) => {
    if (kind === "write" && ++writes === 2) throw systemError("ENOSPC");
  };
  await assertCode(() => journal.append(PAYLOADS[3]!), "NO_SPACE");
  assertEquals(sizeOf(directory), 16 + 3 * RECORD_BYTES);
  fileSystem.before = () => {};
  fileSystem.writeLimit = () => Infinity;
  const image = copyDirectory(directory, join(temp.path, "image"));
  await assertSound(image, records);
  records.push(...await appendAll(journal, PAYLOADS.slice(4)));
  assertEquals(await readAll(journal), records);
  // The zeros are gone with what was undone, and come back.
  assertEquals(sizeOf(directory), 16 + 4 * RECORD_BYTES + 256 * 1024);
  await journal.close();
  await assertSound(directory, records);
});

test("a sync that fails behind zeros loses nothing that was acknowledged", async () => {
  for (const from of [0, 1, 5]) {
    using temp = tempDirectory();
    const fileSystem = new FaultyFileSystem();
    const journal = await open(temp.path, undefined, fileSystem);
    const records = await appendAll(journal, PAYLOADS.slice(0, from));
    fileSystem.before = ({ kind, name }) => {
      const isSync = kind === "sync" || kind === "syncNow";
      if (isSync && name === SEGMENT) throw systemError("EIO");
    };
    await assertCode(() => journal.append(PAYLOADS[from]!), "POISONED");
    await assertCode(() => journal.append(PAYLOADS[from]!), "POISONED");
    await journal.close();
    assertEquals(fileSystem.openNames, []);
    // What became of the record is unknown; here it was written.
    records.push({ offset: BigInt(from * RECORD_BYTES), payload: PAYLOADS[from]! });
    await assertSound(temp.path, records);
  }
});

test("a reader sees each record once it is written over zeros, and none before", async () => {
  using temp = tempDirectory();
  const fileSystem = new FaultyFileSystem();
  const { writer } = await openWriter(fileSystem, temp.path, {
    segmentBytes: 1000,
    salvage: false,
    requireSynced: true,
    reserves: true,
  });
  const reader = await JournalReader.open(temp.path, { fileSystem });
  let offset = 0n;
  for (let i = 0; i < 100; i++) {
    const record = new Uint8Array(40 + i % 30);
    record.set(payloadOf(i, i % 30), 40);
    sealRecord(record, 0, i % 30);
    assertEquals(await reader.read(offset), undefined);
    writer.write(record);
    const next = offset + BigInt(record.length);
    assertEquals(await reader.read(offset), { payload: payloadOf(i, i % 30), next });
    if (i % 3 === 0) await writer.sync();
    assertEquals((await reader.read(offset))?.next, next);
    offset = next;
  }
  assertGreater(writer.segments.length, 3);
  reader.close();
  await writer.close();
});

for (const mark of ["missing", "torn"]) {
  test(`a reader finds the end before zeros where the mark is ${mark}`, async () => {
    using temp = tempDirectory();
    const image = join(temp.path, "image");
    const records = await crash(join(temp.path, "journal"), image);
    if (mark === "missing") rmSync(join(image, ".durable"));
    else edit(image, ".durable", (bytes) => void (bytes[0]! ^= 1));
    const reader = await JournalReader.open(image);
    assertEquals(await readAll(reader), records);
    reader.close();
  });
}

test("a reader finds no end within what was synced, even if there are zeros", async () => {
  using temp = tempDirectory();
  const image = join(temp.path, "image");
  const records = await crash(join(temp.path, "journal"), image);
  edit(image, SEGMENT, (bytes) => void bytes.fill(0, 16 + 6 * RECORD_BYTES));
  const reader = await JournalReader.open(image);
  for (const { offset, payload } of records.slice(0, 6)) {
    assertEquals((await reader.read(offset))?.payload, payload);
  }
  await assertCode(() => reader.read(300n), "CORRUPT", "no valid record at offset 300");
  reader.close();
});

test("a journal opened on its own cuts the zeros of a store's and says so", async () => {
  using temp = tempDirectory();
  const image = join(temp.path, "image");
  const records = await crash(join(temp.path, "journal"), image);
  await using journal = await Journal.open(image, { fileSystem: new FaultyFileSystem() });
  assertEquals(journal.recovery, {
    records: 10,
    truncatedBytes: 256 * 1024 - 9 * RECORD_BYTES,
    reason: "torn tail at offset 500: crc32c",
  });
  assertEquals(await readAll(journal), records);
});
