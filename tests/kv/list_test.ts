import { test } from "node:test";
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { HybridStore } from "../../mod.ts";
import {
  type Kv,
  type KvKey,
  type KvListOptions,
  type KvListSelector,
  openKv,
} from "../../kv/mod.ts";

async function filled(): Promise<Kv> {
  const kv = await openKv(":memory:");
  for (const letter of ["a", "b", "c", "d"]) await kv.set(["l", letter], letter);
  await kv.set(["l"], 0);
  await kv.set(["m"], 0);
  return kv;
}

async function keys(kv: Kv, selector: KvListSelector, options?: KvListOptions): Promise<KvKey[]> {
  return (await Array.fromAsync(kv.list(selector, options))).map(({ key }) => key);
}

async function letters(kv: Kv, selector: KvListSelector, options?: KvListOptions) {
  return (await keys(kv, selector, options)).map((key) => key[1]).join("");
}

test("Kv.list() selects by prefix, by range, and by part of a prefix", async () => {
  await using kv = await filled();
  assertEquals(await letters(kv, { prefix: ["l"] }), "abcd");
  assertEquals(await letters(kv, { prefix: ["l"], start: ["l", "b"] }), "bcd");
  assertEquals(await letters(kv, { prefix: ["l"], end: ["l", "c"] }), "ab");
  assertEquals(await letters(kv, { start: ["l", "b"], end: ["l", "d"] }), "bc");
  assertEquals(await keys(kv, { start: ["m"], end: ["m"] }), []);
  assertEquals((await keys(kv, { prefix: [] })).length, 6);
  assertEquals((await keys(kv, { start: [], end: ["l", "a"] })).length, 1);
  assertEquals(await keys(kv, { prefix: ["nothing"] }), []);
});

test("Kv.list() reverses, limits and reads in batches of any size", async () => {
  await using kv = await filled();
  const prefix = ["l"];
  assertEquals(await letters(kv, { prefix }, { reverse: true }), "dcba");
  assertEquals(await letters(kv, { prefix }, { limit: 2 }), "ab");
  assertEquals(await letters(kv, { prefix }, { limit: 3, reverse: true, batchSize: 2 }), "dcb");
  for (let batchSize = 1; batchSize < 7; batchSize++) {
    assertEquals(await letters(kv, { prefix }, { batchSize }), "abcd");
    assertEquals(await letters(kv, { prefix }, { batchSize, reverse: true }), "dcba");
  }
  for (let i = 0; i < 1500; i++) void kv.set(["n", i], i);
  assertEquals((await keys(kv, { prefix: ["n"] })).map((key) => key[1]), [...Array(1500).keys()]);
});

test("the cursor of a listing leads to the rest of it", async () => {
  await using kv = await filled();
  const prefix = ["l"];
  for (const reverse of [false, true]) {
    const iterator = kv.list({ prefix }, { reverse });
    assertThrows(() => iterator.cursor, Error, "Cannot get cursor before first iteration");
    await iterator.next();
    await iterator.next();
    const rest = await letters(kv, { prefix }, { cursor: iterator.cursor, reverse });
    assertEquals(rest, reverse ? "ba" : "cd");
    await Array.fromAsync(iterator);
    assertEquals(iterator.cursor, "");
  }
  const iterator = kv.list({ prefix });
  await iterator.next();
  assertEquals(iterator.cursor, "AmEA", "as Deno KV's");
  const range = kv.list({ start: ["l", "a"], end: ["l", "d"] });
  await range.next();
  assertEquals(range.cursor, "YQA=", "as Deno KV's");
  assertThrows(() => kv.list({ prefix }, { cursor: "!!" }), TypeError, "invalid cursor");
  const outside = { start: ["l", "b"], end: ["l", "c"] };
  assertThrows(() => kv.list(outside, { cursor: "AA==" }), TypeError, "out of bounds");
});

test("Kv.list() with keysOnly leaves the values out", async () => {
  await using kv = await filled();
  const [first] = await Array.fromAsync(kv.list({ prefix: ["l"] }, { keysOnly: true }));
  assertEquals([first!.key, first!.value], [["l", "a"], undefined]);
  assertEquals(first!.versionstamp, (await kv.get(["l", "a"])).versionstamp);
});

test("calls of next() that are not awaited get an entry each", async () => {
  await using kv = await filled();
  const iterator = kv.list<string>({ prefix: ["l"] }, { batchSize: 1 });
  const results = await Promise.all([1, 2, 3, 4, 5].map(() => iterator.next()));
  assertEquals(results.map(({ value }) => value?.value), ["a", "b", "c", "d", undefined]);
});

test("a listing goes on over writes, and ends with the Kv", async () => {
  const kv = await filled();
  const iterator = kv.list({ prefix: ["l"] }, { batchSize: 1 });
  await iterator.next();
  await kv.delete(["l", "b"]);
  assertEquals((await iterator.next()).value?.key, ["l", "c"]);
  await kv.close();
  await assertRejects(() => iterator.next(), Error, "Bad resource ID");
});

test("selectors and options that are not valid are refused, in Deno's words", async () => {
  await using kv = await filled();
  const refused = (selector: unknown, options: unknown, message: string) => {
    assertThrows(
      () => kv.list(selector as KvListSelector, options as KvListOptions),
      Error,
      message,
    );
  };
  const prefix = ["l"];
  const neither = "Selector must specify either 'prefix' or both 'start' and 'end' key";
  refused({}, {}, neither);
  refused(undefined, {}, neither);
  refused({ start: ["l"] }, {}, neither);
  const both = "Selector can not specify both 'start' and 'end' key when specifying 'prefix'";
  refused({ prefix, start: ["l", "a"], end: ["l", "b"] }, {}, both);
  refused({ start: ["m"], end: ["l"] }, {}, "Start key is greater than end key");
  refused({ prefix, start: ["k"] }, {}, "Start key is not in the keyspace defined by prefix");
  refused({ prefix, start: ["l"] }, {}, "Start key is not in the keyspace defined by prefix");
  refused({ prefix, end: ["m"] }, {}, "End key is not in the keyspace defined by prefix");
  for (const number of [0, -1, 1.5, NaN, Infinity, "2"]) {
    refused({ prefix }, { limit: number }, `Limit must be a positive integer: received ${number}`);
    refused({ prefix }, { batchSize: number }, "batchSize must be a positive integer: received");
  }
  refused({ prefix }, { consistency: "none" }, "unknown variant `none`");
});

test("Kv.list() holds a batch of about a megabyte, however many entries it is to have", async () => {
  await using store = await HybridStore.openTemp({ routes: [], defaultEngine: "append" });
  const kv = await openKv(store);
  for (let i = 0; i < 40; i++) await kv.set(["large", i], new Uint8Array(100_000).fill(i));
  for (const reverse of [false, true]) {
    const iterator = kv.list<Uint8Array>({ prefix: ["large"] }, { reverse, batchSize: 1000 });
    const { value: first } = await iterator.next();
    const order = [...Array(40).keys()];
    if (reverse) order.reverse();
    assertEquals(first!.key[1], order[0]);
    // Those that were not read yet are gone.
    for (let i = 11; i < 29; i++) await kv.delete(["large", i]);
    const rest = await Array.fromAsync(iterator, ({ value }) => value[0]);
    assertEquals([order[0], ...rest], order.filter((i) => i < 11 || i >= 29));
    for (let i = 11; i < 29; i++) await kv.set(["large", i], new Uint8Array(100_000).fill(i));
  }
});
