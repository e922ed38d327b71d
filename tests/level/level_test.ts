import { test } from "node:test";
import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { join, toFileUrl } from "@std/path";
import type { AbstractLevel } from "abstract-level";
import { HybridLevel } from "../../level/mod.ts";
import { HybridStore, type LiveStore, toText } from "../../mod.ts";
import { tempDirectory } from "../support/temp.ts";
import { assertLevelCode } from "./_errors.ts";

/** The empty key, and its neighbours in the order of keys. */
const KEYS = [
  [],
  [0],
  [0, 0],
  [0, 0, 0],
  [0, 0, 1],
  [0, 1],
  [0, 1, 0],
  [1],
  [1, 0],
  [0xff],
].map((key) => Uint8Array.from(key));

const BYTES = { keyEncoding: "view", valueEncoding: "view" } as const;

interface Place {
  place: string;
  store: HybridStore;
  db: HybridLevel<Uint8Array, Uint8Array>;
}

async function openPlace(
  place: "whole" | "part",
  defaultEngine: "append" | "btree",
): Promise<Place> {
  const store = await HybridStore.openTemp({ routes: [], defaultEngine });
  const location = place === "whole" ? store : store.sub("level/");
  const db = new HybridLevel<Uint8Array, Uint8Array>(location, BYTES);
  await db.open();
  return { place: `${place}, ${defaultEngine}`, store, db };
}

test("HybridLevel has the empty key and keys of zeros, in their order", async () => {
  for (
    const opening of [
      openPlace("whole", "append"),
      openPlace("part", "append"),
      openPlace("whole", "btree"),
      openPlace("part", "btree"),
    ]
  ) {
    const { place, store, db } = await opening;
    for (const [i, key] of KEYS.toReversed().entries()) await db.put(key, Uint8Array.of(i));
    await store.checkpoint();
    assertEquals(await db.keys().all(), KEYS, place);
    assertEquals(await db.keys({ reverse: true }).all(), KEYS.toReversed(), place);
    for (const [i, key] of KEYS.entries()) {
      assertEquals(await db.get(key), Uint8Array.of(KEYS.length - 1 - i), place);
      assertEquals(db.getSync(key), Uint8Array.of(KEYS.length - 1 - i), place);
      assertEquals(await db.has(key), true, place);
      for (const reverse of [false, true]) {
        const order = (keys: Uint8Array[]) => reverse ? keys.toReversed() : keys;
        assertEquals(await db.keys({ gte: key, reverse }).all(), order(KEYS.slice(i)), place);
        assertEquals(await db.keys({ gt: key, reverse }).all(), order(KEYS.slice(i + 1)), place);
        assertEquals(
          await db.keys({ lte: key, reverse }).all(),
          order(KEYS.slice(0, i + 1)),
          place,
        );
        assertEquals(await db.keys({ lt: key, reverse }).all(), order(KEYS.slice(0, i)), place);
        const keys = db.keys({ reverse });
        keys.seek(key);
        assertEquals(await keys.next(), key, place);
        await keys.close();
      }
    }
    await db.clear({ gt: KEYS[1]!, lt: KEYS[3]! });
    await db.del(KEYS[0]!);
    assertEquals(await db.keys().all(), KEYS.filter((_, i) => i !== 0 && i !== 2), place);
    assertEquals(await db.getMany([KEYS[0]!, KEYS[1]!]), [undefined, Uint8Array.of(8)], place);
    assertEquals(await db.hasMany([KEYS[0]!, KEYS[1]!]), [false, true], place);
    await store.close();
  }
});

test("a store has the keys of a HybridLevel as they are, but those of zeros", async () => {
  await using store = await HybridStore.openTemp();
  await using db = new HybridLevel<string, string>(store);
  await db.batch([
    { type: "put", key: "", value: "empty" },
    { type: "put", key: "key", value: "value" },
    { type: "put", key: "\0a", value: "zero" },
  ]);
  const keys = (await store.scanPrefix("")).map(({ key }) => toText(key));
  assertEquals(keys, ["\0", "\0a", "key"]);
  await store.put("other", "data");
  assertEquals(await db.get("other"), "data");

  await using part = new HybridLevel<string, string>(store.sub("part/"));
  for (const key of ["", "\0", "key"]) await part.put(key, key);
  assertEquals(
    (await store.scanPrefix("part/")).map(({ key, value }) => [toText(key), toText(value)]),
    [
      ["part/", ""],
      ["part/\0", "\0"],
      ["part/key", "key"],
    ],
  );
});

