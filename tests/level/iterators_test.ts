import { test } from "node:test";
import { assertEquals, assertGreater } from "@std/assert";
import fc from "fast-check";
import { HybridLevel } from "../../level/mod.ts";
import { HybridStore } from "../../mod.ts";
import { nextTurn } from "../../runtime/turn.ts";
import { watchSnapshots } from "./_snapshots.ts";

const options = { timeout: 600_000 };

type Engine = "append" | "btree";

async function openLevel(
  defaultEngine: Engine,
  memtableBytes = 2 ** 24,
): Promise<{ store: HybridStore; db: HybridLevel }> {
  const store = await HybridStore.openTemp({ routes: [], defaultEngine, memtableBytes });
  const db = new HybridLevel<string, string>(store);
  await db.open();
  return { store, db };
}

function keyOf(i: number): string {
  return `key ${String(i).padStart(5, "0")}`;
}

async function fill(db: HybridLevel, count: number): Promise<[string, string][]> {
  const rows = Array.from({ length: count }, (_, i): [string, string] => [keyOf(i), `value ${i}`]);
  await db.batch(rows.map(([key, value]) => ({ type: "put", key, value })));
  return rows;
}

for (const engine of ["append", "btree"] as const) {
  test(`iterators show the moment at which they were made, ${engine} side`, options, async () => {
    for (const count of [3, 16, 17, 40, 3000]) {
      const { store, db } = await openLevel(engine, count === 40 ? 1 : undefined);
      const rows = await fill(db, count);
      if (count > 16) await store.checkpoint();
      const forward = db.iterator();
      const backward = db.iterator({ reverse: true });
      const keys = db.keys({ gte: rows[1]![0] });
      const values = db.values();
      const all = db.iterator();
      const seen = [await forward.next()];

      await db.clear();
      await db.put(rows[2]![0], "changed");
      await db.put("key x", "new");
      await store.checkpoint();

      for (let row; (row = await forward.next()) !== undefined;) seen.push(row);
      assertEquals(seen, rows, `${count}`);
      const back: [string, string][] = [];
      for (let page; (page = await backward.nextv(7)).length > 0;) back.push(...page);
      assertEquals(back, rows.toReversed(), `${count}`);
      assertEquals(await keys.all(), rows.slice(1).map(([key]) => key), `${count}`);
      assertEquals(await values.all(), rows.map(([, value]) => value), `${count}`);
      assertEquals(await all.all(), rows, `${count}`);
      assertEquals(await db.iterator().all(), [[rows[2]![0], "changed"], ["key x", "new"]]);
      for (const iterator of [forward, backward]) await iterator.close();
      await store.close();
    }
  });
}

test("an iterator over a short range holds nothing, and others until they are over", async () => {
  const { store, db } = await openLevel("append");
  await fill(db, 100);
  const counts = watchSnapshots(store);
  const range = { gte: keyOf(10), lt: keyOf(20) };
  const short = [db.iterator(range), db.keys(range), db.values({ ...range, reverse: true })];
  assertEquals(counts, { taken: 0, held: 0 });
  for (const iterator of short) assertEquals((await iterator.nextv(100)).length, 10);

  const newest = db.keys({ reverse: true, limit: 1 });
  assertEquals(counts, { taken: 1, held: 1 });
  assertEquals(await newest.next(), keyOf(99));
  assertEquals(counts.held, 0);

  const limited = db.iterator({ limit: 50 });
  assertEquals((await limited.nextv(49)).length, 49);
  assertEquals(counts.held, 1);
  assertEquals((await limited.nextv(49)).length, 1);
  assertEquals(counts.held, 0);

  await db.iterator().all();
  for await (const _ of db.iterator()) break;
  for await (const _ of db.keys());
  assertEquals(counts, { taken: 5, held: 0 });
  const left = db.iterator();
  await left.next();
  assertEquals(counts.held, 1);
  await db.close();
  assertEquals(counts.held, 0);
  await store.close();
});

test("next() after a close() that overtook it finds the end, and nothing is read", async () => {
  const { store, db } = await openLevel("btree");
  await fill(db, 5000);
  const iterator = db.iterator();
  const page = iterator.nextv(4000);
  const closing = iterator.close();
  assertEquals((await page).length <= 2048 + 16, true);
  await closing;
  await store.close();
});

test("nextv() has as many rows as it is asked for, and at most a page", async () => {
  const { store, db } = await openLevel("append");
  const rows = await fill(db, 6000);
  await store.checkpoint();
  const iterator = db.iterator();
  const sizes: number[] = [];
  const seen: [string, string][] = [];
  for (const size of [1, 20, 1000, 100_000, 100_000, 100_000]) {
    const page = await iterator.nextv(size);
    sizes.push(page.length);
    seen.push(...page);
  }
  assertEquals(sizes, [1, 20, 1000, 2048, 2048, 883]);
  assertEquals(seen, rows);
  assertEquals(await iterator.nextv(1), []);
  await iterator.close();

  const large = "x".repeat(1024 * 1024);
  await db.clear();
  for (let i = 0; i < 10; i++) await db.put(keyOf(i), large);
  const values = db.values();
  assertEquals((await values.nextv(1000)).length < 10, true);
  await values.close();
  assertEquals((await db.values().all()).length, 10);
  await store.close();
});

