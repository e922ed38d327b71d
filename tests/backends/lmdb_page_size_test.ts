import { open } from "lmdb";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { assertEquals, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { emptyDatabase } from "../../backends/_lmdb_meta.ts";
import { checkLmdbPages } from "../../backends/lmdb_check.ts";
import { openLmdbEngine } from "../../backends/mod.ts";
import { all, IDENTITY, pattern, put, rangeOf, remove, sorted } from "../conformance/_kit.ts";
import { tempDirectory } from "../support/temp.ts";
import { contentOf, numberedWrites } from "./_engines.ts";
import { longKey, PAGE_BYTES } from "./_lmdb_image.ts";
import { createWithPages, pageBytesOf } from "./_lmdb_pages.ts";

const TIMEOUT = { timeout: 600_000 };

test("LMDB engine: a new file has the pages that it is to have", async () => {
  using temp = tempDirectory();
  const engine = await openLmdbEngine(temp.path, { identity: IDENTITY, create: true });
  await engine.apply(numberedWrites(0, 100, 1), 1n);
  await engine.close();
  assertEquals(pageBytesOf(temp.path), PAGE_BYTES);
});

for (const pageBytes of [512, 4096, 8192, 65_536]) {
  test(`an empty file with pages of ${pageBytes} bytes is what the library makes`, async () => {
    using temp = tempDirectory();
    const environment = open({ path: temp.path, pageSize: pageBytes, overlappingSync: false });
    const made = readFileSync(join(temp.path, "data.mdb"));
    await environment.close();
    assertEquals(new Uint8Array(made), emptyDatabase(pageBytes));
  });
}

for (const pageBytes of [4096, 8192, 16_384]) {
  test(`LMDB engine: a file with pages of ${pageBytes} bytes keeps them`, TIMEOUT, async () => {
    using temp = tempDirectory();
    const options = { identity: IDENTITY, create: false };
    await createWithPages(temp.path, pageBytes, IDENTITY, 17n);
    assertEquals(pageBytesOf(temp.path), pageBytes);

    let engine = await openLmdbEngine(temp.path, options);
    assertEquals([engine.position, all(engine)], [17n, []]);
    const writes = [...numberedWrites(0, 3000, 1), put(longKey(1, 1978), pattern(300_000))];
    await engine.apply(writes, 18n);
    await engine.apply(numberedWrites(0, 1000, 2).map(({ key }) => remove(key)), 19n);
    assertEquals(all(engine), sorted(writes.slice(1000)));
    assertEquals(await engine.check(() => {}), []);
    const content = contentOf(engine);
    await engine.close();

    engine = await openLmdbEngine(temp.path, options);
    assertEquals(contentOf(engine), content);
    // What the first of these pages held is free by now.
    await engine.apply(numberedWrites(500, 1500, 3), 20n);
    assertEquals([engine.position, engine.stats().keys], [20n, 2501]);
    assertEquals(await engine.check(() => {}), []);
    await engine.close();
    assertEquals(pageBytesOf(temp.path), pageBytes);
    const { faults, keys } = await checkLmdbPages(join(temp.path, "data.mdb"));
    assertEquals([faults, keys.get("entries")], [[], 2501]);
  });

  test(`LMDB engine: the longest key with pages of ${pageBytes} bytes`, TIMEOUT, async () => {
    using temp = tempDirectory();
    await createWithPages(temp.path, pageBytes, IDENTITY, 0n);
    const engine = await openLmdbEngine(temp.path, { identity: IDENTITY, create: false });
    const longest = pageBytes < 8192 ? 1978 : 2600;
    assertEquals(engine.keyBytesMax, longest);
    // Enough for levels of branch pages, whose nodes hold whole keys.
    const lengths = Array.from({ length: 300 }, (_, i) => i % 3 === 0 ? longest - 1 : longest);
    const writes = sorted(lengths.map((length, i) => put(longKey(i, length), pattern(i))));
    await engine.apply(writes, 1n);
    assertEquals(all(engine), writes);
    for (const { key, value } of writes) assertEquals(engine.get(key), value);
    const tooLong = longKey(7, longest + 1);
    for (const bad of [put(tooLong, pattern(1)), remove(tooLong)]) {
      const error = await assertRejects(() => engine.apply([bad], 2n), RangeError);
      const limits = `${longest + 1} bytes, not 1 to ${longest}`;
      assertEquals(error.message, `Cannot apply writes: a key has ${limits}`);
    }
    assertEquals(engine.get(tooLong), undefined);
    assertEquals(engine.has(tooLong), false);
    // A bound may be longer than any key: the key that it begins with lies below it.
    const { key } = writes[100]!;
    const bound = new Uint8Array([...key, ...new Uint8Array(longest + 1 - key.length)]);
    const below = engine.range(rangeOf({ end: bound }), Infinity);
    assertEquals(below, writes.slice(0, 101));
    assertEquals(engine.range(rangeOf({ start: bound }), Infinity), writes.slice(101));
    assertEquals(engine.position, 1n);
    assertEquals(await engine.check(() => {}), []);
    await engine.apply(writes.map(({ key }) => remove(key)), 2n);
    assertEquals(all(engine), []);
    await engine.close();
  });
}
