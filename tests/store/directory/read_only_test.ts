import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  rmSync,
  statSync,
  truncateSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { test } from "node:test";
import { assertEquals, assertGreater, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { HybridStore, type OpenOptions, toText } from "../../../mod.ts";
import {
  noModes,
  noReadOnlyMount,
  ReadOnlyMount,
  stateOf,
  withoutWriting,
} from "../../crash/_read_only.ts";
import { assertCode } from "../../support/assert.ts";
import { tempDirectory } from "../../support/temp.ts";
import { appendKey, btreeKey } from "../_support.ts";

const READ_ONLY = { readOnly: true } as const;

/** Makes a store with some keys in the engines and some in the journal alone, as a kill leaves it. */
async function makeKilled(path: string, options: OpenOptions = {}): Promise<void> {
  using temp = tempDirectory();
  const store = await HybridStore.open(join(temp.path, "store"), options);
  for (let i = 0; i < 50; i++) await fill(store, i, "engine");
  await store.checkpoint();
  for (let i = 40; i < 60; i++) await fill(store, i, "journal");
  await store.delete(appendKey(0));
  await store.flush();
  cpSync(store.path, path, { recursive: true });
  rmSync(join(path, "place"));
  await store.close();
}

async function fill(store: HybridStore, i: number, value: string): Promise<void> {
  await store.batch().put(appendKey(i), `${value} ${i}`).put(btreeKey(i), `${value} ${i}`).commit();
}

async function assertContent(store: HybridStore): Promise<void> {
  assertEquals(await store.count(), 119);
  assertEquals(toText(await store.get(appendKey(1))), "engine 1");
  assertEquals(toText(store.getSync(btreeKey(39))), "engine 39");
  assertEquals(toText(store.getSync(btreeKey(40))), "journal 40");
  assertEquals(await store.has(appendKey(0)), false);
  const { append, btree, recovery } = store.stats();
  assertEquals([append.keys, btree.keys], [50, 50]);
  assertEquals(recovery.replayed, 21);
}

/** Entries of the temporary directory that reading a store leaves while it is open. */
const scratches = () =>
  readdirSync(tmpdir()).filter((name) => name.startsWith("hybridstore-read-"));

test("a store that a kill left is read, replayed in memory, and stays as it is", async () => {
  using temp = tempDirectory();
  await makeKilled(temp.path);
  const before = stateOf(temp.path);
  const left = scratches();
  for (let round = 0; round < 2; round++) {
    await using store = await HybridStore.open(temp.path, READ_ONLY);
    await assertContent(store);
    await using snapshot = await store.snapshot();
    assertEquals(await snapshot.count(), 119);
    assertEquals(await store.transaction((tx) => tx.count()), 119);
    assertEquals((await store.verify()).faults, []);
    await store.flush();
    assertEquals(stateOf(temp.path), before);
  }
  assertEquals(stateOf(temp.path), before);
  assertEquals(scratches(), left);
  await using store = await HybridStore.open(temp.path);
  await assertContent(store);
});

test("a store that was closed is read and stays as it is", async () => {
  using temp = tempDirectory();
  {
    await using store = await HybridStore.open(temp.path);
    for (let i = 0; i < 30; i++) await fill(store, i, "engine");
  }
  const before = stateOf(temp.path);
  {
    await using store = await HybridStore.open(temp.path, READ_ONLY);
    assertEquals(await store.count(), 60);
    assertEquals((await store.verify()).faults, []);
  }
  assertEquals(stateOf(temp.path), before);
});

test("a store that is opened to be read refuses all writes with READ_ONLY", async () => {
  using temp = tempDirectory();
  await makeKilled(temp.path);
  await using store = await HybridStore.open(temp.path, READ_ONLY);
  const writes: (() => Promise<unknown>)[] = [
    () => store.put("key", ""),
    () => store.delete("key"),
    () => store.batch().put("key", "").commit(),
    () => store.transact((tx) => tx.put("key", "")),
    // deno-lint-ignore require-await
    () => store.transaction(async (tx) => tx.put("key", "")),
    () => store.fetchAndAddU64("key", 1n),
    () => store.compareAndSwapF32("key", () => 1),
    () => store.deleteRange({ prefix: appendKey(1) }),
    () => store.sub("a").put("", ""),
    () => store.checkpoint(),
  ];
  for (const write of writes) await assertCode(write, "READ_ONLY", "open it without readOnly");
  await assertContent(store);
});

test("a store is read by several at a time, and written by none of them", async () => {
  using temp = tempDirectory();
  await makeKilled(temp.path);
  // Its lock file is there: it was opened before.
  assertEquals(existsSync(join(temp.path, "lock")), true);
  await using one = await HybridStore.open(temp.path, READ_ONLY);
  await using other = await HybridStore.open(temp.path, READ_ONLY);
  await assertCode(() => HybridStore.open(temp.path), "LOCKED");
  await one.close();
  await assertCode(() => HybridStore.open(temp.path), "LOCKED");
  await assertContent(other);
  await other.close();
  await using owner = await HybridStore.open(temp.path);
  await assertCode(() => HybridStore.open(temp.path, READ_ONLY), "LOCKED");
  await assertContent(owner);
});

// More than SQLite keeps of a database in memory.
const KEYS = 3000;
const large = (text: string) => text.padEnd(1000, ".");

test("a backup that nobody opened is read without getting a lock file", async () => {
  using temp = tempDirectory();
  const path = join(temp.path, "copy");
  {
    await using store = await HybridStore.openTemp();
    for (let i = 0; i < KEYS; i++) void fill(store, i, large("engine"));
    await store.backup(path);
  }
  const before = stateOf(path);
  await using store = await HybridStore.open(path, READ_ONLY);
  assertEquals(stateOf(path), before);
  // Another process may open and change it all the same; what is read stays.
  await using owner = await HybridStore.open(path);
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < KEYS; i++) void fill(owner, i, large(`changed ${round}`));
    await owner.checkpoint();
  }
  let count = 0;
  for await (const { value } of store.scan()) {
    assertEquals(toText(value.subarray(0, 6)), "engine");
    count++;
  }
  assertEquals(count, 2 * KEYS);
});