test("a long iteration lets the event loop turn", options, async () => {
  const { store, db } = await openLevel("append");
  await fill(db, 50_000);
  for (
    const iterate of [
      async () => {
        let count = 0;
        for await (const _ of db.iterator()) count++;
        return count;
      },
      async () => (await db.iterator().all()).length,
    ]
  ) {
    let turns = 0;
    let isOver = false;
    const counting = (async () => {
      for (; !isOver; turns++) await nextTurn();
    })();
    assertEquals(await iterate(), 50_000);
    isOver = true;
    await counting;
    assertGreater(turns, 2);
  }
  await store.close();
});

test("rows belong to the caller, who may write over them and seek back", async () => {
  const store = await HybridStore.openTemp();
  await using db = new HybridLevel<Uint8Array, Uint8Array>(store.sub("part/"), {
    keyEncoding: "view",
    valueEncoding: "view",
  });
  for (const count of [5, 100]) {
    for (let i = 0; i < count; i++) await db.put(Uint8Array.of(0, i), Uint8Array.of(i));
    for (const iterator of [db.iterator(), db.iterator({ snapshot: db.snapshot() })]) {
      for (let round = 0; round < 3; round++) {
        const rows = [(await iterator.next())!, ...await iterator.nextv(1000)];
        assertEquals(rows.map(([key]) => key[1]), Array.from({ length: count }, (_, i) => i));
        assertEquals(rows.map(([, value]) => value[0]), rows.map(([key]) => key[1]));
        for (const bytes of rows.flat()) bytes.fill(9);
        iterator.seek(new Uint8Array(0));
      }
      await iterator.close();
    }
  }
  await store.close();
});

const bound = fc.option(fc.integer({ min: 0, max: 99 }).map(keyOf), { nil: undefined });
const command = fc.oneof(
  fc.constant({ do: "next" as const }),
  fc.record({ do: fc.constant("nextv" as const), size: fc.integer({ min: 1, max: 40 }) }),
  fc.record({ do: fc.constant("seek" as const), to: fc.integer({ min: 0, max: 99 }) }),
  fc.record({ do: fc.constant("write" as const), key: fc.integer({ min: 0, max: 99 }) }),
);
const reading = fc.record({
  stored: fc.uniqueArray(fc.integer({ min: 0, max: 99 }), { maxLength: 90 }),
  gt: bound,
  gte: bound,
  lt: bound,
  lte: bound,
  reverse: fc.boolean(),
  limit: fc.oneof(fc.constant(-1), fc.integer({ min: 0, max: 60 })),
  commands: fc.array(command, { maxLength: 30 }),
  isExplicit: fc.boolean(),
});

for (const engine of ["append", "btree"] as const) {
  test(`iterators read as a list would, ${engine} side`, options, async () => {
    const { store, db } = await openLevel(engine);
    await fc.assert(
      fc.asyncProperty(reading, async ({ stored, commands, isExplicit, ...read }) => {
        await db.clear();
        await db.batch(stored.map((i) => ({ type: "put", key: keyOf(i), value: "old" })));
        const { gt, gte, lt, lte, reverse, limit } = read;
        const bounds = Object.fromEntries(
          Object.entries({ gt, gte, lt, lte }).filter(([, value]) => value !== undefined),
        );
        // The inclusive bounds count where both are given.
        const isWithin = (key: string) =>
          (gte !== undefined ? key >= gte : gt === undefined || key > gt) &&
          (lte !== undefined ? key <= lte : lt === undefined || key < lt);
        const list = stored.map(keyOf).filter(isWithin).sort();
        if (reverse) list.reverse();
        let at = 0;
        let left = limit < 0 ? Infinity : limit;
        const take = (size: number) => {
          const taken = list.slice(at, at + Math.min(size, left));
          at += taken.length;
          left -= taken.length;
          return taken;
        };

        const snapshot = isExplicit ? db.snapshot() : undefined;
        const iterator = db.keys({ ...bounds, reverse, limit, ...(snapshot && { snapshot }) });
        for (const step of commands) {
          if (step.do === "next") assertEquals(await iterator.next(), take(1)[0]);
          else if (step.do === "nextv") {
            assertEquals(await iterator.nextv(step.size), take(step.size));
          } else if (step.do === "write") {
            await (step.key % 2 ? db.put(keyOf(step.key), "new") : db.del(keyOf(step.key)));
          } else {
            const key = keyOf(step.to);
            iterator.seek(key);
            const behind = list.findIndex((other) => reverse ? other <= key : other >= key);
            at = isWithin(key) && behind >= 0 ? behind : list.length;
          }
        }
        await iterator.close();
        await snapshot?.close();
      }),
      { numRuns: 150 },
    );
    await store.close();
  });
}
