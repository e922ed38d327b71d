import { test } from "node:test";
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { join } from "node:path";
import { HybridStore } from "../../store/hybrid_store.ts";
import { type Kv, type KvKey, KvU64, openKv } from "../../kv/mod.ts";
import { tempDirectory } from "../support/temp.ts";
import { withClock } from "./_clock.ts";

test("Kv.get() returns what was set, and null for what is not there", async () => {
  await using kv = await openKv(":memory:");
  const missing = await kv.get(["a"]);
  assertEquals(missing, { key: ["a"], value: null, versionstamp: null });
  const { ok, versionstamp } = await kv.set(["a"], { n: 1 });
  assertEquals(ok, true);
  assertEquals(/^[0-9a-f]{16}0000$/.test(versionstamp), true);
  assertEquals(await kv.get(["a"]), { key: ["a"], value: { n: 1 }, versionstamp });
  assertEquals(await kv.get([]), { key: [], value: null, versionstamp: null });
  await kv.set(["u"], undefined);
  assertEquals((await kv.get(["u"])).value, undefined);
  await kv.set(["c"], new KvU64(3n));
  assertEquals((await kv.get<KvU64>(["c"])).value?.value, 3n);
  await kv.set(["b"], new Uint8Array([1, 2]));
  assertEquals((await kv.get(["b"])).value, new Uint8Array([1, 2]));
});

test("Kv.getMany() returns entries in the order of the keys", async () => {
  await using kv = await openKv(":memory:");
  await kv.set(["b"], 2);
  const [a, b] = await kv.getMany<[string, number]>([["a"], ["b"]], { consistency: "eventual" });
  assertEquals([a.value, b.value], [null, 2]);
  assertEquals(await kv.getMany([]), []);
});

test("Kv.delete() deletes, and a missing key is not an error", async () => {
  await using kv = await openKv(":memory:");
  await kv.set(["a"], 1);
  await kv.delete(["a"]);
  await kv.delete(["a"]);
  assertEquals((await kv.get(["a"])).versionstamp, null);
});

test("calls take effect in the order in which they are made", async () => {
  await using kv = await openKv(":memory:");
  const writes = [];
  for (let i = 0; i < 50; i++) {
    writes.push(i % 2 === 0 ? kv.set(["k"], i) : kv.atomic().set(["k"], i).commit());
    writes.push(kv.get(["k"]).then(({ value }) => assertEquals(value, i)));
  }
  await Promise.all(writes);
  assertEquals((await kv.get(["k"])).value, 49);
});

test("wrong arguments are refused, in Deno's words", async () => {
  await using kv = await openKv(":memory:");
  const refused = async (call: () => Promise<unknown>, message: string) => {
    await assertRejects(call, TypeError, message);
  };
  await refused(() => kv.set([], 1), "key cannot be empty");
  await refused(() => kv.delete([]), "key cannot be empty");
  await refused(() => kv.get([null as unknown as string]), "expected string, number, bigint");
  await refused(() => kv.get("a" as unknown as KvKey), "not an array of parts");
  await refused(() => kv.set(["a"], () => 1), "could not be cloned.");
  for (const expireIn of [-1, 1.5, NaN, Infinity]) {
    const message = `expireIn must be a non-negative integer: received ${expireIn}`;
    await refused(() => kv.set(["a"], 1, { expireIn }), message);
  }
  const consistency = "none" as "strong";
  await refused(() => kv.get(["a"], { consistency }), "unknown variant `none`");
  await refused(() => kv.set(["a"], 1, { durable: 1 as unknown as boolean }), "durable");
  await refused(() => openKv(5 as unknown as string), "Cannot open Kv: the path is a number");
  assertEquals((await kv.get(["a"])).versionstamp, null);
});

