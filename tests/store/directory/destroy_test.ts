import { existsSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { assertEquals, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { HybridStore } from "../../../mod.ts";
import { StoreLock } from "../../../store/directory/lock.ts";
import { isForeignManifest } from "../../../store/directory/manifest.ts";
import { ReadLock } from "../../../store/directory/read_lock.ts";
import { assertCode, assertThrowsCode } from "../../support/assert.ts";
import { tempDirectory } from "../../support/temp.ts";

async function create(path: string): Promise<void> {
  await using store = await HybridStore.open(path);
  await store.put("key", "value");
}

test("with create: false a store has to be there", async () => {
  using temp = tempDirectory();
  const path = join(temp.path, "store");
  await assertCode(() => HybridStore.open(path, { create: false }), "NOT_FOUND", path);
  assertEquals(existsSync(path), false);
  mkdirSync(path);
  await assertCode(() => HybridStore.open(path, { create: false }), "NOT_FOUND", path);
  assertEquals(readdirSync(path), []);
  await create(path);
  await using store = await HybridStore.open(path, { create: false });
  assertEquals(await store.count(), 1);
});

test("with errorIfExists a store must not be there", async () => {
  using temp = tempDirectory();
  const path = join(temp.path, "store");
  const options = { errorIfExists: true };
  await (await HybridStore.open(path, options)).close();
  await create(path);
  await assertCode(() => HybridStore.open(path, options), "NOT_EMPTY", path, "errorIfExists");
  await using store = await HybridStore.open(path);
  assertEquals(await store.count(), 1);
  await assertCode(() => HybridStore.open(path, options), "LOCKED");
  await assertRejects(
    () => HybridStore.open(path, { create: false, errorIfExists: true }),
    TypeError,
    "errorIfExists and create: false leave nothing to open",
  );
  await assertRejects(
    () => HybridStore.open(path, { create: 1 } as never),
    TypeError,
    "create is a number, not a boolean",
  );
});

test("HybridStore.exists() finds stores, and changes nothing", async () => {
  using temp = tempDirectory();
  const at = (name: string) => join(temp.path, name);
  assertEquals(await HybridStore.exists(at("none")), false);
  mkdirSync(at("empty"));
  assertEquals(await HybridStore.exists(at("empty")), false);
  writeFileSync(at("file"), "");
  assertEquals(await HybridStore.exists(at("file")), false);
  mkdirSync(at("app"));
  writeFileSync(at("app/manifest.json"), '{"name":"app"}');
  assertEquals(await HybridStore.exists(at("app")), false);
  assertEquals(readdirSync(temp.path).sort(), ["app", "empty", "file"]);
  await create(at("store"));
  assertEquals(await HybridStore.exists(at("store")), true);
  assertEquals(await HybridStore.exists(pathToFileURL(at("store"))), true);
  await using store = await HybridStore.open(at("store"));
  assertEquals(await HybridStore.exists(store.path), true);
  await store.close();
  rmSync(at("store/manifest.json"));
  assertEquals(await HybridStore.exists(at("store")), true);
  // Its creation was cut off.
  writeFileSync(at("store/creating"), "");
  assertEquals(await HybridStore.exists(at("store")), false);
  await assertRejects(() => HybridStore.exists(7 as never), TypeError, "Cannot look for store");
});

test("HybridStore.destroy() removes a store with its directory", async () => {
  using temp = tempDirectory();
  const path = join(temp.path, "store");
  await create(path);
  await HybridStore.destroy(path);
  assertEquals(readdirSync(temp.path), []);
  await assertCode(() => HybridStore.destroy(path), "NOT_FOUND");
  await create(path);
  rmSync(join(path, "manifest.json"));
  await HybridStore.destroy(path);
  await create(path);
  await using store = await HybridStore.open(path);
  assertEquals(await store.count(), 1);
});

test("HybridStore.destroy() leaves what is open, what is no store, and what else is there", async () => {
  using temp = tempDirectory();
  const path = join(temp.path, "store");
  {
    await using store = await HybridStore.open(path);
    await assertCode(() => HybridStore.destroy(path), "LOCKED");
    await store.put("key", "value");
  }
  writeFileSync(join(path, "notes.txt"), "");
  await assertCode(() => HybridStore.destroy(path), "NOT_EMPTY", "notes.txt");
  {
    await using store = await HybridStore.open(path);
    assertEquals(await store.count(), 1);
  }
  mkdirSync(join(temp.path, "empty"));
  await assertCode(() => HybridStore.destroy(join(temp.path, "empty")), "NOT_FOUND");
  const unfinished = join(temp.path, "store.unfinished-abcdef");
  mkdirSync(unfinished);
  await assertCode(() => HybridStore.destroy(unfinished), "CORRUPT", "remove it");
  assertEquals(readdirSync(temp.path).sort(), ["empty", "store", "store.unfinished-abcdef"]);
  await assertRejects(() => HybridStore.destroy("" as never), TypeError, "Cannot destroy store");
});

test("a directory with a journal of something else is no store, and stays", async () => {
  using temp = tempDirectory();
  const path = join(temp.path, "notes");
  mkdirSync(join(path, "journal"), { recursive: true });
  writeFileSync(join(path, "journal/monday.txt"), "");
  assertEquals(await HybridStore.exists(path), false);
  await assertCode(() => HybridStore.destroy(path), "NOT_FOUND", path);
  assertEquals(readdirSync(path), ["journal"]);
  await create(join(path, "store"));
  writeFileSync(join(path, "store/journal/monday.txt"), "");
  const place = join("journal", "monday.txt");
  await assertCode(() => HybridStore.destroy(join(path, "store")), "NOT_EMPTY", place);
  await using store = await HybridStore.open(join(path, "store"));
  assertEquals(await store.count(), 1);
});

test("HybridStore.destroy() follows a symbolic link, which stays", async () => {
  using temp = tempDirectory();
  const path = join(temp.path, "store");
  const link = join(temp.path, "link");
  await create(path);
  symlinkSync(path, link);
  await HybridStore.destroy(link);
  assertEquals(readdirSync(temp.path), ["link"]);
  await create(path);
  await using store = await HybridStore.open(link);
  assertEquals(await store.count(), 1);
});

test("a store that is destroyed while it is being opened is no other program's", () => {
  using temp = tempDirectory();
  const path = join(temp.path, "store");
  // What was read of it just before.
  const text = '{"format":2,"identity":"1"}';
  assertEquals(isForeignManifest(path, text), false);
  assertEquals(isForeignManifest(path, '{"name":"app"}'), true);
  assertThrowsCode(() => StoreLock.acquire(path), "IO");
  assertThrowsCode(() => ReadLock.acquire("Cannot open store", path), "IO");
});

for (const step of ["before", "after"]) {
  test(`a kill ${step} the store has lost its name leaves it whole, or what does not open`, async () => {
    using temp = tempDirectory();
    const path = join(temp.path, "store");
    await create(path);
    const doomed = join(temp.path, "store.unfinished-abcdef");
    mkdirSync(doomed);
    if (step === "after") {
      const { renameSync } = await import("node:fs");
      renameSync(path, doomed);
    }
    assertEquals(await HybridStore.exists(path), step === "before");
    await assertCode(() => HybridStore.open(doomed), "CORRUPT", "remove it");
    await using store = await HybridStore.open(path);
    assertEquals(await store.count(), step === "before" ? 1 : 0);
  });
}
