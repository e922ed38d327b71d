import { assertEquals } from "@std/assert";
import type { EngineReader, KeyRange } from "../../backends/mod.ts";
import { bytes, type EngineKind, engineTest, numberedKey, pattern, put, rangeOf } from "./_kit.ts";

const NONE = new Uint8Array(0);
const LONGEST = 2600;

export function rangeTests(kind: EngineKind): void {
  engineTest(kind, "range() holds its start and not its end, both ways", async ({ engine }) => {
    await engine.apply([1, 2, 3, 4].map((n) => put(bytes(n), bytes(n, n))), 1n);
    const entry = (n: number) => ({ key: bytes(n), value: bytes(n, n) });
    const found = (start: Uint8Array, end: Uint8Array | undefined) => {
      const forwards = engine.range({ start, end, reverse: false }, Infinity);
      assertEquals(engine.range({ start, end, reverse: true }, Infinity), forwards.toReversed());
      const keys = forwards.map(({ key }) => key);
      assertEquals(engine.keys({ start, end, reverse: false }, Infinity), keys);
      assertEquals(engine.keys({ start, end, reverse: true }, Infinity), keys.toReversed());
      return forwards;
    };
    assertEquals(found(bytes(2), bytes(4)), [entry(2), entry(3)]);
    assertEquals(found(bytes(2), undefined), [entry(2), entry(3), entry(4)]);
    assertEquals(found(NONE, bytes(3)), [entry(1), entry(2)]);
    assertEquals(found(NONE, undefined), [1, 2, 3, 4].map(entry));
    assertEquals(found(bytes(1, 0), bytes(2, 0)), [entry(2)]);
    assertEquals(found(bytes(0), bytes(9)), [1, 2, 3, 4].map(entry));
    assertEquals(found(bytes(5), undefined), []);
    assertEquals(found(NONE, bytes(1)), []);
  });

  engineTest(kind, "a range that cannot hold a key is empty", async ({ engine }) => {
    await engine.apply([1, 2, 3].map((n) => put(bytes(n), bytes(n))), 1n);
    const empty: [Uint8Array, Uint8Array][] = [
      [NONE, NONE],
      [bytes(1), NONE],
      [bytes(2), bytes(2)],
      [bytes(3), bytes(1)],
      [bytes(2), bytes(1)],
      [bytes(1, 0), bytes(1)],
      [bytes(9), bytes(0)],
    ];
    for (const [start, end] of empty) {
      for (const reverse of [false, true]) {
        assertEquals(engine.range({ start, end, reverse }, Infinity), []);
        assertEquals(engine.keys({ start, end, reverse }, 10), []);
      }
    }
  });

  engineTest(kind, "a range holds the keys 00 and FF at its ends", async ({ engine }) => {
    const keys = [bytes(0), bytes(0, 0), bytes(5), bytes(0xff), new Uint8Array(LONGEST).fill(0xff)];
    await engine.apply(keys.map((key) => put(key, bytes(1))), 1n);
    assertEquals(engine.keys(rangeOf(), Infinity), keys);
    assertEquals(engine.keys(rangeOf({ reverse: true }), Infinity), keys.toReversed());
    const start = bytes(0);
    assertEquals(engine.keys(rangeOf({ start }), Infinity), keys);
    assertEquals(engine.keys(rangeOf({ start, reverse: true }), Infinity), keys.toReversed());
    const last = rangeOf({ start: new Uint8Array(LONGEST).fill(0xff) });
    assertEquals(engine.keys(last, Infinity), keys.slice(-1));
    assertEquals(engine.keys(rangeOf({ end: bytes(0, 0), reverse: true }), Infinity), [bytes(0)]);
  });

  engineTest(kind, "range() and keys() stop at their limit", async ({ engine }) => {
    await engine.apply([1, 2, 3, 4, 5].map((n) => put(bytes(n), bytes(n))), 1n);
    const limits: [number, number][] = [[0, 0], [1, 1], [3, 3], [5, 5], [6, 5], [Infinity, 5]];
    for (const [limit, count] of limits) {
      const range = { start: bytes(1), end: bytes(9) };
      const forwards = [1, 2, 3, 4, 5].slice(0, count).map((n) => bytes(n));
      assertEquals(engine.keys({ ...range, reverse: false }, limit), forwards);
      assertEquals(engine.range({ ...range, reverse: false }, limit).map((e) => e.key), forwards);
      const backwards = [5, 4, 3, 2, 1].slice(0, count).map((n) => bytes(n));
      assertEquals(engine.keys({ ...range, reverse: true }, limit), backwards);
      assertEquals(engine.range({ ...range, reverse: true }, limit).map((e) => e.key), backwards);
    }
  });

  engineTest(
    kind,
    "range() and keys() end with the row that reaches the bytes",
    async ({ engine }) => {
      const lengths = [10, 0, 100_000, 300, 300, 5000, 1, 70_000];
      const writes = lengths.map((length, i) => put(bytes(i), pattern(length, i)));
      await engine.apply(writes, 1n);
      const check = (reader: EngineReader) => {
        for (const reverse of [false, true]) {
          const all = reverse ? writes.toReversed() : writes;
          for (const rows of [1, 3, 8, 9, 1000, Infinity]) {
            for (const budget of [0, 1, 11, 12, 13, 100_000, 100_013, 100_014, 101_000, 2 ** 30]) {
              let sum = 0;
              const count = all.findIndex(({ value }, i) => {
                sum += 1 + value!.length;
                return i + 1 === rows || sum >= budget;
              });
              const expected = all.slice(0, count < 0 ? all.length : count + 1);
              assertEquals(reader.range(rangeOf({ reverse }), rows, budget), expected);
              const keys = all.map(({ key }) => key).slice(0, Math.min(rows, Math.max(budget, 1)));
              assertEquals(reader.keys(rangeOf({ reverse }), rows, budget), keys);
            }
          }
          assertEquals(reader.range(rangeOf({ reverse }), 0, 1000), []);
          assertEquals(reader.keys(rangeOf({ reverse }), 0, 0), []);
        }
      };
      check(engine);
      const view = engine.view();
      check(view);
      view.release();
    },
  );

  engineTest(kind, "ranges that end by their bytes hold on to nothing", async ({ engine }) => {
    const keys = Array.from({ length: 50 }, (_, i) => numberedKey(i));
    await engine.apply(keys.map((key) => put(key, pattern(5000))), 1n);
    // More than there are places for readers.
    for (let i = 0; i < 3000; i++) {
      const view = i % 3 === 0 ? engine.view() : undefined;
      const start = keys[i % 40]!;
      const reader = view ?? engine;
      assertEquals(reader.range(rangeOf({ start }), 10, 12_000).length, 3);
      assertEquals(reader.keys(rangeOf({ start }), 10, 1).length, 1);
      view?.release();
      if (i % 100 === 0) await engine.apply([put(keys[i % 50]!, pattern(5000, i))], 1n);
    }
  });

  engineTest(kind, "bounds may be longer than any key", async ({ engine }) => {
    // Its last byte is neither the least nor the greatest.
    const longest = pattern(LONGEST, 2);
    const shorter = longest.slice(0, -1);
    const next = longest.slice();
    next[LONGEST - 1]!++;
    const keys = [shorter, longest, next];
    await engine.apply(keys.map((key) => put(key, bytes(1))), 1n);
    const longer = new Uint8Array([...longest, 0]);
    const cases: [Partial<KeyRange>, Uint8Array[]][] = [
      [{ start: longer }, [next]],
      [{ end: longer }, [shorter, longest]],
      [{ start: longest, end: longer }, [longest]],
      [{ start: longer, end: new Uint8Array([...longest, 0, 0]) }, []],
      [{ start: longer, end: next }, []],
      [{ start: new Uint8Array([...next, 1]) }, []],
      [{ start: new Uint8Array([...shorter, 0, 0, 0]), end: longer }, [longest]],
      [{ start: new Uint8Array(5000), end: new Uint8Array(5000).fill(0xff) }, keys],
    ];
    for (const [part, expected] of cases) {
      assertEquals(engine.keys(rangeOf(part), Infinity), expected);
      assertEquals(engine.keys(rangeOf({ ...part, reverse: true }), 10), expected.toReversed());
    }
  });

  engineTest(kind, "chunks of a range join into the whole", async ({ engine }) => {
    const count = 1000;
    const keys = Array.from({ length: count }, (_, i) => numberedKey(i));
    await engine.apply(keys.map((key) => put(key, key)), 1n);
    for (const chunk of [1, 7, 999, 1000, 1001]) {
      const forwards: Uint8Array[] = [];
      for (let start: Uint8Array = NONE;;) {
        const part = engine.keys(rangeOf({ start }), chunk);
        forwards.push(...part);
        if (part.length < chunk) break;
        start = new Uint8Array([...part.at(-1)!, 0]);
      }
      assertEquals(forwards, keys);
      const backwards: Uint8Array[] = [];
      let end: Uint8Array | undefined;
      for (;;) {
        const part = engine.keys(rangeOf({ end, reverse: true }), chunk);
        backwards.push(...part);
        if (part.length < chunk) break;
        end = part.at(-1)!;
      }
      assertEquals(backwards, keys.toReversed());
    }
  });
}
