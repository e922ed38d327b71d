/** What every ordered store does, whatever it is made of. A store joins by a function that makes an empty one. */

import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { assert, assertEquals, assertRejects } from "@std/assert";
import fc from "fast-check";
import {
  compareBytes,
  type Entry,
  MAX_KEY_BYTES,
  type OrderedReader,
  type OrderedStore,
  type ScanRange,
  StoreError,
  toText,
} from "../../mod.ts";
import { Random } from "../support/random.ts";

const TIMEOUT = { timeout: 600_000 };

/** What a store differs in from others. */
export interface ContractTraits {
  /** Whether the empty key is one. */
  readonly hasEmptyKey?: boolean;
  /** Bytes of the longest key. */
  readonly keyBytesMax?: number;
}

/** Makes an empty store. What it returns is closed by the suite. */
export type MakeStore = () => Promise<OrderedStore>;

const text = (value: Uint8Array | undefined) => value && toText(value);
const texts = (entries: Iterable<Entry>) =>
  Array.from(entries, ({ key, value }) => [toText(key), toText(value)]);
const keysOf = async (keys: AsyncIterable<Uint8Array>) =>
  (await Array.fromAsync(keys)).map((key) => toText(key));

async function assertCode(call: () => unknown, code: string): Promise<StoreError> {
  const error = await assertRejects(async () => await call(), StoreError);
  assertEquals(error.code, code, error.message);
  return error;
}

/** Registers the tests of a store.
 *
 * @param name What the tests call it.
 */
