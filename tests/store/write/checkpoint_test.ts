import { readdirSync } from "node:fs";
import { test } from "node:test";
import { assertEquals, assertGreater } from "@std/assert";
import { join } from "@std/path";
import { HybridStore } from "../../../mod.ts";
import { tempDirectory } from "../../support/temp.ts";
import { appendKey, btreeKey, bytes } from "../_support.ts";
import { crashImage, idle } from "../../support/crash_image.ts";

async function fill(store: HybridStore, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    await store.put(appendKey(i), bytes(`${i}`));
    await store.put(btreeKey(i), bytes(`${i}`));
  }
}

test("HybridStore.checkpoint() brings all into the engines and empties the journal", async () => {
  await using store = await HybridStore.openTemp({ segmentBytes: 1000 });
  await fill(store, 30);
  const before = store.stats();
  assertEquals([before.append.keys, before.btree.keys, before.memtable.keys], [0, 0, 60]);
  assertGreater(before.journal.segments, 3);
  assertGreater(before.journal.bytes, 3000);

  const pending = store.put(appendKey(30), bytes("30"));
  await store.checkpoint();
  await pending;
  const { append, btree, journal, memtable } = store.stats();
  assertEquals([append.keys, btree.keys], [31, 30]);
  assertEquals([journal.bytes, journal.segments], [0, 1]);
  assertEquals(memtable, { keys: 0, bytes: 0, memtables: 1 });
  // One in memory has none.
  if (store.path === ":memory:") return;
  const files = readdirSync(join(store.path, "journal"));
  assertEquals(files.filter((name) => name.endsWith(".seg")).length, 1);
});

test("HybridStore.checkpoint() of an empty or unchanged store does nothing", async () => {
  await using store = await HybridStore.openTemp();
  await store.checkpoint();
  await store.checkpoint();
  assertEquals(store.stats().applies, 0);
  await fill(store, 1);
  await store.checkpoint();
  const { applies, syncs } = store.stats();
  await store.checkpoint();
  assertEquals([store.stats().applies, store.stats().syncs], [applies, syncs]);
});

test("HybridStore.checkpoint() keeps what is written meanwhile", async () => {
  using temp = tempDirectory();
  const store = await HybridStore.open(join(temp.path, "store"), { segmentBytes: 500 });
  await fill(store, 20);
  const checkpoints = [store.checkpoint(), store.checkpoint()];
  for (let i = 20; i < 40; i++) {
    await store.put(appendKey(i), bytes(`${i}`));
    if (i % 5 === 0) checkpoints.push(store.checkpoint());
  }
  await Promise.all(checkpoints);
  assertEquals(await store.count(), 60);
  // What is in no engine has to be in the journal.
  const image = await crashImage(store, join(temp.path, "image"));
  await store.close();
  await using again = await HybridStore.open(image);
  assertEquals(await again.count(), 60);
});

test("HybridStore.close() checkpoints, so that the next open replays nothing", async () => {
  using temp = tempDirectory();
  const store = await HybridStore.open(temp.path);
  await fill(store, 20);
  await store.close();
  await using again = await HybridStore.open(temp.path);
  const { append, btree, journal, recovery } = again.stats();
  assertEquals([append.keys, btree.keys, journal.bytes], [20, 20, 0]);
  assertEquals(recovery, { records: 0, replayed: 0, truncatedBytes: 0 });
});

test("the journal is trimmed as memtables are applied, without a checkpoint", async () => {
  await using store = await HybridStore.openTemp({ memtableBytes: 2000, segmentBytes: 1000 });
  await fill(store, 300);
  await idle(store);
  const { journal, applies, append, btree, memtable } = store.stats();
  // All in all 39,000 bytes were written, into 40 segments.
  assertGreater(applies, 5);
  assertEquals(journal.bytes < 5000 && journal.segments <= 6, true, JSON.stringify(journal));
  assertEquals(append.keys + btree.keys + memtable.keys, 600);
});

test("stats() says what is where", async () => {
  await using store = await HybridStore.openTemp();
  assertEquals(store.stats().groups, 0);
  const calls = [
    store.put(appendKey(1), bytes("1")),
    store.put(appendKey(1), bytes("2")),
    store.snapshot(),
    store.put(btreeKey(1), bytes("1")),
    store.flush(),
  ];
  // Before the event loop turns, nothing is applied.
  const { memtable, groups, journal } = store.stats();
  assertEquals([memtable.keys, memtable.memtables, groups, journal.segments], [2, 2, 2, 1]);
  assertEquals(memtable.bytes, journal.bytes);
  await Promise.all(calls);
  await store.checkpoint();
  const { append, btree, applies, syncs } = store.stats();
  assertEquals([append.keys, btree.keys], [1, 1]);
  for (const count of [append.bytes, btree.bytes, applies, syncs]) assertGreater(count, 0);
});
