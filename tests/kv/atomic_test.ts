import { test } from "node:test";
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  type AtomicCheck,
  type Kv,
  type KvCommitResult,
  type KvMutation,
  KvU64,
  openKv,
} from "../../kv/mod.ts";

async function counter(kv: Kv, key: string): Promise<bigint | undefined> {
  return (await kv.get<KvU64>([key])).value?.value;
}

test("a commit writes everything under one versionstamp, in order", async () => {
  await using kv = await openKv(":memory:");
  const result = await kv.atomic().set(["a"], 1).set(["b"], 2).delete(["a"]).set(["b"], 3)
    .set(["c"], 4).commit();
  assertEquals(result.ok, true);
  const [a, b, c] = await kv.getMany([["a"], ["b"], ["c"]]);
  assertEquals([a.value, b.value, c.value], [null, 3, 4]);
  const { versionstamp } = result as KvCommitResult;
  assertEquals([b.versionstamp, c.versionstamp], [versionstamp, versionstamp]);
  const later = await kv.atomic().commit();
  assertEquals(later.ok && later.versionstamp > c.versionstamp!, true);
});

test("a failed check writes nothing, and is named in the result", async () => {
  await using kv = await openKv(":memory:");
  const first = await kv.set(["a"], 1);
  await kv.set(["a"], 2);
  const now = await kv.get(["a"]);
  const stale = { key: ["a"], versionstamp: first.versionstamp };
  const wrong = { key: ["b"], versionstamp: first.versionstamp };
  const absent = { key: ["b"], versionstamp: null };
  const result = await kv.atomic().check(now, stale, absent).check(wrong).set(["a"], 3).commit();
  assertEquals(result, { ok: false, failed: [stale, wrong] });
  assertEquals(await kv.get(["a"]), now);
  const upper = { key: ["a"], versionstamp: now.versionstamp!.toUpperCase() };
  assertEquals((await kv.atomic().check(upper, absent).set(["a"], 3).commit()).ok, true);
  assertEquals((await kv.get(["a"])).value, 3);
});

test("of operations with the same check that race, one wins", async () => {
  await using kv = await openKv(":memory:");
  const before = await kv.get(["a"]);
  const results = await Promise.all(
    [1, 2, 3, 4].map((i) => kv.atomic().check(before).set(["a"], i).commit()),
  );
  assertEquals(results.map(({ ok }) => ok), [true, false, false, false]);
});

test("sum, min and max work on counters, modulo 2^64", async () => {
  await using kv = await openKv(":memory:");
  await kv.atomic().sum(["s"], 5n).sum(["s"], 2n ** 64n - 2n).min(["m"], 7n).min(["m"], 9n)
    .max(["x"], 7n).max(["x"], 9n).max(["x"], 8n).commit();
  assertEquals([await counter(kv, "s"), await counter(kv, "m")], [3n, 7n]);
  assertEquals(await counter(kv, "x"), 9n);
  await kv.set(["n"], 1);
  for (const type of ["sum", "min", "max"] as const) {
    const operation = kv.atomic().set(["s"], "lost")[type](["n"], 1n);
    const message = `Failed to perform '${type}' mutation on a non-U64 value in the database`;
    await assertRejects(() => operation.commit(), TypeError, message);
    assertEquals(await counter(kv, "s"), 3n);
    assertThrows(() => kv.atomic()[type](["s"], -1n), RangeError, "positive bigint: received -1");
    assertThrows(() => kv.atomic()[type](["s"], 2n ** 64n), RangeError, "must fit in a 64-bit");
    assertThrows(() => kv.atomic()[type](["s"], 1 as unknown as bigint), TypeError, "a bigint");
  }
});

