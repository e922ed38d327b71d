import { test } from "node:test";
import { assertEquals } from "@std/assert";
import { openKv } from "../../kv/mod.ts";
import { copyShort, copyWhole } from "../../runtime/copy.ts";
import { HybridStore } from "../../store/hybrid_store.ts";

/** Returns whether bytes have a buffer that holds nothing else. */
function isWhole({ byteOffset, buffer, length }: Uint8Array): boolean {
  return byteOffset === 0 && buffer.byteLength === length;
}

test("copies are apart from one another and from what they are copies of, however long", () => {
  const from = new Uint8Array(20_000).map((_, i) => i);
  const lengths = [0, 1, 31, 82, 2048, 2049, 16_384, 20_000];
  for (const copy of [copyShort, copyWhole]) {
    const copies = Array.from({ length: 50 }, () => lengths.map((end) => copy(from, 0, end)))
      .flat();
    const expected = copies.map(({ length }) => from.slice(0, length).join());
    assertEquals(copies.map((bytes) => bytes.join()), expected);
    for (const [i, bytes] of copies.entries()) bytes.fill(i);
    for (const [i, bytes] of copies.entries()) {
      assertEquals(bytes.every((byte) => byte === i % 256), true);
    }
    assertEquals(copy(from, 5, 8).join(), "5,6,7");
  }
  assertEquals(isWhole(copyWhole(from, 5, 8)), true);
});

test("what callers get is theirs with its buffer, whatever a Kv has read", async () => {
  await using store = await HybridStore.openTemp({ routes: [], defaultEngine: "append" });
  const kv = await openKv(store);
  for (const state of ["in memory", "in the engine"]) {
    const part = new Uint8Array([1, 0, 2]);
    await kv.set([part, "a"], { bytes: new Uint8Array(5) });
    await kv.set([part, "b"], new Uint8Array(6));
    if (state === "in the engine") await store.checkpoint();
    const listed = await Array.fromAsync(kv.list<Uint8Array>({ prefix: [part] }));
    const [first] = await kv.getMany<[{ bytes: Uint8Array }]>([[part, "a"]]);
    assertEquals(isWhole(first!.value!.bytes), true, state);
    assertEquals(isWhole((await kv.get<Uint8Array>([part, "b"])).value!), true, state);
    assertEquals(isWhole(listed[1]!.value), true, state);
    assertEquals(listed.every(({ key }) => isWhole(key[0] as Uint8Array)), true, state);
    for (const { key, value } of store.scanSync()) {
      assertEquals([isWhole(key), isWhole(value)], [true, true], state);
      await kv.get([part, "a"]);
      assertEquals(isWhole(store.getSync(key)!), true, state);
    }
    await kv.get([part, "a"]);
    for await (const key of store.keys()) assertEquals(isWhole(key), true, state);
  }
});
