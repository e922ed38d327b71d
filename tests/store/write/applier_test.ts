import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { assertEquals, assertGreater, assertLessOrEqual } from "@std/assert";
import { StoreError } from "../../../mod.ts";
import { tempDirectory } from "../../support/temp.ts";
import { failSegments, type FakeStore, openFake } from "../_fakes.ts";
import { appendKey, btreeKey, bytes } from "../_support.ts";
import { recordBytes } from "../../support/store.ts";
import { assertCode } from "../../support/assert.ts";

function full(): never {
  throw new StoreError("NO_SPACE", "Cannot write to the engine: the disk is full");
}

function valuesOf({ store }: FakeStore): string[] {
  const decoder = new TextDecoder();
  return [...store.snapshotSync().scanSync()].map(({ value }) => decoder.decode(value));
}

for (const side of ["append", "btree"] as const) {
  test(`what the ${side} engine does not take stays readable, and is applied later`, async () => {
    using temp = tempDirectory();
    const fake = await openFake(temp.path, { segmentBytes: 64 });
    const { store, append, btree, journal } = fake;
    const write = (value: string) =>
      store.transact((tx) => {
        for (const keyOf of [appendKey, btreeKey]) {
          for (let i = 0; i < 4; i++) tx.put(keyOf(i), bytes(value));
          if (value === "2") tx.delete(keyOf(3));
        }
      });
    fake[side].before = full;
    // Half of the writes get into the engine, which must not show.
    fake[side].writesBeforeFailure = 2;
    await write("1");
    const snapshot = store.snapshotSync();
    await assertCode(() => store.checkpoint(), "NO_SPACE", "the disk is full");
    assertEquals(valuesOf(fake), Array(8).fill("1"));
    await write("2");
    await assertCode(() => store.checkpoint(), "NO_SPACE");
    assertEquals(valuesOf(fake), Array(6).fill("2"));
    assertEquals([...snapshot.scanSync()].length, 8);
    assertEquals(fake[side].position, 0n);
    assertEquals(journal.segments[0]!.base, 0n);
    assertEquals(store.stats().applies, 0);

    fake[side].before = () => {};
    await store.checkpoint();
    assertEquals([append.position, btree.position], [journal.end, journal.end]);
    assertEquals([append.stats().keys, btree.stats().keys], [3, 3]);
    assertEquals(store.stats().journal.bytes, 0);
    assertEquals(valuesOf(fake), Array(6).fill("2"));
    assertEquals(new TextDecoder().decode(snapshot.getSync(btreeKey(3))), "1");
    await store.close();
  });
}

test("an apply that failed is tried again without being asked", { timeout: 600_000 }, async () => {
  using temp = tempDirectory();
  const { store, btree } = await openFake(temp.path, { memtableBytes: 1 });
  btree.before = () => {
    if (btree.attempts < 2) full();
  };
  await store.put(btreeKey(1), bytes("1"));
  while (store.stats().applies === 0) await new Promise((resolve) => setTimeout(resolve, 50));
  assertEquals([btree.attempts, btree.stats().keys], [2, 1]);
  await store.close();
});

test("writes are refused when the engines take nothing and memory is full", async () => {
  using temp = tempDirectory();
  const { store, append } = await openFake(temp.path, { memtableBytes: 1000 });
  append.before = full;
  let written = 0;
  const writeOn = async () => {
    for (; written < 1000; written++) await store.put(appendKey(written), bytes("value"));
  };
  await assertCode(writeOn, "NO_SPACE", "memory is full", "the disk is full");
  const { memtable } = store.stats();
  assertEquals([memtable.keys, memtable.bytes >= 4000], [written, true]);
  assertLessOrEqual(memtable.bytes, 5000);
  assertEquals(store.getSync(appendKey(written - 1)), bytes("value"));

  append.before = () => {};
  await store.checkpoint();
  assertEquals(append.stats().keys, written);
  // The failure is forgotten: while the engine is merely slow, writes wait and are not refused.
  const gate = Promise.withResolvers<void>();
  append.before = () => gate.promise;
  const writing = (async () => {
    for (let i = 0; i < 200; i++) await store.put(appendKey(i), bytes("value"));
  })();
  for (let turn = 0; turn < 100; turn++) await nextTurn();
  gate.resolve();
  await writing;
  await store.close();
});

test("the engines get nothing that the journal can lose", async () => {
  using temp = tempDirectory();
  const { store, append, btree, journal, files } = await openFake(temp.path, {
    memtableBytes: 200,
    durability: "flush",
  });
  const durable: boolean[] = [];
  append.before = (_, position) => durable.push(journal.durableEnd >= position);
  for (let i = 0; i < 100; i++) await store.put(appendKey(i), bytes("1"));
  await store.checkpoint();
  assertGreater(durable.length, 3);
  assertEquals(durable.includes(false), false);
  failSegments(files, "sync", "EIO");
  await store.put(btreeKey(1), bytes("1"));
  await assertCode(() => store.checkpoint(), "POISONED");
  assertEquals(btree.stats().keys, 0);
  await store.close().catch(() => {});
});

test("the engines get nothing while the journal is being synced", async () => {
  using temp = tempDirectory();
  const { store, append, btree, journal, files } = await openFake(temp.path, { memtableBytes: 1 });
  const gate = Promise.withResolvers<void>();
  files.beforeSync = () => gate.promise;
  const syncs = files.count("sync", ".seg");
  const put = store.put(appendKey(1), bytes("1"));
  while (files.count("sync", ".seg") === syncs) await nextTurn();
  for (let turn = 0; turn < 20; turn++) await nextTurn();
  assertEquals([append.attempts, btree.attempts, journal.durableEnd], [0, 0, 0n]);
  gate.resolve();
  await put;
  while (store.stats().applies === 0) await nextTurn();
  assertEquals([append.attempts, btree.attempts], [1, 1]);
  assertEquals([append.position, journal.durableEnd], [journal.end, journal.end]);
  await store.close();
});

