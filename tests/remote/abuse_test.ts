import { inspect } from "node:util";
import { test } from "node:test";
import { assert, assertEquals, assertRejects } from "@std/assert";
import pg from "pg";
import { StoreError, toText } from "../../mod.ts";
import { REMOTE_KEY_BYTES_MAX, RemoteStore } from "../../remote/mod.ts";
import { freePort } from "../../servers/postgres.ts";
import { assertCode } from "../support/assert.ts";
import { remoteServers } from "./_servers.ts";

const servers = remoteServers();
const OPTIONS = servers.options;

/** Runs statements as who owns everything. */
async function run(...statements: string[]): Promise<pg.QueryResult> {
  const client = new pg.Client({ connectionString: (await servers.server()).url() });
  await client.connect();
  try {
    let result: pg.QueryResult;
    for (const statement of statements) result = await client.query(statement);
    return result!;
  } finally {
    await client.end();
  }
}

/** Returns an error with everything that is in it. */
async function shownError(work: () => Promise<unknown>): Promise<string> {
  const error = await assertRejects(work, StoreError);
  return inspect(error, { depth: 10, showHidden: true });
}

test(
  "bytes of every kind are keys and values, and never a part of a statement",
  OPTIONS,
  async () => {
    await using store = await servers.open({ valueBytesMax: 1024 * 1024 });
    const pieces = [
      "\0",
      "\0\0",
      "\xff",
      "\xff\xff",
      "'",
      "\\",
      "\\x00",
      "$1",
      "%",
      ";",
      "--",
      "E'\\000'",
      '"',
      "{}",
      "NULL",
    ];
    const keys = pieces.map((text) => Uint8Array.from(text, (letter) => letter.charCodeAt(0)));
    for (let byte = 0; byte < 256; byte++) keys.push(new Uint8Array([7, byte]));
    keys.push(new Uint8Array(REMOTE_KEY_BYTES_MAX).fill(255), new Uint8Array(REMOTE_KEY_BYTES_MAX));
    const values = [...keys.keys()].map((i) => keys[(i + 1) % keys.length]!);
    for (const [i, key] of keys.entries()) void store.put(key, values[i]!);
    await store.put("empty", "");
    const found = await store.getMany(keys);
    assertEquals(found.map((value) => value!.join()), values.map((value) => value.join()));
    for (const key of keys.slice(0, 20)) assert(await store.has(key));
    const scanned = await Array.fromAsync(store.keys());
    const sorted = [...keys.map((key) => key.join()), new TextEncoder().encode("empty").join()];
    assertEquals(scanned.map((key) => key.join()).sort(), sorted.sort());
    assertEquals((await store.get("empty"))!.length, 0);
    assertEquals(await store.count({ prefix: new Uint8Array([255]) }), 3);
    for (const key of keys) void store.delete(key);
    assertEquals(await store.count(), 1);
    await assertRejects(() => store.put("", "v"), RangeError, "the key is empty");
    await assertRejects(() => store.put(new Uint8Array(REMOTE_KEY_BYTES_MAX + 1), ""), RangeError);
  },
);

test(
  "a name of a table is that name, whatever is in it, or is refused before anything is sent",
  OPTIONS,
  async () => {
    const url = (await servers.server()).url();
    await run(`CREATE SCHEMA "Other one"`);
    const names = [
      "select",
      "Upper and lower",
      `"; DROP TABLE "select"; --`,
      "it's",
      "back\\slash",
      "$1",
      "größe",
      "x".repeat(55),
      "Other one.table",
    ];
    for (const [i, table] of names.entries()) {
      await RemoteStore.setup(url, { table, changes: i % 2 === 1 });
      await using store = await RemoteStore.open(url, { table });
      await store.batch().put("name", table).put("n", `${i}`).commit();
      await store.transaction(async (tx) => tx.put("again", (await tx.get("name"))!));
      await store.deleteRange({ gte: "n", lt: "na" });
    }
    for (const table of names) {
      await using store = await RemoteStore.open(url, { table });
      assertEquals(toText((await store.get("again"))!), table);
      assertEquals(await store.count(), 2);
    }
    for (const table of ["", ".", "a.", "a.b.c", "a\0b", "x".repeat(56), "\ud800"]) {
      await assertRejects(() => RemoteStore.setup(url, { table }), RangeError, "table is");
      await assertRejects(() => RemoteStore.open("postgres://nowhere", { table }), RangeError);
    }
    await assertRejects(() => RemoteStore.open(url, { table: 7 as never }), TypeError);
  },
);

test(
  "a database without the tables, or with others of these names, is refused",
  OPTIONS,
  async () => {
    const url = (await servers.server()).url();
    await assertCode(() => RemoteStore.open(url, { table: "missing" }), "SCHEMA");
    await assertCode(() => RemoteStore.setup(url, { table: "none.missing" }), "SCHEMA");
    await run(
      "CREATE TABLE shaped (id serial PRIMARY KEY, name text)",
      "CREATE TABLE typed (k text PRIMARY KEY, v text NOT NULL)",
      "CREATE VIEW viewed AS SELECT '\\x01'::bytea AS k, '\\x02'::bytea AS v",
    );
    for (const table of ["shaped", "typed"]) {
      await assertCode(() => RemoteStore.setup(url, { table }), "SCHEMA");
      await assertCode(() => RemoteStore.open(url, { table }), "SCHEMA");
    }
    await assertCode(() => RemoteStore.open(url, { table: "viewed" }), "SCHEMA");
    assertEquals((await run("SELECT count(*) FROM shaped")).rows, [{ count: "0" }]);

    // Tables that go away while the store is open.
    const name = "going";
    await RemoteStore.setup(url, { table: name });
    await using store = await RemoteStore.open(url, { table: name });
    await store.put("a", "1");
    await run(`ALTER TABLE ${name} RENAME TO gone`);
    await assertCode(() => store.get("a"), "SCHEMA");
    await assertCode(() => store.put("a", "2"), "SCHEMA");
    await assertCode(
      () => store.transaction(async (tx) => tx.put("a", (await tx.get("a"))!)),
      "SCHEMA",
    );
    await run(`ALTER TABLE gone RENAME TO ${name}`);
    await assertRejects(() => store.flush(), StoreError);
    await store.put("a", "3");
    assertEquals(toText((await store.get("a"))!), "3");
  },
);

