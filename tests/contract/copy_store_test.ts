import { test } from "node:test";
import { assertEquals, assertRejects } from "@std/assert";
import { copyStore, type Entry, HybridStore, type OrderedStore } from "../../mod.ts";
import { assertCode } from "../support/assert.ts";
import { Random } from "../support/random.ts";
import { appendKey, btreeKey } from "../store/_support.ts";

const all = (store: OrderedStore): Promise<Entry[]> => store.scanPrefix("");

test("a store is copied between files, memory and parts, and back", async () => {
  const random = new Random(11);
  await using file = await HybridStore.openTemp({ memtableBytes: 20_000 });
  await using memory = await HybridStore.openMemory({ defaultEngine: "append" });
  await using other = await HybridStore.openTemp();
  for (let i = 0; i < 2500; i++) {
    void file.put(i % 2 === 0 ? appendKey(i) : btreeKey(i), random.bytes(random.below(300)));
  }
  await file.put("large", random.bytes(3_000_000));
  const expected = await all(file);
  const bytes = expected.reduce((sum, { key, value }) => sum + key.length + value.length, 0);
  const progress: number[] = [];
  const onProgress = ({ keys }: { keys: number }) => void progress.push(keys);
  const part = other.sub("part/");
  await other.put("another", "stays");
  assertEquals(await copyStore(file, memory, { onProgress }), { keys: 2501, bytes });
  assertEquals(await all(memory), expected);
  assertEquals(progress.at(-1), 2501);
  assertEquals(progress.length >= 3, true);
  await copyStore(memory, part);
  assertEquals(await all(part), expected);
  await file.deleteRange({});
  await copyStore(part, file);
  assertEquals(await all(file), expected);
  assertEquals(await other.count(), 2502);
  assertEquals((await file.verify()).faults, []);
});

test("a copy shows the moment of the call, of the keys that are asked for", async () => {
  await using from = await HybridStore.openTemp();
  await using to = await HybridStore.openMemory();
  for (let i = 0; i < 100; i++) await from.put(`a/${i}`, "before");
  await from.put("b", "");
  await to.put("a/1", "overwritten");
  await to.put("c", "stays");
  const copying = copyStore(from, to, { prefix: "a/" });
  await from.put("a/new", "");
  await from.deleteRange({ prefix: "a/9" });
  assertEquals((await copying).keys, 100);
  assertEquals(await to.count({ prefix: "a/" }), 100);
  assertEquals(await to.count(), 101);
  assertEquals((await to.getMany(["a/1", "a/99"])).map((value) => value?.length), [6, 6]);
});

test("what cannot be copied is refused, and an end is passed on", async () => {
  await using from = await HybridStore.openMemory();
  await using to = await HybridStore.openMemory();
  for (let i = 0; i < 3000; i++) void from.put(`${i}`, "");
  await assertRejects(
    () => copyStore({} as never, to),
    TypeError,
    "from is an Object, not a store",
  );
  await assertRejects(() => copyStore(from, undefined as never), TypeError, "to is undefined");
  await assertRejects(() => copyStore(from, to, { clear: true } as never), TypeError, "no option");
  await assertRejects(() => copyStore(from, to, { prefix: 7 as never }), TypeError, "prefix is");
  const reason = new Error("enough");
  const stop = new AbortController();
  const onProgress = () => stop.abort(reason);
  await assertRejects(
    () => copyStore(from, to, { signal: stop.signal, onProgress }),
    Error,
    "enough",
  );
  assertEquals(await to.count(), 1000);
  await assertRejects(
    () =>
      copyStore(from, to, {
        onProgress() {
          throw reason;
        },
      }),
    Error,
    "enough",
  );
  const part = from.sub("part");
  await part.put("", "the empty key");
  await assertRejects(() => copyStore(part, to), RangeError, "the key is empty");
  await to.close();
  await assertCode(() => copyStore(from, to), "CLOSED");
});
