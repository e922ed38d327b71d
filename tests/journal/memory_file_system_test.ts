import { test } from "node:test";
import { assert, assertEquals, assertLess, assertRejects, assertThrows } from "@std/assert";
import { join } from "@std/path";
import { dryFileSystem } from "../../journal/dry_file_system.ts";
import { readFully, writeFully } from "../../journal/file_system.ts";
import { openWriter } from "../../journal/journal.ts";
import { memoryFileSystem } from "../../journal/memory_file_system.ts";
import {
  Journal,
  type JournalFile,
  type JournalFileSystem,
  JournalReader,
  nodeFileSystem,
} from "../../journal/mod.ts";
import { RECORD_HEADER_BYTES, sealRecord } from "../../journal/record.ts";
import { assertCode } from "../support/assert.ts";
import { Random } from "../support/random.ts";
import { tempDirectory } from "../support/temp.ts";
import { FaultyFileSystem } from "./_faulty_file_system.ts";
import { payloadOf, readAll } from "./_journals.ts";

const SEED = Number(process.env.HYBRIDSTORE_TEST_SEED ?? 20_260_301);
const NAMES = ["a.seg", "b.seg", ".durable"];

/** The same files twice: real ones, and those in memory. */
class Pair {
  readonly fileSystems: readonly JournalFileSystem[] = [nodeFileSystem, memoryFileSystem()];
  readonly directory: string;

  constructor(directory: string) {
    this.directory = directory;
    this.both((files) => files.makeDirectory(directory));
  }

  /** Does something to both. What comes of it has to be the same: a result, or the code of an error. */
  both(action: (files: JournalFileSystem, side: number) => unknown): void {
    const [real, memory] = this.fileSystems.map((files, side) =>
      outcomeOf(() => action(files, side))
    );
    assertEquals(memory, real);
  }
}

function outcomeOf(action: () => unknown): { code: unknown } | { result: unknown } {
  try {
    return { result: action() };
  } catch (error) {
    const { code } = error as { code?: unknown };
    if (code === undefined) throw error;
    return { code };
  }
}

function read(file: JournalFile, length: number, position: number): Uint8Array {
  // Not zeros, so that it shows what is written there.
  const target = new Uint8Array(length).fill(0xee);
  return target.subarray(0, readFully(file, target, position));
}

for (let seed = SEED; seed < SEED + 5; seed++) {
  test(`files in memory do what real files do (seed ${seed})`, { timeout: 600_000 }, () => {
    using temp = tempDirectory();
    const random = new Random(seed);
    const pair = new Pair(join(temp.path, "deep", "journal"));
    const { directory } = pair;
    const open: { sides: JournalFile[]; isWritable: boolean }[] = [];
    const keep = (isWritable: boolean, make: (files: JournalFileSystem) => JournalFile) => {
      const sides: JournalFile[] = [];
      pair.both((files) => void sides.push(make(files)));
      if (sides.length === 2) open.push({ sides, isWritable });
    };
    for (let step = 0; step < 600; step++) {
      const path = join(directory, random.pick(NAMES));
      // Near the ends of the pieces that a file comes in.
      const position = random.below(4) * 65_536 + random.below(5) - (random.once(2) ? 2 : 0);
      const at = Math.max(0, position);
      const length = random.pick([0, 1, 3, 100, 70_000, 140_000]);
      const file = open.length > 0 ? random.pick(open) : undefined;
      const use = <T>(action: (file: JournalFile) => T) => {
        if (file !== undefined) pair.both((_, side) => action(file.sides[side]!));
      };
      const kind = random.below(12);
      if (kind === 0) keep(true, (files) => files.create(path));
      else if (kind === 1) {
        const access = random.pick(["read", "write"] as const);
        keep(access === "write", (files) => files.open(path, access));
      } else if (kind === 2) pair.both((files) => files.remove(path));
      else if (kind === 3 && file !== undefined) {
        open.splice(open.indexOf(file), 1);
        for (const side of file.sides) side.close();
      } else if (kind === 4) use((file) => file.syncNow());
      else if (kind < 8 && file?.isWritable) {
        const bytes = payloadOf(step, length);
        use((file) => writeFully(file, bytes, at));
      } else if (kind === 8 && file?.isWritable) use((file) => file.truncate(at));
      else use((file) => read(file, length, at));
      use((file) => file.size());
      pair.both((files) => files.list(directory).sort());
    }
    for (const { sides } of open) {
      pair.both((_, side) => read(sides[side]!, 500_000, 0));
      for (const side of sides) side.close();
    }
  });
}

