import { test } from "node:test";
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { setTimeout as sleep } from "node:timers/promises";
import { HybridStore } from "../../store/hybrid_store.ts";
import { type Kv, type KvEntryMaybe, type KvTransaction, KvU64, openKv } from "../../kv/mod.ts";
import { Stamps } from "../../kv/stamps.ts";
import { withClock } from "./_clock.ts";

const ZEROS = "0".repeat(20);

async function valuesOf(entries: AsyncIterable<{ key: readonly unknown[]; value: unknown }>) {
  const found: [string, unknown][] = [];
  for await (const { key, value } of entries) found.push([key.join("/"), value]);
  return found;
}

test("a transaction sees its own writes, and all of them get one versionstamp", async () => {
  await using kv = await openKv(":memory:");
  const before = await kv.set(["a"], 1);
  await kv.set(["n"], new KvU64(5n));
  let kept: KvTransaction | undefined;
  const result = await kv.transaction(async (tx) => {
    kept = tx;
    assertEquals((await tx.get(["a"])).versionstamp, before.versionstamp);
    tx.set(["a"], 2).set(["b"], { c: new Date(5) }).set(["gone"], 1).delete(["gone"]);
    assertEquals(await tx.get(["a"]), { key: ["a"], value: 2, versionstamp: ZEROS });
    assertEquals(await tx.sum(["n"], 2n ** 64n - 1n), 4n);
    assertEquals(await tx.max(["n"], 9n), 9n);
    assertEquals(await tx.min(["n"], 3n), 3n);
    assertEquals(await tx.sum(["new"], 8n), 8n);
    const found = await tx.getMany<[number, string]>([["a"], ["gone"]]);
    assertEquals(found.map(({ value }) => value), [2, null]);
    assertEquals(await tx.count({ prefix: [] }), 4);
    assertEquals(await valuesOf(tx.list({ prefix: [] }, { limit: 2 })), [
      ["a", 2],
      ["b", { c: new Date(5) }],
    ]);
    assertEquals(
      await valuesOf(tx.list({ prefix: [] }, { reverse: true, limit: 1, keysOnly: true })),
      [
        ["new", undefined],
      ],
    );
    assertEquals(tx.versionstamp, undefined);
    return "done";
  });
  assertEquals(result, "done");
  const entries: KvEntryMaybe<unknown>[] = await kv.getMany([["a"], ["b"], ["n"], ["new"], [
    "gone",
  ]]);
  assertEquals(entries.map(({ value }) => value instanceof KvU64 ? value.value : value), [
    2,
    { c: new Date(5) },
    3n,
    8n,
    null,
  ]);
  const [stamp] = new Set(entries.slice(0, 4).map(({ versionstamp }) => versionstamp));
  assertEquals(entries.slice(0, 4).every(({ versionstamp }) => versionstamp === stamp), true);
  assertEquals(stamp! > before.versionstamp && stamp === kept!.versionstamp, true);
  // What came after it comes after it.
  assertEquals((await kv.set(["c"], 1)).versionstamp > stamp!, true);
  await assertRejects(() => kept!.get(["a"]), Error, "transaction");
});

test("a transaction that throws leaves nothing behind, and one that only reads has no versionstamp", async () => {
  await using kv = await openKv(":memory:");
  await assertRejects(
    () =>
      kv.transaction(async (tx) => {
        tx.set(["a"], 1).enqueue("x").set(["e", kv.commitVersionstamp()], 1);
        await tx.sum(["n"], 1n);
        throw new Error("no");
      }),
    Error,
    "no",
  );
  assertEquals(await kv.count({ prefix: [] }), 0);
  let kept: KvTransaction | undefined;
  await kv.transaction(async (tx) => {
    kept = tx;
    await tx.get(["a"]);
  });
  assertEquals(kept!.versionstamp, undefined);
});

