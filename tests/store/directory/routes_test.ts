import { readFileSync, rmSync } from "node:fs";
import { test } from "node:test";
import { assertEquals, assertRejects } from "@std/assert";
import { join } from "@std/path";
import {
  DEFAULT_ROUTES,
  HybridStore,
  type OpenOptions,
  type Route,
  type TagRoute,
  toText,
} from "../../../mod.ts";
import { tempDirectory } from "../../support/temp.ts";
import { appendKey, btreeKey, bytes } from "../_support.ts";
import { assertCode } from "../../support/assert.ts";

const ROUTES: TagRoute[] = [
  { tag: "LOG:", engine: "append" },
  { tag: "MV:", engine: "append" },
  { tag: "H:", engine: "btree" },
];

test("a store with routes of its own sends each key where they say", async () => {
  await using store = await HybridStore.openTemp({ routes: ROUTES });
  assertEquals(store.routeOf(bytes("\0LOG:1")), "append");
  assertEquals(store.routeOf(btreeKey(1)), "append");
  assertEquals(store.routeOf(appendKey(1)), "btree");
  // Its tag has no route here.
  assertEquals(store.routeOf(bytes("x\0V:1")), "btree");
  const keys = [bytes("\0LOG:1"), appendKey(1), btreeKey(1), bytes("x\0V:1")];
  for (const key of keys) await store.put(key, bytes("1"));
  await store.checkpoint();
  const { append, btree } = store.stats();
  assertEquals([append.keys, btree.keys], [2, 2]);
  assertEquals(await Array.fromAsync(store.keys()), keys);
});

test("a store without routes keeps all on the B-tree side", async () => {
  await using store = await HybridStore.openTemp({ routes: [] });
  await store.put(appendKey(1), bytes("1"));
  await store.checkpoint();
  assertEquals(store.stats().btree.keys, 1);
});

test("the routes are stored, and a store is opened without naming them", async () => {
  using temp = tempDirectory();
  {
    await using store = await HybridStore.open(temp.path, { routes: ROUTES });
    await store.put(appendKey(1), bytes("1"));
  }
  const manifest = JSON.parse(readFileSync(join(temp.path, "manifest.json"), "utf8"));
  assertEquals(manifest.routes, ROUTES);
  await using store = await HybridStore.open(temp.path);
  assertEquals(store.routeOf(appendKey(1)), "btree");
  assertEquals(await store.get(appendKey(1)), bytes("1"));
});

test("a store is opened with the same routes in another order", async () => {
  using temp = tempDirectory();
  await (await HybridStore.open(temp.path, { routes: ROUTES })).close();
  await (await HybridStore.open(temp.path, { routes: ROUTES.toReversed() })).close();
  await using store = await HybridStore.open(temp.path, {
    routes: ROUTES.map(({ tag, engine }) => ({ engine, tag })),
  });
  assertEquals(store.routeOf(appendKey(1)), "btree");
});

test("a store refuses other routes with ROUTES_CHANGED and is as it was", async () => {
  using temp = tempDirectory();
  {
    await using store = await HybridStore.open(temp.path, { routes: ROUTES });
    await store.put(appendKey(1), bytes("1"));
  }
  const other: Route[][] = [
    [],
    ROUTES.slice(1),
    [...ROUTES, { tag: "NEW:", engine: "append" }],
    [...ROUTES, { tag: "NEW:", engine: "btree" }],
    ROUTES.map(({ tag }) => ({ tag, engine: "append" })),
    [...ROUTES.slice(1), { tag: "LOGS:", engine: "append" }],
    [...DEFAULT_ROUTES],
  ];
  for (const routes of other) {
    const open = () => HybridStore.open(temp.path, { routes });
    await assertCode(open, "ROUTES_CHANGED", temp.path, "leave them out");
  }
  await using store = await HybridStore.open(temp.path, { routes: ROUTES });
  assertEquals(await store.get(appendKey(1)), bytes("1"));
});

