import {
  cpSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { test } from "node:test";
import { assertEquals, assertMatch } from "@std/assert";
import { join } from "@std/path";
import { HybridStore, StoreError } from "../../../mod.ts";
import { readManifest } from "../../../store/directory/manifest.ts";
import { tempDirectory } from "../../support/temp.ts";
import { appendKey, btreeKey, bytes } from "../_support.ts";
import { assertCode } from "../../support/assert.ts";
import { crashImage } from "../../support/crash_image.ts";

/** Creates a store with two entries in a directory and returns the path of its manifest. */
async function create(path: string): Promise<string> {
  await using store = await HybridStore.open(path);
  await store.put(appendKey(1), bytes("1"));
  await store.put(btreeKey(1), bytes("1"));
  return join(path, "manifest.json");
}

function codeOf(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    if (error instanceof StoreError) return error.code;
    throw error;
  }
  return "no error";
}

test("the manifest names format, identity, time of creation and routes", async () => {
  using temp = tempDirectory();
  const before = Date.now();
  const path = await create(temp.path);
  const manifest = JSON.parse(readFileSync(path, "utf8"));
  const { format, identity, created, routes, defaultEngine, keyBytesMax, checksum } = manifest;
  assertEquals([format, defaultEngine, keyBytesMax], [2, "btree", 2600]);
  assertMatch(identity, /^[0-9a-f]{8}-[0-9a-f-]{27}$/);
  assertEquals(new Date(created).toISOString(), created);
  assertEquals(Date.parse(created) >= before && Date.parse(created) <= Date.now(), true);
  assertEquals(routes.length, 16);
  assertEquals(routes[0], { tag: "H:", engine: "append" });
  assertMatch(checksum, /^[0-9a-f]{8}$/);
});

test("a store that has lost its manifest is CORRUPT, and whole once it is back", async () => {
  using temp = tempDirectory();
  const path = await create(temp.path);
  renameSync(path, `${path}.away`);
  const message = "append, btree, journal but no manifest.json";
  await assertCode(() => HybridStore.open(temp.path), "CORRUPT", temp.path, message);
  renameSync(`${path}.away`, path);
  await using store = await HybridStore.open(temp.path);
  assertEquals(await store.count(), 2);
});

test("a manifest cut anywhere is CORRUPT", async () => {
  using temp = tempDirectory();
  const path = await create(temp.path);
  const whole = readFileSync(path);
  // The last byte is a newline, which means nothing.
  for (let length = 0; length < whole.length - 1; length++) {
    writeFileSync(path, whole.subarray(0, length));
    assertEquals(codeOf(() => readManifest(temp.path)), "CORRUPT", `cut at ${length}`);
  }
  for (const length of [0, 1, whole.length >> 1, whole.length - 2]) {
    writeFileSync(path, whole.subarray(0, length));
    await assertCode(() => HybridStore.open(temp.path), "CORRUPT", path, "it is not as written");
  }
  writeFileSync(path, whole);
  await using store = await HybridStore.open(temp.path);
  assertEquals(await store.count(), 2);
});

test("a manifest with any bit flipped is refused", async () => {
  using temp = tempDirectory();
  const path = await create(temp.path);
  const whole = readFileSync(path);
  const manifest = readManifest(temp.path);
  for (let at = 0; at < whole.length; at++) {
    for (let bit = 0; bit < 8; bit++) {
      whole[at]! ^= 1 << bit;
      writeFileSync(path, whole);
      const code = codeOf(() => readManifest(temp.path));
      whole[at]! ^= 1 << bit;
      if (code === "CORRUPT") continue;
      // The digit of the format is a format too; white space may change and mean the same.
      const isFormat = code === "UNSUPPORTED" && at === whole.indexOf("2");
      const isSpace = code === "no error" && whole[at]! <= 0x20;
      assertEquals(isFormat || isSpace, true, `bit ${bit} of byte ${at}: ${code}`);
    }
  }
  writeFileSync(path, whole);
  assertEquals(readManifest(temp.path), manifest);
});

