import { test } from "node:test";
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  compareBytes,
  type Entry,
  HybridStore,
  MAX_KEY_BYTES,
  type ScanRange,
  type SubStore,
  toText,
} from "../../mod.ts";
import { assertCode } from "../support/assert.ts";
import { bytes } from "./_support.ts";

const texts = (entries: Iterable<Entry>) =>
  Array.from(entries, ({ key, value }) => [toText(key), toText(value)]);

test("a part of a store gives and takes keys without the prefix", async () => {
  await using store = await HybridStore.openTemp();
  const users = store.sub("user/");
  await users.put("1", "Ada");
  await users.put("2", "Grace");
  await store.put("user0", "below");
  await store.put("user/", "the empty key");
  await store.put("usfr", "above");
  assertEquals(toText(users.getSync("1")), "Ada");
  assertEquals(toText(await store.get("user/2")), "Grace");
  assertEquals(await users.has(""), true);
  assertEquals(await users.count(), 3);
  const all = [["", "the empty key"], ["1", "Ada"], ["2", "Grace"]];
  assertEquals(texts(users.scanSync()), all);
  assertEquals(texts(await Array.fromAsync(users.scan({ reverse: true }))), all.toReversed());
  assertEquals(texts(users.scanSync({ gt: "" })), all.slice(1));
  assertEquals(texts(users.scanSync({ gte: "1", lt: "2" })), all.slice(1, 2));
  assertEquals(texts(users.scanSync({ lte: "" })), all.slice(0, 1));
  assertEquals(texts(users.scanSync({ lt: "" })), []);
  assertEquals(texts(await users.scanPrefix("2")), all.slice(2));
  assertEquals((await Array.fromAsync(users.keys())).map(toText), ["", "1", "2"]);
  assertEquals((await users.getMany(["2", "3"])).map((value) => value && toText(value)), [
    "Grace",
    undefined,
  ]);
  const [page] = await Array.fromAsync(users.scanPages());
  assertEquals(texts(page!), all);
  assertEquals(toText(users.prefix), "user/");
});

test("a key that a part returns belongs to the caller alone", async () => {
  await using store = await HybridStore.openTemp();
  const users = store.sub("user/");
  await users.put("1", "Ada");
  const [{ key } = { key: new Uint8Array() }] = [...users.scanSync()];
  assertEquals(key.buffer.byteLength, 1);
  key[0] = 0;
  users.prefix[0] = 0;
  assertEquals(users.hasSync("1"), true);
});

test("a part writes as the store does", async () => {
  await using store = await HybridStore.openTemp();
  const counts = store.sub("count/");
  assertEquals(await counts.fetchAndAddU64("a", 5n), 5n);
  assertEquals(await counts.compareAndSwapF32("f", () => 0.5), 0.5);
  await counts.delete("f");
  assertEquals(await store.fetchAndAddU64("count/a", 1n), 6n);
  await counts.batch().put("b", "1").put("c", "2").deleteRange({ prefix: "a" }).commit();
  assertEquals((await Array.fromAsync(store.keys())).map(toText), ["count/b", "count/c"]);
  await store.put("countless", "");
  await store.put("counu", "");
  assertEquals(await counts.deleteRange({}), 2);
  assertEquals((await Array.fromAsync(store.keys())).map(toText), ["countless", "counu"]);
  const sum = await counts.transact((tx) => {
    tx.put("", "1");
    tx.put("x", "2");
    return [...tx.scan()].map(({ key }) => toText(key));
  });
  assertEquals(sum, ["", "x"]);
  assertEquals(await counts.transaction(async (tx) => toText(await tx.get("x"))), "2");
  await counts.flush();
});

test("parts nest, and write together in a batch and in transactions of the store", async () => {
  await using store = await HybridStore.openTemp();
  const users = store.sub("user/");
  const emails = users.sub("email/");
  assertEquals(toText(emails.prefix), "user/email/");
  const batch = store.batch().put("users", "1");
  batch.sub(users.prefix).put("1", "Ada").sub("email/").put("ada@example.org", "1");
  assertEquals(batch.size, 3);
  await batch.commit();
  assertEquals(toText(await emails.get("ada@example.org")), "1");

  await store.transact((tx) => {
    const part = tx.sub(users.prefix);
    assertEquals(toText(part.get("1")!), "Ada");
    part.put("2", "Grace");
    part.sub("email/").put("grace@example.org", "2");
    tx.put("users", "2");
    assertEquals([...part.sub("email/").keys()].map(toText), [
      "ada@example.org",
      "grace@example.org",
    ]);
    assertEquals(tx.count(), 5);
  });
  const names = await store.transaction(async (tx) => {
    const part = tx.sub(users.prefix);
    part.delete("1");
    const keys = await Array.fromAsync(part.keys());
    return keys.map(toText);
  });
  assertEquals(names, ["2", "email/ada@example.org", "email/grace@example.org"]);
  assertEquals(users.hasSync("1"), false);
});

test("a transaction of a part conflicts where its keys were written, and names the key without the prefix", async () => {
  await using store = await HybridStore.openTemp();
  const users = store.sub("user/");
  const attempt = users.transaction(async (tx) => {
    await tx.get("1");
    await store.put("user/1", "changed");
    tx.put("2", "");
  }, { attempts: 1 });
  const { key } = await assertCode(() => attempt, "CONFLICT", '"1"');
  assertEquals(toText(key!), "1");
  await users.transaction(async (tx) => {
    await Array.fromAsync(tx.scan({ limit: 1 }));
    await store.put("other", "changed");
    tx.put("2", "");
  }, { attempts: 1 });
  assertEquals(users.hasSync("2"), true);
});

