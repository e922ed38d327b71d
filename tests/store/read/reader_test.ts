import { test } from "node:test";
import { assertEquals, assertLessOrEqual, assertRejects, assertThrows } from "@std/assert";
import { type Entry, HybridStore, type ScanRange, StoreReader, toText } from "../../../mod.ts";
import { ENTRY_ROWS, KEY_ROWS } from "../../../store/read/merge.ts";
import { appendKey, btreeKey, bytes } from "../_support.ts";
import { assertThrowsCode } from "../../support/assert.ts";

const ROWS = 700;
const RANGES: ScanRange[] = [
  {},
  { reverse: true },
  { limit: 5 },
  { prefix: "subject\0H:" },
  { gte: appendKey(10), lt: btreeKey(3) },
  { gt: btreeKey(1), lte: btreeKey(9), reverse: true, limit: 3 },
  { gt: "z" },
];

/** Fills a store on both sides: some of it in the engines, some in memtables, some deleted. */
async function fill(store: HybridStore): Promise<void> {
  for (let i = 0; i < ROWS; i++) {
    store.put(i % 2 === 0 ? appendKey(i) : btreeKey(i), `${i}`);
    if (i === ROWS / 2) await store.checkpoint();
  }
  for (let i = 0; i < ROWS; i += 10) store.delete(appendKey(i));
}

/** Returns everything that a reader shows, asked in every way there is. */
async function readAll(reader: StoreReader): Promise<unknown[]> {
  const found: unknown[] = [];
  for (const range of RANGES) {
    const entries = await Array.fromAsync(reader.scan(range));
    found.push(entries);
    assertEquals([...reader.scanSync(range)], entries);
    assertEquals(await Array.fromAsync(reader.keys(range)), entries.map(({ key }) => key));
    assertEquals(await reader.count(range), entries.length);
    const pages = await Array.fromAsync(reader.scanPages(range, { rows: 64 }));
    assertEquals(pages.flat(), entries);
  }
  assertEquals(await reader.scanPrefix(""), found[0]);
  const keys = [appendKey(1), appendKey(2), appendKey(10), btreeKey(7), "absent"];
  const values = await reader.getMany(keys);
  for (const [i, key] of keys.entries()) {
    assertEquals(await reader.get(key), values[i]);
    assertEquals(reader.getSync(key), values[i]);
    assertEquals(await reader.has(key), values[i] !== undefined);
    assertEquals(reader.hasSync(key), values[i] !== undefined);
  }
  return [...found, values];
}

test("a store and its snapshots are read in the same ways", async () => {
  await using store = await HybridStore.openTemp({ durability: "flush" });
  await fill(store);
  const before = await readAll(store);
  assertEquals((before[0] as Entry[]).length, ROWS - ROWS / 10);
  using snapshot = store.snapshotSync();
  await store.deleteRange({ gte: appendKey(100) });
  await store.put("new", "1");
  assertEquals(await readAll(snapshot), before);
  await store.checkpoint();
  assertEquals(await readAll(snapshot), before);
});

test("a transaction is read as a store is, over its own writes", async () => {
  await using store = await HybridStore.openTemp({ durability: "flush" });
  await fill(store);
  await store.transact((tx) => {
    tx.put("own", "1");
    tx.delete(btreeKey(7));
    for (const range of RANGES) {
      const entries = [...tx.scan(range)];
      assertEquals([...tx.keys(range)], entries.map(({ key }) => key));
      assertEquals(tx.count(range), entries.length);
    }
    assertEquals(tx.count(), ROWS - ROWS / 10);
    assertEquals(tx.getMany(["own", btreeKey(7)]), [bytes("1"), undefined]);
    assertThrows(() => tx.getMany("own" as never), TypeError, "Cannot get keys in transaction");
  });
});

test("a transaction deletes a range, its own writes among it", async () => {
  await using store = await HybridStore.openTemp();
  for (const key of ["a1", "a2", "b1"]) await store.put(key, "1");
  const deleted = await store.transact((tx) => {
    tx.put("a3", "1");
    tx.delete("a1");
    const count = tx.deleteRange({ prefix: "a" });
    tx.put("a2", "again");
    assertThrows(
      () => tx.deleteRange({ gte: undefined } as never),
      TypeError,
      "Cannot delete range in transaction: gte is undefined",
    );
    return [count, tx.deleteRange({ prefix: "b", limit: 0 }), tx.deleteRange({ gt: "x" })];
  });
  assertEquals(deleted, [2, 0, 0]);
  assertEquals(await textOf(store), { a2: "again", b1: "1" });
  await assertRejects(() =>
    store.transact((tx) => {
      tx.deleteRange({});
      throw new Error("none of it");
    })
  );
  assertEquals(await textOf(store), { a2: "again", b1: "1" });
});

test("a batch deletes what a range holds when it is committed, but not what it puts later", async () => {
  await using store = await HybridStore.openTemp();
  for (const key of ["a1", "a2", "b1"]) await store.put(key, "1");
  const batch = store.batch().put("a3", "early").put("b2", "early")
    .deleteRange({ prefix: "a" }).put("a2", "late");
  await store.put("a4", "before the commit");
  await batch.commit();
  assertEquals(await textOf(store), { a2: "late", b1: "1", b2: "early" });
  await store.batch().deleteRange({}).commit();
  assertEquals(await store.count(), 0);
  await store.batch().deleteRange({}).commit();
  assertThrows(() => store.batch().deleteRange({ limit: 1 } as never), RangeError, "has a limit");
  assertThrows(() => store.batch().deleteRange(undefined as never), TypeError, "is undefined");
  assertThrowsCode(() => batch.deleteRange({}), "CLOSED");
});