test("what is not there, or there already, is refused as node refuses it", () => {
  using temp = tempDirectory();
  const pair = new Pair(join(temp.path, "journal"));
  const { directory } = pair;
  const missing = join(directory, "missing");
  const inMissing = join(missing, "file");
  const file = join(directory, "file");
  pair.both((files) => files.create(file).close());
  pair.both((files) => files.makeDirectory(directory));
  for (const path of [missing, inMissing, file, directory, join(file, "in it")]) {
    pair.both((files) => void files.open(path, "write"));
    pair.both((files) => void files.create(path));
    pair.both((files) => files.list(path));
    pair.both((files) => files.remove(path === directory ? missing : path));
    pair.both((files) => files.create(file).close());
  }
  pair.both((files) => files.makeDirectory(join(file, "in it")));
  pair.both((files) => files.syncDirectory(missing));
  const memory = pair.fileSystems[1]!;
  const message = `ENOENT: no such file or directory, open '${missing}'`;
  assertThrows(() => memory.open(missing, "read"), Error, message);
});

test("a file that is closed, or only read, takes no writes", async () => {
  using temp = tempDirectory();
  const pair = new Pair(temp.path);
  const path = join(temp.path, "file");
  pair.both((files) => files.create(path).close());
  const memory = pair.fileSystems[1]!;
  for (const files of pair.fileSystems) {
    const file = files.open(path, "read");
    assertThrows(() => file.write(payloadOf(1, 3), 0));
    assertThrows(() => file.truncate(0));
    file.close();
  }
  const closed = memory.open(path, "write");
  closed.close();
  assertThrows(() => closed.size(), Error, "EBADF");
  assertThrows(() => closed.read(new Uint8Array(1), 0), Error, "EBADF");
  assertThrows(() => closed.write(payloadOf(1, 3), 0), Error, "EBADF");
  assertThrows(() => closed.truncate(0), Error, "EBADF");
  assertThrows(() => closed.syncNow(), Error, "EBADF");
  assertThrows(() => closed.close(), Error, "EBADF");
  await assertRejects(() => closed.sync(), Error, "EBADF");
});

test("files of the same path in two file systems have nothing in common", () => {
  const [one, other] = [memoryFileSystem(), memoryFileSystem()];
  for (const files of [one, other]) files.makeDirectory("/journal");
  one.create("/journal/file");
  assertEquals(other.list("/journal"), []);
});

test("a file that is removed gives its memory back when it is closed", {
  timeout: 600_000,
}, () => {
  const files = memoryFileSystem();
  files.makeDirectory("/journal");
  const closed: JournalFile[] = [];
  const bytes = payloadOf(1, 1024 * 1024);
  const before = process.memoryUsage().rss;
  for (let i = 0; i < 32; i++) {
    const file = files.create("/journal/file");
    for (let at = 0; at < 64; at++) file.write(bytes, at * bytes.length);
    files.remove("/journal/file");
    assertEquals(file.size(), 64 * bytes.length);
    file.close();
    // As a caller does that drops its files late.
    closed.push(file);
  }
  // Of 2 GiB.
  assertLess(process.memoryUsage().rss - before, 1024 * 1024 * 1024);
  assertEquals(closed.length, 32);
});

