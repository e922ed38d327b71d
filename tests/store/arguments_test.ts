import { test } from "node:test";
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { HybridStore, MAX_KEY_BYTES, MAX_VALUE_BYTES } from "../../mod.ts";
import { appendKey, btreeKey, bytes } from "./_support.ts";

type Call = (argument: never) => unknown;

const VALUE = Uint8Array.of(1);
const OTHER_TYPES = [
  undefined,
  null,
  true,
  7,
  [1],
  new ArrayBuffer(8),
  new DataView(
    new ArrayBuffer(8),
  ),
];

/** The calls that take a key, by what their messages begin with. */
function keyCalls(store: HybridStore): [string, Call][] {
  return [
    ["Cannot get key", (key) => store.get(key)],
    ["Cannot look for key", (key) => store.has(key)],
    ["Cannot get keys", (key) => store.getMany([appendKey(1), key])],
    ["Cannot put key", (key) => store.put(key, VALUE)],
    ["Cannot delete key", (key) => store.delete(key)],
    ["Cannot add to counter", (key) => store.fetchAndAddU64(key, 1n)],
    ["Cannot update number", (key) => store.compareAndSwapF32(key, () => 1)],
    ["Cannot get key in transaction", (key) => store.transact((tx) => tx.get(key))],
    ["Cannot look for key in transaction", (key) => store.transact((tx) => tx.has(key))],
    ["Cannot put key in transaction", (key) => store.transact((tx) => tx.put(key, VALUE))],
    ["Cannot delete key in transaction", (key) => store.transact((tx) => tx.delete(key))],
    ["Cannot add to counter in", (key) => store.transact((tx) => tx.fetchAndAddU64(key, 1n))],
    [
      "Cannot update number in",
      (key) => store.transact((tx) => tx.compareAndSwapF32(key, () => 1)),
    ],
    ["Cannot get key in snapshot", async (key) => {
      await using snapshot = await store.snapshot();
      return await snapshot.get(key);
    }],
  ];
}

/** The calls that take a key and throw at once. */
function syncKeyCalls(store: HybridStore): [string, Call][] {
  return [
    ["Cannot get key", (key) => store.getSync(key)],
    ["Cannot look for key", (key) => store.hasSync(key)],
    ["Cannot route key", (key) => store.routeOf(key)],
    ["Cannot put key into batch", (key) => store.batch().put(key, VALUE)],
    ["Cannot delete key in batch", (key) => store.batch().delete(key)],
  ];
}

const TOO_LONG = new Uint8Array(MAX_KEY_BYTES + 1);

test("every operation rejects a key that is neither bytes nor a string", async () => {
  await using store = await HybridStore.openTemp();
  for (const key of OTHER_TYPES as never[]) {
    for (const [what, call] of keyCalls(store)) {
      const error = await assertRejects(() => call(key) as Promise<unknown>, TypeError, what);
      assertEquals(error.message.includes("not a Uint8Array"), true, error.message);
    }
    for (const [what, call] of syncKeyCalls(store)) {
      assertThrows(() => call(key), TypeError, `${what}: the key is `);
    }
  }
  assertEquals(await store.count(), 0);
  assertEquals(store.stats().groups, 0);
});

test("every operation rejects an empty key and one that is too long", async () => {
  await using store = await HybridStore.openTemp();
  for (const key of [new Uint8Array(0), TOO_LONG] as never[]) {
    const reason = key === TOO_LONG ? "the key is 2601 bytes long" : "the key is empty";
    for (const [what, call] of keyCalls(store)) {
      const error = await assertRejects(() => call(key) as Promise<unknown>, RangeError, what);
      assertEquals(error.message.includes(`: ${reason}`), true, error.message);
    }
    for (const [what, call] of syncKeyCalls(store)) {
      // Where bytes would live has an answer whatever their length.
      if (what === "Cannot route key") assertEquals(call(key), "btree");
      else assertThrows(() => call(key), RangeError, `${what}: ${reason}`);
    }
  }
  assertEquals(await store.count(), 0);
  assertEquals(store.stats().groups, 0);
});

test("every operation takes the longest key", async () => {
  await using store = await HybridStore.openTemp();
  const key = TOO_LONG.subarray(1);
  for (const [, call] of keyCalls(store)) {
    await call(key as never);
    await store.delete(key);
  }
  await store.put(key, VALUE);
  await store.checkpoint();
  assertEquals(store.getSync(key), VALUE);
});

test("HybridStore.put() rejects a value that is neither bytes nor a string", async () => {
  await using store = await HybridStore.openTemp();
  for (const value of OTHER_TYPES as never[]) {
    const message = "the value is ";
    await assertRejects(() => store.put(appendKey(1), value), TypeError, message);
    assertThrows(() => store.batch().put(appendKey(1), value), TypeError, message);
    const transaction = () => store.transact((tx) => tx.put(appendKey(1), value));
    await assertRejects(transaction, TypeError, message);
  }
  assertEquals(await store.count(), 0);
});

