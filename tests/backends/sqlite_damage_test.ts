import * as fs from "node:fs";
import { test } from "node:test";
import { assert, assertEquals, assertGreater, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { openLmdbEngine, openSqliteEngine, type Write } from "../../backends/mod.ts";
import { MemoryEngine } from "../../backends/memory.ts";
import { openSqlite } from "../../backends/sqlite_driver.ts";
import { bytes, put, remove } from "../conformance/_kit.ts";
import { REPAIR } from "../../codec/_advice.ts";
import { tempDirectory } from "../support/temp.ts";
import { copies, noise, openAll } from "./_damage.ts";
import { contentOf, IDENTITY, numberedWrites } from "./_engines.ts";
import { assertCode } from "../support/assert.ts";

const FILE = "data.sqlite";
const PAGE_BYTES = 4096;
const TIMEOUT = { timeout: 600_000 };

async function createEngine(directory: string): Promise<string> {
  const engine = await openSqliteEngine(directory, { identity: IDENTITY, create: true });
  await engine.apply([put(bytes(1), noise(300_000)), ...numberedWrites(0, 3000, 1)], 1n);
  await engine.apply([remove(bytes(1)), put(bytes(2), noise(50_000))], 2n);
  const content = contentOf(engine);
  await engine.close();
  return content;
}

/** Creates a database that is no engine's. */
function createForeign(path: string, ...statements: string[]): void {
  const database = openSqlite(path);
  for (const sql of statements) database.exec(sql);
  database.close();
}

test("opening what is no SQLite database is CORRUPT and harms nobody", TIMEOUT, async () => {
  using temp = tempDirectory();
  const original = join(temp.path, "original");
  await createEngine(original);
  const lmdb = join(temp.path, "lmdb");
  await (await openLmdbEngine(lmdb, { identity: IDENTITY, create: true })).close();
  const healthy = fs.readFileSync(join(original, FILE));
  const withPatch = (offset: number, patch: Uint8Array) => {
    const patched = new Uint8Array(healthy);
    patched.set(patch, offset);
    return patched;
  };
  const files: Record<string, Uint8Array> = {
    empty: new Uint8Array(0),
    zeros: new Uint8Array(100_000),
    noise: noise(100_000),
    text: new TextEncoder().encode("no database\n"),
    lmdb: fs.readFileSync(join(lmdb, "data.mdb")),
    "header alone": healthy.subarray(0, 100),
    "noise for a schema": withPatch(100, noise(PAGE_BYTES - 100)),
    "no magic": withPatch(0, bytes(0, 0, 0)),
  };
  const names = Object.keys(files);
  const directories = copies(original, join(temp.path, "copies"), names, (directory, name) => {
    fs.writeFileSync(join(directory, FILE), files[name]!);
  });
  for (const { directory, code, message } of await openAll("sqlite", directories)) {
    assertEquals(code, "CORRUPT", `${directory}: ${message}`);
    assertStringIncludes(message!, FILE);
  }
});

test("an SQLite database that was cut anywhere is CORRUPT", TIMEOUT, async () => {
  using temp = tempDirectory();
  const original = join(temp.path, "original");
  const content = await createEngine(original);
  const { size } = fs.statSync(join(original, FILE));
  const sizes = new Set([1, 99, 100, 512, 4095, 4096, 4097, 8192]);
  for (let part = 1; part < 16; part++) sizes.add(Math.floor(size * part / 16));
  for (let pages = 1; pages < 5; pages++) sizes.add(size - pages * PAGE_BYTES);
  sizes.add(size - 1).add(size);
  const directories = copies(
    original,
    join(temp.path, "copies"),
    [...sizes],
    (directory, length) => {
      fs.truncateSync(join(directory, FILE), length);
    },
  );
  const outcomes = await openAll("sqlite", directories);
  assertEquals(outcomes.pop()!.content, content);
  for (const { directory, code, message } of outcomes) {
    assertEquals(code, "CORRUPT", `${directory}: ${message}`);
  }
});

test("a missing SQLite database is CORRUPT", async () => {
  using temp = tempDirectory();
  const directory = join(temp.path, "btree");
  const open = () => openSqliteEngine(directory, { identity: IDENTITY, create: false });
  await assertCode(open, "CORRUPT");
  fs.mkdirSync(directory);
  const error = await assertCode(open, "CORRUPT");
  assertEquals(
    error.message,
    `Cannot open ${join(directory, FILE)}: the file is missing; ${REPAIR}`,
  );
  assertEquals(fs.readdirSync(directory), []);
});

test("an SQLite database of another program is CORRUPT, and stays as it is", async () => {
  using temp = tempDirectory();
  const path = join(temp.path, FILE);
  const foreign = [
    ["CREATE TABLE theirs (id INTEGER PRIMARY KEY)"],
    // The names alone do not make it an engine's.
    ["CREATE TABLE entries (id INTEGER)", "CREATE TABLE meta (id INTEGER)"],
    ["CREATE TABLE meta (name TEXT, value TEXT)", `INSERT INTO meta VALUES ('identity', 'x')`],
  ];
  for (const statements of foreign) {
    createForeign(path, ...statements);
    const before = fs.readFileSync(path);
    const open = () => openSqliteEngine(temp.path, { identity: IDENTITY, create: false });
    const error = await assertCode(open, "CORRUPT");
    assertStringIncludes(error.message, "it is not part of a store");
    assert(before.equals(fs.readFileSync(path)));
    assertEquals(fs.readdirSync(temp.path), [FILE]);
    fs.rmSync(path);
  }
});

test("an engine's database opens after another program has been at it", async () => {
  using temp = tempDirectory();
  const content = await createEngine(temp.path);
  createForeign(join(temp.path, FILE), "ANALYZE", "PRAGMA journal_mode = DELETE", "VACUUM");
  const engine = await openSqliteEngine(temp.path, { identity: IDENTITY, create: false });
  assertEquals(contentOf(engine), content);
  // Its log is back.
  await engine.apply([put(bytes(9), bytes(9))], 3n);
  assert(fs.existsSync(join(temp.path, `${FILE}-wal`)));
  await engine.close();
});

test("a lost or damaged log leaves what was applied up to the position", TIMEOUT, async () => {
  using temp = tempDirectory();
  const original = join(temp.path, "original");
  const engine = await openSqliteEngine(original, { identity: IDENTITY, create: true });
  const writesOf = (n: number) => n < 1 || n > 11 ? [] : numberedWrites(0, 100, n);
  // An apply may be cut into transactions anywhere, and the position is in the last of them.
  const possible = [await digestsAlong([], writesOf(1))];
  for (let n = 1; n < 12; n++) {
    await engine.apply(writesOf(n), BigInt(n));
    possible.push(await digestsAlong(writesOf(n), writesOf(n + 1)));
  }
  // Without a close, the log is all that there is.
  const log = fs.readFileSync(join(original, `${FILE}-wal`));
  const names = ["missing", "noise", "partial", ...Array.from({ length: 20 }, (_, i) => `${i}`)];
  const directories = copies(original, join(temp.path, "copies"), names, (directory, name) => {
    fs.rmSync(join(directory, `${FILE}-shm`), { force: true });
    const path = join(directory, `${FILE}-wal`);
    if (name === "missing") fs.rmSync(path);
    else if (name === "noise") fs.writeFileSync(path, noise(log.length));
    // As a power loss may leave the end of the database, where the log has the page.
    else if (name === "partial") fs.appendFileSync(join(directory, FILE), noise(100));
    else fs.truncateSync(path, Math.floor(log.length * Number(name) / 20));
  });
  await engine.close();
  const positions = new Set<number>();
  for (const { directory, code, content, message } of await openAll("sqlite", directories)) {
    if (content === undefined) {
      assert(!directory.endsWith("partial"), message);
      // Nothing may have reached the database, not even its tables.
      assertEquals(code, "CORRUPT", `${directory}: ${message}`);
      continue;
    }
    const position = Number.parseInt(content);
    if (directory.endsWith("partial")) assertEquals(position, possible.length - 1);
    assert(possible[position]!.includes(digestOf(content)), directory);
    positions.add(position);
  }
  assertGreater(positions.size, 5);
});

/** Returns the digests of what some writes leave, and of each state on the way through those that follow. */
async function digestsAlong(writes: Write[], following: Write[]): Promise<string[]> {
  const engine = new MemoryEngine();
  await engine.apply(writes, 0n);
  const digests = [digestOf(contentOf(engine))];
  for (const write of following) {
    await engine.apply([write], 0n);
    digests.push(digestOf(contentOf(engine)));
  }
  return digests;
}

function digestOf(content: string): string {
  return content.split(" ").at(-1)!;
}
