import * as diagnostics from "node:diagnostics_channel";
import { test } from "node:test";
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { HybridStore, LiveStore, StoreReader, StoreWriter } from "../../mod.ts";
import { OPERATIONS as PUBLIC } from "../../store/operation.ts";
import { tempDirectory } from "../support/temp.ts";
import { appendKey, btreeKey, bytes } from "./_support.ts";
import { assertCode } from "../support/assert.ts";

const EVENTS = ["start", "end", "asyncStart", "asyncEnd", "error"] as const;

interface Published {
  event: string;
  message: Record<string, unknown>;
}

/** Collects what an operation publishes, for the time of its scope. */
function listen(operation: string): Disposable & { published: Published[]; events(): string[] } {
  const channels = diagnostics.tracingChannel(`hybridstore:${operation}`);
  const published: Published[] = [];
  const handlers = Object.fromEntries(
    EVENTS.map((event) => [event, (message: unknown) => {
      published.push({ event, message: { ...message as Record<string, unknown> } });
    }]),
  ) as Record<typeof EVENTS[number], (message: unknown) => void>;
  channels.subscribe(handlers);
  return {
    published,
    events: () => published.map(({ event }) => event),
    [Symbol.dispose]: () => void channels.unsubscribe(handlers),
  };
}

const ASYNC = ["start", "end", "asyncStart", "asyncEnd"];
const SYNC = ["start", "end"];
const KEY = appendKey(1);
const VALUE = bytes("value");
const KEY_CONTEXT = { keyLength: KEY.length, engine: "append" };

type Call = (store: HybridStore) => unknown;

/** Every operation: what it publishes, in which order, and with which context. */
const OPERATIONS: Record<string, [call: Call, events: string[], context: object]> = {
  get: [(store) => store.get(KEY), ASYNC, KEY_CONTEXT],
  getSync: [(store) => store.getSync(KEY), SYNC, KEY_CONTEXT],
  has: [(store) => store.has(KEY), ASYNC, KEY_CONTEXT],
  hasSync: [(store) => store.hasSync(KEY), SYNC, KEY_CONTEXT],
  getMany: [(store) => store.getMany([KEY]), ASYNC, {}],
  put: [(store) => store.put(KEY, VALUE), ASYNC, { ...KEY_CONTEXT, valueLength: 5 }],
  delete: [(store) => store.delete(btreeKey(1)), ASYNC, {
    keyLength: btreeKey(1).length,
    engine: "btree",
  }],
  batch: [(store) => store.batch().put(KEY, VALUE).commit(), ASYNC, {}],
  transact: [(store) => store.transact((tx) => tx.get(KEY)), ASYNC, {}],
  transaction: [(store) => store.transaction((tx) => tx.get(KEY)), ASYNC, {}],
  fetchAndAddU64: [(store) => store.fetchAndAddU64(appendKey(2), 1n), ASYNC, KEY_CONTEXT],
  compareAndSwapF32: [
    (store) => store.compareAndSwapF32(appendKey(3), () => 1),
    ASYNC,
    KEY_CONTEXT,
  ],
  scan: [(store) => Array.fromAsync(store.scan()), ASYNC, {}],
  scanSync: [(store) => [...store.scanSync()], ASYNC, {}],
  scanPages: [(store) => Array.fromAsync(store.scanPages()), ASYNC, {}],
  keys: [(store) => Array.fromAsync(store.keys()), ASYNC, {}],
  scanPrefix: [(store) => store.scanPrefix(bytes("sub")), ASYNC, { keyLength: 3 }],
  count: [(store) => store.count(), ASYNC, {}],
  deleteRange: [(store) => store.deleteRange({ lt: KEY }), ASYNC, {}],
  changes: [(store) => Array.fromAsync(store.changes({ after: 0n, live: false })), ASYNC, {}],
  watch: [(store) => firstOf(store.watch([KEY])), ASYNC, {}],
  createCursor: [(store) => store.createCursor("name"), ASYNC, {}],
  deleteCursor: [(store) => store.deleteCursor("name"), ASYNC, {}],
  snapshot: [(store) => store.snapshot(), ASYNC, {}],
  snapshotSync: [(store) => store.snapshotSync(), SYNC, {}],
  flush: [(store) => store.flush(), ASYNC, {}],
  checkpoint: [(store) => store.checkpoint(), ASYNC, {}],
  stats: [(store) => store.stats(), SYNC, {}],
  routeOf: [(store) => store.routeOf(KEY), SYNC, KEY_CONTEXT],
  close: [(store) => store.close(), ASYNC, {}],
};

async function firstOf<T>(yielded: AsyncIterable<T>): Promise<T | undefined> {
  for await (const first of yielded) return first;
  return undefined;
}

test("every operation publishes its course, with its context", async () => {
  await using store = await HybridStore.openTemp();
  for (const [operation, [call, events, context]] of Object.entries(OPERATIONS)) {
    using heard = listen(operation);
    await call(store);
    // What follows a promise may be published behind whoever waits for it.
    await new Promise((resolve) => setTimeout(resolve));
    assertEquals(heard.events(), events, operation);
    const [start] = heard.published;
    assertEquals(start!.message, { ...context }, operation);
    for (const { message } of heard.published) {
      const { result: _, ...rest } = message;
      assertEquals(rest, { ...context }, operation);
    }
  }
});