test("a checkpoint keeps the journal of what comes in while it runs", async () => {
  using temp = tempDirectory();
  const { store, append, journal } = await openFake(temp.path, { segmentBytes: 64 });
  await store.put(appendKey(1), bytes("1"));
  append.before = () => {
    append.before = () => {};
    return store.put(appendKey(2), bytes("2"));
  };
  await store.checkpoint();
  const { memtable, journal: { bytes: left } } = store.stats();
  assertEquals([append.stats().keys, memtable.keys, left], [1, 1, memtable.bytes]);
  assertEquals(journal.segments[0]!.base, append.position);
  await store.close();
});

test("the latest write of a key is the one that is applied", async () => {
  using temp = tempDirectory();
  const { store, append } = await openFake(temp.path);
  const applied: string[][] = [];
  append.before = (writes) => {
    // A checkpoint has the engines confirm what they hold by one more commit.
    if (writes.length > 0) {
      applied.push(writes.map(({ key, value }) => `${key.at(-1)}=${value ?? "none"}`));
    }
  };
  for (const [number, value] of [[1, "1"], [2, "1"], [1, "2"], [2, undefined], [0, "3"]] as const) {
    const key = appendKey(number);
    if (value === undefined) void store.delete(key);
    else void store.put(key, Uint8Array.of(Number(value)));
    store.snapshotSync();
  }
  await store.checkpoint();
  assertEquals(applied, [["48=3", "49=2", "50=none"]]);
  await store.close();
});

test("many memtables are applied a few at a time, oldest first", async () => {
  using temp = tempDirectory();
  const memtableBytes = 2000;
  const { store, append, btree } = await openFake(temp.path, { memtableBytes });
  for (let i = 0; i < 100; i++) {
    void store.put(i % 2 === 0 ? appendKey(i) : btreeKey(i), bytes("1"));
    void store.put(appendKey(1), bytes(`${i}`));
    store.snapshotSync();
  }
  assertEquals(store.stats().memtable.keys > 100, true);
  const positions: bigint[] = [0n];
  append.before = (_, position) => {
    // The last one only confirms.
    if (position > positions.at(-1)!) positions.push(position);
    // Newer memtables still hide what is being applied.
    assertEquals(store.getSync(appendKey(1)), bytes("99"));
  };
  await store.checkpoint();
  // Those of about 200 bytes each that are no more than a full one together.
  const taken = positions.slice(1).map((position, i) => Number(position - positions[i]!));
  assertLessOrEqual(Math.max(...taken), memtableBytes);
  assertGreater(Math.min(...taken), 0);
  assertLessOrEqual(taken.length, 20);
  assertEquals([append.stats().keys, btree.stats().keys], [51, 50]);
  assertEquals(store.getSync(appendKey(1)), bytes("99"));
  await store.close();
});

test("large memtables are applied one by one", async () => {
  using temp = tempDirectory();
  const { store, append, btree } = await openFake(temp.path, { memtableBytes: 500 });
  // All within one turn, so that nothing is applied before all is there.
  const ends: bigint[] = [];
  const calls: Promise<unknown>[] = [];
  for (let n = 0; n < 10; n++) {
    calls.push(store.transact((tx) => {
      for (let i = 0; i < 100; i++) tx.put((n % 2 === 0 ? appendKey : btreeKey)(i), bytes(`${n}`));
    }));
    store.snapshotSync();
    ends.push(BigInt(store.stats().journal.bytes));
  }
  assertGreater(ends[0], 2000n);
  const applied: [bigint, number][] = [];
  append.before = async (writes, position) => {
    applied.push([position, writes.length]);
    // An engine takes a turn at least.
    await nextTurn();
  };
  await Promise.all([...calls, store.checkpoint()]);
  // Behind the memtables, one more commit has the engines confirm what they hold.
  const expected = ends.map((end, n) => [end, n % 2 === 0 ? 100 : 0]);
  assertEquals(applied, [...expected, [ends.at(-1), 0]]);
  assertEquals([append.stats().keys, btree.stats().keys], [100, 100]);
  assertEquals(btree.get(btreeKey(7)), bytes("9"));
  await store.close();
});

test("what is sealed while an apply ends is applied too", async () => {
  using temp = tempDirectory();
  // As much as the record of a put: each is sealed, and two of them still find room, which would start an apply
  // by itself.
  const { store, append } = await openFake(temp.path, {
    memtableBytes: recordBytes(appendKey(1), bytes("1")),
  });
  // At each of the steps that lie between the last apply and the applier being done.
  for (let steps = 0; steps < 20; steps++) {
    const late = Promise.withResolvers<void>();
    append.before = () => {
      append.before = () => {};
      void (async () => {
        for (let step = 0; step < steps; step++) await Promise.resolve();
        late.resolve(store.put(appendKey(2), bytes("1")));
      })();
    };
    await store.put(appendKey(1), bytes("1"));
    await late.promise;
    for (let turn = 0; store.stats().memtable.keys > 0; turn++) {
      assertLessOrEqual(turn, 1000, `what is sealed after ${steps} steps is left behind`);
      await nextTurn();
    }
  }
  await store.close();
});