test("HybridStore.put() rejects a value of more than 128 MiB", async () => {
  await using store = await HybridStore.openTemp();
  const value = new Uint8Array(MAX_VALUE_BYTES + 1);
  const message = "the value is 134217729 bytes long, more than the limit of 134217728";
  await assertRejects(() => store.put(appendKey(1), value), RangeError, message);
  assertThrows(() => store.batch().put(appendKey(1), value), RangeError, message);
  const transaction = () => store.transact((tx) => tx.put(appendKey(1), value));
  await assertRejects(transaction, RangeError, message);
  assertEquals(await store.count(), 0);
});

test("HybridStore.put() takes an empty value", async () => {
  await using store = await HybridStore.openTemp();
  await store.put(appendKey(1), new Uint8Array(0));
  await store.put(btreeKey(1), new Uint8Array(0));
  for (const _ of ["from the memtable", "from the engines"]) {
    assertEquals(await store.get(appendKey(1)), new Uint8Array(0));
    assertEquals(await store.get(btreeKey(1)), new Uint8Array(0));
    assertEquals([store.hasSync(appendKey(1)), store.hasSync(btreeKey(1))], [true, true]);
    await store.checkpoint();
  }
});

test("HybridStore.getMany() rejects what is no list", async () => {
  await using store = await HybridStore.openTemp();
  const getMany = (keys: unknown) => store.getMany(keys as Uint8Array[]);
  await assertRejects(() => getMany(undefined), TypeError);
  await assertRejects(() => getMany(7), TypeError);
  assertEquals(await store.getMany([]), []);
});

test("HybridStore.scanPrefix() rejects a prefix that is neither bytes nor a string", async () => {
  await using store = await HybridStore.openTemp();
  for (const prefix of OTHER_TYPES as never[]) {
    await assertRejects(
      () => store.scanPrefix(prefix),
      TypeError,
      "Cannot scan prefix: the prefix is",
    );
  }
});

test("scans reject ranges that are none", async () => {
  await using store = await HybridStore.openTemp();
  await store.put(appendKey(1), VALUE);
  await using snapshot = await store.snapshot();
  const wrong: [unknown, string][] = [
    [null, "the range is null"],
    ["Tesla", "the range is a string"],
    [7, "the range is a number"],
    [[], "the range is an Array"],
    // Bytes given as a range would stand for all keys.
    [new Uint8Array(0), "the range is a Uint8Array"],
    [bytes("Tesla"), "the range is a Uint8Array"],
    [{ from: VALUE }, "a range has no property from"],
    [{ prefix: 7 }, "prefix is a number, not a Uint8Array or a string"],
    [{ prefix: "\ud800" }, "prefix has half a surrogate pair"],
    [{ gt: [1] }, "gt is an Array, not a Uint8Array"],
    [{ gte: 1 }, "gte is a number, not a Uint8Array"],
    [{ lt: null }, "lt is null, not a Uint8Array"],
    [{ lte: new ArrayBuffer(1) }, "lte is an ArrayBuffer, not a Uint8Array"],
    [{ reverse: 1 }, "reverse is a number, not a boolean"],
    [{ limit: "1" }, "limit is a string, not a number"],
  ];
  for (const [range, message] of wrong as [never, string][]) {
    assertThrows(() => store.scan(range), TypeError, `Cannot scan: ${message}`);
    assertThrows(() => store.scanSync(range), TypeError, `Cannot scan: ${message}`);
    assertThrows(() => store.keys(range), TypeError, `Cannot scan keys: ${message}`);
    assertThrows(() => snapshot.scan(range), TypeError, `Cannot scan in snapshot: ${message}`);
    assertThrows(() => snapshot.scanSync(range), TypeError, `Cannot scan in snapshot: ${message}`);
    await assertRejects(() => store.count(range), TypeError, `Cannot count keys: ${message}`);
    await assertRejects(() => snapshot.count(range), TypeError, message);
    await assertRejects(() => store.deleteRange(range), TypeError, message);
    await assertRejects(
      () => store.transact((tx) => tx.scan(range)),
      TypeError,
      `Cannot scan in transaction: ${message}`,
    );
  }
  for (const limit of [-1, 1.5, NaN, -Infinity]) {
    assertThrows(() => store.scan({ limit }), RangeError, `limit is ${limit}, not an integer`);
    await assertRejects(() => store.deleteRange({ limit }), RangeError, `limit is ${limit}`);
  }
  assertEquals(await store.count(), 1);
});

test("HybridStore.deleteRange() deletes nothing where a bound went missing", async () => {
  await using store = await HybridStore.openTemp();
  await store.put(appendKey(1), VALUE);
  const deleteRange = (range?: unknown) => store.deleteRange(range as object);
  await assertRejects(() => deleteRange(), TypeError, "range is undefined");
  await assertRejects(() => deleteRange({ prefix: undefined }), TypeError, "prefix is undefined");
  assertEquals(await store.count(), 1);
  assertEquals(await deleteRange({}), 1);
});

test("an operation that rejects its arguments leaves the store usable", async () => {
  await using store = await HybridStore.openTemp();
  const failed = store.put(new Uint8Array(0), VALUE).catch((error) => error);
  const put = store.put(appendKey(1), VALUE);
  assertEquals((await failed) instanceof RangeError, true);
  await put;
  assertEquals(store.getSync(appendKey(1)), VALUE);
});
