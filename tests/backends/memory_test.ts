import { test } from "node:test";
import { assert, assertEquals, assertGreater, assertLess, assertRejects } from "@std/assert";
import { type Block, type Entries, NO_ENTRIES } from "../../backends/_memory_block.ts";
import { mergeWrites } from "../../backends/_memory_merge.ts";
import type { EngineReader, EngineView, Entry, Write } from "../../backends/engine.ts";
import { openMemoryEngine } from "../../backends/mod.ts";
import { packWrites } from "../../backends/writes.ts";
import { equalBytes } from "../../codec/bytes.ts";
import { all, bytes, numberedKey, pattern, put, rangeOf, remove } from "../conformance/_kit.ts";
import { SortedEntries } from "../conformance/_sorted_entries.ts";
import { engineSuite } from "../conformance/suite.ts";
import { Random } from "../support/random.ts";

engineSuite({
  name: "memory engine:",
  isPersistent: false,
  open: () => Promise.resolve(openMemoryEngine()),
});

const SEED = Number(process.env.HYBRIDSTORE_TEST_SEED ?? 20_260_301);
const KEYS = 12_000;

for (let seed = SEED; seed < SEED + 4; seed++) {
  test(`memory engine: does what a sorted array does, in many blocks (seed ${seed})`, {
    timeout: 600_000,
  }, async () => {
    const random = new Random(seed);
    const engine = openMemoryEngine();
    const model = new SortedEntries();
    const held: { view: EngineView; model: SortedEntries }[] = [];
    for (let round = 1; round <= 40; round++) {
      const writes = someWrites(random);
      const applied = engine.apply(writes, BigInt(round));
      // Nothing of the writes shows before all of them do.
      const during = { view: engine.view(), model: model.snapshot() };
      model.apply(writes);
      await applied;

      assertSame(engine, model);
      assertEquals(engine.stats(), { keys: model.length, bytes: bytesOf(model) });
      held.push(during);
      if (random.once(2)) held.push({ view: engine.view(), model: model.snapshot() });
      for (const one of held) assertSameParts(random, one.view, one.model);
      assertSameParts(random, engine, model);
      while (held.length > 6) {
        const { view, model } = held.splice(random.below(held.length), 1)[0]!;
        assertSame(view, model);
        view.release();
      }
    }
    for (const { view, model } of held) assertSame(view, model);
    await engine.close();
  });
}

test("memory engine: few writes that fall into many blocks take several turns", async () => {
  const engine = openMemoryEngine();
  const count = 50_000;
  await engine.apply(numbered(0, count, () => pattern(100)), 1n);
  const writes = Array.from({ length: 1000 }, (_, i) => put(numberedKey(i * 50), bytes(1)));
  let isDone = false;
  const applied = engine.apply(writes, 2n).then(() => isDone = true);
  let turns = 0;
  for (; !isDone; turns++) await new Promise((resolve) => setImmediate(resolve));
  await applied;
  assertGreater(turns, 3);
  assertEquals(engine.stats(), { keys: count, bytes: count * 112 - 1000 * 99 });
});

test("memory engine: a write copies the block that it falls into, and no other", async () => {
  const old = await merged(NO_ENTRIES, numbered(0, 10_000, () => pattern(100)));
  assertGreater(old.blocks.length, 100);
  for (const at of [0, 1, 5000, 9998, 9999]) {
    for (const write of [put(numberedKey(at), pattern(100, 1)), remove(numberedKey(at))]) {
      const after = await merged(old, [write]);
      assertEquals(newBlocks(old, after).length, 1);
    }
  }
  const between = await merged(old, [put(bytes(...numberedKey(77), 0), bytes(1))]);
  assertEquals(newBlocks(old, between).length, 1);
  assertEquals(newBlocks(old, await merged(old, [])).length, 0);
});

test("memory engine: a large value is not copied where its neighbours are written", async () => {
  const isLarge = (block: Block) => block.bytes.length > 100_000;
  const large = [10, 11, 15, 19].map((i) => put(numberedKey(i), pattern(100_000, i)));
  let entries = await merged(NO_ENTRIES, large);
  const blocks = entries.blocks.filter(isLarge);
  assertEquals(blocks.length, 4);
  for (let i = 0; i < 30; i++) {
    if (large.some(({ key }) => equalBytes(key, numberedKey(i)))) continue;
    entries = await merged(entries, [put(numberedKey(i), bytes(i))]);
  }
  for (let i = 0; i < 30; i += 3) {
    if (i === 15) continue;
    entries = await merged(entries, [remove(numberedKey(i))]);
  }
  const kept = entries.blocks.filter(isLarge);
  assertEquals(kept.length, 4);
  for (const [i, block] of kept.entries()) assert(block === blocks[i]);
});

