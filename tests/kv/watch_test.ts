import { test } from "node:test";
import { assertEquals, assertThrows } from "@std/assert";
import { type KvKey, openKv } from "../../kv/mod.ts";

test("Kv.watch() shows the entries as they are, then each change", async () => {
  await using kv = await openKv(":memory:");
  const reader = kv.watch<[number, string]>([["a"], ["b"]]).getReader();
  const next = async () => (await reader.read()).value!.map(({ value }) => value);
  assertEquals(await next(), [null, null]);
  await kv.set(["a"], 1);
  assertEquals(await next(), [1, null]);
  await kv.set(["other"], 1);
  await kv.atomic().set(["a"], 2).set(["b"], "x").commit();
  assertEquals(await next(), [2, "x"]);
  await kv.delete(["a"]);
  assertEquals(await next(), [null, "x"]);
  // What nobody asked for in between is left out.
  for (let i = 0; i < 10; i++) await kv.set(["a"], i);
  assertEquals(await next(), [9, "x"]);
  await reader.cancel();
});

test("Kv.watch() shows with raw alone what leaves all versionstamps as they were", async () => {
  await using kv = await openKv(":memory:");
  const plain = kv.watch([["a"]]).getReader();
  const raw = kv.watch([["a"]], { raw: true }).getReader();
  await plain.read();
  await raw.read();
  await kv.delete(["a"]);
  assertEquals((await raw.read()).value, [{ key: ["a"], value: null, versionstamp: null }]);
  const read = plain.read();
  await kv.set(["a"], 1);
  assertEquals((await read).value![0].value, 1);
  await raw.cancel();
  await plain.cancel();
});

test("Kv.watch() ends with the Kv; without keys it ends at once", async () => {
  const kv = await openKv(":memory:");
  const reader = kv.watch([["a"]]).getReader();
  await reader.read();
  const waiting = reader.read();
  assertEquals((await kv.watch([]).getReader().read()).done, true);
  assertThrows(() => kv.watch([[{}] as unknown as KvKey]), TypeError, "expected string");
  await kv.close();
  assertEquals((await waiting).done, true);
});
