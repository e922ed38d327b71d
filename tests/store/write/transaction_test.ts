import { test } from "node:test";
import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { HybridStore, type Transaction } from "../../../mod.ts";
import { appendKey, btreeKey, bytes } from "../_support.ts";
import { assertCode, assertThrowsCode } from "../../support/assert.ts";

const VALUE = bytes("value");

test("HybridStore.transact() commits its writes together and returns the result", async () => {
  await using store = await HybridStore.openTemp();
  const result = await store.transact((tx) => {
    tx.put(appendKey(1), bytes("1"));
    tx.put(btreeKey(1), bytes("2"));
    return "done";
  });
  assertEquals(result, "done");
  assertEquals(store.stats().groups, 1);
  assertEquals(await store.getMany([appendKey(1), btreeKey(1)]), [bytes("1"), bytes("2")]);
});

test("HybridStore.transact() runs its function, and takes effect, at the call", async () => {
  await using store = await HybridStore.openTemp();
  let runs = 0;
  const transaction = store.transact((tx) => {
    runs++;
    tx.put(appendKey(1), VALUE);
  });
  assertEquals(runs, 1);
  assertEquals(store.getSync(appendKey(1)), VALUE);
  await transaction;
});

test("a transaction reads its own writes over those of the store", async () => {
  await using store = await HybridStore.openTemp();
  // In an engine, in a sealed memtable, in the active one.
  await store.batch().put(appendKey(1), bytes("1")).put(btreeKey(1), bytes("1")).commit();
  await store.checkpoint();
  await store.batch().put(appendKey(2), bytes("2")).put(btreeKey(2), bytes("2")).commit();
  await using _snapshot = await store.snapshot();
  await store.batch().put(appendKey(3), bytes("3")).put(btreeKey(3), bytes("3")).commit();

  await store.transact((tx) => {
    for (const keyOf of [appendKey, btreeKey]) {
      for (const i of [1, 2, 3]) assertEquals(tx.get(keyOf(i)), bytes(`${i}`));
      tx.delete(keyOf(1));
      tx.put(keyOf(2), bytes("new"));
      tx.put(keyOf(4), bytes("4"));
      assertEquals([1, 2, 3, 4].map((i) => tx.has(keyOf(i))), [false, true, true, true]);
      assertEquals(tx.get(keyOf(1)), undefined);
      assertEquals(tx.get(keyOf(2)), bytes("new"));
      tx.put(keyOf(1), bytes("again"));
      tx.delete(keyOf(4));
      assertEquals([...tx.scan({ prefix: keyOf(0).subarray(0, 12) })], [
        { key: keyOf(1), value: bytes("again") },
        { key: keyOf(2), value: bytes("new") },
        { key: keyOf(3), value: bytes("3") },
      ]);
      // Outside it, nothing has changed.
      assertEquals(store.getSync(keyOf(1)), bytes("1"));
    }
    assertEquals([...tx.scan({ reverse: true, limit: 1 })][0]!.key, btreeKey(3));
  });
  assertEquals(await store.count(), 6);
  assertEquals(store.getSync(btreeKey(1)), bytes("again"));
});

test("a scan in a transaction goes on over what is written meanwhile", async () => {
  await using store = await HybridStore.openTemp();
  const batch = store.batch();
  for (let i = 0; i < 700; i++) batch.put(appendKey(2 * i), VALUE);
  await batch.commit();
  await store.transact((tx) => {
    let count = 0;
    for (const { key } of tx.scan()) {
      count++;
      tx.delete(key);
    }
    assertEquals(count, 700);
    assertEquals([...tx.scan()], []);
  });
  assertEquals(await store.count(), 0);
});

test("a transaction that throws leaves nothing behind, and its error is passed on", async () => {
  await using store = await HybridStore.openTemp();
  await store.put(appendKey(1), VALUE);
  const thrown = { not: "an error" };
  const transaction = store.transact((tx) => {
    tx.put(appendKey(2), VALUE);
    tx.delete(appendKey(1));
    tx.fetchAndAddU64(btreeKey(1), 7n);
    throw thrown;
  });
  assertStrictEquals(await transaction.catch((error) => error), thrown);
  assertEquals([...store.scanSync()], [{ key: appendKey(1), value: VALUE }]);
  assertEquals(store.stats().groups, 1);
});

test("a transaction may go on after an operation in it that was refused", async () => {
  await using store = await HybridStore.openTemp();
  await store.put(appendKey(1), VALUE);
  await store.transact((tx) => {
    assertThrowsCode(() => tx.fetchAndAddU64(appendKey(1), 1n), "INVALID_VALUE");
    tx.put(appendKey(2), VALUE);
  });
  assertEquals(await store.count(), 2);
});

test("HybridStore.transact() refuses an asynchronous function and writes nothing", async () => {
  await using store = await HybridStore.openTemp();
  const message = "the function returned a promise; it has to be synchronous";
  const late: string[] = [];
  const body: (tx: Transaction) => unknown = async (tx) => {
    tx.put(appendKey(1), VALUE);
    await Promise.resolve();
    await assertCode(() => tx.put(appendKey(2), VALUE), "CLOSED");
    late.push("refused");
    throw new Error("which nobody handles, and nobody has to");
  };
  await assertRejects(() => store.transact(body), TypeError, message);
  const thenable: unknown = { then: (resolve: () => void) => resolve() };
  await assertRejects(() => store.transact(() => thenable), TypeError, message);
  assertEquals([late, await store.count()], [["refused"], 0]);
});

test("HybridStore.transact() rejects what is no function", async () => {
  await using store = await HybridStore.openTemp();
  for (const body of [undefined, null, {}, "x"] as never[]) {
    await assertRejects(
      () => store.transact(body),
      TypeError,
      "Cannot run transaction: the body is",
    );
  }
});

test("a transaction is CLOSED when its function has ended", async () => {
  await using store = await HybridStore.openTemp();
  const kept: Transaction[] = [];
  await store.transact((tx) => {
    kept.push(tx);
    tx.put(appendKey(1), VALUE);
  });
  await store.transact((tx) => {
    kept.push(tx);
    throw new Error("not committed");
  }).catch(() => {});
  for (const tx of kept) {
    assertThrowsCode(() => tx.get(appendKey(1)), "CLOSED");
    assertThrowsCode(() => tx.has(appendKey(1)), "CLOSED");
    assertThrowsCode(() => tx.put(appendKey(1), VALUE), "CLOSED");
    assertThrowsCode(() => tx.delete(appendKey(1)), "CLOSED");
    assertThrowsCode(() => [...tx.scan()], "CLOSED");
    assertThrowsCode(() => tx.fetchAndAddU64(appendKey(1), 1n), "CLOSED");
    assertThrowsCode(() => tx.compareAndSwapF32(appendKey(1), () => 1), "CLOSED");
  }
  assertEquals(store.getSync(appendKey(1)), VALUE);
});

test("a transaction that only reads writes nothing", async () => {
  await using store = await HybridStore.openTemp();
  assertEquals(await store.transact((tx) => tx.get(appendKey(1))), undefined);
  assertEquals(store.stats().groups, 0);
});

test("a transaction in which the store is closed is refused", async () => {
  const store = await HybridStore.openTemp();
  let closing: Promise<void> | undefined;
  const transaction = () =>
    store.transact((tx) => {
      tx.put(appendKey(1), VALUE);
      closing = store.close();
    });
  await assertCode(transaction, "CLOSED");
  await closing;
});
