import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { assert, assertEquals, assertGreater, assertLessOrEqual, assertRejects } from "@std/assert";
import { type Durability, HybridStore, type WriteOptions } from "../../../mod.ts";
import { tempDirectory } from "../../support/temp.ts";
import { openFake } from "../_fakes.ts";
import { appendKey, btreeKey, bytes } from "../_support.ts";

const VALUE = bytes("value");

/** What a write waits for, by durability: syncs after one awaited write to each side, and to both. */
const SYNCS: [Durability, append: number, btree: number, both: number][] = [
  ["hybrid", 0, 1, 1],
  ["always", 1, 1, 1],
  ["flush", 0, 0, 0],
];

for (const [durability, append, btree, both] of SYNCS) {
  test(`"${durability}" syncs ${append} times for a write to the append side, ${btree} for one to the B-tree side`, async () => {
    await using store = await HybridStore.openTemp({ durability, syncIntervalMs: 2 ** 31 - 1 });
    const syncsOf = async (write: () => Promise<unknown>) => {
      // Whatever earlier writes left must not count.
      await store.flush();
      const before = store.stats().syncs;
      await write();
      return store.stats().syncs - before;
    };
    assertEquals(await syncsOf(() => store.put(appendKey(1), VALUE)), append);
    assertEquals(await syncsOf(() => store.put(btreeKey(1), VALUE)), btree);
    assertEquals(await syncsOf(() => store.delete(appendKey(1))), append);
    assertEquals(await syncsOf(() => store.delete(btreeKey(1))), btree);
    assertEquals(await syncsOf(() => store.fetchAndAddU64(appendKey(2), 1n)), append);
    assertEquals(await syncsOf(() => store.fetchAndAddU64(btreeKey(2), 1n)), btree);
    assertEquals(await syncsOf(() => store.deleteRange({ prefix: appendKey(2) })), append);
    assertEquals(await syncsOf(() => store.deleteRange({ prefix: btreeKey(2) })), btree);
    const batch = store.batch().put(appendKey(3), VALUE).put(btreeKey(3), VALUE);
    assertEquals(await syncsOf(() => batch.commit()), both);
    const transaction = () =>
      store.transact((tx) => {
        tx.delete(appendKey(3));
        tx.delete(btreeKey(3));
      });
    assertEquals(await syncsOf(transaction), both);
  });
}

for (const durability of ["hybrid", "always", "flush"] as const) {
  test(`each write to a "${durability}" store can say whether it waits for the disk`, async () => {
    await using store = await HybridStore.openTemp({ durability, syncIntervalMs: 2 ** 31 - 1 });
    const writes: ((options: WriteOptions) => Promise<unknown>)[] = [appendKey, btreeKey].flatMap(
      (keyOf) => [
        (options) => store.put(keyOf(1), VALUE, options),
        (options) => store.delete(keyOf(1), options),
        (options) => store.fetchAndAddU64(keyOf(2), 1n, options),
        (options) => store.compareAndSwapF32(keyOf(3), (current) => current + 1, options),
        (options) => store.batch().put(keyOf(1), VALUE).commit(options),
        (options) => store.transact((tx) => tx.put(keyOf(1), VALUE), options),
        // deno-lint-ignore require-await
        (options) => store.transaction(async (tx) => tx.put(keyOf(1), VALUE), options),
        (options) => store.deleteRange({ prefix: keyOf(1) }, options),
      ],
    );
    for (const write of writes) {
      for (const [durable, syncs] of [[true, 1], [false, 0]] as const) {
        await store.flush();
        const before = store.stats().syncs;
        await write({ durable });
        assertEquals(store.stats().syncs - before, syncs, `${write} ${durable}`);
      }
      await assertRejects(() => write({ durable: 1 } as never), TypeError, "durable is a number");
      await assertRejects(() => write({ sync: true } as never), TypeError, "no option sync");
    }
    // Of a group, those that wait for the disk are told later than those that do not.
    await store.flush();
    const told: string[] = [];
    await Promise.all([
      store.put(appendKey(1), VALUE, { durable: true }).then(() => told.push("on disk")),
      store.put(btreeKey(1), VALUE, { durable: false }).then(() => told.push("written")),
    ]);
    assertEquals(told, ["written", "on disk"]);
  });
}

test("HybridStore.flush() syncs once what was written, and nothing where all is on disk", async () => {
  await using store = await HybridStore.openTemp({ durability: "flush" });
  for (let i = 0; i < 10; i++) await store.put(btreeKey(i), VALUE);
  void store.put(appendKey(1), VALUE);
  assertEquals(store.stats().syncs, 0);
  await store.flush();
  assertEquals(store.stats().syncs, 1);
  await store.flush();
  assertEquals(store.stats().syncs, 1);
});

