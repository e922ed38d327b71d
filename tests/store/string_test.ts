import { test } from "node:test";
import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { type BytesLike, HybridStore, type ScanRange, toText } from "../../mod.ts";
import { bytes } from "./_support.ts";

/** A key of each side, and text of one to four bytes a character. */
const KEYS = ["user/1", "Zürich\0H:1", "\0H:2", "été", "日本", "🦕", "\u{feff}mark"];

/** Calls every method that takes bytes, and returns everything that comes out, in text. */
async function useAll(give: (text: string) => BytesLike): Promise<unknown[]> {
  await using store = await HybridStore.openTemp();
  for (const key of KEYS) await store.put(give(key), give(`value of ${key}`));
  await store.batch().put(give("b1"), give("1")).put(give("b2"), give("2")).delete(give("b1"))
    .commit();
  await store.transact((tx) => {
    tx.put(give("t1"), give("1"));
    tx.put(give("t2"), give(""));
    tx.delete(give("t1"));
    tx.fetchAndAddU64(give("t3"), 3n);
    tx.compareAndSwapF32(give("t4"), () => 1.5);
  });
  await store.fetchAndAddU64(give("count"), 5n);
  await store.compareAndSwapF32(give("number"), () => 2.5);
  await store.delete(give("user/1"));
  await using snapshot = await store.snapshot();
  const range: ScanRange = { gte: give("b"), lt: give("v") };
  const results = [
    await store.get(give("été")),
    store.getSync(give("日本")),
    await store.has(give("🦕")),
    store.hasSync(give("user/1")),
    await store.getMany([give("t2"), give("t1"), give("b2")]),
    await store.scanPrefix(give("t")),
    await Array.fromAsync(store.scan(range)),
    [...store.scanSync({ gt: give("t2"), lte: give("t4"), reverse: true })],
    await Array.fromAsync(store.keys({ prefix: give("\0") })),
    await store.count(range),
    KEYS.map((key) => store.routeOf(give(key))),
    await snapshot.get(give("été")),
    snapshot.getSync(give("number")),
    [...snapshot.scanSync(range)],
    await store.transact((tx) => [tx.get(give("t2")), tx.has(give("t3")), [...tx.scan(range)]]),
    await store.deleteRange({ prefix: give("t") }),
    await Array.fromAsync(store.scan()),
  ];
  return results;
}

test("a string stands for its UTF-8 wherever bytes are taken", async () => {
  assertEquals(await useAll((text) => text), await useAll(bytes));
});

test("any well-formed text comes back as it was put, in the order of its bytes", async () => {
  await using store = await HybridStore.openTemp({ durability: "flush" });
  const unit = fc.oneof(
    fc.integer({ max: 0xd7ff, min: 0 }),
    fc.integer({ min: 0xe000, max: 0x10ffff }),
  )
    .map((point) => String.fromCodePoint(point));
  const text = fc.string({ unit, minLength: 1, maxLength: 40 });
  await fc.assert(
    fc.asyncProperty(fc.array(text, { maxLength: 20 }), async (texts) => {
      await store.deleteRange({});
      for (const key of texts) store.put(key, key);
      const found = await Array.fromAsync(store.scan());
      const sorted = [...new Set(texts)].sort((a, b) => Buffer.compare(bytes(a), bytes(b)));
      assertEquals(
        found.map(({ key, value }) => [toText(key), toText(value)]),
        sorted.map((key) => [key, key]),
      );
    }),
    { numRuns: 60 },
  );
});
