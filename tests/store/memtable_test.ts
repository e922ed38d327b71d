import fc from "fast-check";
import { test } from "node:test";
import { assertEquals } from "@std/assert";
import { type Change, lookupKey, Memtable, MemtableEntry } from "../../store/memtable.ts";
import { MemtableStack } from "../../store/memtable_stack.ts";
import { bytes } from "./_support.ts";

/** An entry whose value tells it from others of its key. */
function entryOf(key: Uint8Array, value: number | undefined): MemtableEntry {
  const content = Uint8Array.from([0xaa, ...key, ...(value === undefined ? [] : [value]), 0xbb]);
  return new MemtableEntry(content, 1, key.length, value === undefined ? -1 : 1, "btree");
}

function show({ key, value }: { key: Uint8Array; value: Uint8Array | undefined }): string {
  return `${[...key]} = ${value === undefined ? "deleted" : [...value]}`;
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
/** Writes, each followed by ordered reads or by being taken back, or by neither. */
const someStep = fc.oneof(
  { weight: 6, arbitrary: fc.record({ writes: fc.array(someWrite, { maxLength: 40 }) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      writes: fc.array(someWrite, { maxLength: 40 }),
      // Reading in between sorts what is about to be taken back.
      isTakenBack: fc.constantFrom("at once", "after a read"),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ start: someKey, end: fc.option(someKey), reverse: fc.boolean() }),
  },
);

test("a memtable reads back in byte order what was set, and not what was taken back", () => {
  fc.assert(
    fc.property(fc.array(someStep, { maxLength: 30 }), (steps) => {
      const memtable = new Memtable();
      let model = new Map<string, MemtableEntry>();
      for (const step of steps) {
        if ("writes" in step) {
          const before = new Map(model);
          const changes: Change[] = [];
          for (const { key, value } of step.writes) {
            const entry = entryOf(key, value);
            const lookup = lookupKey(key);
            const previous = memtable.set(lookup, entry);
            assertEquals(previous, model.get(`${[...key]}`));
            changes.push({ key: lookup, previous });
            model.set(`${[...key]}`, entry);
          }
          if ("isTakenBack" in step) {
            if (step.isTakenBack === "after a read") memtable.hasRange("", undefined);
            memtable.takeBack(changes);
            model = before;
          }
          assertEquals(memtable.size, model.size);
          for (const { key } of step.writes) {
            assertEquals(memtable.get(lookupKey(key)), model.get(`${[...key]}`));
          }
        } else {
          const { start, end, reverse } = step;
          const within = [...model.values()].filter(({ key }) =>
            compare(key, start) >= 0 && (end === null || compare(key, end) < 0)
          );
          within.sort((a, b) => compare(a.key, b.key) * (reverse ? -1 : 1));
          const [low, high] = [lookupKey(start), end === null ? undefined : lookupKey(end)];
          assertEquals([...memtable.range(low, high, reverse)].map(show), within.map(show));
          assertEquals(memtable.hasRange(low, high), within.length > 0);
        }
      }
      assertEquals([...memtable.lookupKeys()].length, model.size);
    }),
    { numRuns: 200 },
  );
});

test("a memtable of many keys stays in order, however they come", () => {
  const count = 20_000;
  // 7919 has no factor in common with the count, so that every number comes once.
  const orders = [(i: number) => i, (i: number) => count - 1 - i, (i: number) => i * 7919 % count];
  const keys = Array.from({ length: count }, (_, i) => bytes(`${i}`.padStart(6, "0")));
  for (const order of orders) {
    const memtable = new Memtable();
    for (let i = 0; i < count; i++) {
      const key = keys[order(i)]!;
      memtable.set(lookupKey(key), entryOf(key, i & 0xff));
      // Now and then a read, which sorts a portion.
      if (i % 1777 === 0) memtable.hasRange("000000", undefined);
    }
    assertEquals(memtable.size, count);
    assertEquals([...memtable.range("", undefined, false)].map(({ key }) => key), keys);
    const middle = [...memtable.range("005000", "005003", true)].map(({ key }) => key);
    assertEquals(middle, keys.slice(5000, 5003).toReversed());
  }
});

test("a range that is being read is not disturbed by writes", () => {
  const memtable = new Memtable();
  const set = (text: string) => memtable.set(lookupKey(bytes(text)), entryOf(bytes(text), 1));
  for (const text of ["b", "d", "f"]) set(text);
  const range = memtable.range("", undefined, false);
  assertEquals(range.next().value!.key, bytes("b"));
  // One key is inserted into the sorted ones, many are merged with them.
  set("c");
  assertEquals(memtable.hasRange("c", "cc"), true);
  for (let i = 0; i < 3000; i++) set(`c${i}`);
  assertEquals(memtable.hasRange("c", "cc"), true);
  assertEquals([...range].map(({ key }) => key), [bytes("d"), bytes("f")]);
});

test("an entry is a view of its bytes, and copies its value on demand", () => {
  const entry = entryOf(bytes("key"), 7);
  assertEquals([entry.key, entry.value, entry.isDeleted], [bytes("key"), Uint8Array.of(7), false]);
  const copy = entry.copyValue()!;
  copy[0] = 8;
  assertEquals(entry.value, Uint8Array.of(7));
  const deletion = entryOf(bytes("key"), undefined);
  assertEquals([deletion.value, deletion.copyValue(), deletion.isDeleted], [
    undefined,
    undefined,
    true,
  ]);
});

test("a stack hides the older memtables under the newer ones", () => {
  const stack = new MemtableStack();
  const key = lookupKey(bytes("key"));
  for (const value of [1, 2, 3]) {
    stack.active.set(key, entryOf(bytes("key"), value));
    stack.active.bytes += 10;
    assertEquals(stack.get(key)!.value, Uint8Array.of(value));
    if (value < 3) stack.seal(BigInt(10 * value));
  }
  assertEquals(stack.overlays.map((memtable) => memtable.get(key)!.value![0]), [3, 2, 1]);
  assertEquals([stack.bytes, stack.sealed.map(({ end }) => end)], [30, [10n, 20n]]);
  const { overlays } = stack;
  stack.drop(1);
  assertEquals(stack.overlays.map((memtable) => memtable.get(key)!.value![0]), [3, 2]);
  assertEquals([stack.bytes, overlays.length], [20, 3]);
});

test("a stack seals what came from the journal, be it without keys, and nothing else", () => {
  const stack = new MemtableStack();
  stack.seal(1n);
  assertEquals(stack.sealed, []);
  stack.active.bytes = 10;
  stack.seal(10n);
  assertEquals(stack.sealed.map(({ end }) => end), [10n]);
  stack.seal(10n);
  assertEquals(stack.overlays.length, 2);
});
