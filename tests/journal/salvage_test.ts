import { readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { assertEquals } from "@std/assert";
import { basename, join } from "@std/path";
import { Journal } from "../../journal/mod.ts";
import { tempDirectory } from "../support/temp.ts";
import { FaultyFileSystem, systemError } from "./_faulty_file_system.ts";
import { concat, type DecodedRecord, segmentName, segmentNames, writeSegment } from "./_format.ts";
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

const LENGTHS = [9, 0, 20, 5, 31, 1, 12];
const PAYLOADS = LENGTHS.map((length, i) => payloadOf(i, length));
const SEGMENT_BYTES = 165;
/** Where the segments start: three records, two and two. */
const BASES = [0, 149, 265];

/** Returns all record bytes from an offset on, whichever segment they are in. */
function recordBytesFrom(directory: string, offset: bigint): Uint8Array {
  const parts = segmentNames(directory).map((name) =>
    new Uint8Array(readFileSync(join(directory, name))).subarray(16)
  );
  const first = BigInt(segmentNames(directory)[0]!.slice(0, 20));
  return concat(...parts).subarray(Number(offset - first));
}

function readSalvage(journal: Journal): Uint8Array {
  return new Uint8Array(readFileSync(journal.recovery.salvageFile!));
}

/** Fails unless the journal is CORRUPT at the offset and salvage keeps exactly what precedes it. */
async function assertSalvages(
  directory: string,
  records: DecodedRecord[],
  offset: bigint,
): Promise<void> {
  const before = readdirSync(directory).sort();
  await assertCode(() => openFast(directory), "CORRUPT", `damage at offset ${offset}: `);
  assertEquals(readdirSync(directory).sort(), before);

  const rest = recordBytesFrom(directory, offset);
  const kept = records.filter((record) => record.offset < offset);
  {
    await using journal = await openFast(directory, { salvage: true });
    const { recovery } = journal;
    assertEquals([recovery.records, recovery.truncatedBytes], [kept.length, rest.length]);
    assertEquals(recovery.reason?.startsWith(`damage at offset ${offset}: `), true);
    assertEquals(readSalvage(journal), rest);
  }
  await assertWorks(directory, kept);
}

for (const [index, base] of BASES.entries()) {
  test(`a flipped bit in any byte of segment ${index} of 3 is found and can be salvaged`, {
    timeout: 600_000,
  }, async () => {
    using temp = tempDirectory();
    const whole = join(temp.path, "whole");
    const records = await writeJournal(whole, PAYLOADS, { segmentBytes: SEGMENT_BYTES });
    assertEquals(segmentNames(whole), BASES.map(segmentName));
    const last = records.at(-1)!;
    const size = readFileSync(join(whole, segmentName(base))).length;

    for (let at = 0; at < size; at++) {
      const directory = copyDirectory(whole, join(temp.path, `${at}`));
      edit(directory, segmentName(base), (bytes) => void (bytes[at]! ^= 1 << (at * 5 + index) % 8));
      const offset = BigInt(base + Math.max(0, at - 16));
      const damaged = records.findLast((record) => record.offset <= offset)!;
      if (at >= 4 && at < 8) {
        await assertCode(() => openFast(directory), "UNSUPPORTED");
        await assertCode(() => openFast(directory, { salvage: true }), "UNSUPPORTED");
      } else if (damaged === last) {
        await using journal = await openFast(directory);
        assertEquals(journal.recovery.truncatedBytes, 40 + last.payload.length);
        assertEquals(journal.recovery.reason?.startsWith("torn tail at offset 306: "), true);
        await journal.close();
        await assertWorks(directory, records.slice(0, -1));
      } else {
        await assertSalvages(directory, records, damaged.offset);
      }
    }
  });
}

test("a torn tail is no damage: salvage cuts it as it would be cut without", async () => {
  using temp = tempDirectory();
  await writeJournal(temp.path, PAYLOADS);
  edit(temp.path, segmentName(0), (bytes) => bytes.subarray(0, -1));
  await using journal = await Journal.open(temp.path, { salvage: true });
  assertEquals(journal.recovery.salvageFile, undefined);
  assertEquals(journal.recovery.truncatedBytes, 51);
});

test("a missing segment is damage where it began", async () => {
  using temp = tempDirectory();
  const records = await writeJournal(temp.path, PAYLOADS, { segmentBytes: SEGMENT_BYTES });
  rmSync(join(temp.path, segmentName(149)));
  const rest = readFileSync(join(temp.path, segmentName(265))).subarray(16);
  await assertCode(() => Journal.open(temp.path), "CORRUPT", "damage at offset 149: gap");
  {
    await using journal = await Journal.open(temp.path, { salvage: true });
    assertEquals(readSalvage(journal), new Uint8Array(rest));
  }
  await assertWorks(temp.path, records.slice(0, 3));
});

test("a segment that reaches into the next one is damage, and keeps its records", async () => {
  using temp = tempDirectory();
  await writeSegment(temp.path, 0n, PAYLOADS.slice(0, 3));
  await writeSegment(temp.path, 89n, PAYLOADS.slice(2, 5));
  await assertCode(() => Journal.open(temp.path), "CORRUPT", "damage at offset 149: gap");
  await using journal = await Journal.open(temp.path, { salvage: true });
  assertEquals(journal.recovery.truncatedBytes, 60 + 45 + 71);
  await journal.close();
  assertEquals(segmentNames(temp.path), [segmentName(0)]);
  const offsets = [0n, 49n, 89n];
  await assertWorks(
    temp.path,
    offsets.map((offset, i) => ({ offset, payload: PAYLOADS[i]! })),
  );
});

test("a segment under another's name is damage", async () => {
  using temp = tempDirectory();
  await writeJournal(temp.path, PAYLOADS, { segmentBytes: SEGMENT_BYTES });
  renameSync(join(temp.path, segmentName(0)), join(temp.path, segmentName(1)));
  await assertCode(() => Journal.open(temp.path), "CORRUPT", "damage at offset 1: header");
});

test("salvage keeps what earlier salvages set aside", async () => {
  using temp = tempDirectory();
  const files: string[] = [];
  for (let round = 0; round < 3; round++) {
    rmSync(join(temp.path, segmentName(0)), { force: true });
    rmSync(join(temp.path, ".durable"), { force: true });
    await writeJournal(temp.path, PAYLOADS);
    edit(temp.path, segmentName(0), (bytes) => void (bytes[16 + 49 + round]! ^= 1));
    await using journal = await Journal.open(temp.path, { salvage: true });
    files.push(basename(journal.recovery.salvageFile!));
  }
  assertEquals(files, ["49.salvage", "49-2.salvage", "49-3.salvage"]);
});

test("a salvage that fails changes nothing, and can be done again", async () => {
  using temp = tempDirectory();
  const records = await writeJournal(temp.path, PAYLOADS, { segmentBytes: SEGMENT_BYTES });
  edit(temp.path, segmentName(0), (bytes) => void (bytes[16 + 50]! ^= 1));
  const before = readdirSync(temp.path).sort();
  const fileSystem = new FaultyFileSystem();
  let writes = 0;
  fileSystem.writeLimit = () => 30;
  fileSystem.before = ({ kind, name }) => {
    if (kind === "write" && name.endsWith(".salvage") && ++writes === 4) {
      throw systemError("ENOSPC");
    }
  };
  const options = { salvage: true, fileSystem, segmentBytes: SEGMENT_BYTES };
  await assertCode(() => Journal.open(temp.path, options), "NO_SPACE");
  assertEquals(readdirSync(temp.path).sort(), before);
  assertEquals(fileSystem.openNames, []);

  const rest = recordBytesFrom(temp.path, 49n);
  {
    const start = fileSystem.operations.length;
    await using journal = await Journal.open(temp.path, options);
    assertEquals(readSalvage(journal), rest);
    const steps = fileSystem.operations.slice(start)
      .filter(({ kind }) => ["syncNow", "syncDirectory", "remove", "truncate"].includes(kind))
      .map(({ kind, name }) => kind === "syncDirectory" ? kind : `${kind} ${parseInt(name)}`);
    // What is set aside is durable before anything goes.
    assertEquals(steps.slice(0, 7), [
      "syncNow 49",
      "syncDirectory",
      "remove 265",
      "syncDirectory",
      "remove 149",
      "syncDirectory",
      "truncate 0",
    ]);
  }
  assertEquals(fileSystem.openNames, []);
  await assertWorks(temp.path, records.slice(0, 1));
});

for (const damaged of [0, 1]) {
  test(`a salvage from record ${damaged} on that is interrupted at any step can be done again`, async () => {
    using temp = tempDirectory();
    const whole = join(temp.path, "whole");
    const records = await writeJournal(whole, PAYLOADS, { segmentBytes: SEGMENT_BYTES });
    const { offset } = records[damaged]!;
    edit(whole, segmentName(0), (bytes) => void (bytes[16 + Number(offset)]! ^= 1));
    const rest = recordBytesFrom(whole, offset);
    for (let step = 0;; step++) {
      const directory = copyDirectory(whole, join(temp.path, `${step}`));
      const fileSystem = new FaultyFileSystem();
      let changes = 0;
      // As if the process died before that change.
      fileSystem.before = ({ kind }) => {
        if (kind === "open" || kind === "read" || kind === "size" || kind === "list") return;
        if (changes++ >= step) throw systemError("EIO");
      };
      const opening = openFast(directory, { salvage: true, fileSystem });
      await opening.then((journal) => journal.close(), () => {});
      if (changes <= step) break;

      await using journal = await openFast(directory, { salvage: true });
      assertEquals(await readAll(journal), records.slice(0, damaged));
      const salvaged = readdirSync(directory).filter((name) => name.endsWith(".salvage"));
      const copies = salvaged.map((name) => readFileSync(join(directory, name)).join());
      assertEquals(copies.includes(rest.join()), true, `step ${step}`);
    }
  });
}

test("salvage of a journal that is sound changes nothing", async () => {
  using temp = tempDirectory();
  const records = await writeJournal(temp.path, PAYLOADS, { segmentBytes: SEGMENT_BYTES });
  writeFileSync(join(temp.path, "1.salvage"), "kept");
  await assertWorks(temp.path, records, { salvage: true });
  assertEquals(readFileSync(join(temp.path, "1.salvage"), "utf8"), "kept");
});
