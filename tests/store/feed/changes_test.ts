import { readdirSync, readlinkSync } from "node:fs";
import { realpath } from "node:fs/promises";
import process from "node:process";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { assertEquals, assertGreater, assertRejects, assertThrows } from "@std/assert";
import { join } from "@std/path";
import { type ChangesOptions, HybridStore, toText } from "../../../mod.ts";
import { assertCode } from "../../support/assert.ts";
import { tempDirectory } from "../../support/temp.ts";
import { openFake } from "../_fakes.ts";
import { appendKey, btreeKey } from "../_support.ts";
import { readAll, textOf } from "./_feed.ts";

test("changes shows every committed write in order, in whole groups", async () => {
  await using store = await HybridStore.openTemp();
  await store.put("a", "1");
  await store.batch().put("b", "2").delete("a").commit();
  await store.transact((tx) => {
    tx.put("c", "3");
    tx.deleteRange({ prefix: "b" });
  });
  await store.fetchAndAddU64("n", 1n);
  // Called in one go: one group.
  await Promise.all([store.put("x", "1"), store.put("x", "2"), store.delete("none")]);
  assertEquals(await readAll(store, { after: 0n }), [
    "a=1",
    "b=2,a",
    "c=3,b",
    "n=\x01\0\0\0\0\0\0\0",
    "x=1,x=2,none",
  ]);
});

test("a position of a store, a commit, a transaction, a snapshot or a change says where to go on", async () => {
  await using store = await HybridStore.openTemp();
  const before = store.position;
  const first = await store.batch().put("a", "1").commit();
  let second: bigint | undefined;
  await store.transact((tx) => {
    tx.put("b", "2");
    assertEquals(tx.position, undefined);
    second = store.position;
  });
  using snapshot = store.snapshotSync();
  let third: bigint | undefined;
  await store.transaction(async (tx) => {
    tx.put("c", await Promise.resolve("3"));
    queueMicrotask(() => third = tx.position);
  });
  const [change] = await Array.fromAsync(store.changes({ after: before, live: false }));
  assertEquals(change!.position, first);
  assertEquals(second, first);
  assertEquals(third, undefined);
  assertEquals(await readAll(store, { after: before }), ["a=1", "b=2", "c=3"]);
  assertEquals(await readAll(store, { after: first }), ["b=2", "c=3"]);
  assertEquals(await readAll(store, { after: snapshot.position }), ["c=3"]);
  assertEquals(await readAll(store, { after: store.position }), []);
  void store.put("d", "4");
  const last = store.position;
  assertEquals(await readAll(store, { after: last }), []);
  assertEquals(await readAll(store, {}), []);
  assertGreater(last, snapshot.position);
});

test("a transaction has its position once it is acknowledged", async () => {
  await using store = await HybridStore.openTemp();
  const held: { position: bigint | undefined }[] = [];
  await store.transact((tx) => {
    tx.put("a", "");
    held.push(tx, tx.sub("s"));
  });
  // deno-lint-ignore require-await
  await store.transaction(async (tx) => {
    tx.put("b", "");
    held.push(tx);
  });
  const changes = await Array.fromAsync(store.changes({ after: 0n, live: false }));
  assertEquals(held.map(({ position }) => position), [
    changes[0]!.position,
    changes[0]!.position,
    changes[1]!.position,
  ]);
});

test("a prefix leaves out other keys, and a part of the store shows its keys without the prefix", async () => {
  await using store = await HybridStore.openTemp();
  const users = store.sub("user/");
  await store.batch().put("user/1", "Ada").put("users", "1").commit();
  await store.put("log", "x");
  await users.put("2", "Grace");
  await users.delete("");
  const after = 0n;
  assertEquals(await readAll(store, { after, prefix: "user/" }), [
    "user/1=Ada",
    "user/2=Grace",
    "user/",
  ]);
  const part = await Array.fromAsync(users.changes({ after, live: false }));
  assertEquals(part.map(textOf), ["1=Ada", "2=Grace", ""]);
  const two = await Array.fromAsync(users.changes({ after, prefix: "2", live: false }));
  assertEquals(two.map(textOf), ["2=Grace"]);
});

test("a live feed goes on with what is written, over rotations and applies, until it is left", async () => {
  await using store = await HybridStore.openTemp({ segmentBytes: 500, memtableBytes: 300 });
  const after = store.position;
  const writing = (async () => {
    for (let i = 0; i < 300; i++) {
      await store.put(i % 2 === 0 ? appendKey(i) : btreeKey(i), `${i}`);
      if (i % 100 === 50) await store.checkpoint();
      if (i % 10 === 0) await delay(0);
    }
    await store.flush();
  })();
  let count = 0;
  for await (const { writes } of store.changes({ after })) {
    assertEquals(writes.map(({ value }) => toText(value!)), [`${count}`]);
    if (++count === 300) break;
  }
  await writing;
  assertEquals(store.stats().feed, { cursors: 0, readers: 0, watches: 0, bytes: 0 });
});

test("what is not on disk yet is not shown", async () => {
  using temp = tempDirectory();
  const { store, files } = await openFake(temp.path, {
    durability: "flush",
    syncIntervalMs: 2 ** 31 - 1,
  });
  const shown: string[] = [];
  const stop = new AbortController();
  const reading = (async () => {
    for await (const change of store.changes({ after: 0n, signal: stop.signal })) {
      shown.push(textOf(change));
    }
  })();
  await store.put("a", "1");
  await delay(20);
  assertEquals(shown, []);
  await store.flush();
  while (shown.length < 1) await delay(1);
  const disk = Promise.withResolvers<void>();
  files.beforeSync = () => disk.promise;
  await store.put("b", "2");
  const flushed = store.flush();
  await delay(20);
  assertEquals(shown, ["a=1"]);
  disk.resolve();
  await flushed;
  while (shown.length < 2) await delay(1);
  assertEquals(shown, ["a=1", "b=2"]);
  stop.abort(new Error("enough"));
  await assertRejects(() => reading, Error, "enough");
  await store.close();
});

