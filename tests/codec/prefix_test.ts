import { test } from "node:test";
import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { commonPrefix, compareBytes, prefixUpperBound, startsWith } from "../../codec/mod.ts";

const bytes = fc.array(fc.constantFrom(0, 1, 0xfe, 0xff), { maxLength: 4 })
  .map((values) => Uint8Array.from(values));

test("prefixUpperBound() increments the last byte that is not FF and drops the rest", () => {
  const vectors: [prefix: number[], bound: number[] | undefined][] = [
    [[], undefined],
    [[0xff], undefined],
    [[0xff, 0xff], undefined],
    [[0], [1]],
    [[1, 2], [1, 3]],
    [[1, 0xff], [2]],
    [[1, 0xff, 0xff], [2]],
    [[0xff, 0], [0xff, 1]],
    [[0xff, 0xfe, 0xff], [0xff, 0xff]],
  ];
  for (const [prefix, bound] of vectors) {
    assertEquals(prefixUpperBound(Uint8Array.from(prefix)), bound && Uint8Array.from(bound));
  }
});

test("prefixUpperBound() bounds exactly the keys with the prefix", () => {
  fc.assert(
    fc.property(bytes, bytes, (prefix, key) => {
      const bound = prefixUpperBound(prefix);
      const inRange = compareBytes(prefix, key) <= 0 &&
        (bound === undefined || compareBytes(key, bound) < 0);
      assertEquals(inRange, startsWith(key, prefix));
    }),
    { numRuns: 5000 },
  );
});

test("prefixUpperBound() returns the least bound", () => {
  fc.assert(
    fc.property(bytes, bytes, (prefix, lower) => {
      const bound = prefixUpperBound(prefix);
      fc.pre(bound !== undefined && compareBytes(lower, bound) < 0);
      // Nothing below the bound would do: some string with the prefix lies above it.
      const padding = new Array(lower.length + 1).fill(0xff);
      assertEquals(compareBytes(lower, Uint8Array.of(...prefix, ...padding)) < 0, true);
    }),
    { numRuns: 2000 },
  );
});

test("prefixUpperBound() leaves its argument alone and shares no memory with it", () => {
  const prefix = Buffer.from([1, 2, 0xff]);
  const bound = prefixUpperBound(prefix)!;
  assertEquals([...prefix], [1, 2, 0xff]);
  bound[0] = 9;
  assertEquals(prefix[0], 1);
});

test("commonPrefix() returns what both begin with, as a view into the first", () => {
  fc.assert(
    fc.property(bytes, bytes, bytes, (shared, a, b) => {
      const left = Uint8Array.of(...shared, ...a);
      const right = Uint8Array.of(...shared, ...b);
      const prefix = commonPrefix(left, right);
      assertEquals(startsWith(left, prefix) && startsWith(right, prefix), true);
      assertEquals(prefix.length >= shared.length, true);
      const next = prefix.length;
      const ended = next === left.length || next === right.length;
      assertEquals(ended || left[next] !== right[next], true);
      assertEquals(prefix.buffer === left.buffer, true);
    }),
    { numRuns: 1000 },
  );
});

test("commonPrefix() of strings that differ at once is empty", () => {
  assertEquals(commonPrefix(Uint8Array.of(1), Uint8Array.of(2)), new Uint8Array(0));
  assertEquals(commonPrefix(new Uint8Array(0), Uint8Array.of(2)), new Uint8Array(0));
});