test("a store is read on a read-only mount", { skip: noReadOnlyMount() }, async () => {
  using temp = tempDirectory();
  await makeKilled(temp.path);
  using mount = new ReadOnlyMount(temp.path);
  await using store = await HybridStore.open(mount.path, READ_ONLY);
  await assertContent(store);
  using elsewhere = tempDirectory();
  await store.backup(join(elsewhere.path, "copy"));
  await using copy = await HybridStore.open(join(elsewhere.path, "copy"));
  assertEquals(await copy.count(), 119);
});

test("a store is read where its files must not be written", { skip: noModes() }, async () => {
  using temp = tempDirectory();
  await makeKilled(temp.path);
  using _mode = withoutWriting(temp.path);
  await using store = await HybridStore.open(temp.path, READ_ONLY);
  await assertContent(store);
});

test("what is no store, damaged or of other routes is refused, and stays as it is", async () => {
  using temp = tempDirectory();
  const at = (name: string) => join(temp.path, name);
  await assertCode(() => HybridStore.open(at("none"), READ_ONLY), "NOT_FOUND");
  assertEquals(existsSync(at("none")), false);
  mkdirSync(at("empty"));
  await assertCode(() => HybridStore.open(at("empty"), READ_ONLY), "NOT_FOUND");
  assertEquals(readdirSync(at("empty")), []);
  await makeKilled(at("store"));
  await assertCode(
    () => HybridStore.open(at("store"), { ...READ_ONLY, routes: [] }),
    "ROUTES_CHANGED",
  );
  for (const part of ["append/data.mdb", "btree/data.sqlite", "journal"]) {
    cpSync(at("store"), at("damaged"), { recursive: true });
    rmSync(join(at("damaged"), part), { recursive: true });
    const before = stateOf(at("damaged"));
    await assertCode(() => HybridStore.open(at("damaged"), READ_ONLY), "CORRUPT");
    assertEquals(stateOf(at("damaged")), before);
    rmSync(at("damaged"), { recursive: true });
  }
  // An empty database, with a log that belongs to another one.
  cpSync(at("store"), at("damaged"), { recursive: true });
  assertGreater(statSync(at("damaged/btree/data.sqlite-wal")).size, 0);
  truncateSync(at("damaged/btree/data.sqlite"));
  await assertCode(() => HybridStore.open(at("damaged"), READ_ONLY), "CORRUPT", "repair()");
  await assertRejects(
    () => HybridStore.open(at("store"), { readOnly: true, errorIfExists: true }),
    TypeError,
    "errorIfExists and readOnly leave nothing to open",
  );
});
