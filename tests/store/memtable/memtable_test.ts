import fc from "fast-check";
import { test } from "node:test";
import { assert, assertEquals, assertGreater } from "@std/assert";
import { Router } from "../../../mod.ts";
import { hashKey } from "../../../store/memtable/key_hash.ts";
import { Memtable, type MemtableRange } from "../../../store/memtable/memtable.ts";
import { appendKey, btreeKey, bytes } from "../_support.ts";

const router = new Router();

/** Sets a value that tells a write from others of its key, or a deletion, amid other bytes. */
function set(memtable: Memtable, key: Uint8Array, value: number | undefined): number {
  const content = Uint8Array.from([0xaa, ...key, ...(value === undefined ? [] : [value]), 0xbb]);
  return memtable.set(key, hashKey(key), content, 1, value === undefined ? -1 : 1);
}

/** A write as it is read back. */
interface Shown {
  readonly key: Uint8Array;
  readonly value: Uint8Array | undefined;
}

function show({ key, value }: Shown): string {
  return `${[...key]} = ${value === undefined ? "deleted" : [...value]}`;
}

function shownOf(memtable: Memtable, id: number): Shown {
  return { key: memtable.key(id), value: memtable.value(id) };
}

/** Returns everything that a memtable holds, in order. */
function entriesOf(memtable: Memtable): Shown[] {
  return [...memtable.order()].map((id) => shownOf(memtable, id));
}

/** Returns what some ranges hold, in order. Each has to be in order itself, and not empty. */
function inRange(ranges: readonly MemtableRange[]): readonly Shown[] {
  const found = ranges.map(({ memtable, ids, from, to }) =>
    [...ids.subarray(from, to)].map((id) => shownOf(memtable, id))
  );
  for (const entries of found) {
    assertGreater(entries.length, 0);
    entries.reduce((a, b) => {
      assert(compare(a.key, b.key) < 0);
      return b;
    });
  }
  return found.flat().sort((a, b) => compare(a.key, b.key));
}

/** Compares by bytes, as the order of keys is defined. */
function compare(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    if (a[i] !== b[i]) return a[i]! - b[i]!;
  }
  return a.length - b.length;
}

// Bytes on both sides of 0x80, where text of bytes and of characters differ.
const byte = fc.constantFrom(0, 1, 0x61, 0x7f, 0x80, 0xc3, 0xff);
const someKey = fc.array(byte, { minLength: 1, maxLength: 3 }).map((list) => Uint8Array.from(list));
const someWrite = fc.record({
  key: someKey,
  value: fc.option(fc.nat(255), { nil: undefined }),
});
/** Writes, each followed by being made final or taken back, or by neither, or an ordered read. */
const someStep = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      writes: fc.array(someWrite, { maxLength: 40 }),
      // Reading in between sorts what is about to be taken back.
      ending: fc.constantFrom("kept", "open", "taken back", "taken back after a read"),
    }),
  },
  { weight: 3, arbitrary: fc.record({ start: someKey, end: fc.option(someKey) }) },
);

test("a memtable reads back in byte order what was set, and not what was taken back", () => {
  fc.assert(
    fc.property(fc.array(someStep, { maxLength: 30 }), (steps) => {
      const memtable = new Memtable(router);
      let model = new Map<string, { key: Uint8Array; value: Uint8Array | undefined }>();
      let kept = new Map(model);
      for (const step of steps) {
        if ("writes" in step) {
          for (const { key, value } of step.writes) {
            const id = set(memtable, key, value);
            assertEquals(memtable.find(key), id);
            model.set(`${[...key]}`, {
              key,
              value: value === undefined ? value : Uint8Array.of(value),
            });
          }
          const known = [...model.values()].map(({ key }) => key);
          if (step.ending === "taken back after a read") memtable.order();
          if (step.ending.startsWith("taken back")) {
            memtable.takeBack();
            model = new Map(kept);
          } else if (step.ending === "kept") {
            memtable.keep();
            kept = new Map(model);
          }
          assertEquals(memtable.size, model.size);
          for (const key of known) {
            const id = memtable.find(key);
            const expected = model.get(`${[...key]}`);
            const found = id < 0 ? undefined : show(shownOf(memtable, id));
            assertEquals(found, expected && show(expected));
          }
        } else {
          const { start, end } = step;
          const within = [...model.values()].filter(({ key }) =>
            compare(key, start) >= 0 && (end === null || compare(key, end) < 0)
          );
          within.sort((a, b) => compare(a.key, b.key));
          const range = memtable.ranges(start, end ?? undefined);
          assertEquals(inRange(range).map(show), within.map(show));
        }
      }
      const all = [...model.values()].sort((a, b) => compare(a.key, b.key));
      assertEquals(entriesOf(memtable).map(show), all.map(show));
    }),
    { numRuns: 200 },
  );
});

const MANY = 20_000;
const MANY_KEYS = Array.from({ length: MANY }, (_, i) => bytes(`${i}`.padStart(6, "0")));
/** 7919 has no factor in common with the count, so that every number comes once. */
const ORDERS: ((i: number) => number)[] = [
  (i) => i,
  (i) => MANY - 1 - i,
  (i) => i * 7919 % MANY,
];

