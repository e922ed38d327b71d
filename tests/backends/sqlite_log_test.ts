import * as fs from "node:fs";
import { test } from "node:test";
import { assertEquals, assertGreater, assertLess } from "@std/assert";
import { join } from "@std/path";
import { type Engine, openSqliteEngine } from "../../backends/mod.ts";
import { bytes, numberedKey, pattern, put, withEngine } from "../conformance/_kit.ts";
import { runChild } from "./_child.ts";

const SQLITE = { name: "SQLite engine:", isPersistent: true, open: openSqliteEngine };
const MEBIBYTE = 2 ** 20;
const TIMEOUT = { timeout: 600_000 };

/** Applies about 10 MB. */
async function applyMuch(engine: Engine, seed: number): Promise<void> {
  const writes = Array.from(
    { length: 20_000 },
    (_, i) => put(numberedKey(i), pattern(500, i + seed)),
  );
  await engine.apply(writes, engine.position + 1n);
}

function logBytes(directory: string): number {
  return fs.statSync(join(directory, "data.sqlite-wal")).size;
}

test("SQLite engine: the log is moved into the database while it is written", TIMEOUT, async () => {
  await withEngine(SQLITE, async ({ engine, directory }) => {
    for (let i = 0; i < 3; i++) await applyMuch(engine, i);
    assertLess(logBytes(directory), 8 * MEBIBYTE);
    assertGreater(fs.statSync(join(directory, "data.sqlite")).size, 8 * MEBIBYTE);
  });
});

test("SQLite engine: a log that a view has kept is cut once it is used anew", TIMEOUT, async () => {
  await withEngine(SQLITE, async ({ engine, directory }) => {
    await applyMuch(engine, 0);
    const view = engine.view();
    for (let i = 1; i < 4; i++) await applyMuch(engine, i);
    assertGreater(logBytes(directory), 20 * MEBIBYTE);
    assertEquals(view.get(numberedKey(5)), pattern(500, 5));
    view.release();
    for (let i = 4; i < 6; i++) await applyMuch(engine, i);
    assertLess(logBytes(directory), 17 * MEBIBYTE);
  });
});

test(
  "SQLite engine: views at every apply do not make the log grow without end",
  TIMEOUT,
  async () => {
    await withEngine(SQLITE, async ({ engine, directory }) => {
      await engine.apply([put(bytes(1), bytes(1))], 1n);
      for (let i = 0; i < 6; i++) {
        const view = engine.view();
        await applyMuch(engine, i);
        view.release();
      }
      assertLess(logBytes(directory), 30 * MEBIBYTE);
    });
  },
);

test("SQLite engine: a view that is over keeps no log", TIMEOUT, async () => {
  await withEngine(SQLITE, async ({ engine, directory }) => {
    for (let i = 0; i < 4; i++) {
      await engine.apply([put(bytes(1), bytes(i))], engine.position + 1n);
      // The transaction of such a view stays for the next one, as long as the log is small.
      const view = engine.view();
      view.release();
      await applyMuch(engine, i);
    }
    assertLess(logBytes(directory), 8 * MEBIBYTE);
  });
});

test("SQLite engine: a reader does not keep the log from being moved", TIMEOUT, async () => {
  await withEngine(SQLITE, async ({ engine, directory }) => {
    await engine.apply([put(bytes(1), bytes(1))], 1n);
    let isDone = false;
    const applied = Promise.all([applyMuch(engine, 1)]).finally(() => isDone = true);
    while (!isDone) {
      assertEquals(engine.get(bytes(1)), bytes(1));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await applied;
    assertLess(logBytes(directory), 8 * MEBIBYTE);
  });
});

test("SQLite engine: close() leaves one file, without a log", TIMEOUT, async () => {
  await withEngine(SQLITE, async ({ engine, directory }) => {
    await applyMuch(engine, 0);
    engine.view();
    await engine.apply([put(bytes(1), bytes(1))], 2n);
    engine.view().get(bytes(1));
    await engine.apply([put(bytes(1), bytes(2))], 3n);
    engine.view().release();
    engine.get(bytes(1));
    await engine.close();
    assertEquals(fs.readdirSync(directory), ["data.sqlite"]);
  });
});

test("SQLite engine: large values end a slice", TIMEOUT, async () => {
  await withEngine(SQLITE, async ({ engine }) => {
    let writesInThisTurn = 0;
    let mostInOneTurn = 0;
    const value = pattern(2 * MEBIBYTE);
    const writes = Array.from({ length: 64 }, (_, i) => ({
      key: numberedKey(i),
      get value() {
        mostInOneTurn = Math.max(mostInOneTurn, ++writesInThisTurn);
        return value;
      },
    }));
    let isDone = false;
    const applied = engine.apply(writes, 1n).finally(() => isDone = true);
    while (!isDone) {
      await new Promise((resolve) => setImmediate(resolve));
      writesInThisTurn = 0;
    }
    await applied;
    assertGreater(mostInOneTurn, 0);
    assertLess(mostInOneTurn, 32);
    assertEquals(engine.stats().keys, 64);
  });
});

test(
  "SQLite engine: a process that does not close it ends, and has what was applied",
  TIMEOUT,
  async () => {
    const { code, signal, lines, errors } = await runChild("_unclosed_child.ts", "sqlite");
    assertEquals([code, signal, lines], [0, null, ["applied"]], errors);
  },
);