test("HybridLevel in a directory keeps what was written, and creates the append side", async () => {
  using directory = tempDirectory();
  const path = join(directory.path, "level");
  const db = new HybridLevel(path);
  await db.put("a", "1", { sync: true });
  assertEquals([db.location, db.status], [path, "open"]);
  assertEquals(db.store.routeOf("user"), "append");
  await db.close();
  await assertLevelCode(() => db.get("a"), "LEVEL_DATABASE_NOT_OPEN");
  await assertLevelCode(() => db.store, "LEVEL_DATABASE_NOT_OPEN");
  await db.open();
  assertEquals(await db.get("a"), "1");
  await db.close();

  const btree = join(directory.path, "btree");
  await (await HybridStore.open(btree)).close();
  await using there = new HybridLevel(toFileUrl(btree));
  await there.put("user", "x");
  assertEquals(there.store.routeOf("user"), "btree");
});

test("createIfMissing and errorIfExists decide about a directory", async () => {
  using directory = tempDirectory();
  const path = join(directory.path, "level");
  const open = (options: object) => new HybridLevel(path, options).open();
  for (const options of [{ createIfMissing: false }, { readOnly: true }]) {
    const { cause } = await assertLevelCode(() => open(options), "LEVEL_DATABASE_NOT_OPEN");
    assertStringIncludes(cause.message, "does not exist");
    assertEquals(await HybridStore.exists(path), false);
  }
  const db = new HybridLevel(path, { errorIfExists: true });
  await db.put("a", "1");
  await db.close();
  const { cause } = await assertLevelCode(() => db.open(), "LEVEL_DATABASE_NOT_OPEN");
  assertStringIncludes(cause.message, "exists");
  await db.open({ errorIfExists: false });
  await db.close();
});

test("options of the store reach it, and those of other databases are left alone", async () => {
  using directory = tempDirectory();
  const options = {
    routes: [{ prefix: new TextEncoder().encode("log/"), engine: "append" }],
    defaultEngine: "btree",
    cacheSize: 8,
    compression: true,
  } as const;
  const path = join(directory.path, "level");
  const db = new HybridLevel(path, options);
  await db.open();
  assertEquals(["log/1", "user"].map((key) => db.store.routeOf(key)), ["append", "btree"]);
  await db.close();
  const other = new HybridLevel(path, { defaultEngine: "append" });
  const { cause } = await assertLevelCode(() => other.open(), "LEVEL_DATABASE_NOT_OPEN");
  assertEquals(cause.code, "ROUTES_CHANGED");
});

test("a directory that is open already is locked", async () => {
  using directory = tempDirectory();
  const path = join(directory.path, "level");
  await using db = new HybridLevel(path);
  await db.open();
  const second = new HybridLevel(path);
  for (let i = 0; i < 2; i++) {
    const error = await assertLevelCode(() => second.open(), "LEVEL_DATABASE_NOT_OPEN");
    assertEquals(error.cause.code, "LEVEL_LOCKED");
    assertEquals((error.cause.cause as { code?: string }).code, "LOCKED");
  }
  await db.close();
  await second.open();
  await second.close();
});

test("what is in memory is kept when the database is closed and opened again", async () => {
  const db = new HybridLevel(":memory:");
  await db.put("a", "1");
  await db.close();
  await db.open();
  assertEquals([await db.get("a"), db.supports.permanence], ["1", false]);
  await db.close();
});

test("a store that was given stays open, and what else it has is left alone", async () => {
  await using store = await HybridStore.openTemp();
  await store.put("other", "x");
  const part = new HybridLevel(store.sub("level/"));
  await part.open();
  await part.batch().put("a", "1").put("other", "2").write({ sync: true });
  await part.clear({ gte: "b" });
  assertEquals([await part.keys().all(), part.location], [["a"], ""]);
  await part.close();
  assertEquals(await store.has("other"), true);
  await part.open();
  assertEquals(await part.get("a"), "1");

  const sub = store.sub("sub/");
  const ended = new HybridLevel(sub);
  await ended.put("a", "1");
  const keys = ended.keys();
  await sub.close();
  await assertLevelCode(() => ended.get("a"), "LEVEL_DATABASE_NOT_OPEN");
  await assertLevelCode(() => ended.put("a", "1"), "LEVEL_DATABASE_NOT_OPEN");
  await assertLevelCode(() => ended.iterator().next(), "LEVEL_DATABASE_NOT_OPEN");
  assertEquals(await keys.next(), "a");
  await ended.close();
  const { cause } = await assertLevelCode(() => ended.open(), "LEVEL_DATABASE_NOT_OPEN");
  assertEquals(cause.code, "LEVEL_DATABASE_NOT_OPEN");
});