test("a snapshot of a part shows its keys at one moment, and where that is", async () => {
  await using store = await HybridStore.openTemp();
  const users = store.sub("user/");
  const position = await users.batch().put("1", "Ada").commit();
  using snapshot = await users.snapshot();
  using now = users.snapshotSync();
  await users.put("2", "Grace");
  assertEquals(texts(snapshot.scanSync()), [["1", "Ada"]]);
  assertEquals(await now.count(), 1);
  assertEquals([snapshot.position, now.position], [position, position]);
  assert(store.position > position);
  assertEquals(users.position, store.position);
});

test("a part refuses prefixes and keys that are not valid, and counts its prefix to the length", async () => {
  await using store = await HybridStore.openTemp();
  assertThrows(() => store.sub(""), RangeError, "the prefix is empty");
  assertThrows(() => store.sub(undefined as never), TypeError, "the prefix is undefined");
  assertThrows(() => store.sub(new Uint8Array(2601)), RangeError, "the prefix is 2601 bytes long");
  const users = store.sub("user/");
  const longest = new Uint8Array(MAX_KEY_BYTES - 5);
  await users.put(longest, "1");
  assertEquals(users.hasSync(longest), true);
  await assertRejects(
    () => users.put(new Uint8Array(MAX_KEY_BYTES - 4), "1"),
    RangeError,
    "Cannot put key: the key is 2601 bytes long with the 5 bytes that are in front of it, more than",
  );
  assertThrows(() => users.sub(new Uint8Array(2600)), RangeError, "with the 5 bytes");
});

test("a part that is closed refuses, with its parts and snapshots, and leaves the store open", async () => {
  await using store = await HybridStore.openTemp();
  const users = store.sub("user/");
  const emails = users.sub("email/");
  const snapshot = users.snapshotSync();
  const batch = users.batch().put("1", "");
  await users.close();
  await users[Symbol.asyncDispose]();
  const calls: ((part: SubStore) => unknown)[] = [
    (part) => part.get("1"),
    (part) => part.put("1", ""),
    (part) => part.flush(),
    (part) => part.batch(),
    (part) => part.sub("x"),
    (part) => part.position,
    (part) => part.transaction(async (tx) => void await tx.get("1")),
  ];
  for (const call of calls) {
    await assertCode(() => call(users), "CLOSED", "this part of the store is closed");
    await assertCode(() => call(emails), "CLOSED", "this part of the store is closed");
  }
  await assertCode(() => snapshot.get("1"), "CLOSED");
  await assertCode(() => batch.commit(), "CLOSED");
  await store.put("user/1", "");
  assertEquals(await store.sub("user/").count(), 1);
  const other = store.sub("user/");
  await store.close();
  await assertCode(() => other.get("1"), "CLOSED", "the store is closed");
});

test("a part is routed by the keys of the store, on both sides", async () => {
  await using store = await HybridStore.openTemp({
    routes: [{ prefix: bytes("log/"), engine: "append" }, { tag: "V:", engine: "append" }],
  });
  const logs = store.sub("log/");
  assertEquals(logs.routeOf("1"), "append");
  assertEquals(logs.routeOf(""), "append");
  assertEquals(store.sub("lo").routeOf("x"), "btree");
  assertEquals(store.sub("a\0").routeOf("V:1"), "append");
  await logs.put("1", "");
  await store.checkpoint();
  assertEquals(store.stats().append.keys, 1);
});

test("scans of a part give what those of the store give, without the prefix", async () => {
  const someKey = fc.array(fc.constantFrom(0, 1, 0x61, 0xff), { maxLength: 3 }).map((values) =>
    Uint8Array.from(values)
  );
  const bound = fc.option(someKey, { nil: undefined });
  const someRange = fc.record({
    prefix: bound,
    gt: bound,
    gte: bound,
    lt: bound,
    lte: bound,
    reverse: fc.boolean(),
    limit: fc.constantFrom(0, 1, 3, Infinity),
  });
  await using store = await HybridStore.openTemp({ memtableBytes: 300 });
  const prefixes = [[0], [0xff], [0x61, 0], [0xff, 0xff]].map((prefix) => Uint8Array.from(prefix));
  const parts = prefixes.map((prefix) => store.sub(prefix));
  let puts = 0;
  await fc.assert(
    fc.asyncProperty(someKey, fc.nat(3), someRange, async (key, index, range) => {
      if (puts++ < 300) await parts[index]!.put(key, `${puts}`);
      const part = parts[index]!;
      const all = [...store.scanSync({ prefix: prefixes[index]! })].map(({ key, value }) => ({
        key: key.subarray(prefixes[index]!.length),
        value,
      }));
      const { prefix, gt, gte, lt, lte, reverse, limit } = range;
      const expected = all.filter(({ key }) =>
        (prefix === undefined || compareBytes(key.subarray(0, prefix.length), prefix) === 0) &&
        (gt === undefined || compareBytes(key, gt) > 0) &&
        (gte === undefined || compareBytes(key, gte) >= 0) &&
        (lt === undefined || compareBytes(key, lt) < 0) &&
        (lte === undefined || compareBytes(key, lte) <= 0)
      );
      if (reverse) expected.reverse();
      const found = [...part.scanSync(range as ScanRange)];
      assertEquals(found, expected.slice(0, limit));
    }),
    { numRuns: 500 },
  );
});