test("a manifest that is JSON of another kind is CORRUPT", async () => {
  using temp = tempDirectory();
  const path = await create(temp.path);
  const manifest = JSON.parse(readFileSync(path, "utf8"));
  const others = [
    null,
    7,
    "manifest",
    [],
    {},
    { ...manifest, checksum: undefined },
    { ...manifest, checksum: 0 },
    { ...manifest, routes: undefined },
    { ...manifest, routes: {} },
    { ...manifest, routes: [null] },
    { ...manifest, format: "2" },
    { ...manifest, format: 1.5 },
    { ...manifest, format: 1 },
    { ...manifest, defaultEngine: "append" },
    { ...manifest, keyBytesMax: 4000 },
    { ...manifest, identity: `${manifest.identity}0` },
  ];
  for (const other of others) {
    writeFileSync(path, JSON.stringify(other));
    await assertCode(() => HybridStore.open(temp.path), "CORRUPT", path);
  }
});

test("a manifest of a newer format is UNSUPPORTED, whatever else is in it", async () => {
  using temp = tempDirectory();
  const path = await create(temp.path);
  for (const text of ['{"format":3}', '{"format":3,"routes":"new","checksum":1}']) {
    writeFileSync(path, text);
    const open = () => HybridStore.open(temp.path);
    await assertCode(open, "UNSUPPORTED", path, "its format is 3", "reads 1 to 2");
  }
  assertEquals(existsSync(join(temp.path, "append", "data.mdb")), true);
});

test("a manifest that was being written when the process died does no harm", async () => {
  using temp = tempDirectory();
  const path = await create(temp.path);
  writeFileSync(`${path}.tmp`, '{"format":1,"ident');
  await using store = await HybridStore.open(temp.path);
  assertEquals(await store.count(), 2);
});

for (const part of ["append", "btree", "journal"]) {
  test(`a store that has lost ${part} is CORRUPT, and whole once it is back`, async () => {
    using temp = tempDirectory();
    await create(temp.path);
    renameSync(join(temp.path, part), join(temp.path, "away"));
    const names = readdirSync(temp.path);
    const lost = join(temp.path, part);
    await assertCode(() => HybridStore.open(temp.path), "CORRUPT", lost, "missing");
    rmSync(join(temp.path, part), { recursive: true, force: true });
    assertEquals(readdirSync(temp.path).filter((name) => name !== "lock-journal"), names);
    renameSync(join(temp.path, "away"), join(temp.path, part));
    await using store = await HybridStore.open(temp.path);
    assertEquals(await store.count(), 2);
  });

  test(`a store whose ${part} is empty is CORRUPT`, async () => {
    using temp = tempDirectory();
    await create(temp.path);
    for (const name of readdirSync(join(temp.path, part))) rmSync(join(temp.path, part, name));
    await assertCode(() => HybridStore.open(temp.path), "CORRUPT", join(temp.path, part));
  });
}

for (const part of ["append", "btree", "journal"]) {
  test(`a store with another store's ${part} is CORRUPT`, async () => {
    using temp = tempDirectory();
    const [one, other] = [join(temp.path, "one"), join(temp.path, "other")];
    await create(one);
    await create(other);
    renameSync(join(one, part), join(temp.path, "away"));
    cpSync(join(other, part), join(one, part), { recursive: true });
    const open = () => HybridStore.open(one);
    await assertCode(open, "CORRUPT", join(one, part), "it belongs to another store");
    rmSync(join(one, part), { recursive: true });
    renameSync(join(temp.path, "away"), join(one, part));
    await using store = await HybridStore.open(one);
    assertEquals(await store.count(), 2);
  });
}

test("damage in the journal that is no torn tail is CORRUPT with its place", async () => {
  using temp = tempDirectory();
  const path = join(temp.path, "store");
  await create(path);
  await using store = await HybridStore.open(path);
  await store.put(btreeKey(2), bytes("2"));
  await store.put(btreeKey(3), bytes("3"));
  const image = await crashImage(store, join(temp.path, "image"));
  const [segment] = readdirSync(join(image, "journal")).filter((name) => name.endsWith(".seg"));
  const file = join(image, "journal", segment!);
  const content = readFileSync(file);
  // In the payload of the first of two records.
  content[60]! ^= 1;
  writeFileSync(file, content);
  await assertCode(() => HybridStore.open(image), "CORRUPT", file, "damage at offset");
});
