import process from "node:process";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { assertEquals, assertLess } from "@std/assert";
import { HybridStore, type Snapshot } from "../../../mod.ts";
import { appendKey, btreeKey, bytes } from "../_support.ts";
import { assertCode, assertThrowsCode } from "../../support/assert.ts";
import { idle } from "../../support/crash_image.ts";

const SMALL = { memtableBytes: 500, segmentBytes: 1000 };

function valuesOf(snapshot: Snapshot | HybridStore): string[] {
  const decoder = new TextDecoder();
  return [...snapshot.scanSync()].map(({ value }) => decoder.decode(value));
}

test("a snapshot stays as it was, over both engines, through applies and checkpoints", async () => {
  await using store = await HybridStore.openTemp(SMALL);
  const snapshots: Snapshot[] = [];
  const writeRound = async (round: number) => {
    for (let i = 0; i < 10; i++) {
      await store.put(appendKey(i), bytes(`${round}`));
      await store.put(btreeKey(i), bytes(`${round}`));
    }
  };
  for (let round = 0; round < 8; round++) {
    await writeRound(round);
    snapshots.push(await store.snapshot());
    if (round % 2 === 0) await store.checkpoint();
    if (round % 3 === 0) await idle(store);
  }
  await store.deleteRange({});
  await store.checkpoint();
  for (const [round, snapshot] of snapshots.entries()) {
    assertEquals(valuesOf(snapshot), Array(20).fill(`${round}`));
    assertEquals(await snapshot.get(appendKey(3)), bytes(`${round}`));
    assertEquals(snapshot.getSync(btreeKey(3)), bytes(`${round}`));
    assertEquals(snapshot.getSync(btreeKey(11)), undefined);
    assertEquals(await snapshot.count({ prefix: appendKey(1) }), 1);
    const first = await Array.fromAsync(snapshot.scan({ reverse: true, limit: 1 }));
    assertEquals(first, [{ key: btreeKey(9), value: bytes(`${round}`) }]);
    await snapshot[Symbol.asyncDispose]();
  }
  assertEquals(await store.count(), 0);
});

test("a snapshot is of the moment of the call, and sees what was not awaited", async () => {
  await using store = await HybridStore.openTemp();
  const before = store.put(appendKey(1), bytes("1"));
  const taking = store.snapshot();
  const after = store.put(appendKey(1), bytes("2"));
  await using snapshot = await taking;
  assertEquals(snapshot.getSync(appendKey(1)), bytes("1"));
  assertEquals(store.getSync(appendKey(1)), bytes("2"));
  await Promise.all([before, after]);
});

test("a snapshot never shows half a batch", async () => {
  await using store = await HybridStore.openTemp({ memtableBytes: 1, segmentBytes: 64 });
  const writes: Promise<unknown>[] = [];
  for (let round = 0; round < 100; round++) {
    const batch = store.batch();
    for (let i = 0; i < 6; i++) {
      batch.put(i % 2 === 0 ? appendKey(i) : btreeKey(i), bytes(`${round}`));
    }
    writes.push(batch.commit());
    await using snapshot = await store.snapshot();
    // Wherever the applier is just now.
    for (let turns = round % 4; turns > 0; turns--) await nextTurn();
    assertEquals(valuesOf(snapshot), Array(6).fill(`${round}`));
  }
  await Promise.all(writes);
});

test("a snapshot of an empty store stays empty", async () => {
  await using store = await HybridStore.openTemp();
  await using snapshot = await store.snapshot();
  await store.put(appendKey(1), bytes("1"));
  await store.put(btreeKey(1), bytes("1"));
  await store.checkpoint();
  assertEquals(valuesOf(snapshot), []);
  assertEquals(await snapshot.count(), 0);
});

test("a snapshot is CLOSED once it was disposed of, and its scans with it", async () => {
  await using store = await HybridStore.openTemp();
  const batch = store.batch();
  for (let i = 0; i < 600; i++) batch.put(appendKey(i), bytes("1"));
  await batch.commit();
  const other = await store.snapshot();
  const snapshot = await store.snapshot();
  const scan = snapshot.scan();
  await scan.next();
  await snapshot[Symbol.asyncDispose]();
  await snapshot[Symbol.asyncDispose]();
  assertThrowsCode(() => snapshot.getSync(appendKey(1)), "CLOSED");
  await assertCode(() => snapshot.get(appendKey(1)), "CLOSED", "the snapshot was disposed of");
  assertThrowsCode(() => snapshot.scanSync(), "CLOSED");
  assertThrowsCode(() => snapshot.scan(), "CLOSED");
  await assertCode(() => snapshot.count(), "CLOSED");
  await assertCode(() => Array.fromAsync(scan), "CLOSED");
  // One that shares what it holds goes on.
  assertEquals(await other.count(), 600);
  await other[Symbol.asyncDispose]();
});

