/** What every ordered store does with batches, counters, parts, and once it is closed. */

import { assertEquals, assertRejects } from "@std/assert";
import { assertCode, type Contract, keysOf, text, texts } from "./_kit.ts";

/** Registers the tests of writes. */
export function testWrites(contract: Contract): void {
  contract("a range is deleted together", async (store) => {
    for (let i = 0; i < 10; i++) await store.put(`${i}`, "");
    assertEquals(await store.deleteRange({ gte: "3", lt: "6" }), 3);
    assertEquals(await store.deleteRange({ gte: "3", lt: "6" }), 0);
    assertEquals(await store.deleteRange({ limit: 2, reverse: true }), 2);
    assertEquals(await keysOf(store.keys()), ["0", "1", "2", "6", "7"]);
    assertEquals(await store.deleteRange({}), 5);
    assertEquals(await store.count(), 0);
  });

  contract("a batch takes effect when it is committed, once", async (store) => {
    await store.put("range/1", "");
    const batch = store.batch().put("a", "1").put("a", "2").delete("b").put("range/2", "")
      .deleteRange({ prefix: "range/" }).put("range/3", "");
    batch.sub("sub/").put("x", "3");
    assertEquals(batch.size, 5);
    assertEquals(await store.has("a"), false);
    await store.put("b", "");
    await store.put("range/4", "");
    await batch.commit();
    assertEquals(texts(await Array.fromAsync(store.scan())), [
      ["a", "2"],
      ["range/3", ""],
      ["sub/x", "3"],
    ]);
    await assertCode(() => batch.commit(), "CLOSED");
    await assertCode(() => batch.put("c", ""), "CLOSED");
    await store.batch().commit();
  });

  contract("counters lose nothing, and refuse what they cannot hold", async (store) => {
    const sums = await Promise.all(
      Array.from({ length: 50 }, () => store.fetchAndAddU64("n", 2n)),
    );
    assertEquals([...sums].sort((a, b) => Number(a - b)).at(-1), 100n);
    assertEquals(new Set(sums).size, 50);
    assertEquals(await store.fetchAndAddU64("n", -1n), 99n);
    await assertRejects(() => store.fetchAndAddU64("n", -100n), RangeError);
    await assertRejects(() => store.fetchAndAddU64("n", 2n ** 64n), RangeError);
    await assertRejects(() => store.fetchAndAddU64("n", 1 as never), TypeError);
    assertEquals(await store.fetchAndAddU64("n", 0n), 99n);
    await store.put("text", "no counter");
    await assertCode(() => store.fetchAndAddU64("text", 1n), "INVALID_VALUE");
    assertEquals(await store.compareAndSwapF32("f", (current) => current + 0.5), 0.5);
    assertEquals(await store.compareAndSwapF32("f", (current) => current * 3), 1.5);
    await assertRejects(() => store.compareAndSwapF32("f", () => NaN), RangeError);
    await assertCode(() => store.compareAndSwapF32("text", () => 1), "INVALID_VALUE");
    assertEquals(await store.compareAndSwapF32("f", (current) => current), 1.5);
    // What a value is not made for is no failure of the store.
    await store.flush();
  });

  contract("a part of it has its own keys, and nests", async (store) => {
    const users = store.sub("user/");
    const emails = users.sub("email/");
    await users.put("1", "Ada");
    await users.put("", "none");
    await emails.put("ada", "1");
    await store.put("user", "below");
    assertEquals(await keysOf(store.keys()), ["user", "user/", "user/1", "user/email/ada"]);
    assertEquals(await keysOf(users.keys()), ["", "1", "email/ada"]);
    assertEquals(texts(await emails.scanPrefix("")), [["ada", "1"]]);
    assertEquals(await users.transaction(async (tx) => text(await tx.get("1"))), "Ada");
    await using snapshot = await users.snapshot();
    assertEquals(await users.deleteRange({}), 3);
    assertEquals(await snapshot.count(), 3);
    assertEquals(await keysOf(store.keys()), ["user"]);
  });

  contract("options of writes are checked", async (store) => {
    await store.put("a", "1", { durable: true });
    await store.put("b", "2", { durable: false });
    await store.batch().put("c", "3").commit({ durable: true });
    // deno-lint-ignore require-await
    await store.transaction(async (tx) => tx.put("d", "4"), { durable: true });
    for (const options of [null, 7, { durable: 1 }, { sync: true }] as never[]) {
      await assertRejects(() => store.put("x", "", options), TypeError);
      await assertRejects(async () => await store.batch().put("x", "").commit(options), TypeError);
    }
    assertEquals(await keysOf(store.keys()), ["a", "b", "c", "d"]);
  });

  contract("after it is closed, everything is refused", async (store) => {
    await store.put("a", "");
    const batch = store.batch().put("b", "");
    const snapshot = await store.snapshot();
    await store.close();
    await store.close();
    const calls: (() => unknown)[] = [
      () => store.get("a"),
      () => store.put("a", ""),
      () => store.delete("a"),
      () => store.count(),
      () => Array.fromAsync(store.scan()),
      () => store.batch(),
      () => batch.commit(),
      () => store.snapshot(),
      () => snapshot.get("a"),
      () => store.flush(),
      () => store.fetchAndAddU64("n", 1n),
      () => store.transaction(async (tx) => void await tx.get("a")),
      () => store.sub("x"),
    ];
    for (const call of calls) await assertCode(async () => await call(), "CLOSED");
  });
}