test("keys and values that are too long are refused before anything is written", async () => {
  await using store = await HybridStore.openTemp();
  await using db = new HybridLevel(store);
  await using part = new HybridLevel(store.sub("part/"));
  await db.put("k".repeat(2600), "longest");
  assertEquals(await db.get("k".repeat(2600)), "longest");
  const long = "k".repeat(2601);
  const calls = [
    () => db.put(long, "x"),
    () => db.get(long),
    () => db.getSync(long),
    () => db.getMany(["a", long]),
    () => db.has(long),
    () => db.hasMany(["a", long]),
    () => db.del(long),
    () => db.batch([{ type: "put", key: "a", value: "1" }, { type: "put", key: long, value: "2" }]),
    () => db.batch([{ type: "put", key: "a", value: "1" }, { type: "del", key: long }]),
    () => db.batch().put("a", "1").put(long, "2"),
    () => db.batch().del(long),
    () => part.put("k".repeat(2596), "x"),
  ];
  for (const call of calls) {
    const error = await assertLevelCode(call, "LEVEL_INVALID_KEY");
    assertStringIncludes(error.message, "more than the limit of 2600");
    assertEquals(error.cause instanceof RangeError, true);
  }
  const value = new Uint8Array(128 * 1024 * 1024 + 1);
  const put = () => db.put("a", value, { valueEncoding: "view" });
  assertStringIncludes((await assertLevelCode(put, "LEVEL_INVALID_VALUE")).message, "134217728");
  assertEquals(await db.keys().all(), ["k".repeat(2600)]);
  assertEquals(await db.keys({ gt: long, lt: `${long}x` }).all(), []);
});

test("sync decides whether a write waits for the disk", async () => {
  await using db = new HybridLevel<string, string>(
    await HybridStore.openTemp({ routes: [], defaultEngine: "append" }),
  );
  await db.open();
  const store = db.store as HybridStore;
  const syncs = async (write: () => Promise<unknown>) => {
    const before = store.stats().syncs;
    await write();
    return store.stats().syncs - before;
  };
  const operations = [{ type: "put", key: "a", value: "1" }] as const;
  for (
    const write of [
      (options: object) => db.put("a", "1", options),
      (options: object) => db.del("a", options),
      (options: object) => db.batch([...operations], options),
      (options: object) => db.batch().put("a", "1").write(options),
      (options: object) => db.sublevel("s").put("a", "1", options),
      (options: object) => db.sublevel("s").batch([...operations], options),
      (options: object) => db.clear({ gt: "z", ...options }),
      (options: object) => db.clear(options),
    ]
  ) {
    assertEquals(await syncs(() => write({})), 0, String(write));
    assertEquals(await syncs(() => write({ sync: false })), 0, String(write));
    // Nothing to clear is nothing to wait for.
    const expected = String(write).includes('gt: "z"') ? 0 : 1;
    await db.put("a", "1");
    assertEquals(await syncs(() => write({ sync: true })), expected, String(write));
  }
  await store.close();

  const careful = await HybridStore.openTemp({ durability: "always" });
  await using other = new HybridLevel(careful);
  await other.put("a", "1");
  const before = careful.stats().syncs;
  await other.put("a", "2", { sync: false });
  assertEquals(careful.stats().syncs, before);
  await other.put("a", "3");
  assertEquals(careful.stats().syncs, before + 1);
  await careful.close();
});

test("a batch is one group of the journal", async () => {
  await using store = await HybridStore.openTemp();
  await using db = new HybridLevel(store);
  const after = store.position;
  await db.batch([
    { type: "put", key: "a", value: "1" },
    { type: "put", key: "b", value: "2", sublevel: db.sublevel("s") },
    { type: "del", key: "c" },
  ]);
  const changes = await Array.fromAsync(store.changes({ after, live: false }));
  const writes = changes.map(({ writes }) => writes.map(({ key }) => toText(key)));
  assertEquals(writes, [["a", "!s!b", "c"]]);
});

test("what is not a location is refused", () => {
  for (const location of [undefined, null, "", 1, {}, []]) {
    assertThrows(
      () => new HybridLevel(location as unknown as string),
      TypeError,
      "the location is",
    );
  }
});

/** What a program does with Level's types: it compiles, and runs. */
async function program(db: AbstractLevel<string | Uint8Array, string, string>): Promise<string[]> {
  await db.put("a", "1");
  const found: string | undefined = await db.get("a");
  const sublevel = db.sublevel<string, { n: number }>("s", { valueEncoding: "json" });
  await sublevel.put("b", { n: 2 });
  await db.batch([{ type: "put", key: "c", value: { n: 3 }, sublevel }], { valueEncoding: "json" });
  const entries: [string, { n: number }][] = await sublevel.iterator({ reverse: true }).all();
  await using snapshot = db.snapshot();
  await db.del("a");
  return [
    found!,
    ...entries.map(([key, { n }]) => `${key} ${n}`),
    `${await db.get("a", { snapshot })}`,
  ];
}

test("a HybridLevel is an AbstractLevel to the compiler too", async () => {
  await using db = new HybridLevel(":memory:");
  assertEquals(await program(db), ["1", "c 3", "b 2", "1"]);
  const bytes: AbstractLevel<string | Uint8Array, string, Uint8Array> = new HybridLevel<
    string,
    Uint8Array
  >(":memory:", { valueEncoding: "view" });
  await bytes.put("a", Uint8Array.of(1));
  const store: LiveStore = (bytes as HybridLevel<string, Uint8Array>).store;
  assertEquals(await store.get("a"), Uint8Array.of(1));
  await bytes.close();
});