test("a snapshot is CLOSED once its store is, and may still be disposed of", async () => {
  const store = await HybridStore.openTemp();
  await store.put(appendKey(1), bytes("1"));
  const snapshots = [await store.snapshot(), await store.snapshot()];
  await store.checkpoint();
  snapshots.push(await store.snapshot());
  const closing = store.close();
  for (const snapshot of snapshots) {
    await assertCode(() => snapshot.get(appendKey(1)), "CLOSED", "the store is closed");
  }
  await snapshots[0]![Symbol.asyncDispose]();
  await closing;
  for (const snapshot of snapshots) {
    assertThrowsCode(() => snapshot.getSync(appendKey(1)), "CLOSED");
    assertThrowsCode(() => snapshot.scanSync().next(), "CLOSED");
    await snapshot[Symbol.asyncDispose]();
  }
});

test("what a snapshot hides and shows is right for keys deleted before and after it", async () => {
  await using store = await HybridStore.openTemp();
  for (const keyOf of [appendKey, btreeKey]) {
    for (const i of [1, 2, 3]) await store.put(keyOf(i), bytes(`${i}`));
  }
  await store.checkpoint();
  await store.delete(appendKey(1));
  await store.delete(btreeKey(1));
  await using snapshot = await store.snapshot();
  await store.delete(appendKey(2));
  await store.delete(btreeKey(2));
  await store.put(appendKey(1), bytes("again"));
  await store.checkpoint();
  assertEquals(valuesOf(snapshot), ["2", "3", "2", "3"]);
  assertEquals([...store.scanSync()].length, 3);
});

test("snapshots that are over by the next write leave the memtable and the engines alone", async () => {
  await using store = await HybridStore.openTemp();
  for (let i = 0; i < 1000; i++) {
    await store.put(appendKey(i % 10), bytes(`${i}`));
    using snapshot = store.snapshotSync();
    assertEquals(snapshot.getSync(appendKey(i % 10)), bytes(`${i}`));
  }
  assertEquals([store.stats().memtable.memtables, store.stats().applies], [1, 0]);
});

test("snapshots that are held make few memtables, and each shows its own moment", async () => {
  await using store = await HybridStore.openTemp();
  const snapshots: Snapshot[] = [];
  for (let i = 0; i < 1000; i++) {
    const write = store.put(appendKey(i % 10), bytes(`${i}`));
    // With the group of the write open, and without.
    if (i % 2 === 0) await write;
    snapshots.push(store.snapshotSync());
  }
  assertLess(store.stats().memtable.memtables, 10);
  for (const [i, snapshot] of snapshots.entries()) {
    assertEquals(snapshot.getSync(appendKey(i % 10)), bytes(`${i}`));
    assertEquals(snapshot.getSync(appendKey((i + 1) % 10)), i < 9 ? undefined : bytes(`${i - 9}`));
    if (i % 100 === 99) assertEquals(valuesOf(snapshot), valuesAt(i));
    snapshot.close();
  }
  assertEquals(valuesOf(store), valuesAt(999));
});

/** Returns what ten keys have, of which one after the other got a number, up to some number. */
function valuesAt(last: number): string[] {
  return Array.from({ length: 10 }, (_, key) => `${last - (last - key) % 10}`);
}

test("a burst of snapshots of a quiet store costs nothing", { timeout: 600_000 }, async () => {
  await using store = await HybridStore.openTemp();
  await store.put(appendKey(1), bytes("1"));
  const snapshots: Snapshot[] = [];
  for (let i = 0; i < 10_000; i++) snapshots.push(await store.snapshot());
  await store.put(appendKey(1), bytes("2"));
  await store.checkpoint();
  for (const snapshot of snapshots) assertEquals(snapshot.getSync(appendKey(1)), bytes("1"));
});

test("ten thousand snapshots between writes are let go when they are forgotten", {
  timeout: 600_000,
}, async () => {
  await using store = await HybridStore.openTemp({ memtableBytes: 2000 });
  for (let i = 0; i < 10_000; i++) {
    await store.put(appendKey(i % 10), bytes(`${i}`));
    await store.snapshot();
    if (i % 200 === 0) await nextTurn();
  }
  await using snapshot = await store.snapshot();
  assertEquals(valuesOf(snapshot), Array.from({ length: 10 }, (_, i) => `${9990 + i}`));
  assertEquals(await store.count(), 10);
});

test("snapshots of one moment take next to no memory", async () => {
  await using store = await HybridStore.openTemp();
  await store.put(btreeKey(1), bytes("1"));
  const before = process.memoryUsage().external;
  const snapshots = await Promise.all(Array.from({ length: 1024 }, () => store.snapshot()));
  assertLess(process.memoryUsage().external - before, 32 * 2 ** 20);
  for (const snapshot of snapshots) await snapshot[Symbol.asyncDispose]();
});

test("a snapshot is let go by close(), using and await using alike", async () => {
  await using store = await HybridStore.openTemp();
  await store.put(btreeKey(1), bytes("1"));
  let snapshot: Snapshot;
  {
    using held = store.snapshotSync();
    snapshot = held;
    assertEquals(held.getSync(btreeKey(1)), bytes("1"));
  }
  assertThrowsCode(() => snapshot.getSync(btreeKey(1)), "CLOSED");
  const other = store.snapshotSync();
  await store.put(btreeKey(1), bytes("2"));
  assertEquals(other.getSync(btreeKey(1)), bytes("1"));
  other.close();
  other.close();
  assertThrowsCode(() => other.hasSync(btreeKey(1)), "CLOSED");
});