test("what has expired is not returned, listed, counted or checked", async () => {
  await withClock(async (clock) => {
    await using kv = await openKv(":memory:");
    const { versionstamp } = await kv.set(["a", 1], new KvU64(5n), { expireIn: 1000 });
    await kv.set(["a", 2], 2);
    clock.now += 999;
    assertEquals((await kv.get<KvU64>(["a", 1])).value?.value, 5n);
    assertEquals(await kv.count({ prefix: ["a"] }), 2);
    clock.now += 1;
    assertEquals((await kv.get(["a", 1])).value, null);
    assertEquals((await kv.getMany([["a", 1]]))[0].versionstamp, null);
    assertEquals(await kv.count({ prefix: ["a"] }), 1);
    const keys = (await Array.fromAsync(kv.list({ prefix: ["a"] }))).map(({ key }) => key);
    assertEquals(keys, [["a", 2]]);
    const stale = kv.atomic().check({ key: ["a", 1], versionstamp });
    assertEquals((await stale.commit()).ok, false);
    const fresh = kv.atomic().check({ key: ["a", 1], versionstamp: null }).sum(["a", 1], 2n);
    assertEquals((await fresh.commit()).ok, true);
    assertEquals((await kv.get<KvU64>(["a", 1])).value?.value, 2n);
    assertEquals(await kv.deleteRange({ prefix: ["a"] }), 2);
  });
});

test("setting a key again takes its expiry away", async () => {
  await withClock(async (clock) => {
    await using kv = await openKv(":memory:");
    await kv.set(["a"], 1, { expireIn: 10 });
    await kv.set(["a"], 2);
    await kv.atomic().set(["b"], 1, { expireIn: 10 }).set(["b"], 2).commit();
    clock.now += 1e6;
    assertEquals((await kv.get(["a"])).value, 2);
    assertEquals((await kv.get(["b"])).value, 2);
    await kv.set(["c"], 1, { expireIn: Number.MAX_SAFE_INTEGER });
    assertEquals((await kv.get(["c"])).value, 1);
  });
});

test("Kv.deleteRange() deletes a range together, and says how many there were", async () => {
  await using kv = await openKv(":memory:");
  for (let i = 0; i < 10; i++) await kv.set(["r", i], i);
  await kv.set(["s"], 1);
  assertEquals(await kv.deleteRange({ start: ["r", 2], end: ["r", 5] }), 3);
  assertEquals(await kv.deleteRange({ prefix: ["r"] }, { durable: true }), 7);
  assertEquals(await kv.count({ prefix: [] }), 1);
});

test("a key that ends with commitVersionstamp() gets the versionstamp", async () => {
  await using kv = await openKv(":memory:");
  const stamp = kv.commitVersionstamp();
  const first = await kv.set(["log", stamp], 1);
  const second = await kv.atomic().set(["log", stamp], 2).set(["index", stamp], 3).commit();
  assertEquals(second.ok, true);
  const rows = await Array.fromAsync(kv.list({ prefix: ["log"] }));
  assertEquals(rows.map(({ value }) => value), [1, 2]);
  assertEquals(rows[0]!.key, ["log", first.versionstamp]);
  assertEquals(rows[1]!.key[1], rows[1]!.versionstamp);
  assertEquals((await kv.get(["index", rows[1]!.versionstamp])).value, 3);
  await assertRejects(() => kv.set([stamp], 1), TypeError, "key cannot be empty");
  await assertRejects(() => kv.set([stamp, "a"], 1), TypeError, "expected string");
  await assertRejects(() => kv.get(["a", stamp]), TypeError, "expected string");
  await assertRejects(() => kv.set(["a", Symbol("x")], 1), TypeError, "expected string");
  await assertRejects(() => kv.set(["a".repeat(2030), stamp], 1), TypeError, "too large for write");
});

test("a closed Kv refuses everything with BadResource, and ends watches", async () => {
  const kv = await openKv(":memory:");
  const operation = kv.atomic().set(["a"], 1);
  const reader = kv.watch([["a"]]).getReader();
  await reader.read();
  await kv.close();
  await kv.close();
  const calls: (() => Promise<unknown>)[] = [
    () => kv.get(["a"]),
    () => kv.getMany([["a"]]),
    () => kv.set(["a"], 1),
    () => kv.delete(["a"]),
    () => kv.count({ prefix: [] }),
    () => kv.deleteRange({ prefix: [] }),
    () => operation.commit(),
  ];
  for (const call of calls) {
    const error = await assertRejects(call, Error, "Bad resource ID");
    assertEquals(error.name, "BadResource");
  }
  assertThrows(() => kv.list({ prefix: [] }), Error, "Bad resource ID");
  assertThrows(() => kv.watch([["a"]]), Error, "Bad resource ID");
  assertEquals((await reader.read()).done, true);
});

