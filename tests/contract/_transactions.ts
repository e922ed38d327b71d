/** What every ordered store promises of transactions. */

import { setTimeout as delay } from "node:timers/promises";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { type OrderedReader, toText } from "../../mod.ts";
import { Random } from "../support/random.ts";
import { assertCode, type Contract, type ContractTraits, keysOf, text, texts } from "./_kit.ts";

/** Registers the tests of transactions. */
export function testTransactions(
  contract: Contract,
  { namesConflicts }: ContractTraits,
): void {
  contract("a transaction sees its own writes, and writes all or nothing", async (store) => {
    await store.put("a", "1");
    await store.put("range/1", "");
    const result = await store.transaction(async (tx) => {
      assertEquals(tx.attempt, 1);
      tx.put("b", "2");
      tx.put("range/2", "");
      tx.delete("a");
      assertEquals([await tx.has("a"), text(await tx.get("b"))], [false, "2"]);
      assertEquals((await tx.getMany(["a", "b"])).map(text), [undefined, "2"]);
      assertEquals(await keysOf(tx.keys()), ["b", "range/1", "range/2"]);
      assertEquals(await tx.deleteRange({ prefix: "range/" }), 2);
      assertEquals(await tx.count(), 1);
      assertEquals(await tx.fetchAndAddU64("n", 3n), 3n);
      assertEquals(await tx.fetchAndAddU64("n", 3n), 6n);
      assertEquals(await tx.compareAndSwapF32("f", () => 2), 2);
      tx.sub("sub/").put("x", "3");
      assertEquals(texts(await Array.fromAsync(tx.sub("sub/").scan())), [["x", "3"]]);
      assertEquals(await store.has("b"), false);
      return "done";
    });
    assertEquals(result, "done");
    assertEquals(await keysOf(store.keys()), ["b", "f", "n", "sub/x"]);
    await assertRejects(
      () =>
        store.transaction(async (tx) => {
          tx.put("c", "");
          await Promise.reject(new Error("no"));
        }),
      Error,
      "no",
    );
    assertEquals(await store.has("c"), false);
  });

  contract("calls of a transaction take effect in their order, awaited or not", async (store) => {
    await store.put("range/1", "");
    await store.transaction(async (tx) => {
      const calls = [
        tx.fetchAndAddU64("n", 1n),
        tx.sub("n").fetchAndAddU64("/part", 1n),
        tx.fetchAndAddU64("n", 2n),
        tx.compareAndSwapF32("f", (current) => current + 1),
        tx.compareAndSwapF32("f", (current) => current * 3),
      ];
      tx.put("range/2", "");
      calls.push(tx.deleteRange({ prefix: "range/" }));
      tx.put("range/3", "");
      calls.push(tx.count({ prefix: "range/" }));
      tx.delete("n");
      calls.push(tx.fetchAndAddU64("n", 5n));
      assertEquals(await Promise.all(calls), [1n, 1n, 3n, 1, 3, 2, 1, 5n]);
      const refused = tx.fetchAndAddU64("f", 1n);
      // Nobody waits for it but the commit.
      const last = tx.fetchAndAddU64("n", 1n);
      tx.put("last", "");
      void last.catch(() => {});
      await assertCode(() => refused, "INVALID_VALUE");
    });
    assertEquals(await keysOf(store.keys()), ["f", "last", "n", "n/part", "range/3"]);
    assertEquals(await store.fetchAndAddU64("n", 0n), 6n);
  });

  contract("a transaction is run again where it would undo what others wrote", async (store) => {
    await store.put("a", "1");
    for (const kind of ["get", "scan"] as const) {
      const written = kind === "get" ? "a" : "ab";
      let attempts = 0;
      await store.transaction(async (tx) => {
        attempts = tx.attempt;
        const seen = kind === "get"
          ? text(await tx.get("a"))
          : texts(await Array.fromAsync(tx.scan({ prefix: "a" }))).join();
        if (tx.attempt === 1) await store.put(written, `${kind} changed`);
        tx.put(written, `seen ${seen}`);
      });
      assertEquals(attempts, 2);
      assert(text(await store.get(written))!.includes(`${kind} changed`));
    }
    const conflict = store.transaction(async (tx) => {
      await tx.get("a");
      await store.put("a", `${tx.attempt}`);
      tx.put("a", "mine");
      tx.put("b", "");
    }, { attempts: 2 });
    const { key } = await assertCode(() => conflict, "CONFLICT");
    assertEquals(text(key), namesConflicts ? "a" : undefined);
    assertEquals(text(await store.get("a")), "2");
    assertEquals(await store.has("b"), false);
  });

  contract("transactions are serializable: no lost update, no write skew", async (store) => {
    await store.put("x", "1");
    await store.put("y", "1");
    const takeOne = (mine: string) =>
      store.transaction(async (tx) => {
        const values = (await tx.getMany(["x", "y"])).map((value) => Number(text(value)));
        await delay(1);
        // At least one has to stay.
        if (values[0]! + values[1]! > 1) tx.put(mine, "0");
      });
    await Promise.all([takeOne("x"), takeOne("y")]);
    const left = (await store.getMany(["x", "y"])).map((value) => Number(text(value)));
    assertEquals(left[0]! + left[1]!, 1);
    const increment = () =>
      store.transaction(async (tx) => {
        const value = Number(text(await tx.get("count")) ?? "0");
        await delay(0);
        tx.put("count", `${value + 1}`);
      }, { attempts: 1000 });
    await Promise.all(Array.from({ length: 20 }, increment));
    assertEquals(text(await store.get("count")), "20");
  });

  contract("random transfers keep their sum", async (store) => {
    const seed = Math.floor(Math.random() * 2 ** 32);
    const random = new Random(seed);
    const ACCOUNTS = 5;
    for (let i = 0; i < ACCOUNTS; i++) await store.put(`account/${i}`, "100");
    const transfer = async () => {
      const [from, to, amount] = [random.below(ACCOUNTS), random.below(ACCOUNTS), random.below(20)];
      await store.transaction(async (tx) => {
        const balance = async (account: number) => Number(text(await tx.get(`account/${account}`)));
        tx.put(`account/${from}`, `${await balance(from) - amount}`);
        if (random.once(2)) await delay(random.below(3));
        tx.put(`account/${to}`, `${await balance(to) + amount}`);
      }, { attempts: 1000 });
    };
    const sum = async (reader: OrderedReader) => {
      const accounts = await reader.scanPrefix("account/");
      return accounts.reduce((sum, { value }) => sum + Number(toText(value)), 0);
    };
    await Promise.all(Array.from({ length: 4 }, async () => {
      for (let i = 0; i < 25; i++) {
        await transfer();
        await using snapshot = await store.snapshot();
        assertEquals(await sum(snapshot), 100 * ACCOUNTS, `seed ${seed}`);
      }
    }));
    assertEquals(await sum(store), 100 * ACCOUNTS, `seed ${seed}`);
  });

  contract("a signal ends a transaction, with nothing written", async (store) => {
    const stop = new AbortController();
    const reason = new Error("stop");
    const running = store.transaction(async (tx) => {
      tx.put("a", "");
      await new Promise(() => setTimeout(() => stop.abort(reason), 5));
    }, { signal: stop.signal });
    await assertRejects(() => running, Error, "stop");
    assertEquals(await store.has("a"), false);
    await assertRejects(() => store.transaction(7 as never), TypeError);
    await assertRejects(() => store.transaction(async () => {}, { attempts: 0 }), RangeError);
  });
}
