import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { assertEquals, assertLessOrEqual } from "@std/assert";
import { HybridStore } from "../../../mod.ts";
import { assertCode } from "../../support/assert.ts";

/** Begins iterations that wait for a change, by name. */
async function waiting(
  store: Pick<HybridStore, "changes" | "watch">,
): Promise<Record<string, AsyncIterableIterator<unknown>>> {
  const iterations = {
    keys: store.watch(["a"]),
    prefix: store.watch({ prefix: "a" }),
    changes: store.changes(),
  };
  await iterations.keys.next();
  await iterations.prefix.next();
  return iterations;
}

for (const isTraced of [false, true]) {
  const how = isTraced ? ", traced," : "";
  test(`an iteration${how} that waits for a change ends when it is left`, async () => {
    const listener = () => {};
    const channels = ["watch", "changes"].map((name) => `tracing:hybridstore:${name}:start`);
    if (isTraced) { for (const channel of channels) subscribe(channel, listener); }
    try {
      await using store = await HybridStore.openMemory();
      for (const iteration of Object.values(await waiting(store))) {
        const next = iteration.next();
        const end = { done: true, value: undefined };
        assertEquals(await iteration.return!(), end);
        assertEquals(await next, end);
        assertEquals(await iteration.next(), end);
      }
      assertEquals(store.stats().feed, { cursors: 0, readers: 0, watches: 0, bytes: 0 });
    } finally {
      if (isTraced) { for (const channel of channels) unsubscribe(channel, listener); }
    }
  });
}

test("an iteration that was never begun can be left", async () => {
  await using store = await HybridStore.openMemory();
  for (const iteration of [store.watch(["a"]), store.changes()]) {
    assertEquals(await iteration.return!(), { done: true, value: undefined });
    assertEquals((await iteration.next()).done, true);
  }
});

test("the feeds and watches of a part end with it, and with the part that it is a part of", async () => {
  await using store = await HybridStore.openMemory();
  const part = store.sub("a/");
  const inner = part.sub("b/");
  for (const closed of [inner, part]) {
    const iterations = Object.values(await waiting(inner === closed ? inner : part));
    const pending = iterations.map((iteration) => iteration.next());
    const own = await waiting(store);
    const ofStore = Object.values(own).map((iteration) => iteration.next());
    await closed.close();
    for (const { done } of await Promise.all(pending)) assertEquals(done, true);
    await store.put("a", "1");
    for (const { done } of await Promise.all(ofStore)) assertEquals(done, false);
    for (const iteration of Object.values(own)) await iteration.return!();
  }
  const ended = store.sub("c/");
  await ended.put("1", "1");
  const past = ended.changes({ after: 0n, live: false });
  await ended.close();
  await assertCode(() => past.next(), "CLOSED", "this part of the store is closed");
});

const collect = (globalThis as { Bun?: { gc(isSynchronous: boolean): void } }).Bun?.gc;

test("the collector leaves what nobody refers to, but not what is awaited", {
  skip: collect === undefined,
  timeout: 600_000,
}, async () => {
  await using store = await HybridStore.openMemory();
  await store.put("a", "1");
  const awaited = store.watch(["b"]);
  await awaited.next();
  const pending = [awaited.next(), store.changes().next()];
  // Where no variable of this function can hold them.
  const abandon = async () => {
    await store.watch(["a"]).next();
    await store.changes({ after: 0n }).next();
  };
  for (let i = 0; i < 20; i++) await abandon();
  const others = () => store.stats().feed.watches + store.stats().feed.readers;
  // It may have come already.
  assertLessOrEqual(others(), 42);
  while (others() > 10) {
    collect!(true);
    await delay(1);
  }
  await store.put("b", "1");
  for (const { done } of await Promise.all(pending)) assertEquals(done, false);
});
