import { test } from "node:test";
import { assertEquals } from "@std/assert";
import { HybridStore } from "../../../mod.ts";
import { appendKey, btreeKey, bytes, keysOf } from "../_support.ts";
import { withLazyClock } from "../../support/clock.ts";
import { idle } from "../../support/crash_image.ts";

for (const [side, keyOf] of [["append", appendKey], ["B-tree", btreeKey]] as const) {
  test(`a read sees every write called before it, awaited or not, on the ${side} side`, async () => {
    // Each write is sealed and applied at once, so that it moves while it is read.
    await using store = await HybridStore.openTemp({ memtableBytes: 1 });
    const key = keyOf(1);
    const writes: Promise<unknown>[] = [];
    for (let i = 0; i < 300; i++) {
      writes.push(store.put(key, bytes(`${i}`)));
      assertEquals(store.getSync(key), bytes(`${i}`));
      assertEquals(await store.get(key), bytes(`${i}`));
      assertEquals([...store.scanSync()], [{ key, value: bytes(`${i}`) }]);
      writes.push(store.delete(key));
      assertEquals(store.hasSync(key), false);
      assertEquals(await store.scanPrefix(key), []);
      assertEquals(await store.count(), 0);
      if (i % 10 === 0) await idle(store);
    }
    await Promise.all(writes);
    assertEquals(store.getSync(key), undefined);
  });

  test(`a read answers for the moment of its call, on the ${side} side`, async () => {
    await using store = await HybridStore.openTemp();
    const key = keyOf(1);
    const before = store.get(key);
    const put = store.put(key, bytes("1"));
    const between = store.get(key);
    const found = store.scanPrefix(key);
    const deleted = store.delete(key);
    const [has, many] = [store.has(key), store.getMany([key])];
    assertEquals(await before, undefined);
    assertEquals(await between, bytes("1"));
    assertEquals(await found, [{ key, value: bytes("1") }]);
    assertEquals([await has, await many], [false, [undefined]]);
    await Promise.all([put, deleted]);
  });
}

test("calls take effect in the order in which they are made", async () => {
  await using store = await HybridStore.openTemp();
  const key = appendKey(1);
  const calls = [
    store.put(key, Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0)),
    store.fetchAndAddU64(key, 5n),
    store.transact((tx) => tx.fetchAndAddU64(key, 10n)),
    store.deleteRange({ prefix: key }),
    store.fetchAndAddU64(key, 2n),
    store.batch().delete(key).commit().then(() => "committed"),
    store.compareAndSwapF32(key, (current) => current + 1.5),
    store.delete(key),
    store.count(),
    store.put(key, bytes("last")),
  ];
  assertEquals(await Promise.all(calls), [
    undefined,
    6n,
    16n,
    1,
    2n,
    "committed",
    1.5,
    undefined,
    0,
    undefined,
  ]);
  assertEquals(store.getSync(key), bytes("last"));
});

test("a count answers for the moment of its call, also where the turn has lasted long", async () => {
  await using store = await HybridStore.openTemp();
  await withLazyClock(async () => {
    for (let i = 0; i < 20; i++) {
      // Each call looks at the clock, which soon says that the turn is over.
      const counts = [store.count(), store.count(), store.count(), store.count()];
      const put = store.put(appendKey(i), bytes("1"));
      assertEquals(await Promise.all(counts), [i, i, i, i]);
      await put;
    }
  });
});

test("the last of many writes to a key wins, through memtables and engines", async () => {
  await using store = await HybridStore.openTemp({ memtableBytes: 500, segmentBytes: 1000 });
  const writes: Promise<void>[] = [];
  for (let round = 0; round < 20; round++) {
    for (let i = 0; i < 20; i++) {
      writes.push(
        store.put(appendKey(i), bytes(`${round}`)),
        store.put(btreeKey(i), bytes(`${i}`)),
      );
      if ((round + i) % 7 === 0) writes.push(store.delete(btreeKey(i)));
    }
    if (round % 4 === 0) await idle(store);
  }
  await Promise.all(writes);
  for (const _ of ["as it is", "after a checkpoint"]) {
    for (let i = 0; i < 20; i++) {
      assertEquals(store.getSync(appendKey(i)), bytes("19"));
      const isDeleted = (19 + i) % 7 === 0;
      assertEquals(store.getSync(btreeKey(i)), isDeleted ? undefined : bytes(`${i}`));
    }
    await store.checkpoint();
  }
  assertEquals(keysOf(store.scanSync()).length, 20 + 17);
});

test("a value that was read often is not read once it changed", async () => {
  await using store = await HybridStore.openTemp();
  const key = btreeKey(1);
  for (let round = 0; round < 5; round++) {
    await store.put(key, bytes(`${round}`));
    for (const _ of ["from the memtable", "from the engine", "from the cache"]) {
      assertEquals(store.getSync(key), bytes(`${round}`));
      await store.checkpoint();
    }
    await store.delete(key);
    assertEquals(store.getSync(key), undefined);
    await store.checkpoint();
    assertEquals(store.getSync(key), undefined);
  }
});
