import { test } from "node:test";
import { setImmediate as nextTurn, setTimeout as delay } from "node:timers/promises";
import {
  assert,
  assertEquals,
  assertGreater,
  assertLess,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { type AsyncTransaction, HybridStore, StoreError, toText } from "../../../mod.ts";
import { appendKey, btreeKey, bytes } from "../_support.ts";
import { assertCode, assertThrowsCode } from "../../support/assert.ts";

const ONCE = { attempts: 1 };

/** Runs a transaction that is disturbed between its reads and its commit, once. */
async function disturbed(
  store: HybridStore,
  read: (tx: AsyncTransaction) => Promise<unknown>,
  disturb: () => unknown,
): Promise<StoreError | undefined> {
  try {
    await store.transaction(async (tx) => {
      await read(tx);
      await disturb();
      tx.put("result", "1");
    }, ONCE);
    return undefined;
  } catch (error) {
    assert(error instanceof StoreError && error.code === "CONFLICT", `${error}`);
    return error;
  }
}

test("a transaction reads and writes around await, over both engines", async () => {
  await using store = await HybridStore.openTemp();
  await store.batch().put(appendKey(1), "1").put(btreeKey(1), "2").commit();
  const sum = await store.transaction(async (tx) => {
    assertEquals(tx.attempt, 1);
    const one = Number(toText(await tx.get(appendKey(1))));
    await nextTurn();
    const two = Number(toText(await tx.get(btreeKey(1))));
    tx.put(appendKey(2), `${one + two}`);
    tx.delete(btreeKey(1));
    assertEquals(await tx.fetchAndAddU64("counter", 5n), 5n);
    assertEquals(await tx.compareAndSwapF32("number", (n) => n + 0.5), 0.5);
    assertEquals(store.getSync(appendKey(2)), undefined);
    return one + two;
  });
  assertEquals(sum, 3);
  assertEquals(toText(store.getSync(appendKey(2))), "3");
  assertEquals(store.getSync(btreeKey(1)), undefined);
  assertEquals(await store.count(), 4);
});

test("a transaction sees its own writes, in scans too, and what it deleted is gone", async () => {
  await using store = await HybridStore.openTemp();
  for (const key of ["a", "b", "c"]) await store.put(key, key);
  await store.transaction(async (tx) => {
    tx.put("b", "own");
    tx.put("d", "own");
    tx.delete("a");
    const rows = await Array.fromAsync(tx.scan(), ({ key, value }) => toText(key) + toText(value));
    assertEquals(rows, ["bown", "cc", "down"]);
    assertEquals((await tx.getMany(["a", "b", "c"])).map((value) => value && toText(value)), [
      undefined,
      "own",
      "c",
    ]);
    assertEquals([await tx.has("a"), await tx.has("d")], [false, true]);
    assertEquals(await tx.deleteRange({ gte: "c" }), 2);
    assertEquals(await tx.count(), 1);
    assertEquals((await Array.fromAsync(tx.keys({ reverse: true }))).map(toText), ["b"]);
  });
  assertEquals((await Array.fromAsync(store.keys())).map(toText), ["b"]);
});

test("a lost update and a write skew conflict, and the key is named", async () => {
  await using store = await HybridStore.openTemp();
  for (const keyOf of [appendKey, btreeKey]) {
    const key = keyOf(1);
    for (const present of [false, true]) {
      if (present) await store.put(key, "0");
      const error = await disturbed(store, (tx) => tx.get(key), () => store.put(key, "1"));
      assertEquals(error?.key, key);
      assertStringIncludes(error!.message, "in its only attempt");
    }
    // Each reads what the other one writes.
    const other = keyOf(2);
    const first = store.transaction(async (tx) => {
      await tx.has(key);
      await nextTurn();
      tx.put(other, "1");
    }, ONCE);
    const second = store.transaction(async (tx) => {
      await tx.has(other);
      await nextTurn();
      tx.put(key, "1");
    }, ONCE);
    const outcomes = await Promise.allSettled([first, second]);
    assertEquals(outcomes.map(({ status }) => status).sort(), ["fulfilled", "rejected"]);
  }
  assertEquals(store.stats().transactions, { open: 0, bytes: 0 });
});

test("each way to write is in the way of what was read, also where nobody waits for it", async () => {
  await using store = await HybridStore.openTemp();
  const ways: (() => unknown)[] = [
    () => void store.put("key", "2"),
    () => void store.delete("key"),
    () => void store.batch().put("key", "2").commit(),
    () => store.batch().deleteRange({ prefix: "key" }).commit(),
    () => store.deleteRange({ prefix: "k" }),
    () => store.transact((tx) => tx.put("key", "2")),
    () => store.transaction((tx) => Promise.resolve(tx.put("key", "2"))),
    () => store.fetchAndAddU64("key", 1n),
  ];
  for (const write of ways) {
    await store.put("key", new Uint8Array(8));
    const error = await disturbed(store, (tx) => tx.get("key"), write);
    assertEquals(toText(error!.key!), "key", `${write}`);
  }
});

test("a phantom conflicts in what was scanned of a range, and not behind it", async () => {
  await using store = await HybridStore.openTemp();
  const keys = Array.from({ length: 40 }, (_, i) => `k${`${i}`.padStart(2, "0")}`);
  for (const key of keys) await store.put(key, key);
  const within = (range: object, key: string) =>
    disturbed(store, (tx) => Array.fromAsync(tx.scan(range)), () => store.put(key, "x"));
  assertEquals(toText((await within({ gte: "k10", lt: "k20" }, "k155"))!.key!), "k155");
  assertEquals(await within({ gte: "k10", lt: "k20" }, "k20"), undefined);
  assertEquals(await within({ gte: "k10", lt: "k20" }, "k0999"), undefined);
  assertEquals(await within({ gt: "k10", lte: "k20" }, "k10"), undefined);
  assert(await within({ gt: "k10", lte: "k20" }, "k20"));
  assert(await within({}, "zzz"));
  // A limit: behind the last row nothing was read, in either direction.
  assert(await within({ gte: "k10", limit: 3 }, "k115"));
  assertEquals(await within({ gte: "k10", limit: 3 }, "k30"), undefined);
  assert(await within({ lt: "k30", reverse: true, limit: 3 }, "k28"));
  assertEquals(await within({ lt: "k30", reverse: true, limit: 3 }, "k05"), undefined);
  // An empty range is read as well.
  assert(await within({ prefix: "nothing" }, "nothing/1"));
  for (
    const read of [
      (tx: AsyncTransaction) => tx.count({ prefix: "k3" }),
      (tx: AsyncTransaction) => tx.deleteRange({ prefix: "k3" }),
      (tx: AsyncTransaction) => Array.fromAsync(tx.keys({ prefix: "k3" })),
    ]
  ) assertEquals(toText((await disturbed(store, read, () => store.put("k3z", "")))!.key!), "k3z");
  // A scan that is left early has read the pages that it was given.
  const first = async (tx: AsyncTransaction) => {
    for await (const { key } of tx.scan({ gte: "k10" })) return key;
  };
  assert(await disturbed(store, first, () => store.put("k10", "y")));
  assertEquals(await disturbed(store, first, () => store.put("k35", "y")), undefined);
});

test("what was only written, and what only others read, conflicts with nothing", async () => {
  await using store = await HybridStore.openTemp();
  await store.put("a", "0");
  const writes = async (tx: AsyncTransaction) => {
    tx.put("a", "blind");
    // Its own write, and not the store's.
    assertEquals(toText(await tx.get("a")), "blind");
  };
  assertEquals(await disturbed(store, writes, () => store.put("a", "1")), undefined);
  assertEquals(toText(store.getSync("a")), "blind");
  const other = await disturbed(store, (tx) => tx.get("a"), () => store.get("a"));
  assertEquals(other, undefined);
});

test("a transaction that only reads sees one moment, and never conflicts", async () => {
  await using store = await HybridStore.openTemp({ memtableBytes: 500 });
  await store.batch().put("a", "0").put(appendKey(1), "0").commit();
  await store.transaction(async (tx) => {
    for (let i = 1; i < 200; i++) {
      await store.batch().put("a", `${i}`).put(appendKey(1), `${i}`).commit();
      if (i % 50 === 0) await store.checkpoint();
      assertEquals((await tx.getMany(["a", appendKey(1)])).map((value) => toText(value!)), [
        "0",
        "0",
      ]);
    }
  }, ONCE);
});

test("after a conflict the function is run again, and nothing of the first run is left", async () => {
  await using store = await HybridStore.openTemp();
  const attempts: number[] = [];
  await store.transaction(async (tx) => {
    attempts.push(tx.attempt);
    const value = await tx.get("a");
    tx.put(`attempt ${tx.attempt}`, "");
    if (tx.attempt < 4) await store.put("a", `${tx.attempt}`);
    tx.put("b", value ?? "none");
  });
  assertEquals(attempts, [1, 2, 3, 4]);
  assertEquals(toText(store.getSync("b")), "3");
  assertEquals((await Array.fromAsync(store.keys())).map(toText), ["a", "attempt 4", "b"]);
});

test("a transaction that never gets through fails with CONFLICT after its attempts", async () => {
  await using store = await HybridStore.openTemp();
  let runs = 0;
  const error = await assertCode(
    () =>
      store.transaction(async (tx) => {
        runs++;
        await tx.get("a");
        await store.put("a", "");
        tx.put("b", "");
      }, { attempts: 3 }),
    "CONFLICT",
    "Cannot run transaction: in the last of 3 attempts",
    '"a"',
    "run it again later",
  );
  assertEquals([runs, toText(error.key!)], [3, "a"]);
  assertEquals(store.getSync("b"), undefined);
});

test("a throw leaves nothing behind, and is not tried again", async () => {
  await using store = await HybridStore.openTemp();
  let runs = 0;
  for (
    const fail of [
      () => Promise.reject(new Error("mine")),
      () => {
        throw new Error("mine");
      },
    ]
  ) {
    await assertRejects(
      () =>
        store.transaction((tx) => {
          runs++;
          tx.put("a", "");
          return fail();
        }),
      Error,
      "mine",
    );
  }
  assertEquals([runs, await store.count()], [2, 0]);
  assertEquals(store.stats().transactions.open, 0);
});

test("a transaction cannot be used once it is over", async () => {
  await using store = await HybridStore.openTemp();
  let kept: AsyncTransaction;
  let scan: AsyncIterableIterator<unknown>;
  await store.put("a", "");
  await store.transaction((tx) => {
    kept = tx;
    scan = tx.scan();
    return Promise.resolve();
  });
  await assertCode(() => kept.get("a"), "CLOSED", "the transaction is over");
  await assertCode(() => kept.count(), "CLOSED");
  await assertCode(() => scan.next(), "CLOSED");
  assertThrowsCode(() => kept.put("a", ""), "CLOSED");
});

test("a signal ends a transaction that waits for ever, and nothing is written", async () => {
  await using store = await HybridStore.openTemp();
  const controller = new AbortController();
  let over: AsyncTransaction;
  const running = store.transaction((tx) => {
    over = tx;
    tx.put("a", "");
    return new Promise<void>(() => {});
  }, { signal: controller.signal });
  await nextTurn();
  assertEquals(store.stats().transactions.open, 1);
  controller.abort(new Error("enough"));
  await assertRejects(() => running, Error, "enough");
  assertThrowsCode(() => over.put("a", ""), "CLOSED");
  assertEquals([await store.count(), store.stats().transactions.open], [0, 0]);
  // Aborted before it begins, and within its own function.
  let ran = false;
  const signal = controller.signal;
  await assertRejects(
    () => store.transaction(() => Promise.resolve(void (ran = true)), { signal }),
    Error,
    "enough",
  );
  assertEquals(ran, false);
  const late = new AbortController();
  await assertRejects(
    () =>
      store.transaction((tx) => {
        tx.put("a", "");
        late.abort(new Error("late"));
        return Promise.resolve();
      }, { signal: late.signal }),
    Error,
    "late",
  );
  assertEquals(await store.count(), 0);
});

test("a store that is closed meanwhile refuses the transaction", async () => {
  const store = await HybridStore.openTemp();
  const gate = Promise.withResolvers<void>();
  const reading = store.transaction(async (tx) => {
    await gate.promise;
    await tx.get("a");
  });
  const writing = store.transaction(async (tx) => {
    tx.put("a", "");
    await gate.promise;
  });
  await nextTurn();
  const closing = store.close();
  gate.resolve();
  await assertCode(() => reading, "CLOSED", "the store is closed");
  await assertCode(() => writing, "CLOSED", "the store is closed");
  await assertCode(() => store.transaction(() => Promise.resolve()), "CLOSED");
  await closing;
});

test("wrong arguments are refused, and nothing runs", async () => {
  await using store = await HybridStore.openTemp();
  const refuse = async (type: new () => Error, message: string, ...args: unknown[]) => {
    const call = () => (store.transaction as (...args: unknown[]) => Promise<unknown>)(...args);
    await assertRejects(call, type, message);
  };
  const body = () => {
    throw new Error("it ran");
  };
  await refuse(TypeError, "the body is undefined, not a function");
  await refuse(TypeError, "the options are a number", body, 3);
  await refuse(TypeError, "there is no option retries", body, { retries: 3 });
  await refuse(TypeError, "attempts is a string", body, { attempts: "3" });
  await refuse(RangeError, "attempts is 0, not an integer from 1 on", body, { attempts: 0 });
  await refuse(TypeError, "signal is an Object, not an AbortSignal", body, { signal: {} });
  await store.transaction((tx) => {
    assertThrows(() => tx.put("", ""), RangeError, "in transaction");
    assertThrows(() => tx.scan({ from: 1 } as object), TypeError);
    return assertRejects(() => tx.getMany("a" as never), TypeError, "not an array").then(() => {});
  });
});

test("64 callers that count up one key lose nothing", { timeout: 600_000 }, async () => {
  await using store = await HybridStore.openTemp();
  const key = bytes("count");
  let attempts = 0;
  const add = () =>
    store.transaction(async (tx) => {
      attempts++;
      const count = Number(toText(await tx.get(key) ?? bytes("0")));
      await nextTurn();
      tx.put(key, `${count + 1}`);
    }, { attempts: 1000 });
  await Promise.all(Array.from({ length: 64 }, async () => {
    for (let i = 0; i < 5; i++) await add();
  }));
  assertEquals(toText(store.getSync(key)), "320");
  assertGreater(attempts, 320);
});

for (const [callers, key] of [[1, btreeKey(1)], [4, appendKey(1)]] as const) {
  test(`a slow transaction beside ${callers} that are fast gets its turn`, {
    timeout: 600_000,
  }, async () => {
    await using store = await HybridStore.openTemp();
    let isDone = false;
    let fast = 0;
    const disturb = async () => {
      while (!isDone) {
        await store.transaction(async (tx) => {
          await tx.fetchAndAddU64(key, 1n);
          await nextTurn();
        }, { attempts: 1000 });
        fast++;
      }
    };
    const disturbing = Promise.all(Array.from({ length: callers }, disturb));
    // Without a turn alone it would not get through: while it waits, others always write what it has read.
    let attempts = 0;
    try {
      await store.transaction(async (tx) => {
        attempts = tx.attempt;
        await tx.get(key);
        await delay(20);
        tx.put("slow", "");
      });
    } finally {
      isDone = true;
      await disturbing;
    }
    assertGreater(attempts, 1);
    // From the ninth on it runs alone, and what was under way by then is in its way once.
    assertLess(attempts, 11 + callers);
    assertGreater(fast, 0);
  });
}

test("one that runs alone and waits for another transaction does not wait for ever", {
  timeout: 600_000,
}, async () => {
  await using store = await HybridStore.openTemp();
  await store.transaction(async (tx) => {
    await tx.get("a");
    if (tx.attempt < 9) await store.put("a", "");
    else await store.transaction((inner) => Promise.resolve(inner.put("inner", "")));
    tx.put("b", "");
  });
  assertEquals(await store.count(), 3);
});

test("what is remembered for a long transaction is bounded, and past that it conflicts", async () => {
  await using store = await HybridStore.openTemp({ memtableBytes: 10_000 });
  let most = 0;
  const error = await assertCode(
    () =>
      store.transaction(async (tx) => {
        await tx.get("a");
        for (let i = 0; i < 1000; i++) {
          await store.put(`other ${i % 100}`, new Uint8Array(200));
          most = Math.max(most, store.stats().transactions.bytes);
        }
        tx.put("a", "");
      }, ONCE),
    "CONFLICT",
    "more was written meanwhile than is remembered",
  );
  assertEquals(error.key, undefined);
  assertGreater(most, 30_000);
  assertLess(most, 60_000);
  assertEquals(store.stats().transactions, { open: 0, bytes: 0 });
});

test("many short transactions beside a long one are remembered in few memtables", {
  timeout: 600_000,
}, async () => {
  await using store = await HybridStore.openTemp();
  const error = await disturbed(
    store,
    (tx) => tx.getMany(["before", "after"]),
    async () => {
      for (let i = 0; i < 300; i++) {
        await Promise.all(Array.from({ length: 8 }, (_, caller) =>
          store.transaction(async (tx) => {
            await tx.get(`key ${caller}`);
            tx.put(`key ${caller}`, `${i}`);
            await nextTurn();
          })));
      }
      await store.put("after", "");
    },
  );
  assertEquals(toText(error!.key!), "after");
});
