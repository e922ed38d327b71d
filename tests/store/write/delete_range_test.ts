import { test } from "node:test";
import { assertEquals } from "@std/assert";
import { HybridStore } from "../../../mod.ts";
import { appendKey, btreeKey, bytes, keysOf } from "../_support.ts";

async function openFilled(count: number): Promise<HybridStore> {
  const store = await HybridStore.openTemp();
  const batch = store.batch();
  for (let i = 0; i < count; i++) batch.put(appendKey(i), bytes("1")).put(btreeKey(i), bytes("1"));
  await batch.commit();
  return store;
}

test("HybridStore.deleteRange() deletes what a scan of the range yields, over both engines", async () => {
  await using store = await openFilled(10);
  await store.checkpoint();
  await store.put(appendKey(10), bytes("2"));
  const range = { gte: appendKey(8), lt: btreeKey(3) };
  assertEquals(keysOf(store.scanSync(range)).length, 6);
  assertEquals(await store.deleteRange(range), 6);
  assertEquals(keysOf(store.scanSync(range)), []);
  assertEquals(await store.count(), 15);
  await store.checkpoint();
  assertEquals(await store.count(), 15);
});

test("HybridStore.deleteRange() takes effect at the call, as one group", async () => {
  await using store = await openFilled(1000);
  const { groups } = store.stats();
  const deleted = store.deleteRange({ prefix: bytes("subject\0H:") });
  assertEquals(store.getSync(appendKey(999)), undefined);
  const put = store.put(appendKey(7), bytes("later"));
  assertEquals(await deleted, 1000);
  await put;
  assertEquals(store.stats().groups, groups + 1);
  assertEquals(await store.count(), 1001);
});

test("HybridStore.deleteRange() keeps to direction and limit", async () => {
  await using store = await openFilled(5);
  assertEquals(await store.deleteRange({ reverse: true, limit: 2 }), 2);
  assertEquals(keysOf(store.scanSync({ reverse: true, limit: 1 })), [btreeKey(2)]);
  assertEquals(await store.deleteRange({ limit: 1 }), 1);
  assertEquals(keysOf(store.scanSync({ limit: 1 })), [appendKey(1)]);
  assertEquals(await store.deleteRange({ limit: 0 }), 0);
  assertEquals(await store.count(), 7);
});

test("HybridStore.deleteRange() of an empty range writes nothing", async () => {
  await using store = await openFilled(5);
  const { groups } = store.stats();
  assertEquals(await store.deleteRange({ prefix: bytes("other") }), 0);
  assertEquals(await store.deleteRange({ gt: btreeKey(3), lt: btreeKey(3) }), 0);
  assertEquals(store.stats().groups, groups);
});

test("HybridStore.deleteRange() of {} empties the store, however large", async () => {
  await using store = await openFilled(6000);
  assertEquals(await store.deleteRange({}), 12_000);
  assertEquals(await store.count(), 0);
  await store.checkpoint();
  const { append, btree } = store.stats();
  assertEquals([append.keys, btree.keys], [0, 0]);
});
