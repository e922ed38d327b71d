import { open as openLmdb } from "lmdb";
import * as fs from "node:fs";
import { test } from "node:test";
import { assert, assertEquals, assertGreater, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { openLmdbEngine, openSqliteEngine } from "../../backends/mod.ts";
import { bytes, put, remove } from "../conformance/_kit.ts";
import { REPAIR } from "../../codec/_advice.ts";
import { tempDirectory } from "../support/temp.ts";
import { copies, noise, openAll } from "./_damage.ts";
import { contentOf, IDENTITY, numberedWrites } from "./_engines.ts";
import { PAGE_BYTES } from "./_lmdb_image.ts";
import { assertCode } from "../support/assert.ts";

const FILE = "data.mdb";
const TIMEOUT = { timeout: 600_000 };

/** Creates an engine with pages of every kind, some of them free, and returns its content. */
async function createEngine(directory: string): Promise<string> {
  const engine = await openLmdbEngine(directory, { identity: IDENTITY, create: true });
  await engine.apply([put(bytes(1), noise(300_000)), ...numberedWrites(0, 3000, 1)], 1n);
  await engine.apply([put(bytes(2), noise(50_000)), ...numberedWrites(1000, 2000, 2)], 2n);
  await engine.apply([remove(bytes(1)), ...numberedWrites(2500, 3500, 3)], 3n);
  await engine.apply([put(bytes(3), noise(20_000))], 4n);
  const content = contentOf(engine);
  await engine.close();
  return content;
}

test("opening what is no LMDB file is CORRUPT and harms nobody", TIMEOUT, async () => {
  using temp = tempDirectory();
  const original = join(temp.path, "original");
  await createEngine(original);
  const sqlite = join(temp.path, "sqlite");
  await (await openSqliteEngine(sqlite, { identity: IDENTITY, create: true })).close();
  const healthy = fs.readFileSync(join(original, FILE));
  const withPatch = (offset: number, ...patch: number[]) => {
    const patched = new Uint8Array(healthy);
    patched.set(patch, offset);
    return patched;
  };
  const files: Record<string, Uint8Array> = {
    empty: new Uint8Array(0),
    zeros: new Uint8Array(100_000),
    noise: noise(100_000),
    text: new TextEncoder().encode("no database\n"),
    sqlite: fs.readFileSync(join(sqlite, "data.sqlite")),
    "one page": healthy.subarray(0, PAGE_BYTES),
    "first meta page": withPatch(0, ...noise(PAGE_BYTES)),
    "second meta page": withPatch(PAGE_BYTES, ...new Uint8Array(PAGE_BYTES)),
    "page size 0": withPatch(48, 0, 0, 0, 0),
    "page size 8193": withPatch(48, 1, 32, 0, 0),
    "page size 4096": withPatch(48, 0, 16, 0, 0),
    "page size 16384": withPatch(48, 0, 64, 0, 0),
    "root page behind the end": patchMeta(healthy, "newer"),
    "last page 2^56": withPatch(PAGE_BYTES + 151, 1).fill(1, 151, 152),
  };
  const names = Object.keys(files);
  const directories = copies(original, join(temp.path, "copies"), names, (directory, name) => {
    fs.writeFileSync(join(directory, FILE), files[name]!);
  });
  for (const { code, message } of await openAll("lmdb", directories)) {
    assertEquals(code, "CORRUPT", message);
    assertStringIncludes(message!, FILE);
  }
});

test("the older meta page of an LMDB file may lead to missing pages", TIMEOUT, async () => {
  using temp = tempDirectory();
  const content = await createEngine(temp.path);
  const path = join(temp.path, FILE);
  fs.writeFileSync(path, patchMeta(fs.readFileSync(path), "older"));
  const [outcome] = await openAll("lmdb", [temp.path]);
  assertEquals(outcome!.content, content, outcome!.message);
});

test("an LMDB file that was cut anywhere is CORRUPT, or has everything", TIMEOUT, async () => {
  using temp = tempDirectory();
  const original = join(temp.path, "original");
  const content = await createEngine(original);
  const { size } = fs.statSync(join(original, FILE));
  const sizes = new Set([1, 24, 152, PAGE_BYTES / 2, PAGE_BYTES + 152, 3 * PAGE_BYTES]);
  for (const near of [-1, 0, 1]) sizes.add(PAGE_BYTES + near).add(2 * PAGE_BYTES + near);
  for (let part = 1; part < 24; part++) sizes.add(Math.floor(size * part / 24));
  for (let pages = 1; pages < 8; pages++) sizes.add(size - pages * PAGE_BYTES);
  sizes.add(size - 1).add(size);
  const directories = copies(
    original,
    join(temp.path, "copies"),
    [...sizes],
    (directory, length) => {
      fs.truncateSync(join(directory, FILE), length);
    },
  );
  const outcomes = await openAll("lmdb", directories);
  const whole = outcomes.at(-1)!;
  assertEquals(whole.content, content);
  let corrupt = 0;
  for (const outcome of outcomes) {
    if (outcome.code === "CORRUPT") corrupt++;
    else assertEquals([outcome.content, outcome.contentAfter], [content, whole.contentAfter]);
  }
  assertGreater(corrupt, 20);
});

test("an LMDB file whose last pages are free may end before them", TIMEOUT, async () => {
  using temp = tempDirectory();
  const original = join(temp.path, "original");
  const engine = await openLmdbEngine(original, { identity: IDENTITY, create: true });
  await engine.apply(numberedWrites(0, 2000, 1), 1n);
  await engine.apply([put(bytes(1), noise(2 ** 20))], 2n);
  await engine.apply([remove(bytes(1))], 3n);
  // What these write goes to pages that the value has left, and frees those at the end.
  for (let i = 0; i < 8; i++) {
    await engine.apply(numberedWrites(3 * i, 3 * i + 3, 5), BigInt(4 + i));
  }
  const content = contentOf(engine);
  await engine.close();
  const { size } = fs.statSync(join(original, FILE));
  const cuts = [0, 1, 2, 3, 10, 100];
  const directories = copies(original, join(temp.path, "copies"), cuts, (directory, pages) => {
    fs.truncateSync(join(directory, FILE), size - pages * PAGE_BYTES);
  });
  for (const outcome of await openAll("lmdb", directories)) {
    assertEquals(outcome.content, content, outcome.message);
    assertEquals(outcome.contentAfter!.split(" ").slice(0, 2), ["12", "3000"]);
  }
});

test("a missing LMDB file is CORRUPT", async () => {
  using temp = tempDirectory();
  const directory = join(temp.path, "append");
  const open = () => openLmdbEngine(directory, { identity: IDENTITY, create: false });
  await assertCode(open, "CORRUPT");
  fs.mkdirSync(directory);
  const error = await assertCode(open, "CORRUPT");
  assertEquals(
    error.message,
    `Cannot open ${join(directory, FILE)}: the file is missing; ${REPAIR}`,
  );
  assertEquals(fs.readdirSync(directory), []);
});

test("an LMDB file of another program is CORRUPT, and stays as it is", async () => {
  using temp = tempDirectory();
  const theirs = openLmdb<string, string>({ path: temp.path, overlappingSync: false });
  await theirs.put("key", "value");
  await theirs.close();
  const before = fs.readFileSync(join(temp.path, FILE));
  const open = () => openLmdbEngine(temp.path, { identity: IDENTITY, create: false });
  const error = await assertCode(open, "CORRUPT");
  assertStringIncludes(error.message, "it is not part of a store");
  assert(before.equals(fs.readFileSync(join(temp.path, FILE))));
  const again = openLmdb<string, string>({ path: temp.path, overlappingSync: false });
  assertEquals(again.get("key"), "value");
  await again.close();
});

test("the LMDB lock file may be missing, empty or noise", TIMEOUT, async () => {
  using temp = tempDirectory();
  const original = join(temp.path, "original");
  const content = await createEngine(original);
  const names = ["missing", "empty", "noise", "zeros"];
  const directories = copies(original, join(temp.path, "copies"), names, (directory, name) => {
    const path = join(directory, "lock.mdb");
    fs.rmSync(path);
    if (name === "empty") fs.writeFileSync(path, "");
    if (name === "noise") fs.writeFileSync(path, noise(8192));
    if (name === "zeros") fs.writeFileSync(path, new Uint8Array(8192));
  });
  for (const outcome of await openAll("lmdb", directories)) {
    assertEquals(outcome.content, content, outcome.message);
  }
});

/** Makes one of the meta pages say that the root of the main tree is behind the end of the file. */
function patchMeta(file: Uint8Array, which: "newer" | "older"): Uint8Array {
  const patched = new Uint8Array(file);
  const view = new DataView(patched.buffer);
  const transaction = (page: number) => view.getBigUint64(page * PAGE_BYTES + 152, true);
  const newer = transaction(0) > transaction(1) ? 0 : 1;
  const meta = (which === "newer" ? newer : 1 - newer) * PAGE_BYTES;
  const pages = BigInt(file.length / PAGE_BYTES);
  view.setBigUint64(meta + 136, pages + 1n, true);
  view.setBigUint64(meta + 144, pages + 1n, true);
  return patched;
}
