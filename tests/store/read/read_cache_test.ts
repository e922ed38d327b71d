import { test } from "node:test";
import { assertEquals, assertLess } from "@std/assert";
import { MemoryEngine } from "../../../backends/memory.ts";
import { packWrites } from "../../../backends/writes.ts";
import { CachedReader } from "../../../store/read/read_cache.ts";
import { btreeKey, bytes } from "../_support.ts";

/** An engine that counts how often it is asked for a value. */
class CountingEngine extends MemoryEngine {
  gets = 0;

  override get(key: Uint8Array): Uint8Array | undefined {
    this.gets++;
    return super.get(key);
  }
}

async function engineWith(count: number, value: Uint8Array): Promise<CountingEngine> {
  const engine = new CountingEngine();
  await engine.apply(Array.from({ length: count }, (_, i) => ({ key: btreeKey(i), value })), 1n);
  return engine;
}

/** Writes to an engine as the applier does. */
async function apply(
  engine: MemoryEngine,
  cache: CachedReader,
  key: Uint8Array,
  value: Uint8Array | undefined,
): Promise<void> {
  await engine.apply([{ key, value }], engine.position + 1n);
  for (const _ of cache.forgetting(packWrites([{ key, value }])));
}

test("a value is read from the engine once, and copied for each reader", async () => {
  const engine = await engineWith(2, bytes("value"));
  const cache = new CachedReader(engine, 100_000);
  for (let i = 0; i < 5; i++) {
    const value = cache.get(btreeKey(0))!;
    assertEquals(value, bytes("value"));
    value.fill(0xff);
  }
  assertEquals(engine.gets, 1);
});

test("what is not there is looked for each time", async () => {
  const engine = await engineWith(0, bytes(""));
  const cache = new CachedReader(engine, 100_000);
  for (let i = 0; i < 3; i++) assertEquals(cache.get(btreeKey(0)), undefined);
  assertEquals(engine.gets, 3);
  await apply(engine, cache, btreeKey(0), bytes("new"));
  assertEquals(cache.get(btreeKey(0)), bytes("new"));
});

test("a key that was applied is forgotten, from either generation", async () => {
  const engine = await engineWith(30, bytes("old"));
  const cache = new CachedReader(engine, 4000);
  for (let round = 0; round < 3; round++) {
    // Some of them are in the old generation by now, some in the young one, some in neither.
    for (let i = 0; i < 30; i++) cache.get(btreeKey(i));
    for (let i = 0; i < 30; i++) {
      const value = round === 1 ? undefined : bytes(`${round}`);
      await apply(engine, cache, btreeKey(i), value);
      assertEquals(cache.get(btreeKey(i)), value);
    }
  }
});

test("the cache holds what is read often, and no more than its size", async () => {
  const engine = await engineWith(1000, new Uint8Array(100));
  // Each entry counts for 100 bytes of value, 22 of key, and 200 besides.
  const cache = new CachedReader(engine, 20 * 330);
  for (let i = 0; i < 1000; i++) {
    cache.get(btreeKey(i));
    cache.get(btreeKey(7));
  }
  assertLess(engine.gets, 1000 + 5);
  engine.gets = 0;
  for (let i = 0; i < 1000; i++) cache.get(btreeKey(i));
  assertLess(980, engine.gets);
});

test("a value that would fill the cache is not kept", async () => {
  const engine = await engineWith(1, new Uint8Array(1000));
  const cache = new CachedReader(engine, 10_000);
  for (let i = 0; i < 3; i++) assertEquals(cache.get(btreeKey(0))!.length, 1000);
  assertEquals(engine.gets, 3);
});

test("a cache of 0 bytes keeps nothing", async () => {
  const engine = await engineWith(1, bytes("1"));
  const cache = new CachedReader(engine, 0);
  for (let i = 0; i < 3; i++) assertEquals(cache.get(btreeKey(0)), bytes("1"));
  assertEquals(engine.gets, 3);
});

test("other reads go to the engine", async () => {
  const engine = await engineWith(3, bytes("1"));
  const cache = new CachedReader(engine, 10_000);
  const range = { start: btreeKey(1), end: undefined, reverse: false };
  assertEquals(cache.has(btreeKey(1)), true);
  assertEquals(cache.has(btreeKey(9)), false);
  assertEquals(cache.keys(range, 10), [btreeKey(1), btreeKey(2)]);
  assertEquals(cache.range(range, 1), [{ key: btreeKey(1), value: bytes("1") }]);
});