test("a role without rights does what it may, and is told what it may not", OPTIONS, async () => {
  const server = await servers.server();
  const table = "righted";
  await RemoteStore.setup(server.url(), { table });
  {
    await using store = await RemoteStore.open(server.url(), { table });
    await store.put("a", "1");
  }
  await run(
    "CREATE ROLE reader LOGIN PASSWORD 'reading'",
    "CREATE ROLE stranger LOGIN PASSWORD 'nothing'",
    `GRANT SELECT ON ${table}, ${table}_writers TO reader`,
  );
  const reader = server.url({ user: "reader", password: "reading" });
  await using store = await RemoteStore.open(reader, { table });
  assertEquals(toText((await store.get("a"))!), "1");
  assertEquals(await store.count(), 1);
  const writes: (() => Promise<unknown>)[] = [
    () => store.put("a", "2"),
    () => store.delete("a"),
    () => store.batch().put("b", "1").delete("a").commit(),
    () => store.deleteRange({}),
    () => store.fetchAndAddU64("n", 1n),
    () => store.transaction((tx) => Promise.resolve(tx.put("a", "2"))),
  ];
  for (const write of writes) {
    await assertCode(write, "SCHEMA");
    await assertRejects(write, StoreError, "the role lacks a right");
  }
  assertEquals(toText((await store.get("a"))!), "1");
  const snapshot = await store.snapshot();
  assertEquals(await snapshot.has("a"), true);
  await snapshot.close();

  const stranger = server.url({ user: "stranger", password: "nothing" });
  await assertCode(() => RemoteStore.open(stranger, { table }), "SCHEMA");
  await assertCode(() => RemoteStore.setup(stranger, { table: "theirs" }), "SCHEMA");
});

test("a password is in no error, whatever goes wrong", OPTIONS, async () => {
  const server = await servers.server();
  const secret = "hunter2-of-tests";
  const url = (over: Parameters<typeof server.url>[0]) => server.url({ password: secret, ...over });
  const port = await freePort();
  const timeoutMs = 300;
  const works: [string, () => Promise<unknown>][] = [
    ["UNREACHABLE", () => RemoteStore.open(url({}))],
    ["UNREACHABLE", () => RemoteStore.setup(url({ user: "nobody-there" }))],
    ["UNREACHABLE", () => RemoteStore.open(url({ port }), { timeoutMs })],
    [
      "UNREACHABLE",
      () =>
        RemoteStore.open({ host: "127.0.0.1", port, user: "u", password: secret }, { timeoutMs }),
    ],
  ];
  for (const [code, work] of works) {
    const shown = await shownError(work);
    assert(shown.includes(code), shown);
    assert(!shown.includes(secret), shown);
  }
  await assertCode(
    () => RemoteStore.open(server.url({ database: "not-there" })),
    "UNREACHABLE",
  );
  for (const wrong of [`http://u:${secret}@h/d`, `postgres://u:${secret}@[::/d`, `u:${secret}@h`]) {
    const error = await assertRejects(() => RemoteStore.open(wrong, { timeoutMs }));
    assert(!inspect(error, { depth: 10 }).includes(secret), inspect(error));
    assert(error instanceof StoreError || error instanceof TypeError);
  }
  for (const wrong of [undefined, null, 7, true]) {
    await assertRejects(() => RemoteStore.open(wrong as never), TypeError, "the connection is");
  }
});

test("a pool that is exhausted is waited for, and then said to be", OPTIONS, async () => {
  await using store = await servers.open({ poolSize: 1, timeoutMs: 1000 });
  await store.put("a", "1");
  const snapshot = await store.snapshot();
  await assertCode(() => store.count(), "UNREACHABLE");
  await assertRejects(() => store.snapshot(), StoreError, "none of the 1 connections was free");
  // Single keys have connections of their own.
  await store.put("a", "2");
  assertEquals(toText((await store.get("a"))!), "2");
  const counted = store.count();
  await snapshot.close();
  assertEquals(await counted, 1);
});

test("options that are not valid are refused before anything is connected", OPTIONS, async () => {
  for (
    const wrong of [
      { poolSize: 0 },
      { poolSize: 1.5 },
      { timeoutMs: -1 },
      { valueBytesMax: 17 * 1024 * 1024 },
      { batchBytesMax: Infinity },
    ]
  ) {
    await assertRejects(() => RemoteStore.open("postgres://nowhere", wrong), RangeError);
  }
  for (const wrong of [{ poolsize: 1 }, { timeoutMs: "1" }, { changes: 1 }, 7]) {
    await assertRejects(() => RemoteStore.open("postgres://nowhere", wrong as never), TypeError);
  }
});
