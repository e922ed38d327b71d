import * as fs from "node:fs";
import { test } from "node:test";
import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { join } from "@std/path";
import {
  type Engine,
  openLmdbEngine,
  openSqliteEngine,
  type StoreError,
} from "../../backends/mod.ts";
import { bytes, put } from "../conformance/_kit.ts";
import { breakDescriptor, canBreakDescriptors, descriptorsOf } from "../support/descriptors.ts";
import { tempDirectory } from "../support/temp.ts";
import { contentOf, IDENTITY, numberedWrites } from "./_engines.ts";
import { assertCode, assertThrowsCode } from "../support/assert.ts";

const BROKEN = {
  timeout: 600_000,
  skip: canBreakDescriptors ? false : "descriptors can be broken in Bun and Deno on Linux alone",
};
const CREATE = { identity: IDENTITY, create: true };
const OPEN = { identity: IDENTITY, create: false };
const O_DSYNC = 0o10000;

const O_NOFOLLOW = 0o400000;

/** The engine's own descriptor of a file; SQLite's are opened in another way. */
function syncedDescriptor(path: string): number {
  const [own, ...others] = descriptorsOf(path).filter(({ flags }) => (flags & O_NOFOLLOW) === 0);
  assertEquals(others, []);
  return own!.number;
}

async function assertStopped(engine: Engine, apply: () => Promise<void>): Promise<StoreError> {
  const content = contentOf(engine);
  const error = await assertCode(apply, "IO");
  assertStrictEquals(engine.failure, error);
  assertEquals(contentOf(engine).split(" ")[0], content.split(" ")[0]);
  return error;
}

for (const file of ["data.sqlite-wal", "data.sqlite"]) {
  test(`SQLite engine: a failed sync of ${file} is never tried again`, BROKEN, async () => {
    using temp = tempDirectory();
    const engine = await openSqliteEngine(temp.path, CREATE);
    await engine.apply(numberedWrites(0, 100, 1), 1n);
    // The database is synced when the log is moved, which a large apply does.
    const count = file === "data.sqlite" ? 20_000 : 100;
    const writes = numberedWrites(0, count, 2);
    const mend = await breakDescriptor(syncedDescriptor(join(temp.path, file)));
    const error = await assertStopped(engine, () => engine.apply(writes, 2n));
    mend();
    // The disk works again, but what it has taken is unknown.
    assertStrictEquals(await engine.apply(writes, 2n).catch((again) => again), error);
    const before = files(temp.path);
    engine.view().release();
    await engine.close();
    // Neither moved nor cut nor removed.
    assertEquals(files(temp.path), before);

    const again = await openSqliteEngine(temp.path, OPEN);
    assertEquals(again.failure, undefined);
    await again.apply(writes, 3n);
    assertEquals(again.position, 3n);
    assertEquals(again.stats().keys, count);
    assertEquals(await again.check(() => {}), []);
    await again.close();
  });
}

test("SQLite engine: a failed write of the log ends the applies", BROKEN, async () => {
  using temp = tempDirectory();
  const engine = await openSqliteEngine(temp.path, CREATE);
  await engine.apply(numberedWrites(0, 100, 1), 1n);
  const [own] = descriptorsOf(join(temp.path, "data.sqlite-wal"));
  const mend = await breakDescriptor(own!.number);
  await assertStopped(engine, () => engine.apply(numberedWrites(0, 100, 2), 2n));
  mend();
  await assertCode(() => engine.apply([], 2n), "IO");
  await engine.close();
  const again = await openSqliteEngine(temp.path, OPEN);
  assertEquals(again.position, 1n);
  await again.close();
});

test("SQLite engine: a failed sync behind the last view ends the applies", BROKEN, async () => {
  using temp = tempDirectory();
  const engine = await openSqliteEngine(temp.path, CREATE);
  await engine.apply(numberedWrites(0, 100, 1), 1n);
  const view = engine.view();
  await engine.apply(numberedWrites(0, 20_000, 2), 2n);
  const mend = await breakDescriptor(syncedDescriptor(join(temp.path, "data.sqlite")));
  view.release();
  assertEquals(engine.failure, undefined);
  const error = await assertCode(() => engine.apply([], 3n), "IO");
  assertStrictEquals(engine.failure, error);
  mend();
  await engine.close();
});

test("SQLite engine: what is created or found in a log is in the database once it is open", async () => {
  using temp = tempDirectory();
  const made = join(temp.path, "made");
  const engine = await openSqliteEngine(made, CREATE);
  const created = join(temp.path, "created");
  copyDatabase(made, created, ["data.sqlite"]);
  await engine.apply(numberedWrites(0, 100, 1), 1n);
  const content = contentOf(engine);
  const killed = join(temp.path, "killed");
  copyDatabase(made, killed, ["data.sqlite", "data.sqlite-wal"]);
  await engine.close();

  const again = await openSqliteEngine(created, OPEN);
  assertEquals([again.position, again.stats().keys], [0n, 0]);
  await again.close();
  const recovered = await openSqliteEngine(killed, OPEN);
  assertEquals(fs.statSync(join(killed, "data.sqlite-wal")).size, 0);
  const moved = join(temp.path, "moved");
  copyDatabase(killed, moved, ["data.sqlite"]);
  await recovered.close();
  const alone = await openSqliteEngine(moved, OPEN);
  assertEquals(contentOf(alone), content);
  await alone.close();
});

for (const count of [100, 20_000]) {
  test(
    `LMDB engine: a failed write of the meta page ends an apply of ${count} writes, and reads go on`,
    BROKEN,
    async () => {
      using temp = tempDirectory();
      const engine = await openLmdbEngine(temp.path, CREATE);
      await engine.apply(numberedWrites(0, 100, 1), 1n);
      const content = contentOf(engine);
      const view = engine.view();
      const [meta] = descriptorsOf(join(temp.path, "data.mdb"))
        .filter(({ flags }) => (flags & O_DSYNC) !== 0);
      await breakDescriptor(meta!.number);
      const error = await assertStopped(
        engine,
        () => engine.apply(numberedWrites(0, count, 2), 2n),
      );
      assertEquals(engine.get(bytes(1)), undefined);
      assertEquals(contentOf(engine), content);
      // What it showed went with the environment that is of no use any more.
      assertThrowsCode(() => view.get(bytes(1)), "CLOSED");
      view.release();
      assertStrictEquals(await engine.apply([], 2n).catch((again) => again), error);
      await engine.close();

      const again = await openLmdbEngine(temp.path, OPEN);
      assertEquals(contentOf(again), content);
      assertEquals(await again.check(() => {}), []);
      await again.apply([put(bytes(1), bytes(1))], 3n);
      await again.close();
    },
  );
}

function files(directory: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const name of fs.readdirSync(directory).sort()) {
    if (name.endsWith("-shm")) continue;
    found[name] = fs.readFileSync(join(directory, name)).toString("base64");
  }
  assert("data.sqlite-wal" in found);
  return found;
}

function copyDatabase(from: string, to: string, names: readonly string[]): void {
  fs.mkdirSync(to);
  for (const name of names) fs.copyFileSync(join(from, name), join(to, name));
}
