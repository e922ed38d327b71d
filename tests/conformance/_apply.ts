import {
  assert,
  assertEquals,
  assertGreater,
  assertLess,
  assertRejects,
  assertStrictEquals,
} from "@std/assert";
import { StoreError, type Write } from "../../backends/mod.ts";
import {
  all,
  bytes,
  type EngineKind,
  engineTest,
  numberedKey,
  pattern,
  put,
  rangeOf,
  remove,
} from "./_kit.ts";

const MANY = 20_000;

/** A write that says when an engine takes it. */
function watched({ key, value }: Write, onTaken: () => void): Write {
  return {
    get key() {
      onTaken();
      return key;
    },
    value,
  };
}

export function applyTests(kind: EngineKind): void {
  engineTest(kind, "apply() puts, overwrites and deletes", async ({ engine }) => {
    await engine.apply([put(bytes(1), bytes(1)), put(bytes(2), bytes(2))], 1n);
    await engine.apply([
      remove(bytes(0)),
      put(bytes(1), bytes(10, 10)),
      remove(bytes(2)),
      put(bytes(3), bytes(3)),
      remove(bytes(4)),
    ], 2n);
    assertEquals(all(engine), [put(bytes(1), bytes(10, 10)), put(bytes(3), bytes(3))]);
    await engine.apply([remove(bytes(1)), put(bytes(2), bytes(22)), remove(bytes(3))], 3n);
    assertEquals(all(engine), [put(bytes(2), bytes(22))]);
    await engine.apply([remove(bytes(2))], 4n);
    assertEquals(all(engine), []);
    assertEquals(engine.stats().keys, 0);
  });

  engineTest(kind, "apply() of nothing moves the position", async ({ engine, reopen }) => {
    assertEquals(engine.position, 0n);
    await engine.apply([], 7n);
    assertEquals(engine.position, 7n);
    if (kind.isPersistent) assertEquals((await reopen()).position, 7n);
  });

  engineTest(kind, "a position can be any of 64 bits", async ({ engine, reopen }) => {
    for (const position of [2n ** 32n, 2n ** 53n + 1n, 2n ** 63n, 2n ** 64n - 1n]) {
      await engine.apply([], position);
      assertEquals(engine.position, position);
    }
    if (kind.isPersistent) assertEquals((await reopen()).position, 2n ** 64n - 1n);
  });

  const persistent = kind.isPersistent ? engineTest : () => {};
  persistent(kind, "entries and position are there after a reopen", async ({ engine, reopen }) => {
    await engine.apply([put(bytes(1), bytes(1)), put(bytes(2), bytes(2))], 5n);
    const again = await reopen();
    assertEquals(again.position, 5n);
    assertEquals(all(again), [put(bytes(1), bytes(1)), put(bytes(2), bytes(2))]);
    await again.apply([remove(bytes(1))], 6n);
    const last = await reopen();
    assertEquals(last.position, 6n);
    assertEquals(all(last), [put(bytes(2), bytes(2))]);
  });

  engineTest(kind, "apply() copies: bytes may change once it has settled", async ({ engine }) => {
    const write = put(bytes(1, 2, 3), pattern(5000));
    await engine.apply([write], 1n);
    write.key.fill(0xee);
    write.value!.fill(0xee);
    assertEquals(all(engine), [put(bytes(1, 2, 3), pattern(5000))]);
    // Parts of one buffer are told apart by where they begin.
    const buffer = pattern(100);
    const writes = [10, 20, 30].map((at) =>
      put(buffer.slice(at, at + 2), buffer.subarray(at, at + 10))
    );
    await engine.apply(writes, 2n);
    for (const { key, value } of writes) assertEquals(engine.get(key), value);
  });

  engineTest(kind, "apply() of many writes keeps all of them", async ({ engine, reopen }) => {
    const writes = Array.from({ length: MANY }, (_, i) => put(numberedKey(i), pattern(100, i)));
    await engine.apply(writes, 1n);
    const half = writes.map(({ key }, i) => i % 2 === 0 ? remove(key) : put(key, bytes(i & 0xff)));
    await engine.apply(half, 2n);
    const read = kind.isPersistent ? await reopen() : engine;
    assertEquals(read.stats().keys, MANY / 2);
    assertEquals(await read.check(() => {}), []);
    assertGreater(read.stats().bytes, MANY * 6);
    const entries = all(read);
    assertEquals(entries.length, MANY / 2);
    for (const [i, { key, value }] of entries.entries()) {
      assertEquals(key, numberedKey(2 * i + 1));
      assertEquals(value, bytes((2 * i + 1) & 0xff));
    }
  });

  engineTest(kind, "apply() takes part of its writes per turn", async ({ engine }) => {
    let inThisTurn = 0;
    let mostInOneTurn = 0;
    const writes = Array.from(
      { length: 4 * MANY },
      (_, i) =>
        watched(put(numberedKey(i), bytes(i & 0xff)), () => {
          mostInOneTurn = Math.max(mostInOneTurn, ++inThisTurn);
        }),
    );
    let isDone = false;
    const applied = engine.apply(writes, 1n).then(() => isDone = true);
    let turns = 0;
    while (!isDone) {
      await new Promise((resolve) => setImmediate(resolve));
      inThisTurn = 0;
      turns++;
    }
    await applied;
    assertGreater(turns, 4);
    assertGreater(mostInOneTurn, 0);
    assertLess(mostInOneTurn, MANY * 3 / 4);
    assertEquals(engine.stats().keys, 4 * MANY);
  });

  engineTest(kind, "reads go on while an apply runs", async ({ engine }) => {
    const keys = Array.from({ length: MANY }, (_, i) => numberedKey(i));
    await engine.apply(keys.map((key) => put(key, bytes(1))), 1n);
    let isDone = false;
    const applied = engine.apply(keys.map((key) => put(key, bytes(2))), 2n)
      .finally(() => isDone = true);
    for (let i = 0; !isDone; i = (i + 997) % MANY) {
      const value = engine.get(keys[i]!);
      assert(value?.length === 1 && (value[0] === 1 || value[0] === 2));
      const range = engine.range(rangeOf({ start: keys[i]!, reverse: i % 2 === 0 }), 10);
      assert(range.length > 0 && range.every(({ value }) => value[0] === 1 || value[0] === 2));
      assert(engine.has(keys[i]!));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await applied;
    assert(engine.range(rangeOf(), Infinity).every(({ value }) => value[0] === 2));
  });

  engineTest(
    kind,
    "an apply whose writes throw leaves the position",
    async ({ engine, reopen }) => {
      const keys = Array.from({ length: MANY }, (_, i) => numberedKey(i));
      await engine.apply(keys.map((key) => put(key, bytes(1))), 1n);
      const failure = new Error("no more writes");
      const failing = keys.map((key, i) =>
        watched(put(key, bytes(2)), () => {
          if (i === MANY / 2) throw failure;
        })
      );
      const error = await assertRejects(() => engine.apply(failing, 2n), Error, failure.message);
      assertStrictEquals(error instanceof StoreError ? error.cause : error, failure);
      assertEquals(engine.position, 1n);
      // Whatever there is of it, no more of it follows.
      const entries = all(engine);
      assertEquals(entries.length, MANY);
      await new Promise((resolve) => setTimeout(resolve, 100));
      assertEquals(all(engine), entries);
      const read = kind.isPersistent ? await reopen() : engine;
      assertEquals(read.position, 1n);
      assertEquals(all(read), entries);
      // The same writes again, and all is as if nothing had happened.
      await read.apply(keys.map((key) => put(key, bytes(2))), 2n);
      assertEquals(read.position, 2n);
      assert(all(read).every(({ value }) => value[0] === 2));
    },
  );

  engineTest(kind, "an apply whose first write throws changes nothing", async ({ engine }) => {
    await engine.apply([put(bytes(1), bytes(1))], 1n);
    const failing = watched(put(bytes(2), bytes(2)), () => {
      throw new Error("no writes");
    });
    await assertRejects(() => engine.apply([failing], 2n), Error, "no writes");
    assertEquals(engine.position, 1n);
    assertEquals(all(engine), [put(bytes(1), bytes(1))]);
  });
}
