import { test } from "node:test";
import { assertEquals } from "@std/assert";
import { HybridStore } from "../../store/hybrid_store.ts";
import { openKv } from "../../kv/mod.ts";
import { Sweeper } from "../../kv/sweeper.ts";
import { withClock } from "./_clock.ts";

/** Counts the keys whose first byte is the one given. */
function keysOf(store: HybridStore, byte: number): Promise<number> {
  return store.count({ prefix: new Uint8Array([byte]) });
}

test("Sweeper.sweep() removes what has expired, and its index, in steps", async () => {
  await withClock(async (clock) => {
    await using store = await HybridStore.openMemory();
    await using kv = await openKv(store);
    const sweeper = new Sweeper(store);
    for (let i = 0; i < 500; i++) await kv.set(["e", i], i, { expireIn: 1000 + i });
    await kv.set(["kept"], 1);
    assertEquals(await sweeper.sweep(), 0);
    clock.now += 1000 + 399;
    assertEquals(await sweeper.sweep(), 400);
    assertEquals([await keysOf(store, 1), await keysOf(store, 3)], [101, 100]);
    clock.now -= 1e9;
    assertEquals(await sweeper.sweep(), 0);
    clock.now += 1e10;
    assertEquals(await sweeper.sweep(), 100);
    assertEquals([await keysOf(store, 1), await keysOf(store, 3)], [1, 0]);
    assertEquals((await kv.get(["kept"])).value, 1);
  });
});

test("Sweeper.sweep() keeps what was set again, or expires later", async () => {
  await withClock(async (clock) => {
    await using store = await HybridStore.openMemory();
    await using kv = await openKv(store);
    await kv.set(["a"], 1, { expireIn: 10 });
    await kv.set(["a"], 2);
    await kv.set(["b"], 1, { expireIn: 10 });
    await kv.set(["b"], 2, { expireIn: 5000 });
    await kv.set(["c"], 1, { expireIn: 10 });
    await kv.delete(["c"]);
    clock.now += 100;
    assertEquals(await new Sweeper(store).sweep(), 0);
    assertEquals([await keysOf(store, 1), await keysOf(store, 3)], [2, 1]);
    assertEquals((await kv.getMany([["a"], ["b"]])).map(({ value }) => value), [2, 2]);
  });
});

test("what expires is removed in the background, also what had expired before the opening", async () => {
  await using store = await HybridStore.openMemory();
  const before = await openKv(store);
  await before.set(["old"], 1, { expireIn: 1 });
  await before.close();
  await using kv = await openKv(store);
  await kv.set(["a"], 1, { expireIn: 30 });
  await kv.atomic().set(["b"], 1, { expireIn: 60 }).commit();
  // It waits as long as it takes.
  while (await keysOf(store, 1) > 0 || await keysOf(store, 3) > 0) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
});