test("later changes to the list of routes have no effect", async () => {
  using temp = tempDirectory();
  const routes = ROUTES.map((route) => ({ ...route }));
  const opening = HybridStore.open(temp.path, { routes });
  routes[0]!.engine = "btree";
  routes[2]!.engine = "append";
  routes.splice(1, 1);
  await using store = await opening;
  assertEquals(store.routeOf(bytes("\0LOG:1")), "append");
  assertEquals(store.routeOf(appendKey(1)), "btree");
  assertEquals(store.routeOf(btreeKey(1)), "append");
});

test("prefixes and the default engine are stored, and have to be the same where they are given", async () => {
  using temp = tempDirectory();
  const routes: Route[] = [
    { prefix: bytes("log/"), engine: "btree" },
    { prefix: Uint8Array.of(0, 0xff), engine: "btree" },
    { tag: "MV:", engine: "btree" },
  ];
  {
    await using store = await HybridStore.open(temp.path, { routes, defaultEngine: "append" });
    await store.put("log/1", "btree");
    await store.put("user/1", "append");
    await store.put(Uint8Array.of(0, 0xff, 1), "btree");
    await store.put("log\0MV:1", "btree");
  }
  const open = (options: OpenOptions) => () => HybridStore.open(temp.path, options);
  await assertCode(open({ defaultEngine: "btree" }), "ROUTES_CHANGED", "default engine");
  await assertCode(open({ routes: routes.slice(1) }), "ROUTES_CHANGED");
  await assertCode(
    open({ routes: [{ prefix: bytes("log"), engine: "btree" }, ...routes.slice(1)] }),
    "ROUTES_CHANGED",
  );
  for (
    const options of [{}, { routes: routes.toReversed() }, { defaultEngine: "append" } as const]
  ) {
    await using store = await HybridStore.open(temp.path, options);
    const { append, btree } = store.stats();
    assertEquals([append.keys, btree.keys], [1, 3]);
    for await (const { key, value } of store.scan()) {
      assertEquals(store.routeOf(key), toText(value));
    }
    assertEquals((await store.verify()).faults, []);
  }
  assertEquals((await HybridStore.verify(temp.path)).faults, []);
  await using store = await HybridStore.open(temp.path);
  using elsewhere = tempDirectory();
  await store.backup(`${elsewhere.path}/copy`);
  await using opened = await HybridStore.open(`${elsewhere.path}/copy`, {
    routes,
    defaultEngine: "append",
  });
  assertEquals(await opened.count(), 4);
});

test("a store without tags: all keys on the append side", async () => {
  await using store = await HybridStore.openTemp({ routes: [], defaultEngine: "append" });
  for (const key of ["user/1", "\0MV:1", "x"]) await store.put(key, key);
  await store.checkpoint();
  assertEquals([store.stats().append.keys, store.stats().btree.keys], [3, 0]);
  assertEquals((await Array.fromAsync(store.keys())).map(toText), ["\0MV:1", "user/1", "x"]);
});

test("a default engine that is none is refused", async () => {
  const open = () => HybridStore.openTemp({ defaultEngine: "lsm" as never });
  await assertRejects(open, TypeError, 'the default engine is neither "append" nor "btree"');
});

test("a lost manifest of a store with prefixes is repaired with its routes and default engine", async () => {
  using temp = tempDirectory();
  const path = join(temp.path, "store");
  const options = {
    routes: [{ prefix: bytes("log/"), engine: "btree" } as const],
    defaultEngine: "append",
  } as const;
  {
    await using store = await HybridStore.open(path, options);
    await store.put("log/1", "1");
    await store.put("user/1", "2");
  }
  rmSync(join(path, "manifest.json"));
  await assertCode(() => HybridStore.repair(path), "ROUTES_CHANGED", "{ routes, defaultEngine }");
  const { ok, kept } = await HybridStore.repair(path, options);
  assertEquals([ok, kept], [true, { append: 1, btree: 1 }]);
  await using store = await HybridStore.open(path, options);
  assertEquals(await store.count(), 2);
});
