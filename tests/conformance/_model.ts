import * as fc from "fast-check";
import { assertEquals } from "@std/assert";
import type { EngineReader, KeyRange, Write } from "../../backends/mod.ts";
import { type EngineKind, engineTest, sorted, withEngine } from "./_kit.ts";
import { SortedEntries } from "./_sorted_entries.ts";

const SEED = Number(process.env.HYBRIDSTORE_TEST_SEED ?? 20_260_301);
const LONGEST = 2600;

/** Few values, so that keys share prefixes and bounds hit keys. */
const byte = fc.constantFrom(0, 1, 0x3a, 0xfe, 0xff);

const short = (minLength: number) =>
  fc.array(byte, { minLength, maxLength: 4 }).map((list) => Uint8Array.from(list));

/** Bytes that are all the same but for the last two. */
const long = (lengths: number[]) =>
  fc.tuple(fc.constantFrom(...lengths), fc.constantFrom(0x61, 0xff), byte, byte)
    .map(([length, fill, secondLast, last]) => {
      const result = new Uint8Array(length).fill(fill);
      result.set([secondLast, last], length - 2);
      return result;
    });

const key = fc.oneof(
  { weight: 3, arbitrary: short(1) },
  { weight: 1, arbitrary: long([LONGEST - 2, LONGEST - 1, LONGEST]) },
);
const bound = fc.oneof(
  { weight: 3, arbitrary: short(0) },
  { weight: 2, arbitrary: long([LONGEST - 1, LONGEST, LONGEST + 1, LONGEST + 2]) },
);
const value = fc.oneof(
  { weight: 4, arbitrary: fc.uint8Array({ maxLength: 8 }) },
  { weight: 1, arbitrary: fc.nat(20_000).map((length) => new Uint8Array(length).fill(length)) },
);
const write: fc.Arbitrary<Write> = fc.record({ key, value: fc.option(value, { nil: undefined }) });
const batch = fc.uniqueArray(write, { selector: ({ key }) => key.join(), maxLength: 30 })
  .map(sorted);
const range: fc.Arbitrary<KeyRange> = fc.record({
  start: bound,
  end: fc.option(bound, { nil: undefined }),
  reverse: fc.boolean(),
});
const rows = fc.constantFrom(0, 1, 2, 5, 1000, Infinity);
const budget = fc.constantFrom(0, 1, 10, 4000, 20_000, 40_000, Infinity);
const query = fc.tuple(range, rows, budget);
const step = fc.record({
  batch,
  queries: fc.array(query, { minLength: 1, maxLength: 10 }),
  keys: fc.array(key, { maxLength: 5 }),
});

export function modelTests(kind: EngineKind): void {
  engineTest(kind, "answers like the model, whatever is asked", async () => {
    const property = fc.asyncProperty(
      fc.array(step, { minLength: 1, maxLength: 6 }),
      (steps) =>
        withEngine(kind, async ({ engine }) => {
          const model = new SortedEntries();
          for (const [i, { batch, queries, keys }] of steps.entries()) {
            model.apply(batch);
            await engine.apply(batch, BigInt(i));
            const view = engine.view();
            compare(engine, model, queries, keys);
            compare(view, model, queries, keys);
            view.release();
          }
          assertEquals(engine.stats().keys, model.length);
        }),
    );
    await fc.assert(property, { numRuns: 40, seed: SEED });
  });
}

function compare(
  engine: EngineReader,
  model: EngineReader,
  queries: readonly [KeyRange, number, number][],
  keys: readonly Uint8Array[],
): void {
  for (const query of queries) {
    assertEquals(engine.range(...query), model.range(...query));
    assertEquals(engine.keys(...query), model.keys(...query));
  }
  for (const key of keys) {
    assertEquals(engine.get(key), model.get(key));
    assertEquals(engine.has(key), model.has(key));
  }
}
