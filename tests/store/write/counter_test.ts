import { test } from "node:test";
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { encodeF32, encodeU64, HybridStore } from "../../../mod.ts";
import { appendKey, btreeKey, bytes } from "../_support.ts";
import { assertCode, assertThrowsCode } from "../../support/assert.ts";

const U64_MAX = 2n ** 64n - 1n;

for (const [side, key] of [["append", appendKey(1)], ["B-tree", btreeKey(1)]] as const) {
  test(`HybridStore.fetchAndAddU64() counts from 0 and back, on the ${side} side`, async () => {
    await using store = await HybridStore.openTemp();
    assertEquals(await store.fetchAndAddU64(key, 0n), 0n);
    assertEquals(store.getSync(key), new Uint8Array(8));
    assertEquals(await store.fetchAndAddU64(key, 258n), 258n);
    await store.checkpoint();
    assertEquals(store.getSync(key), Uint8Array.of(2, 1, 0, 0, 0, 0, 0, 0));
    assertEquals(await store.fetchAndAddU64(key, -258n), 0n);
    assertEquals(await store.fetchAndAddU64(key, U64_MAX), U64_MAX);
    assertEquals(store.getSync(key), new Uint8Array(8).fill(0xff));
    assertEquals(await store.fetchAndAddU64(key, -1n), U64_MAX - 1n);
  });

  test(`a sum that no u64 holds is a RangeError and changes nothing, on the ${side} side`, async () => {
    await using store = await HybridStore.openTemp();
    await assertRejects(
      () => store.fetchAndAddU64(key, -1n),
      RangeError,
      "is -1, and a u64 counter holds 0 to",
    );
    assertEquals(await store.has(key), false);
    await store.put(key, encodeU64(U64_MAX - 5n));
    for (const delta of [6n, U64_MAX, -U64_MAX, 2n ** 200n]) {
      await assertRejects(() => store.fetchAndAddU64(key, delta), RangeError, "Cannot add");
    }
    assertEquals(await store.fetchAndAddU64(key, 5n), U64_MAX);
  });

  test(`HybridStore.compareAndSwapF32() starts at 0 and rounds to f32, on the ${side} side`, async () => {
    await using store = await HybridStore.openTemp();
    const found: number[] = [];
    const add = (amount: number) =>
      store.compareAndSwapF32(key, (current) => {
        found.push(current);
        return current + amount;
      });
    assertEquals(await add(0.1), Math.fround(0.1));
    assertEquals(store.getSync(key), encodeF32(0.1));
    assertEquals(await add(0.2), Math.fround(Math.fround(0.1) + 0.2));
    // 2^24 is where a step of 1 is lost.
    assertEquals(await store.compareAndSwapF32(key, () => 2 ** 24), 2 ** 24);
    assertEquals(await add(1), 2 ** 24);
    assertEquals(found, [0, Math.fround(0.1), 2 ** 24]);
  });

  test(`-0 and the infinities are numbers, on the ${side} side`, async () => {
    await using store = await HybridStore.openTemp();
    for (const [given, kept] of [[-0, -0], [Infinity, Infinity], [-1e39, -Infinity]] as const) {
      assert(Object.is(await store.compareAndSwapF32(key, () => given), kept));
      await store.checkpoint();
      await store.compareAndSwapF32(key, (current) => {
        assert(Object.is(current, kept));
        return current;
      });
    }
  });

  test(`an update that gives NaN is a RangeError and changes nothing, on the ${side} side`, async () => {
    await using store = await HybridStore.openTemp();
    await assertRejects(() => store.compareAndSwapF32(key, () => NaN), RangeError, "NaN");
    assertEquals(await store.has(key), false);
    await store.compareAndSwapF32(key, () => Infinity);
    const update = () => store.compareAndSwapF32(key, (current) => current - Infinity);
    await assertRejects(update, RangeError, "NaN");
    assertEquals(store.getSync(key), encodeF32(Infinity));
  });

  test(`a value of another length is INVALID_VALUE, on the ${side} side`, async () => {
    await using store = await HybridStore.openTemp();
    for (const value of [new Uint8Array(0), bytes("1234567"), bytes("123456789")]) {
      await store.put(key, value);
      await assertCode(() => store.fetchAndAddU64(key, 1n), "INVALID_VALUE", "a u64 counter has 8");
      await assertCode(
        () => store.compareAndSwapF32(key, () => 1),
        "INVALID_VALUE",
        "an f32 has 4",
      );
      assertEquals(store.getSync(key), value);
    }
  });
}

test("counters reject arguments of a wrong type and change nothing", async () => {
  await using store = await HybridStore.openTemp();
  const key = appendKey(1);
  for (const delta of [1, "1", undefined, null] as never[]) {
    const message = "Cannot add to counter: delta is";
    await assertRejects(() => store.fetchAndAddU64(key, delta), TypeError, message);
  }
  for (const update of [1, undefined, null, {}] as never[]) {
    const message = "Cannot update number: update is";
    await assertRejects(() => store.compareAndSwapF32(key, update), TypeError, message);
  }
  for (const result of [1n, "1", undefined, Promise.resolve(1)] as never[]) {
    const message = "Cannot update number: update returned";
    await assertRejects(() => store.compareAndSwapF32(key, () => result), TypeError, message);
  }
  assertEquals(await store.count(), 0);
});

test("an update that throws changes nothing, and its error is passed on", async () => {
  await using store = await HybridStore.openTemp();
  const update = () => {
    throw new URIError("mine");
  };
  await assertRejects(() => store.compareAndSwapF32(appendKey(1), update), URIError, "mine");
  assertEquals(await store.count(), 0);
});

test("additions made at once are all counted", async () => {
  await using store = await HybridStore.openTemp();
  const sums = await Promise.all(
    Array.from({ length: 500 }, () => store.fetchAndAddU64(btreeKey(1), 3n)),
  );
  assertEquals(sums, Array.from({ length: 500 }, (_, i) => 3n * BigInt(i + 1)));
});

test("counters in a transaction see each other, and fail as outside one", async () => {
  await using store = await HybridStore.openTemp();
  await store.put(appendKey(9), bytes("nine bytes"));
  await store.transact((tx) => {
    assertEquals(tx.fetchAndAddU64(appendKey(1), 5n), 5n);
    assertEquals(tx.fetchAndAddU64(appendKey(1), 3n), 8n);
    assertEquals(tx.compareAndSwapF32(btreeKey(1), (current) => current + 1.5), 1.5);
    assertEquals(tx.compareAndSwapF32(btreeKey(1), (current) => current * 2), 3);
    assertThrows(() => tx.fetchAndAddU64(appendKey(1), -9n), RangeError);
    assertThrows(() => tx.compareAndSwapF32(btreeKey(1), () => NaN), RangeError);
    assertThrowsCode(() => tx.compareAndSwapF32(appendKey(9), () => 1), "INVALID_VALUE");
  });
  assertEquals(await store.fetchAndAddU64(appendKey(1), 0n), 8n);
  assertEquals(store.getSync(btreeKey(1)), encodeF32(3));
});
