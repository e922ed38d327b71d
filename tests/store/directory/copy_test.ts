import { cpSync, existsSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { assertEquals, assertNotEquals } from "@std/assert";
import { join } from "@std/path";
import { crc32c } from "../../../journal/digest.ts";
import { HybridStore } from "../../../mod.ts";
import { readManifest, writeManifest } from "../../../store/directory/manifest.ts";
import { tempDirectory } from "../../support/temp.ts";
import { appendKey, btreeKey, bytes } from "../_support.ts";
import { assertCode } from "../../support/assert.ts";
import { crashImage } from "../../support/crash_image.ts";

const PARTS = ["append", "btree", "journal"];

function copyDirectory(from: string, to: string): string {
  cpSync(from, to, { recursive: true });
  return to;
}

function identityOf(directory: string): string {
  return readManifest(directory)!.identity;
}

/** Creates a store whose engines hold something, and whose journal holds more. */
async function create(path: string): Promise<HybridStore> {
  const store = await HybridStore.open(path);
  await store.batch().put(appendKey(1), bytes("1")).put(btreeKey(1), bytes("1")).commit();
  await store.checkpoint();
  await store.batch().put(appendKey(2), bytes("2")).put(btreeKey(2), bytes("2")).commit();
  return store;
}

/** Opens a directory, and makes sure that everything is there and in order. */
async function assertWhole(path: string): Promise<void> {
  {
    await using store = await HybridStore.open(path);
    const keys = [appendKey(1), appendKey(2), btreeKey(1), btreeKey(2)];
    assertEquals(await store.getMany(keys), ["1", "2", "1", "2"].map(bytes));
    assertEquals((await store.verify()).faults, []);
  }
  assertEquals(readManifest(path)!.previous, undefined);
  assertEquals((await HybridStore.verify(path)).faults, []);
}

test("a store keeps its identity where it is, also when it is moved", async () => {
  using temp = tempDirectory();
  const path = join(temp.path, "store");
  await (await create(path)).close();
  const identity = identityOf(path);
  await assertWhole(path);
  renameSync(path, `${path}-moved`);
  await assertWhole(`${path}-moved`);
  assertEquals(identityOf(`${path}-moved`), identity);
});

test("a store without its note of the place, or with one that says nothing, keeps its identity", async () => {
  using temp = tempDirectory();
  await (await create(temp.path)).close();
  const identity = identityOf(temp.path);
  const place = join(temp.path, "place");
  const text = readFileSync(place, "utf8");
  for (const change of [() => rmSync(place), () => writeFileSync(place, "\0\0\0\0")]) {
    change();
    await assertWhole(temp.path);
    assertEquals(readFileSync(place, "utf8"), text);
  }
  assertEquals(identityOf(temp.path), identity);
});

test("a copy of a directory gets an identity of its own, a copy of the copy another one", async () => {
  using temp = tempDirectory();
  const path = join(temp.path, "store");
  await (await create(path)).close();
  const copy = copyDirectory(path, join(temp.path, "copy"));
  await assertWhole(copy);
  const next = copyDirectory(copy, join(temp.path, "next"));
  await assertWhole(next);
  await assertWhole(path);
  const identities = [path, copy, next].map(identityOf);
  assertEquals(new Set(identities).size, 3);
  for (const directory of [path, copy, next]) await assertWhole(directory);
  assertEquals([path, copy, next].map(identityOf), identities);
});

test("a copy of a backup that was never opened gets an identity of its own", async () => {
  using temp = tempDirectory();
  const backup = join(temp.path, "backup");
  {
    await using store = await create(join(temp.path, "store"));
    await store.backup(backup);
  }
  const copy = copyDirectory(backup, join(temp.path, "copy"));
  await assertWhole(copy);
  await assertWhole(backup);
  assertNotEquals(identityOf(copy), identityOf(backup));
});

for (const part of PARTS) {
  test(`${part} of one copy is refused in another`, async () => {
    using temp = tempDirectory();
    const path = join(temp.path, "store");
    await (await create(path)).close();
    const copy = copyDirectory(path, join(temp.path, "copy"));
    for (const directory of [path, copy]) await assertWhole(directory);
    for (const [from, to] of [[path, copy], [copy, path]] as const) {
      const mixed = copyDirectory(to, join(temp.path, "mixed"));
      rmSync(join(mixed, part), { recursive: true });
      copyDirectory(join(from, part), join(mixed, part));
      await assertCode(() => HybridStore.open(mixed), "CORRUPT", part, "belongs to another store");
      rmSync(mixed, { recursive: true });
    }
  });
}

test("a copy of a store that is open is opened, beside the store", async () => {
  using temp = tempDirectory();
  await using store = await create(join(temp.path, "store"));
  const copy = await crashImage(store, join(temp.path, "copy"));
  await assertWhole(copy);
  assertNotEquals(identityOf(copy), identityOf(store.path));
  assertEquals((await store.verify()).faults, []);
});

/** How a copy comes out that was made while a file was being written, and the part that shows it. */
const TORN: Record<string, (copy: string) => void> = {
  "append/data.mdb": (copy) => tear(join(copy, "append", "data.mdb"), -8192),
  "btree/data.sqlite": (copy) => tear(join(copy, "btree", "data.sqlite"), -4096),
};

/** Writes over the last bytes of a file. */
function tear(path: string, offset: number): void {
  const content = readFileSync(path);
  writeFileSync(path, content.fill(0xa5, content.length + offset, content.length + offset + 1000));
}

for (const [name, change] of Object.entries(TORN)) {
  test(`a copy of a store that is open with a torn ${name} is CORRUPT, however often it is opened`, async () => {
    using temp = tempDirectory();
    const path = join(temp.path, "store");
    {
      await using store = await HybridStore.open(path);
      for (let i = 0; i < 300; i++) {
        await store.batch().put(appendKey(i), bytes("1")).put(btreeKey(i), bytes("1")).commit();
      }
    }
    // With everything in the database, and nothing in its log.
    await using store = await HybridStore.open(path);
    const copy = await crashImage(store, join(temp.path, "copy"));
    change(copy);
    const identity = identityOf(copy);
    const restored = join(temp.path, "restored");
    await assertCode(
      () => HybridStore.restore(copy, restored),
      "CORRUPT",
      `store ${copy}: it is a`,
    );
    assertEquals(existsSync(restored), false);
    for (let i = 0; i < 3; i++) {
      await assertCode(
        () => HybridStore.open(copy),
        "CORRUPT",
        "it is a copy that was made while the store was open",
        "copy the original with backup()",
      );
    }
    assertEquals(identityOf(copy), identity);
    assertNotEquals((await HybridStore.repair(copy)).setAside, undefined);
    await (await HybridStore.open(copy)).close();
  });
}

// The identity of a copy moves from part to part: every state that this passes, in any order.
for (const hasPlace of [false, true]) {
  for (let moved = 0; moved < 2 ** PARTS.length; moved++) {
    const names = PARTS.filter((_, index) => moved & 1 << index).join(", ") || "nothing";
    const title =
      `a copy's identity that was cut off ${hasPlace ? "behind" : "before"} the place, ` +
      `with ${names} moved, moves on`;
    test(title, async () => {
      using temp = tempDirectory();
      const path = join(temp.path, "store");
      const store = await create(path);
      const left = copyDirectory(await crashImage(store, join(temp.path, "image")), `${path}-left`);
      await store.close();
      // One opening that is not cut off shows what each part becomes.
      const done = copyDirectory(left, `${path}-done`);
      await (await HybridStore.open(done)).close();
      const own = readManifest(done)!;
      for (const part of PARTS.filter((_, index) => moved & 1 << index)) {
        if (part === "journal") {
          cpSync(join(done, part, ".store"), join(left, part, ".store"));
        } else {
          rmSync(join(left, part), { recursive: true });
          copyDirectory(join(done, part), join(left, part));
        }
      }
      writeManifest(left, { ...own, previous: [readManifest(left)!.identity] });
      if (hasPlace) rmSync(join(left, "place"));
      assertEquals((await HybridStore.verify(left)).faults, []);
      await assertWhole(left);
      // Before the place is noted the directory still counts as a copy.
      assertEquals(identityOf(left) === own.identity, hasPlace);
    });
  }
}

test("an older version refuses a directory whose identity is moving", async () => {
  using temp = tempDirectory();
  await (await create(temp.path)).close();
  const whole = JSON.parse(readFileSync(join(temp.path, "manifest.json"), "utf8"));
  const checksum = (manifest: typeof whole) => {
    const { format, identity, created, routes, defaultEngine, keyBytesMax } = manifest;
    const known = { format, identity, created, routes, defaultEngine, keyBytesMax };
    return crc32c(bytes(JSON.stringify(known))).toString(16).padStart(8, "0");
  };
  assertEquals(whole.checksum, checksum(whole));
  writeManifest(temp.path, { ...readManifest(temp.path)!, previous: [whole.identity] });
  const moving = JSON.parse(readFileSync(join(temp.path, "manifest.json"), "utf8"));
  assertNotEquals(moving.checksum, checksum(moving));
});

test("routes that are not those of a copy are refused before it gets its identity", async () => {
  using temp = tempDirectory();
  const path = join(temp.path, "store");
  await (await create(path)).close();
  const copy = copyDirectory(path, join(temp.path, "copy"));
  await assertCode(() => HybridStore.open(copy, { routes: [] }), "ROUTES_CHANGED");
  assertEquals(identityOf(copy), identityOf(path));
  assertEquals(existsSync(join(copy, "place")), true);
});
