import fc from "fast-check";
import { test } from "node:test";
import { assertEquals, assertGreater } from "@std/assert";
import { compareBytes, Router } from "../../../mod.ts";
import { hashKey } from "../../../store/memtable/key_hash.ts";
import { Memtable } from "../../../store/memtable/memtable.ts";
import { sortByKey } from "../../../store/memtable/sort.ts";

function memtableOf(keys: readonly Uint8Array[]): Memtable {
  const memtable = new Memtable(new Router());
  for (const key of keys) memtable.set(key, hashKey(key), key, 0, -1);
  return memtable;
}

function distinct(keys: readonly Uint8Array[]): Uint8Array[] {
  return [...new Map(keys.map((key) => [`${key}`, key])).values()];
}

function assertSorts(keys: readonly Uint8Array[]): number {
  const memtable = memtableOf(keys);
  const ids = Uint32Array.from(keys.keys());
  let steps = 0;
  for (const _ of sortByKey(memtable, ids)) steps++;
  const found = [...ids].map((id) => memtable.key(id));
  assertEquals(found, keys.toSorted(compareBytes));
  return steps;
}

// Zeros, which look like the end of a key, and long common beginnings.
const someKey = fc.tuple(
  fc.constantFrom("", "aaaa", "aaaabbbb", "aaaabbbbcccc", "\0H:aaaaaaaaaaaaa"),
  fc.array(fc.constantFrom(0, 1, 0x61, 0x7f, 0x80, 0xff), { maxLength: 9 }),
).map(([start, end]) => Uint8Array.from([...new TextEncoder().encode(start), ...end]))
  .filter(({ length }) => length > 0);

test("keys are sorted as their bytes are, whatever they have in common", () => {
  fc.assert(
    fc.property(fc.array(someKey, { maxLength: 200 }), (keys) => void assertSorts(distinct(keys))),
    { numRuns: 300 },
  );
});

test("keys that are prefixes of one another are sorted by their lengths", () => {
  const keys = Array.from({ length: 600 }, (_, i) => new Uint8Array(i * 7919 % 600 + 1));
  assertSorts(keys);
});

test("many keys are sorted in steps, also where they come in order or against it", () => {
  const orders = [(i: number) => i, (i: number) => -i, (i: number) => i * 7919 % 50_000];
  for (const order of orders) {
    const keys = Array.from({ length: 50_000 }, (_, i) => i)
      .sort((a, b) => order(a) - order(b))
      .map((i) => new TextEncoder().encode(`key ${`${i}`.padStart(12, "0")}`));
    assertGreater(assertSorts(keys), 1);
  }
});