export function contractSuite(name: string, make: MakeStore, traits: ContractTraits = {}): void {
  const { hasEmptyKey = false, keyBytesMax = MAX_KEY_BYTES } = traits;
  const contract = (what: string, run: (store: OrderedStore) => Promise<void>) => {
    test(`${name}: ${what}`, TIMEOUT, async () => {
      await using store = await make();
      await run(store);
    });
  };

  contract("what was put is read, until it is deleted", async (store) => {
    assertEquals(await store.get("a"), undefined);
    assertEquals(await store.has("a"), false);
    await store.put("a", "1");
    await store.put(new Uint8Array([0xff, 0]), new Uint8Array([0, 1, 0xff]));
    await store.put("empty", "");
    assertEquals(text(await store.get("a")), "1");
    assertEquals(await store.get(new Uint8Array([0xff, 0])), new Uint8Array([0, 1, 0xff]));
    assertEquals(await store.get("empty"), new Uint8Array(0));
    assertEquals([await store.has("a"), await store.has("b")], [true, false]);
    await store.put("a", "2");
    assertEquals((await store.getMany(["b", "a", "empty", "a"])).map(text), [
      undefined,
      "2",
      "",
      "2",
    ]);
    await store.delete("a");
    await store.delete("none");
    assertEquals(await store.get("a"), undefined);
    assertEquals(await store.count(), 2);
    await store.flush();
  });

  contract("calls take effect in their order, awaited or not", async (store) => {
    const calls = [
      store.put("k", "1"),
      store.get("k"),
      store.put("k", "2"),
      store.get("k"),
      store.delete("k"),
      store.has("k"),
      store.fetchAndAddU64("n", 1n),
      store.fetchAndAddU64("n", 2n),
    ];
    const [, first, , second, , has, , sum] = await Promise.all(calls);
    assertEquals([text(first as Uint8Array), text(second as Uint8Array)], ["1", "2"]);
    assertEquals([has, sum], [false, 3n]);
  });

  contract("keys and values are copied, both ways", async (store) => {
    const key = new Uint8Array([1, 2]);
    const value = new Uint8Array([3, 4]);
    const put = store.put(key, value);
    key.fill(9);
    value.fill(9);
    await put;
    const found = (await store.get(new Uint8Array([1, 2])))!;
    assertEquals(found, new Uint8Array([3, 4]));
    found.fill(9);
    const [entry] = await store.scanPrefix("");
    entry!.key.fill(9);
    entry!.value.fill(9);
    assertEquals(await store.get(new Uint8Array([1, 2])), new Uint8Array([3, 4]));
  });

  contract("a string stands for its UTF-8", async (store) => {
    await store.put("ü𝄞", "é");
    const bytes = new TextEncoder();
    assertEquals(await store.get(bytes.encode("ü𝄞")), bytes.encode("é"));
    await assertRejects(() => store.put("\ud800", ""), TypeError);
    await assertRejects(() => store.put("a", "\ud800"), TypeError);
  });

  contract(
    "keys have their limits, and nothing else changes where they are exceeded",
    async (store) => {
      const longest = new Uint8Array(keyBytesMax).fill(0xff);
      await store.put(longest, "1");
      await store.put(new Uint8Array([0]), "2");
      const tooLong = new Uint8Array(keyBytesMax + 1);
      const wrong = hasEmptyKey ? [tooLong] : [tooLong, new Uint8Array(0)];
      for (const key of wrong) {
        await assertRejects(() => store.put(key, ""), RangeError);
        await assertRejects(() => store.get(key), RangeError);
        await assertRejects(() => store.delete(key), RangeError);
        await assertRejects(() => store.getMany([key]), RangeError);
        await assertRejects(() => store.fetchAndAddU64(key, 1n), RangeError);
        await assertRejects(async () => await store.batch().put(key, "").commit(), RangeError);
        await assertRejects(
          // deno-lint-ignore require-await
          () => store.transaction(async (tx) => tx.put(key, "")),
          RangeError,
        );
      }
      for (const key of [undefined, null, 7, ["a"], new ArrayBuffer(1)] as never[]) {
        await assertRejects(() => store.put(key, ""), TypeError);
        await assertRejects(() => store.put("a", key), TypeError);
        await assertRejects(() => store.get(key), TypeError);
      }
      assertEquals(await store.count(), 2);
      assertEquals(text(await store.get(longest)), "1");
      if (!hasEmptyKey) return;
      await store.put("", "empty");
      assertEquals(text(await store.get("")), "empty");
    },
  );

  contract("large values are kept whole", async (store) => {
    const random = new Random(7);
    const value = random.bytes(3_000_000);
    await store.put("large", value);
    await store.put("large too", value.subarray(1));
    assertEquals(await store.get("large"), value);
    const entries = await Array.fromAsync(store.scan());
    assertEquals(entries.map(({ value }) => value.length), [3_000_000, 2_999_999]);
  });

  contract("scans give any range in order, as a sorted list does", async (store) => {
    const someKey = fc.array(fc.constantFrom(0, 1, 0x61, 0xff), { minLength: 1, maxLength: 3 })
      .map((values) => Uint8Array.from(values));
    const bound = fc.option(
      fc.array(fc.constantFrom(0, 1, 0x61, 0xff), { maxLength: 4 }).map((values) =>
        Uint8Array.from(values)
      ),
      { nil: undefined },
    );
    const someRange = fc.record({
      prefix: bound,
      gt: bound,
      gte: bound,
      lt: bound,
      lte: bound,
      reverse: fc.boolean(),
      limit: fc.constantFrom(0, 1, 2, 7, Infinity),
    });
    const model = new Map<string, Entry>();
    await fc.assert(
      fc.asyncProperty(someKey, fc.boolean(), someRange, async (key, isDeletion, range) => {
        const name = String.fromCharCode(...key);
        if (isDeletion) {
          await store.delete(key);
          model.delete(name);
        } else {
          const value = Uint8Array.from(key.toReversed());
          await store.put(key, value);
          model.set(name, { key, value });
        }
        const { prefix, gt, gte, lt, lte, reverse, limit } = range;
        const expected = [...model.values()]
          .filter(({ key }) =>
            (prefix === undefined || compareBytes(key.subarray(0, prefix.length), prefix) === 0) &&
            (gt === undefined || compareBytes(key, gt) > 0) &&
            (gte === undefined || compareBytes(key, gte) >= 0) &&
            (lt === undefined || compareBytes(key, lt) < 0) &&
            (lte === undefined || compareBytes(key, lte) <= 0)
          )
          .sort((a, b) => reverse ? compareBytes(b.key, a.key) : compareBytes(a.key, b.key))
          .slice(0, limit);
        const given = range as ScanRange;
        assertEquals(await Array.fromAsync(store.scan(given)), expected);
        assertEquals(await Array.fromAsync(store.keys(given)), expected.map(({ key }) => key));
        assertEquals(await store.count(given), expected.length);
        const pages = await Array.fromAsync(store.scanPages(given, { rows: 2 }));
        assertEquals(pages.flat(), expected);
        assert(pages.every(({ length }) => length > 0 && length <= 2));
      }),
      { numRuns: 150 },
    );
  });

  contract("a scan goes over more keys than a page holds, and can be left", async (store) => {
    const batch = store.batch();
    for (let i = 0; i < 5000; i++) batch.put(`key ${String(i).padStart(5, "0")}`, `${i}`);
    await batch.commit();
    let count = 0;
    for await (const { value } of store.scan()) assertEquals(toText(value), `${count++}`);
    assertEquals(count, 5000);
    for await (const { value } of store.scan({ reverse: true })) {
      assertEquals(toText(value), "4999");
      break;
    }
    assertEquals((await store.scanPrefix("key 0123")).length, 10);
    assertEquals(await store.count({ prefix: "key 01" }), 1000);
    const stop = new AbortController();
    await assertRejects(
      async () => {
        for await (const _ of store.scan({ signal: stop.signal })) stop.abort(new Error("enough"));
      },
      Error,
      "enough",
    );
  });

  contract("ranges that are not valid are refused", async (store) => {
    const wrong = [null, "a", ["a"], { from: "a" }, { limit: -1 }, { limit: 1.5 }, { reverse: 1 }, {
      gt: 7,
    }];
    for (const range of wrong as never[]) {
      await assertRejects(async () => await Array.fromAsync(store.scan(range)));
      await assertRejects(async () => await store.count(range));
      await assertRejects(async () => await store.deleteRange(range));
    }
    await assertRejects(() => store.deleteRange(undefined as never), TypeError);
    await assertRejects(() => store.deleteRange({ prefix: undefined } as never), TypeError);
  });

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
  });

  contract("a snapshot shows one moment", async (store) => {
    for (let i = 0; i < 100; i++) await store.put(`${i}`, "before");
    const snapshot = await store.snapshot();
    await store.deleteRange({ prefix: "1" });
    for (let i = 0; i < 100; i++) await store.put(`${i}`, "after");
    await store.put("new", "");
    const shows = async (reader: OrderedReader) => {
      const values = new Set<string>();
      for await (const { value } of reader.scan()) values.add(toText(value));
      return [...values, await reader.count()];
    };
    assertEquals(await shows(snapshot), ["before", 100]);
    assertEquals(text(await snapshot.get("1")), "before");
    assertEquals(await snapshot.has("new"), false);
    assertEquals((await snapshot.getMany(["2", "new"])).map(text), ["before", undefined]);
    assertEquals((await snapshot.scanPrefix("9")).length, 11);
    assertEquals((await keysOf(snapshot.keys({ limit: 2 }))).length, 2);
    assertEquals(await shows(store), ["after", "", 101]);
    await snapshot.close();
    await snapshot.close();
    await assertCode(() => snapshot.get("1"), "CLOSED");
    await using another = await store.snapshot();
    assertEquals(await another.count(), 101);
  });

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

  contract("a transaction whose reads were written by others is run again", async (store) => {
    await store.put("a", "1");
    for (const kind of ["get", "scan"] as const) {
      let attempts = 0;
      await store.transaction(async (tx) => {
        attempts = tx.attempt;
        const seen = kind === "get"
          ? text(await tx.get("a"))
          : texts(await Array.fromAsync(tx.scan({ prefix: "a" }))).join();
        if (tx.attempt === 1) await store.put(kind === "get" ? "a" : "ab", `${kind} changed`);
        tx.put(`seen/${kind}`, `${seen}`);
      });
      assertEquals(attempts, 2);
      assert(text(await store.get(`seen/${kind}`))!.includes(`${kind} changed`));
    }
    const conflict = store.transaction(async (tx) => {
      await tx.get("a");
      await store.put("a", `${tx.attempt}`);
      tx.put("b", "");
    }, { attempts: 2 });
    const { key } = await assertCode(() => conflict, "CONFLICT");
    assertEquals(text(key), "a");
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
