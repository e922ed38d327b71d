import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { assert, assertEquals, assertGreater, assertLess } from "@std/assert";
import { HybridStore, type Snapshot } from "../../../mod.ts";
import { tempDirectory } from "../../support/temp.ts";
import { openFake } from "../_fakes.ts";
import { appendKey, btreeKey, bytes } from "../_support.ts";

test("a burst that nobody awaits, far past the memtable's size, is all there in the end", {
  timeout: 600_000,
}, async () => {
  using temp = tempDirectory();
  const options = { memtableBytes: 20_000, segmentBytes: 50_000 };
  const value = new Uint8Array(200);
  {
    await using store = await HybridStore.open(temp.path, options);
    const writes: Promise<void>[] = [];
    for (let i = 0; i < 10_000; i++) {
      value.fill(i);
      writes.push(store.put(i % 2 === 0 ? appendKey(i) : btreeKey(i), value));
    }
    assertGreater(store.stats().memtable.bytes, 100 * options.memtableBytes);
    await Promise.all(writes);
    // The last is acknowledged when there is room again.
    assertLess(store.stats().memtable.bytes, 3 * options.memtableBytes);
    assertEquals(await store.count(), 10_000);
  }
  await using store = await HybridStore.open(temp.path);
  assertEquals(await store.count(), 10_000);
  for (const i of [0, 1, 7000, 9999]) {
    const found = store.getSync(i % 2 === 0 ? appendKey(i) : btreeKey(i));
    assertEquals(found, new Uint8Array(200).fill(i));
  }
});

test("awaited writes of many callers keep memory bounded", { timeout: 600_000 }, async () => {
  const memtableBytes = 20_000;
  await using store = await HybridStore.openTemp({ memtableBytes, segmentBytes: 50_000 });
  const callers = 16;
  let largest = 0;
  const caller = async (number: number) => {
    const value = new Uint8Array(300);
    for (let i = number; i < 6000; i += callers) {
      await store.put(i % 3 === 0 ? btreeKey(i) : appendKey(i), value);
      if (i % 10 === 0) largest = Math.max(largest, store.stats().memtable.bytes);
    }
  };
  await Promise.all(Array.from({ length: callers }, (_, number) => caller(number)));
  assertGreater(store.stats().applies, 10);
  // Twice the limit, one memtable that is being filled, and what each caller adds before it waits.
  assertLess(largest, 3 * memtableBytes + callers * 400);
  assertEquals(await store.count(), 6000);
});

for (const size of ["large", "small"] as const) {
  test(`writes are acknowledged late while too much waits in ${size} memtables`, async () => {
    using temp = tempDirectory();
    const { store, append } = await openFake(temp.path, { memtableBytes: 3000 });
    const gate = Promise.withResolvers<void>();
    append.before = () => gate.promise;
    let acknowledged = 0;
    const snapshots: Snapshot[] = [];
    const writing = (async () => {
      for (let i = 0; i < 500; i++) {
        await store.put(appendKey(i), new Uint8Array(100));
        acknowledged++;
        // What a snapshot reads is sealed by the next write.
        if (size === "small") snapshots.push(store.snapshotSync());
      }
    })();
    for (let turn = 0; turn < 100; turn++) await nextTurn();
    const before = acknowledged;
    for (let turn = 0; turn < 100; turn++) await nextTurn();
    assertEquals(acknowledged, before);
    // 165 bytes each, up to 6000.
    assertGreater(before, 30);
    assertLess(before, 60);
    // Few layers for a read, however many were sealed.
    assertLess(store.stats().memtable.memtables, 10);
    // The write that waits can be read all the same.
    assertEquals(store.getSync(appendKey(before))?.length, 100);
    assertEquals(store.stats().memtable.keys, before + 1);
    gate.resolve();
    await writing;
    await store.checkpoint();
    assertEquals(append.stats().keys, 500);
    await store.close();
  });
}

test("a store that is closed while writers wait for room lets none of them hang", async () => {
  using temp = tempDirectory();
  const { store, append } = await openFake(temp.path, { memtableBytes: 1 });
  const gate = Promise.withResolvers<void>();
  append.before = () => gate.promise;
  const writes = Array.from({ length: 50 }, (_, i) => {
    const write = store.put(appendKey(i), bytes("1"));
    store.snapshotSync();
    return write;
  });
  await nextTurn();
  const closing = store.close();
  gate.resolve();
  await Promise.all([closing, ...writes]);
  assert(true);
});