test("a memtable of many keys stays in order, however they come", () => {
  for (const order of ORDERS) {
    // Without any read before the last, and with one now and then, which sorts a portion.
    for (const readEvery of [Infinity, 1777, 5]) {
      const memtable = new Memtable(router);
      const count = readEvery === 5 ? 500 : MANY;
      const keys = Array.from({ length: count }, (_, i) => MANY_KEYS[order(i)]!);
      for (const [i, key] of keys.entries()) {
        set(memtable, key, i & 0xff);
        if (i % readEvery === 0) memtable.ranges(bytes("000000"), undefined);
      }
      assertEquals(memtable.size, count);
      const sorted = keys.toSorted(compare);
      assertEquals(entriesOf(memtable).map(({ key }) => key), sorted);
      const middle = inRange(memtable.ranges(sorted[100]!, sorted[103]!)).map(({ key }) => key);
      assertEquals(middle, sorted.slice(100, 103));
    }
  }
});

test("many writes that are taken back leave what was kept", () => {
  for (const order of ORDERS) {
    for (const isRead of [false, true]) {
      const memtable = new Memtable(router);
      const keys = Array.from({ length: MANY }, (_, i) => MANY_KEYS[order(i)]!);
      // Neither half ends with a run of those that are sorted together.
      for (const key of keys.slice(0, MANY / 2)) set(memtable, key, 1);
      memtable.keep();
      for (const key of keys) set(memtable, key, 2);
      if (isRead) assertEquals(entriesOf(memtable).length, MANY);
      for (const key of keys) set(memtable, key, undefined);
      memtable.takeBack();
      assertEquals(memtable.size, MANY / 2);
      const kept = keys.slice(0, MANY / 2).sort(compare);
      assertEquals(entriesOf(memtable).map(({ key }) => key), kept);
      assertEquals(entriesOf(memtable).every(({ value }) => value?.[0] === 1), true);
      // What was taken back can come again.
      for (const key of keys) set(memtable, key, 3);
      assertEquals(entriesOf(memtable).map(({ key }) => key), MANY_KEYS);
    }
  }
});

test("a range that is being read is not disturbed by writes", () => {
  const memtable = new Memtable(router);
  for (const text of ["b", "d", "f"]) set(memtable, bytes(text), 1);
  memtable.keep();
  const shown = (range: readonly MemtableRange[]) => inRange(range).map(({ key }) => key);
  const range = memtable.ranges(new Uint8Array(0), undefined);
  const before = [bytes("b"), bytes("d"), bytes("f")];
  assertEquals(shown(range), before);
  // One key is inserted into the sorted ones, many are merged with them.
  set(memtable, bytes("c"), 1);
  const longer = memtable.ranges(bytes("c"), bytes("d"));
  assertEquals(shown(longer), [bytes("c")]);
  assertEquals(shown(range), before);
  for (let i = 0; i < 3000; i++) set(memtable, bytes(`c${i}`), 1);
  assertEquals(shown(memtable.ranges(bytes("c"), bytes("d"))).length, 3001);
  assertEquals(shown(range), before);
  assertEquals(shown(longer), [bytes("c")]);
  memtable.takeBack();
  assertEquals(shown(memtable.ranges(new Uint8Array(0), undefined)), before);
  assertEquals(shown(range), before);
});

test("an entry gives views of its bytes, and copies on demand", () => {
  const memtable = new Memtable(router);
  const id = set(memtable, bytes("key"), 7);
  assertEquals(shownOf(memtable, id), { key: bytes("key"), value: Uint8Array.of(7) });
  assertEquals(memtable.isDeleted(id), false);
  for (const copy of [memtable.copyValue(id)!, memtable.copyKey(id)]) copy.fill(8);
  assertEquals(shownOf(memtable, id), { key: bytes("key"), value: Uint8Array.of(7) });
  assertEquals(set(memtable, bytes("key"), undefined), id);
  assertEquals([memtable.value(id), memtable.copyValue(id), memtable.isDeleted(id)], [
    undefined,
    undefined,
    true,
  ]);
});

test("an entry knows its key's engine, and the memtable keeps nothing of the key it is given", () => {
  const memtable = new Memtable(router);
  for (const [name, key] of [["append", appendKey(1)], ["btree", btreeKey(1)]] as const) {
    const given = key.slice();
    assertEquals(memtable.engine(set(memtable, given, 1)), name);
    given.fill(0);
    assertEquals(memtable.key(memtable.find(key)), key);
    assertEquals(memtable.engine(set(memtable, key, undefined)), name);
  }
  assertEquals(memtable.size, 2);
});

test("a memtable takes what another one has, the newer over the older", () => {
  const together = new Memtable(router);
  for (const value of [1, 2]) {
    const memtable = new Memtable(router);
    for (const text of ["b", `${value}`, "a"]) set(memtable, bytes(text), value);
    if (value === 2) set(memtable, bytes("a"), undefined);
    for (const _ of together.setAll([memtable]));
  }
  assertEquals(entriesOf(together).map(show), [
    "49 = 1",
    "50 = 2",
    "97 = deleted",
    "98 = 2",
  ]);
});
