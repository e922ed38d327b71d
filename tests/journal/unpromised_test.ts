import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { Journal } from "../../journal/mod.ts";
import { tempDirectory } from "../support/temp.ts";
import { FaultyFileSystem } from "./_faulty_file_system.ts";
import {
  crc32cBitwise,
  type DecodedRecord,
  littleEndian,
  segmentName,
  segmentNames,
} from "./_format.ts";
import { assertWorks, copyDirectory, edit, payloadOf, readAll, writeJournal } from "./_journals.ts";
import { ReservingJournal } from "./_reserving.ts";
import { assertCode } from "../support/assert.ts";

const SEGMENT_BYTES = 216;
/** Four records of 50 bytes fill a segment: these fill four. */
const PAYLOADS = Array.from({ length: 16 }, (_, i) => payloadOf(i, 10));
const BASES = [0, 200, 400, 600];

/** Faults in the second segment of four, and the records that precede them. */
const FAULTS: Record<string, { left: number; change: (directory: string) => void }> = {
  "a bad record": {
    left: 6,
    change: (directory) =>
      edit(directory, segmentName(200), (bytes) => void (bytes[16 + 120]! ^= 1)),
  },
  "lost blocks": {
    left: 6,
    change: (directory) => edit(directory, segmentName(200), (bytes) => void bytes.fill(0, 116)),
  },
  "a short file": {
    left: 5,
    change: (directory) => edit(directory, segmentName(200), (bytes) => bytes.subarray(0, 66 + 16)),
  },
  "a file that ends between two records": {
    left: 6,
    change: (directory) => edit(directory, segmentName(200), (bytes) => bytes.subarray(0, 116)),
  },
  "a header of zeros": {
    left: 4,
    change: (directory) => edit(directory, segmentName(200), (bytes) => void bytes.fill(0, 0, 16)),
  },
  "a short header": {
    left: 4,
    change: (directory) => edit(directory, segmentName(200), (bytes) => bytes.subarray(0, 9)),
  },
  "an empty file": {
    left: 4,
    change: (directory) => edit(directory, segmentName(200), (bytes) => bytes.subarray(0, 0)),
  },
  "a missing segment": {
    left: 4,
    change: (directory) => rmSync(join(directory, segmentName(200))),
  },
};

function writeMark(directory: string, offset: number): void {
  const bytes = littleEndian(offset, 8);
  const mark = Uint8Array.from([...bytes, ...littleEndian(crc32cBitwise(bytes), 4)]);
  writeFileSync(join(directory, ".durable"), mark);
}

function whole(temp: string): Promise<DecodedRecord[]> {
  return writeJournal(join(temp, "whole"), PAYLOADS, { segmentBytes: SEGMENT_BYTES });
}

for (const [name, { left, change }] of Object.entries(FAULTS)) {
  test(`a journal ends at ${name} behind what had been synced, whatever follows`, async () => {
    using temp = tempDirectory();
    const records = await whole(temp.path);
    const end = left * 50;
    for (const mark of [0, 100, 200, end]) {
      for (const open of [Journal.open, ReservingJournal.open]) {
        const directory = copyDirectory(join(temp.path, "whole"), join(temp.path, "copy"));
        writeMark(directory, mark);
        change(directory);
        {
          const fileSystem = new FaultyFileSystem();
          await using journal = await open(directory, { fileSystem });
          const { recovery } = journal;
          assertEquals(recovery.records, left, `mark ${mark}`);
          assertStringIncludes(recovery.reason!, `torn tail at offset ${end}: `);
          assertEquals(await readAll(journal), records.slice(0, left));
        }
        await assertWorks(directory, records.slice(0, left));
        rmSync(directory, { recursive: true });
      }
    }
  });

  test(`${name} within what had been synced is CORRUPT, and changes nothing`, async () => {
    using temp = tempDirectory();
    await whole(temp.path);
    for (const mark of [left * 50 + 1, 500, 800, undefined]) {
      for (const open of [Journal.open, ReservingJournal.open]) {
        const directory = copyDirectory(join(temp.path, "whole"), join(temp.path, "copy"));
        if (mark === undefined) rmSync(join(directory, ".durable"));
        else writeMark(directory, mark);
        change(directory);
        const files = () =>
          segmentNames(directory).map((name) => [name, readFileSync(join(directory, name))]);
        const before = files();
        const fileSystem = new FaultyFileSystem();
        await assertCode(() => open(directory, { fileSystem }), "CORRUPT", `offset ${left * 50}`);
        assertEquals(files(), before);
        rmSync(directory, { recursive: true });
      }
    }
  });
}

