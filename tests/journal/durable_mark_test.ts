import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { Journal } from "../../journal/mod.ts";
import { tempDirectory } from "../support/temp.ts";
import { FaultyFileSystem, systemError } from "./_faulty_file_system.ts";
import { crc32cBitwise, type DecodedRecord, littleEndian, segmentName } from "./_format.ts";
import {
  appendAll,
  assertWorks,
  copyDirectory,
  edit,
  openFast,
  payloadOf,
  readAll,
  until,
  writeJournal,
} from "./_journals.ts";
import { assertCode } from "../support/assert.ts";

const SEGMENT = segmentName(0);
const PAYLOADS = Array.from({ length: 6 }, (_, i) => payloadOf(i, 10));

/** Leaves a directory as a power loss does: six records, the first three of them synced. */
async function crash(temp: string): Promise<{ directory: string; records: DecodedRecord[] }> {
  const live = join(temp, "live");
  await using journal = await Journal.open(live, { sync: "manual" });
  const records = await appendAll(journal, PAYLOADS.slice(0, 3));
  await journal.sync();
  records.push(...await appendAll(journal, PAYLOADS.slice(3)));
  const directory = copyDirectory(live, join(temp, "crashed"));
  return { directory, records };
}

/** Loses a record, as a disk does that has written a later one first. */
function lose(directory: string, { offset, payload }: DecodedRecord): void {
  const start = 16 + Number(offset);
  edit(directory, SEGMENT, (bytes) => void bytes.fill(0, start, start + 40 + payload.length));
}

function readMark(directory: string): bigint {
  const bytes = new Uint8Array(readFileSync(join(directory, ".durable")));
  assertEquals(bytes.length, 12);
  assertEquals(bytes.subarray(8), littleEndian(crc32cBitwise(bytes.subarray(0, 8)), 4));
  return new DataView(bytes.buffer).getBigUint64(0, true);
}

test("a lost record with later ones behind it is a torn tail where it was not synced", async () => {
  for (const lost of [3, 4]) {
    using temp = tempDirectory();
    const { directory, records } = await crash(temp.path);
    lose(directory, records[lost]!);
    {
      await using journal = await Journal.open(directory);
      assertEquals(journal.recovery, {
        records: lost,
        truncatedBytes: (6 - lost) * 50,
        reason: `torn tail at offset ${lost * 50}: crc32c`,
      });
    }
    await assertWorks(directory, records.slice(0, lost));
  }
});

test("a lost record with later ones behind it is CORRUPT where it had been synced", async () => {
  for (const lost of [0, 1, 2]) {
    using temp = tempDirectory();
    const { directory, records } = await crash(temp.path);
    lose(directory, records[lost]!);
    await assertCode(() => Journal.open(directory), "CORRUPT", `at offset ${lost * 50}: crc32c`);
  }
});

test("a lost record with later ones behind it is CORRUPT where there is no mark", async () => {
  using temp = tempDirectory();
  const { directory, records } = await crash(temp.path);
  lose(directory, records[3]!);
  rmSync(join(directory, ".durable"));
  await assertCode(() => Journal.open(directory), "CORRUPT", "at offset 150: crc32c");
});

test("a mark that is damaged anywhere counts as missing", async () => {
  using temp = tempDirectory();
  const { directory, records } = await crash(temp.path);
  const damages = Array.from({ length: 12 }, (_, i) => (bytes: Uint8Array) => {
    bytes[i]! ^= 1 << i % 8;
  });
  const cuts = [0, 1, 8, 11].map((size) => (bytes: Uint8Array) => bytes.subarray(0, size));
  for (const [i, damage] of [...damages, ...cuts].entries()) {
    const healthy = copyDirectory(directory, join(temp.path, `healthy-${i}`));
    edit(healthy, ".durable", damage);
    await assertWorks(healthy, records);

    const holed = copyDirectory(directory, join(temp.path, `holed-${i}`));
    edit(holed, ".durable", damage);
    lose(holed, records[3]!);
    await assertCode(() => openFast(holed), "CORRUPT", "at offset 150: crc32c");
  }
});

test("damage in the very last record is a torn tail with or without a mark", async () => {
  for (const hasMark of [true, false]) {
    using temp = tempDirectory();
    const { directory, records } = await crash(temp.path);
    if (!hasMark) rmSync(join(directory, ".durable"));
    edit(directory, SEGMENT, (bytes) => void (bytes[bytes.length - 1]! ^= 1));
    await assertWorks(directory, records.slice(0, 5));
  }
});

