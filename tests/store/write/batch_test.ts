import { test } from "node:test";
import { assertEquals, assertThrows } from "@std/assert";
import { HybridStore, MAX_BATCH_BYTES, MAX_VALUE_BYTES } from "../../../mod.ts";
import { appendKey, btreeKey, bytes } from "../_support.ts";
import { assertCode, assertThrowsCode } from "../../support/assert.ts";

const VALUE = bytes("value");

test("Batch.commit() writes to both engines, as one group", async () => {
  await using store = await HybridStore.openTemp();
  await store.put(appendKey(3), VALUE);
  const batch = store.batch()
    .put(appendKey(1), bytes("1"))
    .put(btreeKey(1), bytes("2"))
    .delete(appendKey(3));
  assertEquals(batch.size, 3);
  assertEquals(store.stats().groups, 1);
  assertEquals(await store.count(), 1);
  await batch.commit();
  assertEquals(store.stats().groups, 2);
  assertEquals([...store.scanSync()], [
    { key: appendKey(1), value: bytes("1") },
    { key: btreeKey(1), value: bytes("2") },
  ]);
});

test("Batch.commit() takes effect at the call", async () => {
  await using store = await HybridStore.openTemp();
  const committed = store.batch().put(appendKey(1), VALUE).commit();
  assertEquals(store.getSync(appendKey(1)), VALUE);
  await committed;
});

test("the last write of a key in a batch wins", async () => {
  await using store = await HybridStore.openTemp();
  const batch = store.batch()
    .put(appendKey(1), bytes("1"))
    .delete(appendKey(1))
    .put(appendKey(2), bytes("1"))
    .put(appendKey(2), bytes("22"))
    .put(btreeKey(1), bytes("1"))
    .delete(btreeKey(1));
  assertEquals(batch.size, 3);
  await batch.commit();
  assertEquals([...store.scanSync()], [{ key: appendKey(2), value: bytes("22") }]);
});

test("an empty batch writes nothing", async () => {
  await using store = await HybridStore.openTemp();
  const batch = store.batch();
  assertEquals(batch.size, 0);
  await batch.commit();
  assertEquals(store.stats().groups, 0);
  await assertCode(() => batch.commit(), "CLOSED");
});

test("a batch that was committed is CLOSED", async () => {
  await using store = await HybridStore.openTemp();
  const batch = store.batch().put(appendKey(1), VALUE);
  const committed = batch.commit();
  assertThrowsCode(() => batch.put(appendKey(2), VALUE), "CLOSED");
  assertThrowsCode(() => batch.delete(appendKey(1)), "CLOSED");
  await assertCode(() => batch.commit(), "CLOSED", "it was committed");
  await committed;
  assertEquals(await store.count(), 1);
  assertEquals(store.stats().groups, 1);
});

test("a batch that is not committed changes nothing", async () => {
  await using store = await HybridStore.openTemp();
  store.batch().put(appendKey(1), VALUE).put(btreeKey(1), VALUE);
  assertEquals(await store.count(), 0);
});

test("a batch refuses a write that is not valid and keeps the others", async () => {
  await using store = await HybridStore.openTemp();
  const batch = store.batch().put(appendKey(1), VALUE);
  assertThrows(() => batch.put(new Uint8Array(0), VALUE), RangeError);
  assertThrows(() => batch.put(appendKey(2), 7 as never), TypeError);
  assertEquals(batch.size, 1);
  await batch.commit();
  assertEquals(await store.count(), 1);
});

test("batches in the same turn are whole, each with its own writes", async () => {
  await using store = await HybridStore.openTemp({ memtableBytes: 1000, segmentBytes: 3000 });
  const commits: Promise<bigint>[] = [];
  for (let round = 0; round < 40; round++) {
    const batch = store.batch();
    for (let i = 0; i < 20; i++) {
      batch.put(i % 2 === 0 ? appendKey(i) : btreeKey(i), bytes(`${round}`));
    }
    commits.push(batch.commit());
    const values = new Set([...store.scanSync()].map(({ value }) => `${value}`));
    assertEquals(values.size, 1);
  }
  await Promise.all(commits);
  assertEquals(await store.count(), 20);
});

test("a batch of many keys is written and read back", { timeout: 600_000 }, async () => {
  await using store = await HybridStore.openTemp({ memtableBytes: 100_000, segmentBytes: 100_000 });
  const batch = store.batch();
  for (let i = 0; i < 30_000; i++) batch.put(appendKey(i * 7919 % 30_000), bytes(`${i}`));
  await batch.commit();
  for (const _ of ["from the memtable", "from the engine"]) {
    assertEquals(await store.count(), 30_000);
    assertEquals(store.getSync(appendKey(7919)), bytes("1"));
    await store.checkpoint();
  }
});

test("a batch may take 512 MiB and no more", { timeout: 600_000 }, async () => {
  await using store = await HybridStore.openTemp();
  const value = new Uint8Array(MAX_VALUE_BYTES);
  const batch = store.batch();
  for (let i = 0; i < 3; i++) batch.put(appendKey(i), value);
  // A write that replaces another counts once.
  for (let i = 0; i < 3; i++) batch.put(appendKey(i), value);
  const takenBytes = 3 * (7 + appendKey(0).length + MAX_VALUE_BYTES);
  const leftBytes = MAX_BATCH_BYTES - takenBytes - 7 - appendKey(3).length;
  const message = "more than the limit of 536870912; commit them in parts";
  assertThrows(
    () => batch.put(appendKey(3), value.subarray(0, leftBytes + 1)),
    RangeError,
    message,
  );
  assertEquals(batch.size, 3);
  batch.put(appendKey(3), value.subarray(0, leftBytes));
  assertEquals(batch.size, 4);
  assertThrows(() => batch.delete(appendKey(4)), RangeError, message);
  batch.put(appendKey(3), VALUE).delete(appendKey(4));
  assertEquals(batch.size, 5);
});