test("a feed that is not live makes durable what it shows, and ends with what was there", async () => {
  await using store = await HybridStore.openTemp({ durability: "flush" });
  await store.put("a", "1");
  const { syncs } = store.stats();
  const changes = store.changes({ after: 0n, live: false });
  await store.put("b", "2");
  assertEquals((await Array.fromAsync(changes)).map(textOf), ["a=1"]);
  assertGreater(store.stats().syncs, syncs);
});

test("a signal ends a feed, before, while it waits and between changes", async () => {
  await using store = await HybridStore.openTemp();
  for (let i = 0; i < 5; i++) await store.put(`${i}`, "");
  await store.flush();
  const reason = new Error("stop");
  await assertRejects(
    () => Array.fromAsync(store.changes({ after: 0n, signal: AbortSignal.abort(reason) })),
    Error,
    "stop",
  );
  for (const count of [2, 5]) {
    const stop = new AbortController();
    let shown = 0;
    const reading = (async () => {
      for await (const _ of store.changes({ after: 0n, signal: stop.signal })) {
        if (++shown === 2 && count === 2) stop.abort(reason);
      }
    })();
    if (count === 5) {
      while (shown < 5) await delay(1);
      await delay(5);
      stop.abort(reason);
    }
    await assertRejects(() => reading, Error, "stop");
    assertEquals(shown, count);
  }
  assertEquals(store.stats().feed.readers, 0);
});

test("a live feed ends when the store is closed; another one says so", async () => {
  const store = await HybridStore.openTemp();
  for (let i = 0; i < 20; i++) await store.put(`${i}`, "");
  const live = Array.fromAsync(store.changes({ after: 0n }));
  const rest = store.changes({ after: 0n, live: false });
  for (let i = 0; i < 2; i++) await rest.next();
  while (store.stats().feed.readers < 2) await delay(1);
  await delay(50);
  await store.close();
  assertEquals((await live).length, 20);
  await assertCode(async () => {
    for (;;) if ((await rest.next()).done) return;
  }, "CLOSED");
  await assertCode(() => store.changes(), "CLOSED");
  await assertCode(() => store.position, "CLOSED");
});

test("options of a feed that are not valid are refused", async () => {
  await using store = await HybridStore.openTemp();
  await store.put("a", "1");
  const refused: [options: unknown, type: typeof TypeError | typeof RangeError, message: string][] =
    [
      [null, TypeError, "the options are null"],
      [{ from: 1n }, TypeError, "there is no option from"],
      [{ after: 1 }, TypeError, "after is a number, not a bigint"],
      [{ after: -1n }, RangeError, "after is -1, not a position from 0 to"],
      [{ after: store.position + 1n }, RangeError, "not a position from 0 to"],
      [{ after: 0n, cursor: "x" }, TypeError, "give one of them"],
      [{ cursor: 1 }, TypeError, "the name is a number"],
      [{ live: 1 }, TypeError, "live is a number"],
      [{ signal: 1 }, TypeError, "signal is a number"],
      [{ prefix: 1 }, TypeError, "prefix is a number"],
    ];
  for (const [options, type, message] of refused) {
    assertThrows(() => store.changes(options as ChangesOptions), type, message);
  }
  await assertCode(() => store.changes({ cursor: "none" }), "NOT_FOUND", "createCursor()");
});

test("a write that failed is not shown", async () => {
  using temp = tempDirectory();
  const { store, files } = await openFake(temp.path, {});
  await store.put("a", "1");
  files.before = ({ kind, name }) => {
    if (kind === "write" && name.endsWith(".seg")) {
      throw Object.assign(new Error("ENOSPC"), { code: "ENOSPC" });
    }
  };
  await assertRejects(() => store.put("b", "2"));
  files.before = () => {};
  await store.flush().catch(() => {});
  await store.put("c", "3");
  assertEquals(await readAll(store, { after: 0n }), ["a=1", "c=3"]);
  await store.close();
});

test("a feed lets go of its files", { skip: process.platform !== "linux" }, async () => {
  await using store = await HybridStore.openTemp();
  for (let i = 0; i < 50; i++) await store.put(`${i}`, "");
  await store.flush();
  const directory = await realpath(join(store.path, "journal"));
  const open = () =>
    readdirSync("/proc/self/fd").filter((name) => {
      try {
        return readlinkSync(`/proc/self/fd/${name}`).startsWith(directory);
      } catch {
        return false;
      }
    }).length;
  const before = open();
  for (let i = 0; i < 20; i++) {
    for await (const _ of store.changes({ after: 0n })) break;
  }
  assertEquals(open(), before);
});

test("positions go on over a reopening, a backup and a restore", async () => {
  using temp = tempDirectory();
  const at = (name: string) => join(temp.path, name);
  let position: bigint;
  {
    await using store = await HybridStore.open(at("store"));
    for (let i = 0; i < 10; i++) await store.put(`${i}`, "");
    position = store.position;
    assertEquals((await store.backup(at("copy"))).position, position);
  }
  await HybridStore.restore(at("copy"), at("restored"));
  for (const name of ["store", "copy", "restored"]) {
    await using store = await HybridStore.open(at(name));
    assertEquals(store.position, position);
    await store.put("later", name);
    assertEquals(await readAll(store, { after: position }), [`later=${name}`]);
  }
});