test("of transactions in each other's way one runs again, and sums are right", async () => {
  await using kv = await openKv(":memory:");
  let attempts = 0;
  await Promise.all(Array.from({ length: 20 }, () =>
    kv.transaction(async (tx) => {
      attempts++;
      const { value } = await tx.get<number>(["n"]);
      await sleep(1);
      tx.set(["n"], (value ?? 0) + 1);
      let sum = 0;
      for await (const entry of tx.list<number>({ prefix: ["list"] })) sum += entry.value;
      tx.set(["list", await tx.count({ prefix: ["list"] })], sum + 1);
    }, { attempts: 100 })));
  assertEquals((await kv.get(["n"])).value, 20);
  const list = (await valuesOf(kv.list({ prefix: ["list"] }))).map(([, value]) => value);
  assertEquals(list, Array.from({ length: 20 }, (_, i) => 2 ** i));
  assertEquals(attempts > 20, true);
  const error = await assertRejects(() =>
    kv.transaction(async (tx) => {
      await tx.get(["n"]);
      await kv.set(["n"], 0);
      tx.set(["other"], 1);
    }, { attempts: 2 })
  );
  assertEquals((error as { code?: string }).code, "CONFLICT");
});

test("versionstamps grow in the order of the commits, with transactions among them", async () => {
  await withClock(async (clock) => {
    await using kv = await openKv(":memory:");
    const order: string[] = [];
    const watching = (async () => {
      for await (const [entry] of kv.watch([["last"]])) {
        if (entry.versionstamp === null) continue;
        order.push(entry.versionstamp);
        if (entry.value === "end") return;
      }
    })();
    const work = async (i: number) => {
      for (let n = 0; n < 20; n++) {
        clock.now += 3000;
        if (i % 2) await kv.set(["last"], i);
        else await kv.transaction(async (tx) => void await Promise.resolve(tx.set(["last"], i)));
      }
    };
    await Promise.all(Array.from({ length: 6 }, (_, i) => work(i)));
    await kv.set(["last"], "end");
    await watching;
    assertEquals(order, [...new Set(order)].sort());
    assertEquals(order.length > 10, true);
  });
});

test("expiry, messages and keys with the versionstamp, in a transaction", async () => {
  await withClock(async (clock) => {
    await using store = await HybridStore.openMemory();
    await using kv = await openKv(store);
    await kv.set(["old"], 1, { expireIn: 100 });
    clock.now += 100;
    const kept = await kv.transaction(async (tx) => {
      assertEquals((await tx.get(["old"])).value, null);
      assertEquals(await tx.count({ prefix: [] }), 0);
      tx.set(["short"], 1, { expireIn: 50 }).set(["log", kv.commitVersionstamp()], "a", {
        expireIn: 70,
      });
      tx.set(["log", kv.commitVersionstamp()], "b", { expireIn: 70 }).enqueue(1).enqueue(2);
      assertEquals(await tx.count({ prefix: ["log"] }), 0);
      return tx;
    });
    assertEquals(await valuesOf(kv.list({ prefix: ["log"] })), [[`log/${kept.versionstamp}`, "b"]]);
    assertEquals((await kv.get(["short"])).value, 1);
    clock.now += 60;
    assertEquals((await kv.get(["short"])).value, null);
    assertEquals(await kv.count({ prefix: ["log"] }), 1);
    clock.now += 60;
    assertEquals(await kv.count({ prefix: ["log"] }), 0);
    const found: unknown[] = [];
    const listener = await openKv(store);
    await listener.listenQueue((value) => {
      if (found.push(value) === 2) void listener.close();
    });
    assertEquals(found, [1, 2]);
  });
});

test("deleteRange() of a transaction takes its own sets along", async () => {
  await using kv = await openKv(":memory:");
  for (let i = 0; i < 5; i++) await kv.set(["a", i], i);
  const count = await kv.transaction(async (tx) => {
    tx.set(["a", 9], 9).set(["b"], 1);
    const count = await tx.deleteRange({ prefix: ["a"], start: ["a", 2] });
    tx.set(["a", 3], "again");
    assertEquals(await tx.deleteRange({ start: ["z"], end: ["z"] }), 0);
    return count;
  });
  assertEquals(count, 4);
  assertEquals(await valuesOf(kv.list({ prefix: [] })), [["a/0", 0], ["a/1", 1], ["a/3", "again"], [
    "b",
    1,
  ]]);
});

