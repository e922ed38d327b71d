import { test } from "node:test";
import { assert, assertEquals, assertGreater, assertLessOrEqual } from "@std/assert";
import { Journal, type JournalOptions } from "../../journal/mod.ts";
import { tempDirectory } from "../support/temp.ts";
import { FaultyFileSystem } from "./_faulty_file_system.ts";
import { decodeJournal } from "./_format.ts";
import { nextTurn, payloadOf, until } from "./_journals.ts";

/** A file system whose background syncs wait to be let through one at a time. */
class GatedFileSystem extends FaultyFileSystem {
  readonly #waiting: (() => void)[] = [];

  /** Lets no sync through from here on. */
  hold(): void {
    this.beforeSync = () => new Promise((resolve) => this.#waiting.push(resolve));
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  letOneThrough(): void {
    this.#waiting.shift()!();
  }

  letAllThrough(): void {
    this.beforeSync = () => Promise.resolve();
    while (this.#waiting.length > 0) this.letOneThrough();
  }
}

/** Opens a journal whose file system lets no sync through from then on. */
async function openGated(
  directory: string,
  options: JournalOptions = {},
): Promise<{ journal: Journal; fileSystem: GatedFileSystem }> {
  const fileSystem = new GatedFileSystem();
  const journal = await Journal.open(directory, { fileSystem, ...options });
  fileSystem.hold();
  return { journal, fileSystem };
}

test("1,000 concurrent Journal.append() calls need at most 20 syncs and keep their order", async () => {
  using temp = tempDirectory();
  const journal = await Journal.open(temp.path);
  const payloads = Array.from({ length: 1000 }, (_, i) => payloadOf(i, i % 300));
  const settled: number[] = [];
  const offsets = await Promise.all(payloads.map(async (payload, i) => {
    const offset = await journal.append(payload);
    settled.push(i);
    return offset;
  }));
  const { syncs, groups, appends } = journal.stats();
  await journal.close();

  assertLessOrEqual(syncs, 20);
  assertGreater(syncs, 0);
  assertLessOrEqual(groups, 20);
  assertEquals(appends, 1000);
  assertEquals(settled, payloads.map((_, i) => i));
  const expected = payloads.map((payload, i) => ({ offset: offsets[i]!, payload }));
  assertEquals(await decodeJournal(temp.path), expected);
});

test("1,000 Journal.append() calls over many turns share the syncs that run meanwhile", async () => {
  using temp = tempDirectory();
  const { journal, fileSystem } = await openGated(temp.path);
  const appends: Promise<bigint>[] = [];
  for (let i = 0; i < 1000; i++) {
    appends.push(journal.append(payloadOf(i, 100)));
    if (i % 10 === 0) await nextTurn();
  }
  assertEquals(journal.stats().syncs, 1);
  fileSystem.letAllThrough();
  const offsets = await Promise.all(appends);
  assertEquals(offsets, appends.map((_, i) => BigInt(i * 140)));
  assertEquals(journal.stats().syncs, 2);
  await journal.close();
});

test("Journal.append() during a sync is acknowledged by the next one, not by that one", async () => {
  using temp = tempDirectory();
  const { journal, fileSystem } = await openGated(temp.path);
  const done: string[] = [];
  const append = (name: string) =>
    journal.append(new TextEncoder().encode(name)).then(() => done.push(name));

  const appends = [append("a")];
  await until(() => fileSystem.waiting === 1);
  appends.push(append("b"));
  await nextTurn();
  appends.push(append("c"));
  await nextTurn();
  assertEquals(done, []);
  assertEquals(fileSystem.waiting, 1);

  fileSystem.letOneThrough();
  await until(() => fileSystem.waiting === 1);
  assertEquals(done, ["a"]);
  appends.push(append("d"));
  await nextTurn();

  fileSystem.letOneThrough();
  await until(() => fileSystem.waiting === 1);
  assertEquals(done, ["a", "b", "c"]);
  fileSystem.letAllThrough();
  await Promise.all(appends);
  assertEquals(done, ["a", "b", "c", "d"]);
  assertEquals(journal.stats().syncs, 3);
  await journal.close();
});

test('Journal.append() with sync "manual" resolves without a sync', async () => {
  using temp = tempDirectory();
  const { journal, fileSystem } = await openGated(temp.path, { sync: "manual" });
  for (let i = 0; i < 10; i++) await journal.append(payloadOf(i, 10));
  assertEquals(journal.stats().syncs, 0);

  let isDone = false;
  const syncs = [journal.sync(), journal.sync()];
  const all = Promise.all(syncs).then(() => isDone = true);
  await until(() => fileSystem.waiting === 1);
  await nextTurn();
  assert(!isDone);
  fileSystem.letAllThrough();
  await all;
  assertEquals(journal.stats().syncs, 1);
  await journal.sync();
  assertEquals(journal.stats().syncs, 1);
  await journal.close();
});

test("what asks for a sync within one turn shares one, and it covers what is written by then", async () => {
  using temp = tempDirectory();
  const fileSystem = new FaultyFileSystem();
  const journal = await Journal.open(temp.path, { fileSystem });
  const appends: Promise<bigint>[] = [];
  // Each is a group of its own, as none is pending when the next one comes.
  for (let i = 0; i < 10; i++) {
    appends.push(journal.append(payloadOf(i, 10)));
    while (journal.stats().appends <= i) await Promise.resolve();
  }
  assertEquals(journal.stats(), { appends: 10, groups: 10, syncs: 0, bytes: 500, segments: 1 });
  await Promise.all([...appends, journal.sync()]);
  assertEquals(journal.stats().syncs, 1);
  await journal.sync();
  await journal.close();
  assertEquals(journal.stats().syncs, 1);
});

test("small syncs hold the event loop on a disk where they are fast, and only there", async () => {
  using temp = tempDirectory();
  const fileSystem = new FaultyFileSystem();
  const journal = await Journal.open(temp.path, { fileSystem, sync: "manual" });
  /** Returns how the journal syncs a record. */
  const howSynced = async (bytes: number) => {
    await journal.append(new Uint8Array(bytes));
    const start = fileSystem.operations.length;
    await journal.sync();
    const kinds = fileSystem.operations.slice(start).map(({ kind }) => kind);
    return kinds.filter((kind) => kind.startsWith("sync")).join();
  };
  const small = () => howSynced(200 * 1024);
  const large = () => howSynced(300 * 1024);
  const smallUntil = async (kind: string) => {
    let syncs = 1;
    while (await small() !== kind) assertLessOrEqual(++syncs, 20);
    return syncs;
  };

  // As long as nothing is known of the disk, it may be a slow one.
  assertEquals(await small(), "sync");
  await smallUntil("syncNow");
  assertEquals(await large(), "sync");
  assertEquals(await small(), "syncNow");

  fileSystem.before = ({ kind }) => {
    const end = performance.now() + 10;
    if (kind === "syncNow") { while (performance.now() < end); }
  };
  fileSystem.beforeSync = () => new Promise((resolve) => setTimeout(resolve, 10));
  assertLessOrEqual(await smallUntil("sync"), 2);
  for (let i = 0; i < 5; i++) assertEquals(await small(), "sync");

  fileSystem.before = () => {};
  fileSystem.beforeSync = () => Promise.resolve();
  // That a large sync is fast says nothing of the others.
  for (let i = 0; i < 20; i++) await large();
  assertEquals(await small(), "sync");
  await smallUntil("syncNow");
  await journal.close();
});

test("Journal.sync() covers appends that were not awaited", async () => {
  using temp = tempDirectory();
  const fileSystem = new FaultyFileSystem();
  const journal = await Journal.open(temp.path, { fileSystem, sync: "manual" });
  const append = journal.append(payloadOf(1, 10));
  await journal.sync();
  assertEquals([journal.stats().groups, journal.stats().syncs], [1, 1]);
  assertEquals(await append, 0n);
  await journal.close();
});

test("a group is written in one piece, and a large one before its turn ends", async () => {
  using temp = tempDirectory();
  const fileSystem = new FaultyFileSystem();
  const journal = await Journal.open(temp.path, { fileSystem, sync: "manual" });
  const writesBefore = fileSystem.count("write", ".seg");
  const appends = Array.from({ length: 50 }, (_, i) => journal.append(payloadOf(i, 10)));
  await Promise.all(appends);
  assertEquals(fileSystem.count("write", ".seg") - writesBefore, 1);
  assertEquals(journal.stats().groups, 1);

  const large = journal.append(new Uint8Array(2 ** 20));
  assertEquals(journal.stats().groups, 2);
  await large;
  await journal.close();
});

test('with sync "manual" a sync starts by itself once 8 MiB wait for one', async () => {
  using temp = tempDirectory();
  const { journal, fileSystem } = await openGated(temp.path, { sync: "manual" });
  const megabyte = new Uint8Array(2 ** 20);
  for (let i = 0; i < 8; i++) await journal.append(megabyte.subarray(40));
  await nextTurn();
  await nextTurn();
  assertEquals(journal.stats().syncs, 0);
  for (let i = 0; i < 8; i++) await journal.append(megabyte);
  await until(() => fileSystem.waiting === 1);
  assertEquals(journal.stats().syncs, 1);
  fileSystem.letAllThrough();
  await journal.close();
});
