import { test } from "node:test";
import { assertEquals } from "@std/assert";
import { CLEAR_KEYS_MAX } from "../../level/clear.ts";
import { HybridLevel } from "../../level/mod.ts";
import { HybridStore, toText } from "../../mod.ts";

const options = { timeout: 600_000 };

async function groups(store: HybridStore, after: bigint): Promise<number[]> {
  const changes = await Array.fromAsync(store.changes({ after, live: false }));
  return changes.map(({ writes }) => writes.length);
}

function keyOf(i: number): string {
  return String(i).padStart(6, "0");
}

test("clear() deletes a range together", async () => {
  await using store = await HybridStore.openTemp();
  await using db = new HybridLevel(store);
  await db.open();
  for (let i = 0; i < 5000; i++) void db.put(keyOf(i), "x");
  await store.flush();
  const after = store.position;
  await db.clear({ gte: keyOf(10), lt: keyOf(4990) });
  assertEquals(await groups(store, after), [4980]);
  assertEquals((await db.keys().all()).length, 20);
  await db.clear({ reverse: true, limit: 5 });
  await db.clear({ limit: 8 });
  assertEquals(await db.keys().all(), [8, 9, 4990, 4991, 4992, 4993, 4994].map(keyOf));
  await db.clear({ limit: 0 });
  await db.clear({ gt: "5", lt: "4" });
  assertEquals((await db.keys().all()).length, 7);
  await db.clear();
  assertEquals(await db.keys().all(), []);
});

test("clear() of very many keys deletes what was there, a part at a time", options, async () => {
  await using store = await HybridStore.openMemory();
  await using db = new HybridLevel(store);
  await db.open();
  const fill = async () => {
    for (let i = 0; i < CLEAR_KEYS_MAX + 1000; i++) void store.put(keyOf(i), "");
    await store.flush();
    return store.position;
  };
  const after = await fill();
  const cleared = db.clear();
  const put = db.put("later", "x");
  await Promise.all([cleared, put]);
  assertEquals(await db.keys().all(), ["later"]);
  const sizes = await groups(store, after);
  assertEquals(sizes.filter((size) => size > 1), [CLEAR_KEYS_MAX, 1000]);

  await fill();
  await db.clear({ lt: "later", limit: CLEAR_KEYS_MAX + 1, reverse: true });
  const left = await db.keys().all();
  assertEquals([left.length, left[0], left.at(-2), left.at(-1)], [
    1000,
    keyOf(0),
    keyOf(998),
    "later",
  ]);
});

test("clear() with a snapshot deletes the keys that it shows", async () => {
  await using store = await HybridStore.openTemp();
  await using db = new HybridLevel(store);
  await db.open();
  for (let i = 0; i < 3000; i++) void db.put(keyOf(i), "x");
  await store.flush();
  await using snapshot = db.snapshot();
  await db.put("later", "x");
  await db.del(keyOf(1));
  const after = store.position;
  await db.clear({ gte: keyOf(1), snapshot, limit: 2900 });
  assertEquals(await groups(store, after), [2900]);
  assertEquals((await db.keys().all()).at(-1), "later");
  assertEquals((await db.keys().all()).length, 101);
  const [first] = await store.scanPrefix("");
  assertEquals(toText(first!.key), keyOf(0));
});
