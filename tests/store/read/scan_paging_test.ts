import { test } from "node:test";
import { assert, assertEquals, assertLess } from "@std/assert";
import { MemoryEngine } from "../../../backends/memory.ts";
import { equalBytes, HybridStore, MAX_KEY_BYTES, Router } from "../../../mod.ts";
import { KeySpace } from "../../../store/key_space.ts";
import { ENTRY_ROWS, KEY_ROWS, type RowKind } from "../../../store/read/merge.ts";
import { resolveRange } from "../../../store/range.ts";
import { pages } from "../../../store/read/scan.ts";
import { appendKey, btreeKey, bytes, keysOf } from "../_support.ts";

/** Keys around the sizes of pages and of the chunks that are read from an engine. */
const COUNTS = [255, 256, 257, 511, 512, 513, 767, 768, 769, 5000];

async function fill(store: HybridStore, count: number, keyOf: (i: number) => Uint8Array) {
  const batch = store.batch();
  for (let i = 0; i < count; i++) batch.put(keyOf(i), bytes(`${i}`));
  await batch.commit();
}

test("a scan over any number of pages finds every row once", async () => {
  await using store = await HybridStore.openTemp();
  let stored = 0;
  for (const count of COUNTS) {
    const batch = store.batch();
    for (; stored < count; stored++) batch.put(appendKey(stored), bytes(`${stored}`));
    await batch.commit();
    if (count % 2 === 0) await store.checkpoint();
    const expected = Array.from({ length: count }, (_, i) => appendKey(i));
    assertEquals(keysOf(store.scanSync()), expected);
    assertEquals(keysOf(store.scanSync({ reverse: true })), expected.toReversed());
    assertEquals(keysOf(await Array.fromAsync(store.scan())), expected);
    assertEquals(await Array.fromAsync(store.keys({ reverse: true })), expected.toReversed());
    assertEquals(await store.count(), count);
    assertEquals(keysOf(await store.scanPrefix(bytes("subject"))), expected);
  }
});

test("a limit near the size of a page is kept", async () => {
  await using store = await HybridStore.openTemp();
  await fill(store, 3000, btreeKey);
  for (const _ of ["from the memtable", "from the engine"]) {
    for (const limit of [255, 256, 257, 511, 512, 513, 767, 768, 769, 2999, 3000, 3001]) {
      const expected = Array.from({ length: Math.min(limit, 3000) }, (_, i) => btreeKey(i));
      assertEquals(keysOf(store.scanSync({ limit })), expected);
      assertEquals(await store.count({ limit, reverse: true }), expected.length);
    }
    await store.checkpoint();
  }
});

test("pages that end at deleted rows lose none and repeat none", async () => {
  await using store = await HybridStore.openTemp();
  const keyOf = (i: number) => i < 2000 ? appendKey(i) : btreeKey(i);
  await fill(store, 4000, keyOf);
  await store.checkpoint();
  const batch = store.batch();
  const left: Uint8Array[] = [];
  for (let i = 0; i < 4000; i++) {
    // Runs of deletions, long and short, some of them across the ends of pages and chunks.
    const isDeleted = (i > 200 && i < 1500) || i % 256 === 0 || i % 512 > 500 || i % 7 === 0;
    if (isDeleted) batch.delete(keyOf(i));
    else left.push(keyOf(i));
  }
  await batch.commit();
  for (const _ of ["over the engines", "in the engines"]) {
    assertEquals(keysOf(store.scanSync()), left);
    assertEquals(keysOf(store.scanSync({ reverse: true })), left.toReversed());
    for (const limit of [1, 2, 33, 256, 1000]) {
      assertEquals(keysOf(store.scanSync({ limit })), left.slice(0, limit));
      // All that is between is deleted.
      const behind = left.slice(left.findIndex((key) => equalBytes(key, keyOf(1500))));
      assertEquals(keysOf(store.scanSync({ gt: keyOf(200), limit })), behind.slice(0, limit));
    }
    assertEquals(await store.count(), left.length);
    await store.checkpoint();
  }
});

test("writes during a scan may be seen, and nothing else comes or goes", async () => {
  await using store = await HybridStore.openTemp({ memtableBytes: 2000 });
  await fill(store, 3000, (i) => appendKey(2 * i));
  const seen = new Set<number>();
  let previous = -1;
  let step = 0;
  for await (const { key } of store.scan()) {
    const number = Number(new TextDecoder().decode(key.subarray(-6)));
    assert(number > previous, `${number} after ${previous}`);
    previous = number;
    seen.add(number);
    step++;
    if (step % 50 !== 0) continue;
    await store.delete(key);
    await store.put(appendKey(number + 1), bytes("new"));
    await store.put(appendKey(number - 1), bytes("behind"));
  }
  for (let i = 0; i < 3000; i++) assert(seen.has(2 * i), `${2 * i} is missing`);
});

test("each page of a scan shows what is there when it is read", async () => {
  await using store = await HybridStore.openTemp();
  await fill(store, 2000, appendKey);
  const [scan, scanSync] = [store.scan(), store.scanSync()];
  await scan.next();
  scanSync.next();
  await store.put(appendKey(1900), bytes("in the engine by then"));
  await store.checkpoint();
  await store.put(appendKey(1901), bytes("in the memtable"));
  const rows = [...scanSync];
  assertEquals(await Array.fromAsync(scan), rows);
  assertEquals(rows[1899]!.value, bytes("in the engine by then"));
  assertEquals(rows[1900]!.value, bytes("in the memtable"));
});

test("a scan that deletes as it goes ends, and empties the store", async () => {
  await using store = await HybridStore.openTemp({ memtableBytes: 5000 });
  await fill(store, 2000, (i) => i % 2 === 0 ? appendKey(i) : btreeKey(i));
  let count = 0;
  for await (const key of store.keys()) {
    await store.delete(key);
    count++;
  }
  assertEquals([count, await store.count()], [2000, 0]);
});

test("pages shrink where values are large and grow again where they are small", async () => {
  const engine = new MemoryEngine();
  const large = new Uint8Array(100_000);
  const writes = Array.from({ length: 3000 }, (_, i) => ({
    key: appendKey(i),
    value: i < 700 ? large : bytes("small"),
  }));
  await engine.apply(writes, 1n);
  const source = {
    layers: [],
    engines: { append: engine, btree: new MemoryEngine() },
    router: new Router(),
  };
  const scan = resolveRange("Cannot scan", new KeySpace(MAX_KEY_BYTES), {});
  const sizesOf = <Row>(kind: RowKind<Row>, isEager: boolean) =>
    [...pages(() => source, kind, scan, isEager ? "large" : "small first")].map((page) =>
      page.length
    );
  for (const isEager of [false, true]) {
    const sizes = sizesOf(ENTRY_ROWS, isEager);
    // The first page ends with the row that reaches its bytes: 64 KiB or 4 MiB.
    assertEquals(sizes[0], isEager ? 42 : 1);
    assertEquals(sizes.slice(1, 40), Array(39).fill(16));
    assertEquals(sizes.reduce((sum, size) => sum + size), 3000);
    assertLess(sizes.length, 80);
  }
  assertEquals(sizesOf(KEY_ROWS, true), [256, 512, 1024, 1208]);
  assertEquals(sizesOf(KEY_ROWS, false), [4, 256, 512, 1024, 1204]);
});
