import { test } from "node:test";
import { assertEquals, assertInstanceOf } from "@std/assert";
import { StoreError } from "../../../mod.ts";
import { tempDirectory } from "../../support/temp.ts";
import { Child, RUNTIMES } from "../_child.ts";
import { failSegments, openFake, repair } from "../_fakes.ts";
import { appendKey, btreeKey, bytes } from "../_support.ts";
import { assertCode, assertThrowsCode } from "../../support/assert.ts";

test("a group that cannot be written is NO_SPACE and leaves nothing behind", async () => {
  using temp = tempDirectory();
  const { store, files, journal } = await openFake(temp.path);
  await store.put(appendKey(1), bytes("old"));
  const { end } = journal;
  failSegments(files, "write", "ENOSPC");
  const writes = [
    store.put(appendKey(1), bytes("new")),
    store.put(appendKey(2), bytes("new")),
    store.put(btreeKey(1), bytes("new")),
    store.put(btreeKey(1), bytes("newer")),
    store.delete(appendKey(1)),
    store.fetchAndAddU64(btreeKey(2), 1n),
    store.transact((tx) => tx.put(appendKey(3), bytes("new"))),
  ];
  // Until the group is written, its writes are there.
  assertEquals(store.getSync(btreeKey(1)), bytes("newer"));
  for (const write of writes) await assertCode(() => write, "NO_SPACE", "ENOSPC");
  const everywhere = [appendKey(1), appendKey(2), appendKey(3), btreeKey(1), btreeKey(2)];
  const found = () => everywhere.map((key) => store.getSync(key));
  assertEquals(found(), [bytes("old"), undefined, undefined, undefined, undefined]);
  assertEquals([journal.end, store.stats().memtable.keys], [end, 1]);

  repair(files);
  await store.put(btreeKey(1), bytes("later"));
  await store.checkpoint();
  assertEquals(found(), [bytes("old"), undefined, undefined, bytes("later"), undefined]);
  await store.close();
});

test("HybridStore.flush() rejects with the failure of a write before it, once", async () => {
  using temp = tempDirectory();
  const { store, files, journal } = await openFake(temp.path);
  const message = "Cannot flush: a write before it failed";
  // A group that was written before the flush, and one that the flush writes.
  for (const isWrittenBefore of [true, false]) {
    failSegments(files, "write", "ENOSPC");
    const unawaited = store.put(appendKey(1), bytes("lost")).catch(() => {});
    if (isWrittenBefore) {
      await unawaited;
      repair(files);
      void store.put(appendKey(2), bytes("kept"));
    }
    const flush = store.flush();
    // The failure belongs to the flush that was called first after it.
    const second = store.flush();
    const error = await assertCode(() => flush, "NO_SPACE", message, "ENOSPC", "write it again");
    assertInstanceOf(error.cause, StoreError);
    await second;
    repair(files);
    await store.flush();
    // What did not fail is on disk all the same.
    assertEquals(journal.durableEnd, journal.end);
    assertEquals(store.getSync(appendKey(1)), undefined);
    assertEquals(store.getSync(appendKey(2)), bytes("kept"));
  }
  await store.close();
});

test("HybridStore.flush() rejects after a write that was awaited and failed, too", async () => {
  using temp = tempDirectory();
  const { store, files } = await openFake(temp.path);
  failSegments(files, "write", "EIO");
  await assertCode(() => store.put(btreeKey(1), bytes("lost")), "IO");
  repair(files);
  await store.put(btreeKey(1), bytes("again"));
  await assertCode(() => store.flush(), "IO", "EIO");
  await store.flush();
  await store.close();
});

test("what a failed group left out is not replayed, what came after it is", async () => {
  using temp = tempDirectory();
  const { store, files } = await openFake(temp.path);
  files.writeLimit = () => 20;
  failSegments(files, "write", "ENOSPC");
  let calls = 0;
  const fail = files.before;
  // Some bytes of the record reach the file before the disk is full.
  files.before = (operation) => {
    if (operation.kind === "write" && operation.name.endsWith(".seg") && ++calls > 2) {
      fail(operation);
    }
  };
  await assertCode(() => store.put(appendKey(1), bytes("lost")), "NO_SPACE");
  repair(files);
  await store.put(appendKey(2), bytes("kept"));
  // It reports the write that failed, and has synced the other one.
  await assertCode(() => store.flush(), "NO_SPACE");
  // The engines are empty, as if the process had died.
  const again = await openFake(temp.path);
  assertEquals(again.store.stats().recovery, { records: 1, replayed: 1, truncatedBytes: 0 });
  assertEquals(again.store.getSync(appendKey(1)), undefined);
  assertEquals(again.store.getSync(appendKey(2)), bytes("kept"));
  await again.store.close();
  await store.close();
});

test("a write that was computed from a group that failed fails with it", async () => {
  using temp = tempDirectory();
  const { store, files } = await openFake(temp.path);
  failSegments(files, "write", "ENOSPC");
  const first = store.fetchAndAddU64(appendKey(1), 5n);
  // Too large to fit behind the first in one record, so that the first is written now.
  const second = store.transact((tx) => {
    tx.put(appendKey(2), new Uint8Array(300_000));
    return tx.fetchAndAddU64(appendKey(1), 3n);
  });
  repair(files);
  await assertCode(() => first, "NO_SPACE");
  await assertCode(() => second, "NO_SPACE");
  assertEquals(store.getSync(appendKey(1)), undefined);
  assertEquals(await store.fetchAndAddU64(appendKey(1), 3n), 3n);
  await store.close();
});

