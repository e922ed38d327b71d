import { Readable } from "node:stream";
import { test } from "node:test";
import { assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { HybridStore, type ScanRange } from "../../../mod.ts";
import { appendKey, btreeKey, bytes, keysOf } from "../_support.ts";
import { assertCode, assertThrowsCode } from "../../support/assert.ts";

const decoder = new TextDecoder();

/** Reads a range by every way there is, compares the ways, and returns the keys as text. */
async function scanned(store: HybridStore, range?: ScanRange): Promise<string[]> {
  const entries = [...store.scanSync(range)];
  assertEquals(await Array.fromAsync(store.scan(range)), entries);
  assertEquals(await Array.fromAsync(store.keys(range)), keysOf(entries));
  assertEquals(await store.count(range), entries.length);
  await using snapshot = await store.snapshot();
  assertEquals([...snapshot.scanSync(range)], entries);
  assertEquals(await Array.fromAsync(snapshot.scan(range)), entries);
  assertEquals(await snapshot.count(range), entries.length);
  assertEquals(await store.transact((tx) => [...tx.scan(range)]), entries);
  return keysOf(entries).map((key) => decoder.decode(key));
}

/** A store whose keys are, in byte order, `\0E:1`, `a`, `a\0H:1`, `a\0S:`, `b`, `b\0H:1`; the first of
 * them in the engines, the next in a sealed memtable, the last in the active one. */
async function openLayered(): Promise<HybridStore> {
  const store = await HybridStore.openTemp();
  for (const key of ["b", "\0E:1"]) await store.put(bytes(key), bytes("1"));
  await store.checkpoint();
  for (const key of ["a\0S:", "b\0H:1"]) await store.put(bytes(key), bytes("2"));
  // What a snapshot reads is sealed by the next write.
  const snapshot = store.snapshotSync();
  for (const key of ["a\0H:1", "a"]) await store.put(bytes(key), bytes("3"));
  snapshot.close();
  return store;
}

const ALL = ["\0E:1", "a", "a\0H:1", "a\0S:", "b", "b\0H:1"];

test("a scan merges memtables and engines in byte order, either way", async () => {
  await using store = await openLayered();
  assertEquals(await scanned(store), ALL);
  assertEquals(await scanned(store, {}), ALL);
  assertEquals(await scanned(store, { reverse: false }), ALL);
  assertEquals(await scanned(store, { reverse: true }), ALL.toReversed());
});

test("the bounds of a scan include and exclude as they say", async () => {
  await using store = await openLayered();
  const [low, high] = [bytes("a"), bytes("b")];
  assertEquals(await scanned(store, { gt: low }), ALL.slice(2));
  assertEquals(await scanned(store, { gte: low }), ALL.slice(1));
  assertEquals(await scanned(store, { lt: high }), ALL.slice(0, 4));
  assertEquals(await scanned(store, { lte: high }), ALL.slice(0, 5));
  assertEquals(await scanned(store, { gt: low, lt: high }), ALL.slice(2, 4));
  assertEquals(await scanned(store, { gte: low, lte: high }), ALL.slice(1, 5));
  assertEquals(await scanned(store, { gte: low, lte: low }), ["a"]);
  assertEquals(await scanned(store, { gt: low, lte: high, reverse: true }), [
    "b",
    "a\0S:",
    "a\0H:1",
  ]);
});

test("all bounds of a scan hold at once", async () => {
  await using store = await openLayered();
  const prefix = bytes("a");
  assertEquals(await scanned(store, { prefix }), ["a", "a\0H:1", "a\0S:"]);
  assertEquals(await scanned(store, { prefix, gt: bytes("a") }), ["a\0H:1", "a\0S:"]);
  assertEquals(await scanned(store, { prefix, gte: bytes("\0"), lt: bytes("z") }), [
    "a",
    "a\0H:1",
    "a\0S:",
  ]);
  assertEquals(await scanned(store, { prefix, lte: bytes("a\0H:1") }), ["a", "a\0H:1"]);
  assertEquals(await scanned(store, { gt: bytes("a"), gte: bytes("a\0S:"), lt: bytes("b\0") }), [
    "a\0S:",
    "b",
  ]);
  assertEquals(await scanned(store, { lt: bytes("b"), lte: bytes("z"), gte: bytes("a\0I") }), [
    "a\0S:",
  ]);
});

test("a scan of an empty range yields nothing", async () => {
  await using store = await openLayered();
  const ranges: ScanRange[] = [
    { gt: bytes("a"), lt: bytes("a") },
    { gt: bytes("a"), lte: bytes("a") },
    { gte: bytes("b"), lt: bytes("a") },
    { prefix: bytes("a"), gte: bytes("b") },
    { prefix: bytes("b"), lt: bytes("b") },
    { prefix: bytes("c") },
    { gt: new Uint8Array(2600).fill(0xff) },
    { lt: Uint8Array.of(0) },
    { lt: new Uint8Array(0) },
    { lte: new Uint8Array(0) },
    { limit: 0 },
    { prefix: new Uint8Array(5000).fill(0x61) },
  ];
  for (const range of ranges) {
    assertEquals(await scanned(store, range), []);
    assertEquals(await scanned(store, { ...range, reverse: true }), []);
  }
  assertEquals(await scanned(store, { gte: new Uint8Array(0), limit: 2 }), ["\0E:1", "a"]);
  assertEquals(await scanned(store, { gt: new Uint8Array(0) }), ALL);
});

test("a scan yields no more rows than its limit", async () => {
  await using store = await openLayered();
  for (let limit = 0; limit <= 7; limit++) {
    assertEquals(await scanned(store, { limit }), ALL.slice(0, limit));
    assertEquals(await scanned(store, { limit, reverse: true }), ALL.toReversed().slice(0, limit));
  }
  assertEquals(await scanned(store, { limit: Infinity }), ALL);
  assertEquals(await scanned(store, { limit: Number.MAX_SAFE_INTEGER }), ALL);
});

test("keys on the edges of the order are found, either way", async () => {
  await using store = await HybridStore.openTemp();
  const keys = [
    Uint8Array.of(0),
    Uint8Array.of(0, 0),
    new Uint8Array(1977),
    new Uint8Array(2600),
    Uint8Array.of(0xff),
    Uint8Array.of(0xff, 0),
    new Uint8Array(1977).fill(0xff),
    new Uint8Array(2600).fill(0xff),
  ];
  for (const key of keys) await store.put(key, bytes("1"));
  for (const _ of ["in the memtable", "in the engines"]) {
    assertEquals(keysOf(store.scanSync()), keys);
    assertEquals(keysOf(store.scanSync({ reverse: true })), keys.toReversed());
    for (const [index, key] of keys.entries()) {
      assertEquals(keysOf(store.scanSync({ gte: key })), keys.slice(index));
      assertEquals(keysOf(store.scanSync({ gt: key })), keys.slice(index + 1));
      assertEquals(keysOf(store.scanSync({ lt: key })), keys.slice(0, index));
      assertEquals(keysOf(store.scanSync({ lte: key })), keys.slice(0, index + 1));
      const before = keys.slice(0, index + 1).toReversed();
      assertEquals(keysOf(store.scanSync({ lte: key, reverse: true })), before);
    }
    assertEquals(keysOf(await store.scanPrefix(Uint8Array.of(0xff))), keys.slice(4));
    assertEquals(keysOf(await store.scanPrefix(Uint8Array.of(0xff, 0xff))), keys.slice(6));
    await store.checkpoint();
  }
});

test("a deletion in a memtable hides the row below, a put after it shows again", async () => {
  await using store = await HybridStore.openTemp();
  for (let i = 0; i < 6; i++) {
    await store.batch().put(appendKey(i), bytes("1")).put(btreeKey(i), bytes("1")).commit();
  }
  await store.checkpoint();
  for (const i of [1, 2, 4]) await store.batch().delete(appendKey(i)).delete(btreeKey(i)).commit();
  using _ = store.snapshotSync();
  await store.put(appendKey(2), bytes("2"));
  await store.delete(btreeKey(3));
  const expected = [appendKey(0), appendKey(2), appendKey(3), appendKey(5)];
  expected.push(btreeKey(0), btreeKey(5));
  for (const _ of ["over the engines", "in the engines"]) {
    assertEquals(keysOf(store.scanSync()), expected);
    assertEquals(keysOf(store.scanSync({ reverse: true })), expected.toReversed());
    assertEquals(keysOf(store.scanSync({ gte: appendKey(1), limit: 2 })), expected.slice(1, 3));
    assertEquals(await store.count(), 6);
    await store.checkpoint();
  }
});

test("a scan that is abandoned leaves the store as it was", async () => {
  await using store = await openLayered();
  for await (const _ of store.scan()) break;
  for (const _ of store.scanSync()) break;
  const scan = store.keys();
  await scan.next();
  assertEquals(await scan.return!(), { done: true, value: undefined });
  assertEquals(await scan.next(), { done: true, value: undefined });
  // Begun, and never looked at again.
  for (let i = 0; i < 3000; i++) store.scanSync().next();
  for (let i = 0; i < 100; i++) await store.scan().next();
  await store.checkpoint();
  assertEquals(await scanned(store), ALL);
});

test("a scan is CLOSED when the store is closed while it goes on", async () => {
  const store = await HybridStore.openTemp();
  const batch = store.batch();
  for (let i = 0; i < 1000; i++) batch.put(appendKey(i), bytes("1"));
  await batch.commit();
  const [scan, keys, scanSync] = [store.scan(), store.keys(), store.scanSync()];
  await scan.next();
  await keys.next();
  scanSync.next();
  const closing = store.close();
  await assertCode(() => Array.fromAsync(scan), "CLOSED");
  await assertCode(() => Array.fromAsync(keys), "CLOSED");
  assertThrowsCode(() => [...scanSync], "CLOSED");
  assertEquals(await scan.next(), { done: true, value: undefined });
  await closing;
});

test("what is thrown into a scan comes out of it, and ends it", async () => {
  await using store = await openLayered();
  await using snapshot = await store.snapshot();
  const thrown = new Error("injected");
  for (const rows of [store.scan(), store.keys(), snapshot.scan(), store.scan({ limit: 2 })]) {
    await rows.next();
    assertStrictEquals(await assertRejects(() => rows.throw!(thrown)), thrown);
    assertEquals(await rows.next(), { done: true, value: undefined });
  }
  for (const rows of [store.scanSync(), snapshot.scanSync()]) {
    rows.next();
    assertStrictEquals(assertThrows(() => rows.throw!(thrown)), thrown);
    assertEquals(rows.next(), { done: true, value: undefined });
  }
});

test("a stream over a scan that is destroyed keeps its error", async () => {
  await using store = await openLayered();
  const stream = Readable.from(store.scan());
  const failed = new Promise((resolve) => stream.once("error", resolve));
  await new Promise((resolve) => stream.once("data", resolve));
  const thrown = new Error("injected");
  stream.destroy(thrown);
  assertStrictEquals(await failed, thrown);
});
