import { test } from "node:test";
import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { equalBytes, HybridStore } from "../../../mod.ts";
import { tempDirectory } from "../../support/temp.ts";
import { appendKey, btreeKey, bytes } from "../_support.ts";
import { crashImage } from "../../support/crash_image.ts";

/** Returns a value in which every part is different. */
function largeValue(length: number, seed: number): Uint8Array {
  const words = new Uint32Array(Math.ceil(length / 4));
  for (let i = 0; i < words.length; i++) words[i] = Math.imul(i + seed, 0x9e3779b1);
  return new Uint8Array(words.buffer, 0, length);
}

test("values of megabytes pass through journal, memtable and engines", {
  timeout: 600_000,
}, async () => {
  using temp = tempDirectory();
  const [one, other] = [largeValue(5_000_001, 1), largeValue(3_333_333, 2)];
  const assertThere = (store: HybridStore) => {
    assertEquals(equalBytes(store.getSync(appendKey(1))!, one), true);
    assertEquals(equalBytes(store.getSync(btreeKey(1))!, other), true);
    assertEquals(store.getSync(appendKey(2)), bytes("small"));
    const sizes = [...store.scanSync({ reverse: true })].map(({ value }) => value.length);
    assertEquals(sizes, [3_333_333, 5, 5_000_001]);
  };
  const path = join(temp.path, "store");
  const store = await HybridStore.open(path, { segmentBytes: 1_000_000 });
  const writes = [
    store.put(appendKey(1), one),
    store.put(appendKey(2), bytes("small")),
    store.batch().put(btreeKey(1), other).commit(),
  ];
  assertThere(store);
  await Promise.all(writes);
  const image = await crashImage(store, join(temp.path, "image"));
  await store.checkpoint();
  assertThere(store);
  await store.close();
  for (const directory of [path, image]) {
    await using again = await HybridStore.open(directory, { memtableBytes: 1_000_000 });
    assertThere(again);
  }
});

test("a scan over large values finds each of them", { timeout: 600_000 }, async () => {
  await using store = await HybridStore.openTemp();
  const keys = Array.from({ length: 40 }, (_, i) => i < 20 ? appendKey(i) : btreeKey(i));
  for (const [i, key] of keys.entries()) await store.put(key, largeValue(300_000, i));
  for (const _ of ["from the memtable", "from the engines"]) {
    let i = 0;
    for await (const { key, value } of store.scan()) {
      assertEquals(key, keys[i]);
      assertEquals(equalBytes(value, largeValue(300_000, i)), true);
      i++;
    }
    assertEquals(i, 40);
    await store.checkpoint();
  }
});
