import fc from "fast-check";
import { test } from "node:test";
import { assertEquals, assertLess, assertThrows } from "@std/assert";
import { Router } from "../../../mod.ts";
import { MAX_BATCH_BYTES } from "../../../store/limits.ts";
import { Memtable } from "../../../store/memtable/memtable.ts";
import { decodeWrites } from "../../../store/payload.ts";
import { WriteSet } from "../../../store/write/write_set.ts";
import { appendKey, btreeKey, bytes } from "../_support.ts";

const router = new Router();
const WHAT = "Cannot write";
/** Where a payload begins that is not the first in its chunk. */
const START = 13;

/** Returns what a set makes of a payload and of a memtable that has something already. */
function written(set: WriteSet): { payload: string[]; memtable: Memtable } {
  const chunk = new Uint8Array(START + set.bytes + 5);
  const memtable = new Memtable(router);
  const end = set.writeInto(chunk, START, memtable);
  assertEquals(end, START + set.bytes);
  const payload = chunk.subarray(START, end);
  const shown = [...decodeWrites(payload)].map(({ keyStart, keyLength, valueLength }) => {
    const valueStart = keyStart + keyLength;
    const value = valueLength < 0 ? "deleted" : payload.slice(valueStart, valueStart + valueLength);
    return `${[...payload.subarray(keyStart, valueStart)]} = ${value}`;
  });
  return { payload: shown.sort(), memtable };
}

const someWrite = fc.record({
  key: fc.uint8Array({ minLength: 1, maxLength: 3 }),
  value: fc.option(fc.uint8Array({ maxLength: 600 }), { nil: undefined }),
});

test("a set makes a payload of the last write of each key, and the same memtable", () => {
  fc.assert(
    fc.property(fc.array(someWrite, { maxLength: 60 }), (writes) => {
      const set = new WriteSet(router);
      const model = new Map<string, string>();
      for (const { key, value } of writes) {
        set.add(WHAT, key, value);
        model.set(`${[...key]}`, `${[...key]} = ${value ?? "deleted"}`);
      }
      const { payload, memtable } = written(set);
      assertEquals(payload, [...model.values()].sort());
      assertEquals(memtable.size, model.size);
      for (const { key } of writes) {
        const value = memtable.value(memtable.find(key));
        assertEquals(`${[...key]} = ${value ?? "deleted"}`, model.get(`${[...key]}`));
      }
    }),
    { numRuns: 200 },
  );
});

test("a set knows whether a key of the B-tree side was written", () => {
  const set = new WriteSet(router);
  set.add(WHAT, appendKey(1), bytes("1"));
  assertEquals(set.touchesBtree, false);
  set.add(WHAT, btreeKey(1), undefined);
  assertEquals(set.touchesBtree, true);
});

test("a key that is written over and over leaves no trace of what was replaced", () => {
  const set = new WriteSet(router);
  const value = new Uint8Array(1000);
  for (let i = 0; i < 20; i++) set.add(WHAT, appendKey(i), bytes(`${i}`));
  for (let i = 0; i < 20_000; i++) {
    new DataView(value.buffer).setUint32(0, i);
    set.add(WHAT, btreeKey(i % 3), value);
  }
  // 20 MB went through it.
  const chunks = new Set(
    Array.from({ length: set.memtable.size }, (_, id) => set.memtable.chunk(id)),
  );
  assertLess([...chunks].reduce((sum, { length }) => sum + length, 0), 2 ** 20);
  assertLess(set.memtable.chunks, 20);
  const { memtable } = written(set);
  assertEquals(memtable.size, 23);
  for (let i = 0; i < 20; i++) {
    assertEquals(memtable.value(memtable.find(appendKey(i))), bytes(`${i}`));
  }
  for (const last of [19_997, 19_998, 19_999]) {
    const found = memtable.value(memtable.find(btreeKey(last % 3)))!;
    assertEquals(new DataView(found.buffer, found.byteOffset).getUint32(0), last);
  }
});

test("a write that would exceed the limit of a batch leaves the set as it was", () => {
  const set = new WriteSet(router);
  set.add(WHAT, btreeKey(1), bytes("1"));
  const before = set.bytes;
  // Its length is all that is looked at.
  const large = { length: MAX_BATCH_BYTES } as Uint8Array;
  assertThrows(() => set.add(WHAT, btreeKey(2), large), RangeError, "commit them in parts");
  assertEquals([set.bytes, set.memtable.size], [before, 1]);
});
