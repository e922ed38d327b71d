import { test } from "node:test";
import { assertEquals, assertRejects } from "@std/assert";
import {
  type CopyPlace,
  copyStore,
  type Entry,
  HybridStore,
  type OrderedStore,
  toText,
} from "../../mod.ts";
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
  const { position } = file;
  assertEquals(await copyStore(file, memory, { onProgress }), { keys: 2501, bytes, position });
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

test("a store that is written meanwhile is moved: a copy, then what has changed, a batch always together", async () => {
  const random = new Random(17);
  await using from = await HybridStore.openTemp({ memtableBytes: 20_000 });
  await using target = await HybridStore.openTemp();
  const to = target.sub("moved/");
  let number = 0;
  const write = () => {
    const batch = from.batch().put("pair/a", `${++number}`);
    for (let i = 0; i < 1 + random.below(5); i++) {
      const key = random.below(2) === 0
        ? appendKey(random.below(300))
        : btreeKey(random.below(300));
      if (random.below(4) === 0) batch.delete(key);
      else batch.put(key, random.bytes(random.below(200)));
    }
    batch.put("pair/z", `${number}`);
    return batch.commit();
  };
  for (let i = 0; i < 1000; i++) void write();
  await from.createCursor("move");
  // The program goes on, as each page is copied.
  let { position: after } = await copyStore(from, to, { onProgress: () => void write() });
  for (let round = 0; round < 5; round++) {
    // Those of a turn are one group, which the feed shows whole.
    for (let i = 0; i < 400; i++) await (i % 20 === 0 ? write() : void write());
    const before = target.position;
    const report = await copyStore(from, to, { after: after!, onProgress: () => void write() });
    assertEquals(report.position! > after!, true);
    after = report.position;
    const pairs: string[][] = [];
    for await (const { writes } of target.changes({ after: before, live: false })) {
      pairs.push(
        writes.flatMap(({ key, value }) => /pair/.test(toText(key)) ? [toText(value!)] : []),
      );
    }
    assertEquals(pairs.length > 1, true);
    for (const pair of pairs) assertEquals(pair, [pair[0]!, pair[0]!]);
  }
  await copyStore(from, to, { after: after! });
  assertEquals(await all(to), await all(from));
  const none = await copyStore(from, to, { after: from.position });
  assertEquals(none, { keys: 0, bytes: 0, position: from.position });
});

test("a copy that was ended goes on where it stood, with what has changed meanwhile", async () => {
  await using from = await HybridStore.openTemp();
  for (let i = 0; i < 5000; i++) void from.put(btreeKey(i), "before");
  await from.createCursor("move");
  for (const isFeed of [false, true]) {
    await using to = await HybridStore.openMemory();
    const stop = new AbortController();
    let place: CopyPlace | undefined;
    const copying = copyStore(from, to, {
      signal: stop.signal,
      onProgress(progress) {
        place = progress.place;
        if (progress.keys === 2000) stop.abort(new Error("enough"));
      },
    });
    await assertRejects(() => copying, Error, "enough");
    assertEquals(await to.count(), 2000);
    const { position } = place!;
    if (isFeed) {
      // On both sides of where it stood.
      await from.put(btreeKey(10), "after");
      await from.delete(btreeKey(11));
      await from.put(btreeKey(4000), "after");
    }
    const report = await copyStore(from, to, { after: place! });
    assertEquals([report.keys, report.position], [3000, position]);
    if (isFeed) assertEquals((await copyStore(from, to, { after: position! })).keys, 3);
    assertEquals(await all(to), await all(from));
  }
});

test("changes are copied of the keys that are asked for, from sources that have them", async () => {
  await using from = await HybridStore.openTemp();
  await using to = await HybridStore.openMemory();
  const { position } = await copyStore(from.sub("a/"), to);
  await from.put("a/1", "one");
  await from.put("b/1", "");
  assertEquals((await copyStore(from.sub("a/"), to, { after: position! })).keys, 1);
  assertEquals((await copyStore(from, to, { prefix: "b/", after: position! })).keys, 1);
  assertEquals((await all(to)).map(({ key }) => toText(key)), ["1", "b/1"]);
  const other = { scanPrefix() {}, snapshot() {} } as unknown as OrderedStore;
  await assertCode(() => copyStore(other, to, { after: 1n }), "UNSUPPORTED");
  for (const after of [1, "1", null, { key: "a" }, { position: 1 }]) {
    await assertRejects(
      () => copyStore(from, to, { after: after as never }),
      TypeError,
      "after is",
    );
  }
  await assertRejects(() => copyStore(from, to, { after: 1n << 60n }), RangeError, "after is");
});