for (let seed = SEED; seed < SEED + 5; seed++) {
  test(`a journal in memory does what one in real files does (seed ${seed})`, {
    timeout: 600_000,
  }, async () => {
    using temp = tempDirectory();
    const random = new Random(seed);
    const { path: directory } = temp;
    const memory = memoryFileSystem();
    // Real files, whose syncs do not wait for the disk.
    const fileSystems: JournalFileSystem[] = [new FaultyFileSystem(), memory];
    const segmentBytes = 64 + random.below(3000);
    const sync = random.pick(["group", "manual"] as const);
    const open = () =>
      Promise.all(
        fileSystems.map((fileSystem) =>
          Journal.open(directory, { segmentBytes, sync, fileSystem })
        ),
      );
    for (const journal of await open()) await journal.close();
    const readers = await Promise.all(
      fileSystems.map((fileSystem) => JournalReader.open(directory, { fileSystem })),
    );
    let journals = await open();
    const same = async (action: (journal: Journal, side: number) => unknown) => {
      const [real, inMemory] = await Promise.all(journals.map(action));
      assertEquals(inMemory, real);
    };
    let end = 0n;
    for (let step = 0; step < 150; step++) {
      const kind = random.below(12);
      if (kind < 5) {
        const payloads = Array.from(
          { length: 1 + random.below(6) },
          (_, i) => payloadOf(step * 10 + i, random.below(random.once(20) ? 200_000 : 700)),
        );
        const append = (journal: Journal) => Promise.all(payloads.map((p) => journal.append(p)));
        await same(append);
        end = payloads.reduce((sum, payload) => sum + 40n + BigInt(payload.length), end);
      } else if (kind < 7) await same((journal) => journal.sync());
      else if (kind === 7) {
        await same((journal) => journal.close());
        assertSameFiles(memory, directory);
        journals = await open();
        await same(({ recovery }) => recovery);
      } else if (kind === 8) {
        const cursor = end * BigInt(random.below(101)) / 100n;
        await same((journal) => journal.removeBefore(cursor));
      } else if (kind === 9) await same((journal) => readAll(journal));
      else {
        const [real, inMemory] = await Promise.all(readers.map((reader) => readAll(reader)));
        assertEquals(inMemory, real);
      }
      await same((journal) => {
        const { bytes, segments, appends } = journal.stats();
        return { bytes, segments, appends };
      });
    }
    for (const journal of journals) await journal.close();
    for (const reader of readers) reader.close();
    assertSameFiles(memory, directory);
  });
}

test("a writer that is not told to reserve writes no zeros into memory", async () => {
  for (const reserves of [false, true]) {
    const fileSystem = memoryFileSystem();
    const settings = { segmentBytes: 2 ** 20, salvage: false, requireSynced: true, reserves };
    const open = () => openWriter(fileSystem, "/journal", settings);
    const { writer } = await open();
    const [segment] = writer.segments;
    const file = fileSystem.open(segment!.path, "read");
    const record = new Uint8Array(RECORD_HEADER_BYTES + 10);
    sealRecord(record, 0, 10);
    writer.write(record);
    await writer.sync();
    assertEquals(file.size(), 16 + 50 + (reserves ? 256 * 1024 : 0));
    await writer.close();
    assertEquals(file.size(), 16 + 50);
    file.close();
    const again = await open();
    assertEquals(again.recovery, { records: 1, truncatedBytes: 0 });
    await again.writer.close();
  }
});

test("a journal in memory is found damaged, and salvaged, as one in files is", async () => {
  const fileSystem = memoryFileSystem();
  const directory = "/journal";
  const journal = await Journal.open(directory, { fileSystem });
  for (let i = 0; i < 5; i++) await journal.append(payloadOf(i, 100));
  await journal.close();
  const name = fileSystem.list(directory).find((name) => name.endsWith(".seg"))!;
  const file = fileSystem.open(join(directory, name), "write");
  file.write(Uint8Array.of(0), 16 + 140 + 60);
  file.close();
  await assertCode(() => Journal.open(directory, { fileSystem }), "CORRUPT");
  // What only looks changes nothing.
  const dry = dryFileSystem(fileSystem);
  dry.remove(join(directory, name));
  assert(fileSystem.list(directory).includes(name));
  const salvaged = await Journal.open(directory, { fileSystem, salvage: true });
  assertEquals(salvaged.recovery.records, 1);
  assert(fileSystem.list(directory).includes("140.salvage"));
  await salvaged.close();
});

/** Checks that the files in memory have the names and the bytes of the real ones. */
function assertSameFiles(memory: JournalFileSystem, directory: string): void {
  const contentOf = (files: JournalFileSystem) =>
    files.list(directory).sort().map((name) => {
      const file = files.open(join(directory, name), "read");
      try {
        return { name, bytes: read(file, file.size() + 1, 0) };
      } finally {
        file.close();
      }
    });
  assertEquals(contentOf(memory), contentOf(nodeFileSystem));
}
