/** What every ordered store gives to its readers. */

import { Buffer } from "node:buffer";
import fc from "fast-check";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { compareBytes, type Entry, type OrderedReader, type ScanRange, toText } from "../../mod.ts";
import { Random } from "../support/random.ts";
import { assertCode, type Contract, type ContractTraits, keysOf, text } from "./_kit.ts";

/** Registers the tests of reads. */
export function testReads(contract: Contract, { hasEmptyKey, keyBytesMax }: ContractTraits): void {
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
    // Its slice() is a view.
    const buffer = Buffer.from([5, 6]);
    const putBuffer = store.put(buffer, buffer);
    buffer.fill(9);
    await putBuffer;
    assertEquals(await store.get(new Uint8Array([5, 6])), new Uint8Array([5, 6]));
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
}