test("open and openTemp publish as open, also where they fail", async () => {
  using temp = tempDirectory();
  using heard = listen("open");
  const store = await HybridStore.open(temp.path);
  assertEquals(heard.events().slice(0, 2), SYNC);
  await assertCode(() => HybridStore.open(temp.path), "LOCKED");
  await (await HybridStore.openTemp()).close();
  await store.close();
  assertEquals(heard.events().filter((event) => event === "start").length, 3);
  assertEquals(heard.events().filter((event) => event === "asyncEnd").length, 3);
  const errors = heard.published.filter(({ event }) => event === "error");
  assertEquals(errors.map(({ message }) => (message.error as Error).name), ["StoreError"]);
});

test("no operation is without a tracer, and no tracer without an operation", () => {
  const silent = [
    "constructor",
    "backup",
    "cursors",
    "destroy",
    "exists",
    "position",
    "repair",
    "restore",
    "sub",
    "verify",
  ];
  const methods = [HybridStore, LiveStore, StoreWriter, StoreReader]
    .flatMap(({ prototype }) => Object.getOwnPropertyNames(prototype))
    .filter((name) => !silent.includes(name));
  const tracers = Object.keys(PUBLIC).filter((name) => !silent.includes(name));
  assertEquals(tracers.toSorted(), ["open", ...methods].toSorted());
  assertEquals(Object.keys(OPERATIONS).toSorted(), methods.toSorted());
});

test("an operation that fails publishes the error, thrown or rejected", async () => {
  await using store = await HybridStore.openTemp();
  {
    using heard = listen("put");
    await assertRejects(() => store.put(new Uint8Array(0), VALUE), RangeError);
    const error = heard.published.find(({ event }) => event === "error")!;
    assertEquals((error.message.error as Error).name, "RangeError");
    assertEquals([error.message.keyLength, error.message.engine], [0, "btree"]);
  }
  {
    using heard = listen("fetchAndAddU64");
    await assertRejects(() => store.fetchAndAddU64(KEY, -1n), RangeError);
    assertEquals(heard.events().includes("error"), true);
  }
  {
    using heard = listen("getSync");
    assertThrows(() => store.getSync(7 as never), TypeError);
    assertEquals(heard.events(), ["start", "error", "end"]);
  }
  {
    using heard = listen("scan");
    assertThrows(() => store.scan({ limit: -1 }), RangeError);
    assertEquals(heard.events(), ["start", "error", "end"]);
  }
});

test("a scan publishes its end when it is abandoned, and its error when it fails", async () => {
  const store = await HybridStore.openTemp();
  const batch = store.batch();
  for (let i = 0; i < 600; i++) batch.put(appendKey(i), VALUE);
  await batch.commit();
  using heard = listen("scan");
  using heardSync = listen("scanSync");
  for await (const _ of store.scan()) break;
  for (const _ of store.scanSync()) break;
  await new Promise((resolve) => setTimeout(resolve));
  assertEquals([heard.events(), heardSync.events()], [ASYNC, ASYNC]);

  const [scan, scanSync] = [store.scan(), store.scanSync()];
  await scan.next();
  scanSync.next();
  const closing = store.close();
  await assertCode(() => Array.fromAsync(scan), "CLOSED");
  await assertCode(() => [...scanSync], "CLOSED");
  await closing;
  for (const { events } of [heard, heardSync]) {
    assertEquals(events().slice(4), ["start", "end", "error", "asyncStart", "asyncEnd"]);
  }
});

test("a scan that is never iterated publishes nothing", async () => {
  await using store = await HybridStore.openTemp();
  using heard = listen("scan");
  using heardSync = listen("scanSync");
  const [scan, scanSync] = [store.scan(), store.scanSync()];
  await scan.return!(undefined);
  scanSync.return!(undefined);
  store.scan();
  await new Promise((resolve) => setTimeout(resolve));
  assertEquals([heard.events(), heardSync.events()], [[], []]);
});

test("a subscriber to one of the events alone hears of it", async () => {
  await using store = await HybridStore.openTemp();
  for (const event of ["start", "end", "asyncEnd", "error"]) {
    const channel = diagnostics.channel(`tracing:hybridstore:put:${event}`);
    let count = 0;
    const handler = () => void count++;
    channel.subscribe(handler);
    await store.put(KEY, VALUE);
    await assertRejects(() => store.put(KEY, 7 as never), TypeError);
    await new Promise((resolve) => setTimeout(resolve));
    channel.unsubscribe(handler);
    assertEquals(count, event === "start" || event === "end" ? 2 : 1, event);
  }
});

test("nothing is published to whoever has unsubscribed", async () => {
  await using store = await HybridStore.openTemp();
  const heard = listen("put");
  const put = store.put(KEY, VALUE);
  heard[Symbol.dispose]();
  await put;
  await new Promise((resolve) => setTimeout(resolve));
  assertEquals(heard.events(), SYNC);
  await store.put(KEY, VALUE);
  assertEquals(heard.published.length, 2);
});

test("a traced operation gives the same result as one that is not", async () => {
  await using store = await HybridStore.openTemp();
  const listeners = Object.keys(OPERATIONS).map(listen);
  try {
    await store.put(KEY, VALUE);
    assertEquals(store.getSync(KEY), VALUE);
    assertEquals(await store.get(KEY), VALUE);
    assertEquals([...store.scanSync()], [{ key: KEY, value: VALUE }]);
    assertEquals(await Array.fromAsync(store.scan()), [{ key: KEY, value: VALUE }]);
    assertEquals(await Array.fromAsync(store.keys()), [KEY]);
    assertEquals(await store.fetchAndAddU64(btreeKey(1), 5n), 5n);
    assertEquals(await store.transact(() => "result"), "result");
    assertEquals(await store.count(), 2);
  } finally {
    for (const listener of listeners) listener[Symbol.dispose]();
  }
});
