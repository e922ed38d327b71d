import { chmodSync, existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import process from "node:process";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { join } from "@std/path";
import { HybridStore, type OpenOptions } from "../../../mod.ts";
import { tempDirectory } from "../../support/temp.ts";
import { appendKey, btreeKey, bytes } from "../_support.ts";
import { assertCode, assertThrowsCode } from "../../support/assert.ts";

test("HybridStore.open() creates the directory, and those above it", async () => {
  using temp = tempDirectory();
  const path = join(temp.path, "a", "b");
  await using store = await HybridStore.open(path);
  assertEquals(store.path, path);
  const names = readdirSync(path).filter((name) => !name.startsWith("lock"));
  assertEquals(names.sort(), ["append", "btree", "journal", "manifest.json", "place"]);
});

test("HybridStore.open() finds again what was stored", async () => {
  using temp = tempDirectory();
  for (let i = 0; i < 3; i++) {
    await using store = await HybridStore.open(temp.path);
    assertEquals(await store.count(), 2 * i);
    await store.put(appendKey(i), bytes(`a${i}`));
    await store.put(btreeKey(i), bytes(`b${i}`));
  }
  await using store = await HybridStore.open(temp.path);
  const values = (await store.scanPrefix(new Uint8Array(0))).map(({ value }) => value);
  assertEquals(values, ["a0", "a1", "a2", "b0", "b1", "b2"].map(bytes));
});

test("HybridStore.open() takes a file URL", async () => {
  using temp = tempDirectory();
  await using store = await HybridStore.open(pathToFileURL(join(temp.path, "sp ace")));
  assertEquals(store.path, join(temp.path, "sp ace"));
  assertEquals(existsSync(store.path), true);
});

test("HybridStore.open() is not misled when the working directory changes", async () => {
  using temp = tempDirectory();
  const before = process.cwd();
  mkdirSync(join(temp.path, "elsewhere"));
  process.chdir(temp.path);
  try {
    await using store = await HybridStore.open("store");
    process.chdir("elsewhere");
    await store.put(btreeKey(1), bytes("1"));
    await using snapshot = await store.snapshot();
    await store.checkpoint();
    assertEquals(snapshot.getSync(btreeKey(1)), bytes("1"));
  } finally {
    process.chdir(before);
  }
  assertEquals(readdirSync(temp.path).sort(), ["elsewhere", "store"]);
  assertEquals(readdirSync(join(temp.path, "elsewhere")), []);
});

test("HybridStore.open() rejects paths that are none", async () => {
  const open = HybridStore.open as (path: unknown) => Promise<unknown>;
  for (const path of [undefined, null, 7, ["x"], new Uint8Array(1)]) {
    await assertRejects(() => open(path), TypeError, "Cannot open store: the path is");
  }
  await assertRejects(() => open(""), TypeError, "the path is empty");
  await assertRejects(() => open("a\0b"), TypeError, "the path contains NUL");
  await assertRejects(() => open(new URL("http://localhost/store")), TypeError);
});

test("HybridStore.open() refuses a file in place of a directory", async () => {
  using temp = tempDirectory();
  const path = join(temp.path, "file");
  writeFileSync(path, "");
  await assertCode(() => HybridStore.open(path), "NOT_EMPTY", path);
  await assertCode(() => HybridStore.open(join(path, "below")), "NOT_EMPTY", path);
});

test("HybridStore.open() rejects options of a wrong type", async () => {
  const wrong: [Record<string, unknown>, string][] = [
    [{ memtablebytes: 1 }, "there is no option memtablebytes"],
    [{ durability: "never" }, 'not "hybrid", "always" or "flush"'],
    [{ durability: null }, "durability is null"],
    [{ syncIntervalMs: "1" }, "syncIntervalMs is a string"],
    [{ memtableBytes: 1n }, "memtableBytes is a bigint"],
    [{ segmentBytes: "64" }, "segmentBytes is a string"],
    [{ readCacheBytes: null }, "readCacheBytes is null"],
    [{ routes: null }, "Cannot use routes"],
    [{ routes: "V:" }, "Cannot use routes"],
    [{ routes: [{ tag: "V", engine: "append" }] }, "does not end with"],
    [{ routes: [{ tag: "V:", engine: "lsm" }] }, "engine is neither"],
  ];
  using temp = tempDirectory();
  const path = join(temp.path, "store");
  for (const [options, message] of wrong) {
    const open = () => HybridStore.open(path, options as OpenOptions);
    await assertRejects(open, TypeError, message);
    await assertRejects(() => HybridStore.openTemp(options as OpenOptions), TypeError, message);
  }
  assertEquals(existsSync(path), false);
});

test("HybridStore.open() rejects options out of their range", async () => {
  const wrong: OpenOptions[] = [
    { syncIntervalMs: 0 },
    { syncIntervalMs: 2 ** 31 },
    { syncIntervalMs: 1.5 },
    { memtableBytes: 0 },
    { memtableBytes: 2 ** 32 + 1 },
    { memtableBytes: NaN },
    { segmentBytes: 63 },
    { segmentBytes: 2 ** 40 + 1 },
    { readCacheBytes: -1 },
    { readCacheBytes: Infinity },
  ];
  using temp = tempDirectory();
  const path = join(temp.path, "store");
  for (const options of wrong) {
    const [[name, value]] = Object.entries(options) as [[string, number]];
    await assertRejects(() => HybridStore.open(path, options), RangeError, `${name} is ${value}`);
  }
  assertEquals(existsSync(path), false);
});

test("HybridStore.open() takes an option that is undefined as left out", async () => {
  const options = { durability: undefined, memtableBytes: undefined } as unknown as OpenOptions;
  await using store = await HybridStore.openTemp(options);
  await store.put(btreeKey(1), bytes("1"));
  assertEquals(store.stats().syncs, 1);
});

test("HybridStore.openTemp() removes its directory when it is closed", async () => {
  const store = await HybridStore.openTemp();
  await store.put(appendKey(1), bytes("1"));
  assertEquals(existsSync(store.path), true);
  await store.close();
  assertEquals(existsSync(store.path), false);
});

test("HybridStore.openTemp() gives each store a directory of its own", async () => {
  await using one = await HybridStore.openTemp();
  await using other = await HybridStore.openTemp();
  await one.put(appendKey(1), bytes("1"));
  assertEquals(await other.get(appendKey(1)), undefined);
});

test("await using closes the store", async () => {
  let store: HybridStore;
  {
    await using opened = await HybridStore.openTemp();
    store = opened;
  }
  assertEquals(existsSync(store.path), false);
  assertThrowsCode(() => store.getSync(appendKey(1)), "CLOSED");
});

test("HybridStore.close() returns the same promise when it is called again", async () => {
  const store = await HybridStore.openTemp();
  const closing = store.close();
  assertStrictEquals(store.close(), closing);
  await closing;
  assertStrictEquals(store.close(), closing);
});

test("HybridStore.close() keeps what was not awaited", async () => {
  using temp = tempDirectory();
  const store = await HybridStore.open(temp.path);
  const writes = [store.put(appendKey(1), bytes("1")), store.put(btreeKey(1), bytes("2"))];
  await store.close();
  await Promise.all(writes);
  await using again = await HybridStore.open(temp.path);
  assertEquals(again.stats().recovery, { records: 0, replayed: 0, truncatedBytes: 0 });
  assertEquals(await again.getMany([appendKey(1), btreeKey(1)]), [bytes("1"), bytes("2")]);
});

test("every operation is refused with CLOSED once close() was called", async () => {
  using temp = tempDirectory();
  const store = await HybridStore.open(temp.path);
  const batch = store.batch().put(appendKey(1), bytes("1"));
  const scan = store.scan();
  const closing = store.close();
  const key = appendKey(1);
  const calls: (() => unknown)[] = [
    () => store.get(key),
    () => store.getSync(key),
    () => store.has(key),
    () => store.hasSync(key),
    () => store.getMany([key]),
    () => store.put(key, key),
    () => store.delete(key),
    () => store.batch(),
    () => batch.commit(),
    () => store.transact(() => 1),
    () => store.fetchAndAddU64(key, 1n),
    () => store.compareAndSwapF32(key, () => 1),
    () => store.scan(),
    () => scan.next(),
    () => store.scanSync(),
    () => store.keys(),
    () => store.scanPrefix(key),
    () => store.count(),
    () => store.deleteRange({}),
    () => store.snapshot(),
    () => store.flush(),
    () => store.checkpoint(),
    () => store.stats(),
    () => store.routeOf(key),
  ];
  for (const call of calls) await assertCode(call, "CLOSED", "the store is closed");
  await closing;
  for (const call of calls.filter((call) => !String(call).includes("scan.next"))) {
    await assertCode(call, "CLOSED");
  }
  await using again = await HybridStore.open(temp.path);
  assertEquals(await again.count(), 0);
});

test("new files and directories are their owner's alone", {
  skip: process.platform === "win32",
}, async () => {
  using temp = tempDirectory();
  const before = process.umask(0);
  try {
    const path = join(temp.path, "store");
    await using store = await HybridStore.open(path, { memtableBytes: 1, segmentBytes: 64 });
    await store.put(btreeKey(1), bytes("1"));
    await store.put(appendKey(1), bytes("1"));
    await using _snapshot = await store.snapshot();
    const names = ["", ...readdirSync(path, { recursive: true, encoding: "utf8" })];
    for (const name of names) {
      const stat = statSync(join(path, name));
      assertEquals(stat.mode & 0o777, stat.isDirectory() ? 0o700 : 0o600, name);
    }
    assertEquals(names.length > 10, true);
  } finally {
    process.umask(before);
  }
});

test("a directory that is there keeps its mode", {
  skip: process.platform === "win32",
}, async () => {
  using temp = tempDirectory();
  chmodSync(temp.path, 0o750);
  await using _store = await HybridStore.open(temp.path);
  assertEquals(statSync(temp.path).mode & 0o777, 0o750);
});
