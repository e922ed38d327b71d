import * as fs from "node:fs";
import { test } from "node:test";
import { assert, assertEquals, assertGreater, assertLess } from "@std/assert";
import { join } from "@std/path";
import { checkLmdbPages, type LmdbCheck } from "../../backends/lmdb_check.ts";
import type { Engine, Write } from "../../backends/mod.ts";
import { nextTurn } from "../../runtime/turn.ts";
import { numberedKey, pattern, put, remove, sorted } from "../conformance/_kit.ts";
import { withLazyClock } from "../support/clock.ts";
import { tempDirectory } from "../support/temp.ts";
import { Random } from "../support/random.ts";
import { assertFound, longKey, PAGE_BYTES, withEngine } from "./_lmdb_image.ts";

const TIMEOUT = { timeout: 600_000 };

/** Checks a file that has nothing wrong with it, and as many keys as its engine says. */
async function assertHealthy(engine: Engine, path: string): Promise<LmdbCheck> {
  const check = await checkLmdbPages(path);
  assertEquals(check.faults, []);
  assertEquals([...check.keys], [["entries", engine.stats().keys], ["meta", 2]]);
  assertGreater(check.pages, 4);
  assertLess(check.pages * PAGE_BYTES, fs.statSync(path).size + 1);
  return check;
}

function numbered(from: number, to: number, value: (i: number) => Uint8Array): Write[] {
  return Array.from({ length: to - from }, (_, i) => put(numberedKey(from + i), value(from + i)));
}

test("checkLmdbPages() finds no fault in a file without keys, and in one with a key", async () => {
  await withEngine(async (engine, path) => {
    await assertHealthy(engine, path);
    await engine.apply([put(numberedKey(1), pattern(3))], 1n);
    const { keys } = await assertHealthy(engine, path);
    assertEquals(keys.get("entries"), 1);
    await engine.apply([remove(numberedKey(1))], 2n);
    assertEquals((await assertHealthy(engine, path)).keys.get("entries"), 0);
  });
});

test("checkLmdbPages() finds no fault in 50,000 keys", TIMEOUT, async () => {
  await withEngine(async (engine, path) => {
    await engine.apply(numbered(0, 50_000, (i) => pattern(i % 60)), 1n);
    const { keys, pages } = await assertHealthy(engine, path);
    assertEquals(keys.get("entries"), 50_000);
    assertGreater(pages, 300);
  });
});

test("checkLmdbPages() finds no fault in keys of all lengths", TIMEOUT, async () => {
  await withEngine(async (engine, path) => {
    const writes = Array.from({ length: 600 }, (_, i) => {
      const length = i % 2 === 0 ? 2600 : 4 + i % 1975;
      // Some keys begin with the whole of another one.
      const key = i % 5 === 0 ? new Uint8Array(1 + i).fill(0x61) : longKey(i, length);
      return put(key, pattern(i % 100));
    });
    const random = new Random(1);
    for (let round = 0; round < 30; round++) {
      const part = writes.filter(() => random.once(3)).map((write) => {
        return random.once(2) ? write : remove(write.key);
      });
      await engine.apply(sorted(part), BigInt(round));
      await assertHealthy(engine, path);
    }
  });
});

test("checkLmdbPages() finds no fault in values of all lengths", TIMEOUT, async () => {
  await withEngine(async (engine, path) => {
    // 4062 is the longest within a page; the last ones fill two pages to the byte, and one byte more.
    const lengths = [0, 1, 4047, 4048, 4062, 4063, 9000, 300_000, 16_360, 16_361];
    await engine.apply(numbered(0, 100, (i) => pattern(lengths[i % 10]!, i)), 1n);
    const { pages } = await assertHealthy(engine, path);
    assertGreater(pages, 400);
  });
});

