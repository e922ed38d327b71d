import { readFileSync } from "node:fs";
import { test } from "node:test";
import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { DEFAULT_ROUTES, HybridStore, type Route } from "../../../mod.ts";
import { tempDirectory } from "../../support/temp.ts";
import { appendKey, btreeKey, bytes } from "../_support.ts";
import { assertCode } from "../../support/assert.ts";

const ROUTES: Route[] = [
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
