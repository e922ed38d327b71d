import fc from "fast-check";
import { test } from "node:test";
import { assertEquals } from "@std/assert";
import type { KeyRange } from "../../../backends/engine.ts";
import { MemoryEngine } from "../../../backends/memory.ts";
import { type EngineName, Router } from "../../../mod.ts";
import { hashKey } from "../../../store/memtable/key_hash.ts";
import { Memtable } from "../../../store/memtable/memtable.ts";
import {
  ENTRY_ROWS,
  hasKey,
  KEY_ROWS,
  readPage,
  type ReadSource,
  readValue,
} from "../../../store/read/merge.ts";
import { sorted } from "../../conformance/_kit.ts";

interface Write {
  key: Uint8Array;
  value: Uint8Array | undefined;
}

const router = new Router();
const EMPTY = new Uint8Array(0);

/** Keys of a few tags of either side, near one another. */
const someKey = fc.tuple(
  fc.constantFrom("", "a", "b"),
  fc.constantFrom("", "\0", "\0H:", "\0S:", "\0SP:", "\0SUPERSEDED:", "\0V", "\0V:", "\0X:"),
  fc.constantFrom("", "1", "2", "ÿ"),
).map((parts) => new TextEncoder().encode(parts.join("")))
  .filter((key) => key.length > 0);
const someWrites = fc.array(
  fc.record({
    key: someKey,
    value: fc.option(fc.uint8Array({ maxLength: 3 }), { nil: undefined }),
  }),
  { maxLength: 60 },
);
const someRange = fc.record({
  start: fc.oneof(fc.constant(EMPTY), someKey),
  end: fc.option(someKey, { nil: undefined }),
  reverse: fc.boolean(),
});

/** A key as text, a character for each byte: it is ordered as the bytes are. */
function textOf(key: Uint8Array): string {
  return String.fromCharCode(...key);
}

async function engineOf(writes: Write[], name: EngineName): Promise<MemoryEngine> {
  const engine = new MemoryEngine();
  // The last write of a key is the one that counts.
  const last = new Map(writes.map((write) => [textOf(write.key), write]));
  const own = [...last.values()].filter(({ key }) => router.routeOf(key) === name);
  await engine.apply(sorted(own), 1n);
  return engine;
}

function memtableOf(writes: Write[]): Memtable {
  const memtable = new Memtable(router);
  for (const { key, value } of writes) {
    const content = Uint8Array.from([...key, ...(value ?? [])]);
    memtable.set(key, hashKey(key), content, 0, value?.length ?? -1);
  }
  return memtable;
}

/** Layers of writes, the oldest in the engines, and the map that they come to. */
async function sourceOf(layers: Write[][]): Promise<[ReadSource, Map<string, Write>]> {
  const [oldest = [], ...newer] = layers;
  const engines = {
    append: await engineOf(oldest, "append"),
    btree: await engineOf(oldest, "btree"),
  };
  const model = new Map<string, Write>();
  for (const write of layers.flat()) model.set(textOf(write.key), write);
  return [{ layers: newer.map(memtableOf).reverse(), engines, router }, model];
}

/** What a range holds, by looking at every key. */
function expectedOf(model: Map<string, Write>, { start, end, reverse }: KeyRange): Write[] {
  const [low, high] = [textOf(start), end && textOf(end)];
  const found = [...model].filter(([key, { value }]) =>
    value !== undefined && key >= low && (high === undefined || key < high)
  );
  found.sort(([a], [b]) => (a < b ? -1 : 1) * (reverse ? -1 : 1));
  return found.map(([, { key, value }]) => ({ key, value }));
}

/** Returns how many of some sizes it takes to reach a sum, or all of them. */
function countUntil(sizes: number[], sum: number): number {
  let left = sum;
  const index = sizes.findIndex((size) => (left -= size) <= 0);
  return index < 0 ? sizes.length : index + 1;
}

const someBytes = fc.oneof(fc.constant(Infinity), fc.integer({ min: 1, max: 120 }));
const someLayers = fc.array(someWrites, { minLength: 1, maxLength: 4 });

