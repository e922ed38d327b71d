import { test } from "node:test";
import { assertEquals } from "@std/assert";
import { HybridLevel } from "../../level/mod.ts";
import { HybridStore } from "../../mod.ts";
import { assertLevelCode } from "./_errors.ts";
import { watchSnapshots } from "./_snapshots.ts";

test("every read of an explicit snapshot shows its moment", async () => {
  await using store = await HybridStore.openTemp({ memtableBytes: 1 });
  await using db = new HybridLevel(store);
  const sublevel = db.sublevel("s");
  await db.batch([{ type: "put", key: "a", value: "1" }, { type: "put", key: "b", value: "2" }]);
  await sublevel.put("c", "3");
  await using snapshot = db.snapshot();
  await db.batch([{ type: "put", key: "a", value: "x" }, { type: "del", key: "b" }]);
  await sublevel.clear();
  await store.checkpoint();

  assertEquals(await db.get("a", { snapshot }), "1");
  assertEquals(db.getSync("b", { snapshot }), "2");
  assertEquals(await db.getMany(["a", "b", "z"], { snapshot }), ["1", "2", undefined]);
  assertEquals(await db.has("b", { snapshot }), true);
  assertEquals(await db.hasMany(["b", "z"], { snapshot }), [true, false]);
  assertEquals(await db.iterator({ gte: "a", snapshot }).all(), [["a", "1"], ["b", "2"]]);
  assertEquals(await db.keys({ gte: "a", snapshot }).all(), ["a", "b"]);
  assertEquals(await db.values({ gte: "a", snapshot, reverse: true }).all(), ["2", "1"]);
  assertEquals(await sublevel.get("c", { snapshot }), "3");
  assertEquals(await sublevel.keys({ snapshot }).all(), ["c"]);
  assertEquals(await db.iterator().all(), [["a", "x"]]);
});

test("a snapshot that is closed is refused, and one that is read is closed after that", async () => {
  await using db = new HybridLevel(":memory:");
  await db.put("a", "1");
  const snapshot = db.snapshot();
  const reading = db.get("a", { snapshot });
  const closing = snapshot.close();
  assertEquals(await reading, "1");
  await closing;
  const iterator = db.iterator({ snapshot: db.snapshot() });
  await assertLevelCode(() => db.get("a", { snapshot }), "LEVEL_SNAPSHOT_NOT_OPEN");
  await assertLevelCode(() => db.keys({ snapshot }).next(), "LEVEL_SNAPSHOT_NOT_OPEN");
  await assertLevelCode(() => db.clear({ snapshot }), "LEVEL_SNAPSHOT_NOT_OPEN");
  assertEquals(await iterator.next(), ["a", "1"]);

  const sublevel = db.sublevel("s");
  await sublevel.open();
  const own = sublevel.snapshot();
  await sublevel.close();
  await assertLevelCode(() => db.get("a", { snapshot: own }), "LEVEL_SNAPSHOT_NOT_OPEN");
});

test("a snapshot is released when it is closed, or its database", async () => {
  await using store = await HybridStore.openTemp();
  const counts = watchSnapshots(store);
  const db = new HybridLevel(store);
  const sublevel = db.sublevel("s");
  await sublevel.open();
  const [first, second] = [db.snapshot(), sublevel.snapshot()];
  assertEquals(counts, { taken: 2, held: 2 });
  await first.close();
  assertEquals(counts.held, 1);
  await db.close();
  assertEquals(counts.held, 0);
  await db.open();
  await assertLevelCode(() => db.get("a", { snapshot: second }), "LEVEL_SNAPSHOT_NOT_OPEN");
  await db.close();
});

test("a snapshot of another database is refused", async () => {
  await using db = new HybridLevel(":memory:");
  await using other = new HybridLevel(":memory:");
  await Promise.all([db.open(), other.open()]);
  await using snapshot = other.snapshot();
  for (
    const call of [
      () => db.get("a", { snapshot }),
      () => db.clear({ snapshot }),
      () => db.iterator({ snapshot }),
    ]
  ) {
    const error = await assertLevelCode(call, undefined as unknown as string);
    assertEquals(error instanceof TypeError, true);
  }
});
