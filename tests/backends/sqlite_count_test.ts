import * as fs from "node:fs";
import { test } from "node:test";
import { assertEquals, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { openSqliteEngine, type Write } from "../../backends/mod.ts";
import { openSqlite } from "../../backends/sqlite_driver.ts";
import { examineSqlite } from "../../backends/sqlite_remains.ts";
import { numberedKey, pattern, put, remove } from "../conformance/_kit.ts";
import { tempDirectory } from "../support/temp.ts";
import { Random } from "../support/random.ts";
import { IDENTITY } from "./_engines.ts";

const CREATE = { identity: IDENTITY, create: true };
const OPEN = { identity: IDENTITY, create: false };
const KEYS = 3000;

function change(directory: string, ...statements: string[]): void {
  const database = openSqlite(join(directory, "data.sqlite"));
  for (const sql of statements) database.exec(sql);
  database.close();
}

test("keys are counted as they are applied, in any mix of new, present and absent ones", {
  timeout: 600_000,
}, async () => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  const random = new Random(seed);
  using temp = tempDirectory();
  let engine = await openSqliteEngine(temp.path, CREATE);
  const present = new Set<number>();
  for (let position = 1n; position < 12n; position++) {
    const writes: Write[] = [];
    const isMostlyNew = random.once(2);
    for (let i = 0; i < KEYS; i++) {
      if (random.once(isMostlyNew ? 2 : 20)) continue;
      if (random.once(3)) {
        writes.push(remove(numberedKey(i)));
        present.delete(i);
      } else {
        writes.push(put(numberedKey(i), pattern(random.below(300))));
        present.add(i);
      }
    }
    await engine.apply(writes, position);
    assertEquals(engine.stats().keys, present.size, `seed ${seed}`);
    assertEquals(await engine.check(() => {}), []);
    if (!random.once(3)) continue;
    await engine.close();
    engine = await openSqliteEngine(temp.path, OPEN);
    assertEquals(engine.stats().keys, present.size, `seed ${seed}`);
  }
  await engine.close();
});

test("an apply that fails is not counted", async () => {
  using temp = tempDirectory();
  const engine = await openSqliteEngine(temp.path, CREATE);
  await engine.apply([put(numberedKey(1), pattern(1))], 1n);
  // What cannot be read fails the transaction, whose first writes are good.
  const bad = {
    key: numberedKey(9),
    get value(): Uint8Array {
      throw new Error("there is no value");
    },
  };
  // More than one statement takes.
  const good = Array.from({ length: 1000 }, (_, i) => put(numberedKey(10 + i), pattern(1)));
  const writes = [...good, bad];
  await assertRejects(() => engine.apply(writes, 2n));
  // On a slow machine the good ones make a slice of their own, which stays.
  const all = { start: new Uint8Array(0), end: undefined, reverse: false };
  assertEquals(engine.stats().keys, engine.keys(all, Infinity).length);
  await engine.close();
});

test("what was written before keys were counted is counted once", async () => {
  using temp = tempDirectory();
  let engine = await openSqliteEngine(temp.path, CREATE);
  await engine.apply([1, 2, 3].map((n) => put(numberedKey(n), pattern(n))), 1n);
  await engine.close();
  change(temp.path, "DELETE FROM meta WHERE name = 'keys'");
  engine = await openSqliteEngine(temp.path, OPEN);
  assertEquals(engine.stats().keys, 3);
  assertEquals(await engine.check(() => {}), []);
  await engine.apply([remove(numberedKey(2))], 2n);
  await engine.close();
  engine = await openSqliteEngine(temp.path, OPEN);
  assertEquals(engine.stats().keys, 2);
  await engine.close();
});

test("a number of keys that is wrong is found, and nothing is counted until then", async () => {
  using temp = tempDirectory();
  let engine = await openSqliteEngine(temp.path, CREATE);
  await engine.apply([1, 2, 3].map((n) => put(numberedKey(n), pattern(n))), 1n);
  await engine.close();
  change(temp.path, "DELETE FROM entries WHERE key = (SELECT min(key) FROM entries)");
  engine = await openSqliteEngine(temp.path, OPEN);
  assertEquals(engine.stats().keys, 3);
  const path = join(temp.path, "data.sqlite");
  const fault = `${path}: it says that it has 3 keys, and has 2`;
  assertEquals(await engine.check(() => {}), [fault]);
  await engine.close();
  const scratch = fs.mkdtempSync(join(temp.path, "scratch-"));
  const remains = examineSqlite(path, scratch);
  assertEquals(remains.faults, [fault]);
  remains.close();
});