test('with "hybrid", a write to the append side is on disk after syncIntervalMs', async () => {
  await using store = await HybridStore.openTemp({ syncIntervalMs: 5 });
  for (let round = 1; round <= 3; round++) {
    await Promise.all([store.put(appendKey(1), VALUE), store.put(appendKey(2), VALUE)]);
    while (store.stats().syncs < round) await delay(1);
    await delay(20);
    assertEquals(store.stats().syncs, round);
  }
});

test('with "hybrid", what is written while a sync is under way gets the next one', async () => {
  using temp = tempDirectory();
  const { store, files, journal } = await openFake(temp.path, { syncIntervalMs: 5 });
  const disk = Promise.withResolvers<void>();
  files.beforeSync = () => disk.promise;
  const opening = files.count("sync", ".seg");
  const syncs = () => files.count("sync", ".seg") - opening;
  await store.put(appendKey(1), VALUE);
  const first = journal.end;
  while (syncs() === 0) await delay(1);
  await store.put(appendKey(2), VALUE);
  // The disk is slow: what may be lost is more than an interval old by now.
  await delay(30);
  assertEquals([journal.durableEnd < first, syncs()], [true, 1]);
  disk.resolve();
  while (journal.durableEnd < journal.end) await delay(1);
  assertEquals(syncs() + files.count("syncNow", ".seg") >= 2, true);
  await store.close();
});

test('with "flush", nothing is synced until it is asked for', async () => {
  await using store = await HybridStore.openTemp({ durability: "flush", syncIntervalMs: 1 });
  await store.put(btreeKey(1), VALUE);
  await delay(30);
  assertEquals(store.stats().syncs, 0);
});

test("writes of one turn go into the journal as one group", async () => {
  await using store = await HybridStore.openTemp();
  const writes: Promise<unknown>[] = [];
  for (let i = 0; i < 100; i++) {
    writes.push(store.put(appendKey(i), VALUE), store.fetchAndAddU64(btreeKey(i), 1n));
  }
  writes.push(store.batch().put(appendKey(7), VALUE).delete(appendKey(8)).commit());
  writes.push(store.transact((tx) => tx.delete(appendKey(9))));
  await Promise.all(writes);
  const { groups, syncs } = store.stats();
  assertEquals([groups, syncs], [1, 1]);
});

test("writes that are awaited one by one go into the journal one by one", async () => {
  await using store = await HybridStore.openTemp();
  for (let i = 0; i < 50; i++) await store.put(appendKey(i), VALUE);
  assertEquals(store.stats().groups, 50);
});

test("64 concurrent callers share syncs", async () => {
  await using store = await HybridStore.openTemp();
  const rounds = 20;
  const caller = async (number: number) => {
    for (let round = 0; round < rounds; round++) {
      await store.fetchAndAddU64(btreeKey(number), 1n);
    }
  };
  await Promise.all(Array.from({ length: 64 }, (_, number) => caller(number)));
  const { syncs } = store.stats();
  assertGreater(syncs, 0);
  // 1280 writes, each of which waited for a sync.
  assertLessOrEqual(syncs, 2 * rounds);
  for (const { value } of store.scanSync()) assertEquals(value[0], rounds);
});

test("a write to the append side does not wait for the sync that its group needs", async () => {
  await using store = await HybridStore.openTemp({ syncIntervalMs: 2 ** 31 - 1 });
  const order: string[] = [];
  const durable = store.put(btreeKey(1), VALUE).then(() => order.push("durable"));
  const written = store.put(appendKey(1), VALUE).then(() => order.push("written"));
  await Promise.all([durable, written]);
  assertEquals(order, ["written", "durable"]);
});

test("a long loop of awaited writes lets timers fire", async () => {
  // So large that no write waits for the engines.
  await using store = await HybridStore.openTemp({ memtableBytes: 2 ** 30 });
  let isFired = false;
  const timer = setTimeout(() => isFired = true, 1);
  let writes = 0;
  for (; !isFired && writes < 100_000; writes++) await store.put(appendKey(writes % 100), VALUE);
  clearTimeout(timer);
  assert(isFired, `${writes} writes starved the timer`);
});

test("a long loop of awaited scans lets timers fire", async () => {
  await using store = await HybridStore.openTemp();
  const batch = store.batch();
  for (let i = 0; i < 20_000; i++) batch.put(appendKey(i), VALUE);
  await batch.commit();
  let isFired = false;
  const timer = setTimeout(() => isFired = true, 1);
  let scans = 0;
  for (; !isFired && scans < 1000; scans++) await store.count();
  clearTimeout(timer);
  assert(isFired, `${scans} scans starved the timer`);
});