test("a page holds the first rows that the layers come to, in order", async () => {
  await fc.assert(
    fc.asyncProperty(someLayers, someRange, fc.integer({ min: 1, max: 70 }), someBytes, async (
      layers,
      range,
      limit,
      bytes,
    ) => {
      const [source, model] = await sourceOf(layers);
      const all = expectedOf(model, range).slice(0, limit);
      const sizes = all.map(({ key, value }) => key.length + value!.length);
      assertEquals(
        readPage(source, ENTRY_ROWS, range, limit, bytes),
        all.slice(0, countUntil(sizes, bytes)),
      );
      const keys = all.map(({ key }) => key);
      assertEquals(
        readPage(source, KEY_ROWS, range, limit, bytes),
        keys.slice(0, countUntil(keys.map((key) => key.length), bytes)),
      );
    }),
    { numRuns: 300 },
  );
});

test("a page of a prefix holds the same, whichever engines are looked in", async () => {
  await fc.assert(
    fc.asyncProperty(someLayers, someKey, fc.boolean(), async (layers, prefix, reverse) => {
      const [source, model] = await sourceOf(layers);
      const end = Uint8Array.from(prefix);
      end[end.length - 1]!++;
      const range = { start: prefix, end, reverse };
      assertEquals(
        readPage(source, ENTRY_ROWS, range, 100, Infinity),
        expectedOf(model, range),
      );
    }),
    { numRuns: 200 },
  );
});

test("a point read finds the newest layer that has the key", async () => {
  await fc.assert(
    fc.asyncProperty(someLayers, fc.array(someKey), async (layers, others) => {
      const [source, model] = await sourceOf(layers);
      for (const key of [...layers.flat().map(({ key }) => key), ...others]) {
        const value = model.get(textOf(key))?.value;
        assertEquals(readValue(source, key), value);
        assertEquals(hasKey(source, key), value !== undefined);
      }
    }),
    { numRuns: 100 },
  );
});

test("the latest writes of some memtables are in order, each key once, deletions among them", () => {
  fc.assert(
    fc.property(someLayers, (layers) => {
      const model = new Map(layers.flat().map((write) => [textOf(write.key), write]));
      const together = new Memtable(router);
      for (const _ of together.setAll(layers.map(memtableOf)));
      const ids = [...together.order()];
      const found = ids.map((id) => ({ key: together.key(id), value: together.value(id) }));
      const expected = [...model].sort(([a], [b]) => a < b ? -1 : 1).map(([, write]) => write);
      assertEquals(found, expected);
    }),
    { numRuns: 200 },
  );
});

test("a page goes on looking where memtables hide more rows than it wants", async () => {
  const keys = Array.from({ length: 1500 }, (_, i) => Uint8Array.of(i >> 8, i));
  const [source] = await sourceOf([
    keys.map((key) => ({ key, value: Uint8Array.of(1) })),
    keys.slice(3, 1400).map((key) => ({ key, value: undefined })),
  ]);
  const read = (range: Partial<KeyRange>, limit: number) =>
    readPage(
      source,
      KEY_ROWS,
      { start: EMPTY, end: undefined, reverse: false, ...range },
      limit,
      Infinity,
    );
  const left = [...keys.slice(0, 3), ...keys.slice(1400)];
  for (const limit of [1, 3, 4, 50, 103, 104, 600]) {
    assertEquals(read({}, limit), left.slice(0, limit));
    assertEquals(read({ reverse: true }, limit), left.toReversed().slice(0, limit));
    assertEquals(read({ start: keys[3]! }, limit), left.slice(3, 3 + limit));
    assertEquals(
      read({ end: keys[1400]!, reverse: true }, limit),
      left.slice(0, 3).toReversed().slice(0, limit),
    );
  }
});

test("a page asks only the engines in which its keys can live", async () => {
  const [source] = await sourceOf([[]]);
  const asked: EngineName[] = [];
  for (const name of ["append", "btree"] as const) {
    source.engines[name].range = () => {
      asked.push(name);
      return [];
    };
  }
  const enginesAsked = (start: string, end: string | undefined) => {
    asked.length = 0;
    const encode = (text: string) => new TextEncoder().encode(text);
    const range = { start: encode(start), end: end === undefined ? end : encode(end) };
    readPage(source, ENTRY_ROWS, { ...range, reverse: false }, 10, Infinity);
    return asked.join();
  };
  assertEquals(enginesAsked("", undefined), "append,btree");
  assertEquals(enginesAsked("a\0H:", "a\0H;"), "append");
  assertEquals(enginesAsked("a\0MV:", "a\0MV;"), "btree");
  assertEquals(enginesAsked("a\0S", "a\0T"), "append,btree");
  assertEquals(enginesAsked("a\0H:1", "a\0H:2"), "append");
  assertEquals(enginesAsked("a\0H:1", "a\0V:2"), "append,btree");
  assertEquals(enginesAsked("b", "a"), "");
});
