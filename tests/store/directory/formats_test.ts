import { cpSync, existsSync, readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { assertEquals, assertGreater, assertRejects } from "@std/assert";
import { dirname, fromFileUrl, join } from "@std/path";
import { HybridStore } from "../../../mod.ts";
import { tempDirectory } from "../../support/temp.ts";

// Each folder has stores as that format's last code left them when it was killed, and what is in them.
const FIXTURES = join(dirname(fromFileUrl(import.meta.url)), "..", "..", "fixtures");
const STORES = readdirSync(FIXTURES).flatMap((format) =>
  readdirSync(join(FIXTURES, format), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => join(FIXTURES, format, name))
).sort();

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

/** Returns the entries of a store, as the JSON beside a fixture has them. */
function entriesOf(store: HybridStore): string[][] {
  return [...store.scanSync()].map((
    { key, value },
  ) => [store.routeOf(key), hex(key), hex(value)]);
}

/** Returns the cursors of a store and the changes behind one of them, as the JSON beside a fixture has them. */
async function feedOf(store: HybridStore): Promise<unknown> {
  const changes = await Array.fromAsync(store.changes({ cursor: "behind", live: false }));
  const feed = {
    cursors: Object.fromEntries(store.cursors().map(({ name, position }) => [name, `${position}`])),
    changes: changes.map(({ position, writes }) => [
      `${position}`,
      ...writes.map(({ key, value }) => [hex(key), value && hex(value)]),
    ]),
  };
  return JSON.parse(JSON.stringify(feed));
}

test("there is a store of every format", () => {
  assertGreater(STORES.length, 1);
});

for (const fixture of STORES) {
  const name = fixture.slice(FIXTURES.length + 1);
  const expected = JSON.parse(readFileSync(`${fixture}.json`, "utf8"));
  const hasFeed = existsSync(`${fixture}.cursors.json`);
  const feed = hasFeed && JSON.parse(readFileSync(`${fixture}.cursors.json`, "utf8"));

  test(`a store of format ${name} is verified, opened, read and written`, async () => {
    using temp = tempDirectory();
    const path = join(temp.path, "store");
    cpSync(fixture, path, { recursive: true });
    const { ok, faults } = await HybridStore.verify(path);
    assertEquals([ok, faults], [true, []]);
    for (const _ of ["replayed", "in the engines"]) {
      await using store = await HybridStore.open(path);
      assertEquals(entriesOf(store), expected);
      if (hasFeed) assertEquals(await feedOf(store), feed);
      const verified = await store.verify();
      assertEquals([verified.ok, verified.faults], [true, []]);
    }
    await using store = await HybridStore.open(path);
    await store.put("another key", "1");
    await store.deleteRange({});
    assertEquals(await store.count(), 0);
  });

  test(`a store of format ${name} is restored from, as a backup is, and repaired`, async () => {
    using temp = tempDirectory();
    const restored = join(temp.path, "restored");
    await HybridStore.restore(fixture, restored);
    {
      await using store = await HybridStore.open(restored);
      assertEquals(entriesOf(store), expected);
      if (hasFeed) assertEquals(await feedOf(store), feed);
    }
    const path = join(temp.path, "store");
    cpSync(fixture, path, { recursive: true });
    const { ok, setAside } = await HybridStore.repair(path);
    assertEquals([ok, setAside], [true, undefined]);
  });
}

test("a store of format 1 keeps its limit of keys, and its copies have that of today", async () => {
  using temp = tempDirectory();
  const path = join(temp.path, "store");
  cpSync(join(FIXTURES, "v1", "default"), path, { recursive: true });
  await using store = await HybridStore.open(path);
  await store.put(new Uint8Array(1978).fill(7), "1");
  await assertRejects(
    () => store.put(new Uint8Array(1979), "1"),
    RangeError,
    "the key is 1979 bytes long, more than the limit of 1978",
  );
  await store.backup(join(temp.path, "copy"));
  await using copy = await HybridStore.open(join(temp.path, "copy"));
  await copy.put(new Uint8Array(2600), "1");
  assertEquals(await copy.count(), await store.count() + 1);
});