test("memory engine: deletions leave no small blocks", async () => {
  const full = await merged(NO_ENTRIES, numbered(0, 20_000, () => pattern(60)));
  // One entry is left of every other block.
  const doomed = full.blocks.flatMap((block, at) =>
    Array.from({ length: at % 2 === 0 ? 0 : block.length - 1 }, (_, i) => remove(block.key(i)))
  );
  const half = await merged(full, doomed);
  assertEquals(half.keys, 20_000 - doomed.length);
  assertLess(half.blocks.length, full.blocks.length / 2 + 3);
  const none = await merged(half, numbered(0, 20_000, () => bytes()).map(({ key }) => remove(key)));
  assertEquals(none, NO_ENTRIES);
});

test("memory engine: writes that are not sorted are refused, and change nothing", async () => {
  const engine = openMemoryEngine();
  await engine.apply([put(bytes(1), bytes(1))], 1n);
  for (const keys of [[3, 2], [2, 2], [1, 3, 2]]) {
    const writes = keys.map((key) => put(bytes(key), bytes(9)));
    await assertRejects(() => engine.apply(writes, 2n), TypeError, "not above the one before");
  }
  assertEquals(engine.position, 1n);
  assertEquals(all(engine), [put(bytes(1), bytes(1))]);
});

/** Returns puts of consecutive keys. */
function numbered(from: number, to: number, valueOf: (i: number) => Uint8Array): Write[] {
  return Array.from({ length: to - from }, (_, i) => put(numberedKey(from + i), valueOf(from + i)));
}

function merged(entries: Entries, writes: Write[]): Promise<Entries> {
  return mergeWrites(entries, packWrites(writes));
}

function newBlocks(old: Entries, after: Entries): Block[] {
  const known = new Set(old.blocks);
  return after.blocks.filter((block) => !known.has(block));
}

/** Returns writes of one kind: some here and there, many in a row, or deletions in a row. */
function someWrites(random: Random): Write[] {
  const value = () => {
    if (random.once(2000)) return pattern(100_000, random.below(256));
    return pattern(random.once(50) ? 3000 : random.below(200), random.below(256));
  };
  const kind = random.below(4);
  if (kind === 0) return random.once(4) ? [] : [put(numberedKey(random.below(KEYS)), value())];
  if (kind === 1) {
    const numbers = new Set(Array.from({ length: random.below(2000) }, () => random.below(KEYS)));
    return [...numbers].sort((a, b) => a - b)
      .map((i) => random.once(4) ? remove(numberedKey(i)) : put(numberedKey(i), value()));
  }
  const from = random.below(KEYS);
  const writes = numbered(from, Math.min(KEYS, from + random.below(4000)), value);
  return kind === 2 ? writes : writes.map(({ key }) => remove(key));
}

function bytesOf(reader: EngineReader): number {
  return all(reader).reduce((sum, { key, value }) => sum + key.length + value.length, 0);
}

/** Checks that two readers have the same entries. */
function assertSame(reader: EngineReader, model: EngineReader): void {
  assertSameEntries(all(reader), all(model));
}

/** Checks that two readers answer the same to some questions. */
function assertSameParts(random: Random, reader: EngineReader, model: EngineReader): void {
  for (let i = 0; i < 10; i++) {
    const key = numberedKey(random.below(KEYS + 1));
    assertEquals(reader.get(key), model.get(key));
    assertEquals(reader.has(key), model.has(key));
    const from = random.below(KEYS);
    const range = rangeOf({
      start: numberedKey(from),
      ...(random.once(3) ? {} : { end: numberedKey(from + random.below(500)) }),
      reverse: random.once(2),
    });
    const rows = random.pick([1, 10, 300, Infinity]);
    const budget = random.pick([1, 1000, 20_000, Infinity]);
    assertSameEntries(reader.range(range, rows, budget), model.range(range, rows, budget));
    assertEquals(reader.keys(range, rows, 3000), model.keys(range, rows, 3000));
  }
}

/** Checks that lists of entries are the same, of which there are too many for `assertEquals`. */
function assertSameEntries(found: readonly Entry[], expected: readonly Entry[]): void {
  assertEquals(found.length, expected.length);
  const wrong = found.findIndex(({ key, value }, i) =>
    !equalBytes(key, expected[i]!.key) || !equalBytes(value, expected[i]!.value)
  );
  if (wrong >= 0) assertEquals(found[wrong], expected[wrong]);
}