test("openKv() of a path keeps what was written, on the append side", async () => {
  using directory = tempDirectory();
  const path = join(directory.path, "kv");
  let kv = await openKv(path);
  const { versionstamp } = await kv.set(["a"], new Map([[1, 2]]), { durable: true });
  await assertRejects(() => openKv(path), Error, "has it open");
  await kv.close();

  kv = await openKv(path);
  assertEquals(await kv.get(["a"]), { key: ["a"], value: new Map([[1, 2]]), versionstamp });
  const later = await kv.set(["a"], 2);
  assertEquals(later.versionstamp > versionstamp, true);
  await kv.close();

  const store = await HybridStore.open(path);
  assertEquals(store.routeOf(new Uint8Array([1])), "append");
  await store.close();
  const btree = await HybridStore.open(join(directory.path, "btree"));
  await btree.close();
  kv = await openKv(join(directory.path, "btree"));
  await kv.set(["a"], 1);
  await kv.close();
});

test("openKv() reads a store that is opened with readOnly", async () => {
  using directory = tempDirectory();
  const path = join(directory.path, "kv");
  const kv = await openKv(path);
  await kv.set(["a"], 1);
  await kv.close();
  const reader = await openKv(path, { readOnly: true });
  assertEquals((await reader.get(["a"])).value, 1);
  const error = await assertRejects(() => reader.set(["a"], 2));
  assertEquals((error as { code?: string }).code, "READ_ONLY");
  await reader.close();
});

test("openKv() of an open store leaves the rest of it alone, and stays out of its life", async () => {
  await using store = await HybridStore.openMemory();
  await store.put("other", "x");
  const part = await openKv(store.sub("kv/"));
  const same = await openKv(store.sub("kv/"));
  const whole = await openKv(store);
  await part.set(["a"], 1);
  assertEquals((await same.get(["a"])).value, 1);
  assertEquals((await whole.get(["a"])).value, null);
  assertEquals(await part.deleteRange({ prefix: [] }), 1);
  const stamps: string[] = [];
  for (let i = 0; i < 20; i++) {
    const kv: Kv = i % 3 === 0 ? part : same;
    stamps.push((await kv.set(["s", i], i)).versionstamp);
  }
  assertEquals(stamps, [...new Set(stamps)].sort());
  await part.close();
  assertEquals(await same.count({ prefix: ["s"] }), 20);
  await Promise.all([same.close(), whole.close()]);
  assertEquals((await store.get("other"))?.length, 1);
  await assertRejects(() => openKv(store, { create: true }), TypeError, "takes no options");
});

test("a Kv does not end with the part of a store that it was opened with", async () => {
  await using store = await HybridStore.openMemory();
  const [first, second] = [store.sub("a/").sub("kv/"), store.sub("a/kv/")];
  const [kv, other] = [await openKv(first), await openKv(second)];
  await first.close();
  await kv.set(["k"], 1);
  assertEquals((await other.get(["k"])).value, 1);
  assertEquals(await store.count({ prefix: "a/kv/\x01" }), 1);
  await Promise.all([kv.close(), other.close()]);
  await assertRejects(() => openKv(first), Error, "this part of the store is closed");
});

test("openKv() refuses a later format, and damage to an entry is found", async () => {
  await using store = await HybridStore.openMemory();
  const kv = await openKv(store);
  await kv.set(["a"], "value");
  const [row] = await store.scanPrefix(new Uint8Array([1]));
  row!.value[25]! ^= 1;
  await store.put(row!.key, row!.value);
  const error = await assertRejects(() => kv.get(["a"]));
  assertEquals((error as { code?: string }).code, "CORRUPT");
  await kv.close();
  await store.put(new Uint8Array([2, 0x66]), new Uint8Array([2]));
  const refusal = await assertRejects(() => openKv(store), Error, "its format is 2");
  assertEquals((refusal as { code?: string }).code, "UNSUPPORTED");
});