test("checkLmdbPages() finds no fault after hundreds of commits", TIMEOUT, async () => {
  await withEngine(async (engine, path) => {
    const random = new Random(2);
    // Frees so many pages at once that their numbers fill pages of their own.
    await engine.apply(numbered(5000, 5030, () => pattern(300_000)), 1n);
    await engine.apply(numbered(5000, 5030, () => pattern(0)).map(({ key }) => remove(key)), 2n);
    const { pages } = await assertHealthy(engine, path);
    assertLess(pages * PAGE_BYTES, fs.statSync(path).size / 10);
    let view = engine.view();
    for (let commit = 3; commit < 303; commit++) {
      const writes = new Map<number, Write>();
      for (let i = 0; i < 25; i++) {
        const key = random.below(1500);
        const value = pattern(random.once(12) ? 2000 + random.below(15_000) : random.below(90));
        writes.set(key, random.once(3) ? remove(numberedKey(key)) : put(numberedKey(key), value));
      }
      await engine.apply(sorted([...writes.values()]), BigInt(commit));
      if (commit % 10 === 0) await assertHealthy(engine, path);
      if (commit % 100 === 0) {
        // For as long as there is a view, the pages of later transactions stay apart in the list.
        view.release();
        view = engine.view();
      }
    }
  });
});

test("checkLmdbPages() has read the meta pages when it is first left", async () => {
  await withEngine(async (engine, path) => {
    await engine.apply(numbered(0, 100, (i) => pattern(i)), 1n);
    using temp = tempDirectory();
    const copy = join(temp.path, "data.mdb");
    fs.copyFileSync(path, copy);
    const checking = checkLmdbPages(copy);
    const descriptor = fs.openSync(copy, "r+");
    fs.writeSync(descriptor, new Uint8Array(2 * PAGE_BYTES), 0, 2 * PAGE_BYTES, 0);
    fs.closeSync(descriptor);
    assertEquals((await checking).faults, []);
    assertEquals((await checkLmdbPages(copy)).faults.length, 2);
  });
});

test("checkLmdbPages() finds no fault in a file that is written meanwhile", TIMEOUT, async () => {
  await withEngine(async (engine, path) => {
    const random = new Random(3);
    await engine.apply(numbered(0, 40_000, (i) => pattern(i % 200)), 1n);
    let commitsMeanwhile = 0;
    const check = async () => {
      const expected = engine.stats().keys;
      const view = engine.view();
      let isDone = false;
      const checking = checkLmdbPages(path).finally(() => isDone = true);
      while (!isDone) {
        const from = random.below(45_000);
        const writes = numbered(from, from + 1 + random.below(300), () => pattern(60));
        const isRemoval = random.once(4);
        await engine.apply(isRemoval ? writes.map(({ key }) => remove(key)) : writes, 1n);
        if (!isDone) commitsMeanwhile++;
      }
      const { keys, faults } = await checking;
      view.release();
      assertEquals(faults, []);
      assertEquals(keys.get("entries"), expected);
    };
    while (commitsMeanwhile < 20) await withLazyClock(check);
  });
});

test("checkLmdbPages() tells how far it is, and lets others run", TIMEOUT, async () => {
  await withEngine(async (engine, path) => {
    await engine.apply(numbered(0, 20_000, (i) => pattern(i % 200)), 1n);
    const calls: [number, number][] = [];
    let turns = 0;
    await withLazyClock(async () => {
      let isDone = false;
      const checking = checkLmdbPages(path, { onProgress: (...call) => calls.push(call) });
      checking.finally(() => isDone = true);
      for (; !isDone; turns++) await nextTurn();
      assertEquals((await checking).faults, []);
    });
    assertGreater(calls.length, 20);
    assertGreater(turns, 20);
    const total = calls[0]![1];
    assertEquals(calls.at(-1), [total, total]);
    assert(calls.every(([done], i) => i === 0 || done >= calls[i - 1]![0]), `${calls}`);
    assert(calls.every(([done, of]) => done <= of && of === total), `${calls}`);
  });
});

test("checkLmdbPages() finds that a file is none of LMDB", TIMEOUT, async () => {
  using temp = tempDirectory();
  const path = join(temp.path, "data.mdb");
  const missing = await checkLmdbPages(path);
  assertFound(missing.faults, 0, /cannot be read: .*ENOENT/);
  const contents = [new Uint8Array(0), new Uint8Array(100_000), new Random(8).bytes(100_000)];
  for (const content of contents) {
    fs.writeFileSync(path, content);
    const { faults, keys, pages } = await checkLmdbPages(path);
    assertEquals(faults.map(({ page }) => page), [0n, 1n]);
    assertEquals([keys.size, pages], [0, 0]);
  }
});