test("what is cut counts in all segments, without the zeros that were reserved", async () => {
  using temp = tempDirectory();
  await whole(temp.path);
  const directory = join(temp.path, "whole");
  writeMark(directory, 100);
  edit(directory, segmentName(200), (bytes) => void (bytes[16 + 120]! ^= 1));
  for (const [name, zeros] of [[segmentName(200), 30], [segmentName(600), 5000]] as const) {
    edit(directory, name, (bytes) => Uint8Array.from([...bytes, ...new Uint8Array(zeros)]));
  }
  const fileSystem = new FaultyFileSystem();
  await using journal = await ReservingJournal.open(directory, { fileSystem });
  assertEquals(journal.recovery, {
    records: 6,
    truncatedBytes: 100 + 200 + 200,
    reason: "torn tail at offset 300: crc32c",
  });
});

test("the last segments go first, each on disk before the next, and the fault at the end", async () => {
  using temp = tempDirectory();
  await whole(temp.path);
  const directory = join(temp.path, "whole");
  writeMark(directory, 100);
  FAULTS["a bad record"]!.change(directory);
  const fileSystem = new FaultyFileSystem();
  await using journal = await Journal.open(directory, { fileSystem });
  const steps = fileSystem.operations
    .filter(({ kind }) => /^(write|sync|remove|truncate|create)/.test(kind))
    .map(({ kind, name }) => `${kind} ${name.endsWith(".seg") ? parseInt(name) : name}`);
  assertEquals(steps, [
    "remove 600",
    "syncDirectory whole",
    "remove 400",
    "syncDirectory whole",
    "truncate 200",
    // What was found is written again, synced and named before the mark covers it.
    "write 0",
    "sync 0",
    "write 200",
    "sync 200",
    "syncDirectoryAsync whole",
    "write .durable",
    "sync .durable",
  ]);
  assertEquals(journal.stats().segments, 2);
});

for (
  const [mark, rewritten] of [
    // Where nothing of a segment is proven, its header is not either.
    [undefined, BASES.map((base) => [base, 216])],
    [0, BASES.map((base) => [base, 216])],
    [200, BASES.slice(1).map((base) => [base, 216])],
    [450, [[400, 150], [600, 216]]],
    [600, [[600, 216]]],
    [750, [[600, 50]]],
    [800, []],
  ] as const
) {
  test(`opening writes again what a mark at ${mark} does not cover, and no more`, async () => {
    using temp = tempDirectory();
    const records = await whole(temp.path);
    const directory = join(temp.path, "whole");
    if (mark === undefined) rmSync(join(directory, ".durable"));
    else writeMark(directory, mark);
    const before = BASES.map((base) => readFileSync(join(directory, segmentName(base))));
    const fileSystem = new FaultyFileSystem();
    await using journal = await Journal.open(directory, { fileSystem });
    const writes = fileSystem.operations
      .filter(({ kind, name }) => kind === "write" && name.endsWith(".seg"))
      .map(({ name, bytes }) => [parseInt(name), bytes]);
    assertEquals(writes, rewritten.map(([base, bytes]) => [base, bytes]));
    const synced = fileSystem.operations
      .filter(({ kind, name }) => kind === "sync" && name.endsWith(".seg"))
      .map(({ name }) => parseInt(name));
    // The last segment is synced in any case.
    assertEquals(synced, [...new Set([...rewritten.map(([base]) => base), 600])]);
    assertEquals(BASES.map((base) => readFileSync(join(directory, segmentName(base)))), before);
    assertEquals(await readAll(journal), records);
  });
}