test("AtomicOperation.mutate() does what the methods do", async () => {
  await using kv = await openKv(":memory:");
  await kv.atomic().mutate(
    { type: "set", key: ["a"], value: 1 },
    { type: "set", key: ["b"], value: undefined, expireIn: 1_000_000 },
    { type: "set", key: ["c"], value: 1 },
    { type: "delete", key: ["c"] },
    { type: "sum", key: ["s"], value: new KvU64(4n) },
    { type: "min", key: ["s"], value: new KvU64(3n) },
    { type: "max", key: ["s"], value: new KvU64(6n) },
  ).commit();
  const found = await kv.getMany([["a"], ["b"], ["c"]]);
  assertEquals(found.map(({ value }) => value), [1, undefined, null]);
  assertEquals(await counter(kv, "s"), 6n);
  const refused = (mutation: unknown, message: string) => {
    assertThrows(() => kv.atomic().mutate(mutation as KvMutation), TypeError, message);
  };
  refused({ type: "add", key: ["a"], value: 1 }, "Invalid mutation type");
  refused({ type: "delete", key: ["a"], value: 1 }, "Invalid mutation 'delete' with value");
  refused({ type: "set", key: ["a"] }, "Invalid mutation 'set' without value");
  refused({ type: "sum", key: ["a"] }, "Invalid mutation 'sum' without value");
  refused({ type: "sum", key: ["a"], value: 5n }, "Invalid mutation 'sum'");
});

test("checks that are not valid are refused", async () => {
  await using kv = await openKv(":memory:");
  for (const versionstamp of ["x", "00", 5, "g".repeat(20)]) {
    const check = { key: ["a"], versionstamp } as AtomicCheck;
    assertThrows(() => kv.atomic().check(check), TypeError, "Invalid check");
  }
  const empty = { key: [], versionstamp: null };
  assertThrows(() => kv.atomic().check(empty), TypeError, "key cannot be empty");
});

test("an operation that is committed twice takes effect twice", async () => {
  await using kv = await openKv(":memory:");
  const operation = kv.atomic().sum(["s"], 1n).set(["v"], "x");
  const [first, second] = [await operation.commit(), await operation.commit({ durable: true })];
  assertEquals(first.ok && second.ok && first.versionstamp < second.versionstamp, true);
  assertEquals(await counter(kv, "s"), 2n);
});

test("more checks and writes fit into one operation than Deno KV takes", async () => {
  await using kv = await openKv(":memory:");
  const operation = kv.atomic();
  for (let i = 0; i < 3000; i++) {
    operation.check({ key: ["k", i], versionstamp: null }).set(["k", i], "x".repeat(100));
  }
  assertEquals((await operation.commit()).ok, true);
  await kv.set(["large"], new Uint8Array(1_000_000));
  assertEquals(await kv.count({ prefix: ["k"] }), 3000);
});

test("commits of one write that are not awaited see one another, and the checks see the writes", async () => {
  await using kv = await openKv(":memory:");
  const sums = Array.from({ length: 100 }, () => kv.atomic().sum(["n"], 2n).commit());
  const sets = Array.from({ length: 10 }, (_, i) => {
    return kv.atomic().check({ key: ["one"], versionstamp: null }).set(["one"], i).commit();
  });
  await Promise.all(sums);
  assertEquals((await kv.get<KvU64>(["n"])).value?.value, 200n);
  assertEquals((await Promise.all(sets)).map(({ ok }) => ok), [true, ...Array(9).fill(false)]);
  const { value, versionstamp } = await kv.get(["one"]);
  assertEquals(value, 0);
  const none = { key: ["one"], versionstamp: null };
  assertEquals((await kv.atomic().check(none).delete(["one"]).commit()).ok, false);
  const same = { key: ["one"], versionstamp };
  assertEquals((await kv.atomic().check(same).delete(["one"]).commit()).ok, true);
  assertEquals((await kv.get(["one"])).value, null);
});

test("a set that has expired when it is written removes what was there", async () => {
  await using kv = await openKv(":memory:");
  await kv.set(["a"], 1);
  await kv.set(["a"], 2, { expireIn: 0 });
  assertEquals((await kv.get(["a"])).value, null);
  assertEquals(await kv.count({ prefix: [] }), 0);
});