test("pages are as large as was asked, and show one moment each", async () => {
  await using store = await HybridStore.openTemp({ durability: "flush" });
  for (let i = 0; i < 100; i++) store.put(btreeKey(i), new Uint8Array(1000));
  const lengths = async (range: ScanRange, size?: object) =>
    (await Array.fromAsync(store.scanPages(range, size))).map(({ length }) => length);
  assertEquals(await lengths({}, { rows: 40 }), [40, 40, 20]);
  assertEquals(await lengths({ limit: 50 }, { rows: 40 }), [40, 10]);
  assertEquals(await lengths({}, { rows: 50 }), [50, 50]);
  assertEquals(await lengths({ gt: "z" }), []);
  // A page ends with the row that reaches the bytes.
  const small = await lengths({ limit: 10 }, { bytes: 2500 });
  for (const length of small) assertLessOrEqual(length, 3);
  assertEquals(await lengths({ limit: 3 }, { bytes: 1 }), [1, 1, 1]);
  const iterator = store.scanPages({ limit: 4 }, { rows: 2 });
  await iterator.next();
  await store.delete(btreeKey(2));
  const { value } = await iterator.next();
  assertEquals(value.map(({ key }: Entry) => key), [btreeKey(3), btreeKey(4)]);
  for (const size of [{ rows: 0 }, { rows: 1.5 }, { bytes: -1 }, { rows: NaN }]) {
    assertThrows(() => store.scanPages({}, size), RangeError, "not an integer from 1 on");
  }
  assertThrows(() => store.scanPages({}, 7 as never), TypeError, "Cannot scan pages: the options");
});

test("a signal ends a scan with its reason, and a deletion before anything is deleted", async () => {
  await using store = await HybridStore.openTemp({ durability: "flush" });
  await fill(store);
  const count = await store.count();
  const reason = new Error("enough");
  const aborted = AbortSignal.abort(reason);
  const rejects = async (call: () => Promise<unknown>) =>
    assertEquals(await call().then(() => undefined, (error) => error), reason);
  await rejects(() => Array.fromAsync(store.scan({ signal: aborted })));
  await rejects(() => Array.fromAsync(store.keys({ signal: aborted })));
  await rejects(() => Array.fromAsync(store.scanPages({ signal: aborted })));
  await rejects(() => store.count({ signal: aborted }));
  await rejects(() => store.deleteRange({ signal: aborted }));
  await rejects(() => store.batch().deleteRange({ signal: aborted }).commit());
  assertThrows(() => [...store.scanSync({ signal: aborted })], Error, "enough");
  assertEquals(await store.count(), count);

  const controller = new AbortController();
  let rows = 0;
  await rejects(async () => {
    for await (const _ of store.scan({ signal: controller.signal })) {
      if (++rows === 10) controller.abort(reason);
    }
  });
  assertLessOrEqual(rows, 300);
  assertThrows(() => store.scan({ signal: 7 as never }), TypeError, "not an AbortSignal");
});

async function textOf(store: HybridStore): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for await (const { key, value } of store.scan()) found[toText(key)] = toText(value);
  return found;
}

test("a page has the first rows of a range, of a store, of a part of it and of a snapshot", async () => {
  await using store = await HybridStore.openTemp();
  const part = store.sub("part/");
  const names = ["", "a", "b", "c"];
  for (const name of names) await part.put(name, `value ${name}`);
  await store.put("other", "x");
  await store.put("part0", "x");
  using snapshot = part.snapshotSync();
  await part.delete("b");
  const range = (start: string, end: string | undefined, reverse = false) => {
    return { start: bytes(start), end: end === undefined ? undefined : bytes(end), reverse };
  };
  const keys = (reader: StoreReader, of: ReturnType<typeof range>, rows = 10, size = 1e6) =>
    StoreReader.page(reader, KEY_ROWS, of, rows, size).map(toText);
  assertEquals(keys(part, range("", undefined)), ["", "a", "c"]);
  assertEquals(keys(snapshot, range("", undefined, true)), names.toReversed());
  assertEquals(keys(snapshot, range("a", "c")), ["a", "b"]);
  assertEquals(keys(snapshot, range("c", "a")), []);
  assertEquals(keys(snapshot, range("", undefined), 2), ["", "a"]);
  assertEquals(keys(snapshot, range("", undefined), 10, 11).length < 4, true);
  assertEquals(keys(store, range("part/c", undefined)), ["part/c", "part0"]);
  const [entry] = StoreReader.page(part, ENTRY_ROWS, range("c", undefined), 1, 1e6);
  assertEquals([toText(entry!.key), toText(entry!.value)], ["c", "value c"]);
  assertEquals(await part.has("c"), true);
  await part.close();
  assertThrowsCode(() => keys(part, range("", undefined)), "CLOSED");
});