test("calls of a transaction that are not awaited take effect in their order", async () => {
  await using kv = await openKv(":memory:");
  await kv.transaction(async (tx) => {
    const sums = [tx.sum(["n"], 1n), tx.sum(["n"], 2n), tx.max(["n"], 2n), tx.min(["n"], 9n)];
    const overwritten = tx.sum(["m"], 1n);
    tx.set(["m"], new KvU64(10n));
    assertEquals(await Promise.all(sums), [1n, 3n, 3n, 3n]);
    assertEquals(await overwritten, 1n);
  });
  const counters = await kv.getMany<[KvU64, KvU64]>([["n"], ["m"]]);
  assertEquals(counters.map(({ value }) => value?.value), [3n, 10n]);

  for (let pauses = 0; pauses < 20; pauses++) {
    await kv.set(["a", 0], 0);
    await kv.set(["a", 1], 1);
    await kv.transaction(async (tx) => {
      const deleting = tx.deleteRange({ prefix: ["a"] });
      for (let i = 0; i < pauses; i++) await null;
      tx.set(["a", 1], pauses);
      assertEquals(await deleting, 2);
    });
    const [gone, set] = await kv.getMany([["a", 0], ["a", 1]]);
    assertEquals([gone.value, set.value], [null, pauses]);
    assertEquals(set.versionstamp! > counters[0].versionstamp!, true);
  }
});

test("an entry that a transaction has read and that a sum of others changes is a conflict", async () => {
  await using kv = await openKv(":memory:");
  let attempts = 0;
  await kv.transaction(async (tx) => {
    attempts++;
    await tx.sum(["n"], 1n);
    if (tx.attempt === 1) await kv.atomic().sum(["n"], 10n).commit();
  });
  assertEquals([attempts, (await kv.get<KvU64>(["n"])).value?.value], [2, 11n]);
});

test("a listing of a transaction ends with its limit, which is checked", async () => {
  await using kv = await openKv(":memory:");
  for (let i = 0; i < 5; i++) await kv.set(["a", i], i);
  await kv.transaction(async (tx) => {
    const some = await Array.fromAsync(tx.list({ prefix: ["a"] }, { limit: 3, reverse: true }));
    assertEquals(some.map(({ value }) => value), [4, 3, 2]);
    assertEquals((await Array.fromAsync(tx.list({ prefix: ["a"] }))).length, 5);
    for (const limit of [0, -1, 1.5]) {
      const all = Array.fromAsync(tx.list({ prefix: ["a"] }, { limit }));
      await assertRejects(() => all, Error, "Limit must be a positive integer");
    }
  });
});

test("what a transaction refuses", async () => {
  const kv: Kv = await openKv(":memory:");
  await assertRejects(() => kv.transaction(5 as never), TypeError, "not a function");
  await assertRejects(
    () => kv.transaction(async () => {}, { attempts: 0 }),
    RangeError,
    "attempts",
  );
  await kv.set(["text"], "a");
  await kv.transaction(async (tx) => {
    assertThrows(() => tx.set(["a"], () => {}), TypeError, "could not be cloned");
    assertThrows(() => tx.set([], 1), TypeError);
    assertThrows(() => tx.set(["a"], 1, { expireIn: -1 }), TypeError, "expireIn");
    await assertRejects(() => tx.sum(["text"], 1n), TypeError, "non-U64");
    await assertRejects(() => tx.count({} as never), TypeError, "Selector");
    tx.set(["kept"], 1);
  });
  assertEquals((await kv.get(["kept"])).value, 1);
  await assertRejects(
    () =>
      kv.transaction(async (tx) => {
        await kv.close();
        tx.set(["a"], 1);
      }),
    Error,
    "Bad resource ID",
  );
  await assertRejects(() => kv.transaction(async () => {}), Error, "Bad resource ID");
});

test("a transaction that finds no versionstamp left runs again with new ones", async () => {
  await using kv = await openKv(":memory:");
  const { next } = Stamps.prototype;
  let attempts = 0;
  try {
    await kv.transaction(async (tx) => {
      tx.set(["a"], await tx.sum(["n"], 1n)).enqueue("x");
      Stamps.prototype.next = ++attempts < 3 ? () => undefined : next;
    });
  } finally {
    Stamps.prototype.next = next;
  }
  assertEquals([attempts, (await kv.get(["a"])).value], [3, 1n]);
});