test("a group of many keys that cannot be written is taken back in one go", async () => {
  using temp = tempDirectory();
  const { store, files } = await openFake(temp.path);
  await store.put(appendKey(7), bytes("old"));
  failSegments(files, "write", "ENOSPC");
  const failed = store.transact((tx) => {
    for (let i = 0; i < 100_000; i++) tx.put(appendKey(i), bytes("new"));
  });
  assertEquals(store.getSync(appendKey(99_999)), bytes("new"));
  await assertCode(() => failed, "NO_SPACE");
  repair(files);
  assertEquals(store.stats().memtable.keys, 1);
  assertEquals(store.getSync(appendKey(7)), bytes("old"));
  assertEquals(store.getSync(appendKey(99_999)), undefined);
  assertEquals(await store.transact((tx) => [...tx.scan()].length), 1);
  await store.close();
});

test("after a sync that failed writes are POISONED, and reads go on", async () => {
  using temp = tempDirectory();
  const { store, files, append, btree, journal, releases } = await openFake(temp.path);
  await store.put(appendKey(1), bytes("1"));
  failSegments(files, "sync", "EIO");
  const failed = [
    store.put(btreeKey(1), bytes("1")),
    store.fetchAndAddU64(btreeKey(2), 1n),
    store.flush(),
  ];
  for (const write of failed) await assertCode(() => write, "POISONED", "EIO");
  repair(files);

  const { end } = journal;
  await assertCode(() => store.put(appendKey(2), bytes("2")), "POISONED", "Cannot put key");
  await assertCode(() => store.delete(appendKey(1)), "POISONED", "Cannot delete key");
  await assertCode(
    () => store.transact((tx) => tx.delete(appendKey(1))),
    "POISONED",
    "Cannot run transaction",
  );
  await assertCode(
    () => store.fetchAndAddU64(btreeKey(2), 1n),
    "POISONED",
    "Cannot add to counter",
  );
  await assertCode(() => store.flush(), "POISONED");
  await assertCode(() => store.checkpoint(), "POISONED");
  assertEquals(journal.end, end);

  assertEquals(store.getSync(appendKey(1)), bytes("1"));
  assertEquals(store.getSync(appendKey(2)), undefined);
  assertEquals(await store.transact((tx) => tx.get(appendKey(1))), bytes("1"));
  const snapshot = store.snapshotSync();
  assertEquals(snapshot.getSync(appendKey(1)), bytes("1"));
  assertEquals(store.stats().memtable.keys, 3);
  // Nothing that the journal may have lost has reached an engine.
  assertEquals([append.position, btree.position], [0n, 0n]);

  // What was acknowledged may not be on disk, and whoever closes the store hears of it.
  await assertCode(() => store.close(), "POISONED", "EIO");
  assertEquals(releases.count, 1);
  assertThrowsCode(() => store.getSync(appendKey(1)), "CLOSED");
});

test("a sync in the background that fails is heard of by the next write", async () => {
  using temp = tempDirectory();
  const { store, files, journal } = await openFake(temp.path, { syncIntervalMs: 1 });
  failSegments(files, "sync", "EIO");
  await store.put(appendKey(1), bytes("1"));
  while (journal.poison === undefined) await new Promise((resolve) => setTimeout(resolve, 1));
  await assertCode(() => store.put(appendKey(2), bytes("2")), "POISONED", "EIO");
  await assertCode(() => store.close(), "POISONED", "EIO");
});

test("a store that is closed gives back its lock when all else is closed", async () => {
  using temp = tempDirectory();
  const { store, append, btree, files, releases } = await openFake(temp.path);
  await store.put(appendKey(1), bytes("1"));
  const released: number[] = [];
  for (const engine of [append, btree]) {
    const { close } = engine;
    engine.close = async () => {
      released.push(releases.count);
      await close.call(engine);
    };
  }
  files.before = ({ kind }) => {
    if (kind === "close") released.push(releases.count);
  };
  await store.close();
  assertEquals(released.length > 2, true);
  assertEquals([...new Set(released), releases.count], [0, 1]);
});

test("a store that cannot be closed gives back its lock all the same", async () => {
  using temp = tempDirectory();
  const { store, append, btree, releases } = await openFake(temp.path);
  await store.put(appendKey(1), bytes("1"));
  append.close = () => Promise.reject(new Error("injected"));
  const error = await store.close().catch((error) => error);
  assertEquals([error.message, releases.count], ["injected", 1]);
  assertThrowsCode(() => btree.get(btreeKey(1)), "CLOSED");
});

test("a write that fails is reported once, also where nobody waits for it", {
  timeout: 600_000,
}, async () => {
  using temp = tempDirectory();
  const [[, command]] = RUNTIMES as [[string, string[]]];
  await using child = new Child(command, "_unhandled_child.ts", [temp.path]);
  assertEquals(await child.line(), "put alone: NO_SPACE");
  assertEquals(await child.line(), "three puts of a group: NO_SPACE");
  assertEquals(await child.line(), "transaction: NO_SPACE");
  assertEquals(await child.line(), "awaited put:");
  assertEquals(await child.line(), "wrong argument: TypeError");
  assertEquals(await child.line(), "apply in the background:");
  assertEquals(await child.line(), "poisoned by the timer:");
  assertEquals(await child.line(), "put when poisoned: POISONED");
  assertEquals(await child.line(), "reads when poisoned:");
});