test("the mark follows each sync and never runs ahead of it", async () => {
  using temp = tempDirectory();
  const fileSystem = new FaultyFileSystem();
  const journal = await Journal.open(temp.path, { fileSystem, sync: "manual", segmentBytes: 166 });
  assertEquals(readMark(temp.path), 0n);
  let isSynced = true;
  fileSystem.before = ({ kind, name }) => {
    if (kind === "write" && name.endsWith(".seg")) isSynced = false;
    if ((kind === "sync" || kind === "syncNow") && name.endsWith(".seg")) isSynced = true;
    if (kind === "write" && name === ".durable") assert(isSynced);
  };
  await appendAll(journal, PAYLOADS.slice(0, 2));
  assertEquals(readMark(temp.path), 0n);
  await journal.sync();
  assertEquals(readMark(temp.path), 100n);
  // The fourth record begins a segment, whose sync makes those before it durable first.
  await appendAll(journal, PAYLOADS.slice(2, 4));
  assertEquals(readMark(temp.path), 100n);
  await until(() => readMark(temp.path) === 200n);
  await journal.close();
  assertEquals(readMark(temp.path), 200n);
});

test("opening and closing make durable what is there, and then the mark", async () => {
  using temp = tempDirectory();
  await writeJournal(temp.path, PAYLOADS);
  const fileSystem = new FaultyFileSystem();
  const journal = await Journal.open(temp.path, { fileSystem });
  const isChange = (kind: string) => /write|sync/.test(kind);
  const steps = () =>
    fileSystem.operations.splice(0).filter(({ kind }) => isChange(kind))
      .map(({ kind, name }) => kind === "syncDirectoryAsync" ? kind : `${kind} ${name}`);
  const marking = ["write .durable", "sync .durable"];
  assertEquals(steps(), [`sync ${SEGMENT}`, "syncDirectoryAsync", ...marking]);
  await journal.append(PAYLOADS[0]!);
  await journal.close();
  assertEquals(steps(), [`write ${SEGMENT}`, `sync ${SEGMENT}`, ...marking]);
});

test("the mark is durable after a rotation, and not after each sync", async () => {
  using temp = tempDirectory();
  const fileSystem = new FaultyFileSystem();
  const journal = await Journal.open(temp.path, { fileSystem, segmentBytes: 166 });
  const markSyncs = () =>
    fileSystem.operations.filter(({ kind, name }) => /^sync/.test(kind) && name === ".durable")
      .length;
  const before = markSyncs();
  await appendAll(journal, PAYLOADS.slice(0, 3));
  assertEquals(markSyncs(), before);
  await appendAll(journal, PAYLOADS.slice(3, 4));
  assertEquals(markSyncs(), before + 1);
  await journal.close();
  // The second segment has taken nothing since.
  assertEquals(markSyncs(), before + 1);
});

test("the mark is not moved by a sync that fails", async () => {
  using temp = tempDirectory();
  const fileSystem = new FaultyFileSystem();
  const journal = await Journal.open(temp.path, { fileSystem });
  await journal.append(PAYLOADS[0]!);
  fileSystem.beforeSync = () => Promise.reject(systemError("EIO"));
  await assertCode(() => journal.append(PAYLOADS[1]!), "POISONED");
  assertEquals(readMark(temp.path), 50n);
  await journal.close();
  assertEquals(readMark(temp.path), 50n);
});

test("a mark that cannot be written costs no append", async () => {
  using temp = tempDirectory();
  const fileSystem = new FaultyFileSystem();
  const journal = await Journal.open(temp.path, { fileSystem });
  fileSystem.before = ({ name }) => {
    if (name === ".durable") throw systemError("EIO");
  };
  const records = await appendAll(journal, PAYLOADS);
  await journal.close();
  assertEquals(readMark(temp.path), 0n);
  assertEquals(fileSystem.openNames, []);
  await assertWorks(temp.path, records);
});

test("opening after a cut lowers the mark, so that what follows may tear again", async () => {
  using temp = tempDirectory();
  const live = join(temp.path, "live");
  const records = await writeJournal(live, PAYLOADS);
  edit(live, SEGMENT, (bytes) => bytes.subarray(0, 16 + 100));
  await using journal = await Journal.open(live, { sync: "manual" });
  assertStringIncludes(journal.recovery.reason!, "200 bytes from offset 100 on");
  assertEquals(readMark(live), 100n);
  records.splice(2, 4, ...await appendAll(journal, PAYLOADS.slice(0, 3)));
  const crashed = copyDirectory(live, join(temp.path, "crashed"));
  lose(crashed, records[3]!);
  await assertWorks(crashed, records.slice(0, 3));
});

test("a mark that is written by hand is read as the format says", async () => {
  using temp = tempDirectory();
  const { directory, records } = await crash(temp.path);
  const offset = littleEndian(50, 8);
  const crc = littleEndian(crc32cBitwise(offset), 4);
  writeFileSync(join(directory, ".durable"), Uint8Array.from([...offset, ...crc]));
  lose(directory, records[1]!);
  await using journal = await Journal.open(directory);
  assertEquals(await readAll(journal), records.slice(0, 1));
});
