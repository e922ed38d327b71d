import { Buffer } from "node:buffer";
import { test } from "node:test";
import { assertEquals, assertNotStrictEquals } from "@std/assert";
import { type Entry, HybridStore } from "../../../mod.ts";
import { appendKey, btreeKey, bytes } from "../_support.ts";

/** A key of each side, by the side's name. */
const SIDES: [string, (number: number) => Uint8Array][] = [
  ["append", appendKey],
  ["B-tree", btreeKey],
];

for (const [side, keyOf] of SIDES) {
  test(`HybridStore.put() copies key and value before it returns, on the ${side} side`, async () => {
    await using store = await HybridStore.openTemp();
    const key = keyOf(1);
    const value = bytes("value");
    const put = store.put(key, value);
    key.fill(0xff);
    value.fill(0xff);
    assertEquals(store.getSync(keyOf(1)), bytes("value"));
    await put;
    await store.checkpoint();
    assertEquals(store.getSync(keyOf(1)), bytes("value"));
    assertEquals(await store.count(), 1);
  });

  test(`what a read returns belongs to the caller, on the ${side} side`, async () => {
    await using store = await HybridStore.openTemp();
    await store.put(keyOf(1), bytes("value"));
    const expected: Entry[] = [{ key: keyOf(1), value: bytes("value") }];
    for (const _ of ["from the memtable", "from the engine", "from the cache"]) {
      await using snapshot = await store.snapshot();
      const found: (Uint8Array | undefined)[] = [
        store.getSync(keyOf(1)),
        await store.get(keyOf(1)),
        ...await store.getMany([keyOf(1)]),
        snapshot.getSync(keyOf(1)),
        await store.transact((tx) => tx.get(keyOf(1))),
      ];
      for (
        const entries of [store.scanSync(), snapshot.scanSync(), await store.scanPrefix(keyOf(1))]
      ) {
        for (const { key, value } of entries) found.push(key, value);
      }
      found.push(...await Array.fromAsync(store.keys()));
      assertEquals(found.length, 12);
      for (const bytes of found) bytes!.fill(0xff);

      assertEquals(store.getSync(keyOf(1)), bytes("value"));
      assertEquals(snapshot.getSync(keyOf(1)), bytes("value"));
      assertEquals([...store.scanSync()], expected);
      await store.checkpoint();
    }
  });

  test(`plain Uint8Arrays come out, each with a buffer of its own, on the ${side} side`, async () => {
    await using store = await HybridStore.openTemp();
    await store.put(Buffer.from(keyOf(1)), Buffer.from("value"));
    for (const _ of ["from the memtable", "from the engine", "from the cache"]) {
      const [entry] = [...store.scanSync()];
      for (const found of [store.getSync(keyOf(1))!, entry!.key, entry!.value]) {
        assertEquals(Object.getPrototypeOf(found), Uint8Array.prototype);
        assertEquals([found.byteOffset, found.buffer.byteLength], [0, found.length]);
      }
      assertNotStrictEquals(store.getSync(keyOf(1)), store.getSync(keyOf(1)));
      await store.checkpoint();
    }
  });

  test(`Buffers and views into larger buffers are taken as their bytes, on the ${side} side`, async () => {
    await using store = await HybridStore.openTemp();
    // What lies around a view must not be taken for a part of it.
    const around = (inner: Uint8Array) => {
      const outer = new Uint8Array(inner.length + 20).fill(0x7a);
      outer.set(inner, 11);
      return outer.subarray(11, 11 + inner.length);
    };
    await store.put(Buffer.from(keyOf(1)), Buffer.from("one"));
    await store.put(around(keyOf(2)), around(bytes("two")));
    await store.batch().put(around(keyOf(3)), around(bytes("three"))).commit();
    await store.transact((tx) => tx.put(Buffer.from(keyOf(4)), Buffer.from("four")));
    const expected = ["one", "two", "three", "four"].map(bytes);
    for (const _ of ["from the memtable", "from the engine", "from the cache"]) {
      for (const [index, value] of expected.entries()) {
        const key = keyOf(index + 1);
        assertEquals(store.getSync(key), value);
        assertEquals(store.getSync(Buffer.from(key)), value);
        assertEquals(store.getSync(around(key)), value);
        assertEquals(store.hasSync(around(key)), true);
      }
      const range = { gte: around(keyOf(2)), lte: Buffer.from(keyOf(3)) };
      assertEquals([...store.scanSync(range)].map(({ value }) => value), expected.slice(1, 3));
      assertEquals((await store.scanPrefix(Buffer.from(keyOf(4)))).length, 1);
      await store.checkpoint();
    }
    await store.delete(Buffer.from(keyOf(1)));
    await store.delete(around(keyOf(2)));
    assertEquals(await store.deleteRange({ prefix: around(keyOf(3)) }), 1);
    assertEquals(await store.count(), 1);
  });

  test(`keys and values in shared memory are copied as they are then, on the ${side} side`, async () => {
    await using store = await HybridStore.openTemp();
    const share = (inner: Uint8Array) => {
      const shared = new Uint8Array(new SharedArrayBuffer(inner.length));
      shared.set(inner);
      return shared;
    };
    const key = share(keyOf(1));
    const value = share(bytes("value"));
    const put = store.put(key, value);
    value.fill(0xff);
    await put;
    for (const _ of ["from the memtable", "from the engine", "from the cache"]) {
      assertEquals(store.getSync(key), bytes("value"));
      assertEquals(store.hasSync(key), true);
      assertEquals([...store.scanSync({ prefix: key, lte: key })].length, 1);
      await store.checkpoint();
    }
    await store.batch().delete(key).commit();
    assertEquals(await store.count(), 0);
  });
}

test("a batch copies what it is given", async () => {
  await using store = await HybridStore.openTemp();
  const key = appendKey(1);
  const value = bytes("value");
  const batch = store.batch();
  for (let i = 0; i < 3; i++) {
    key.set(appendKey(i));
    value[0] = 0x30 + i;
    batch.put(key, value);
  }
  value.fill(0xff);
  await batch.commit();
  const values = [...store.scanSync()].map((entry) => entry.value);
  assertEquals(values, ["0alue", "1alue", "2alue"].map(bytes));
});

test("a scan copies its bounds", async () => {
  await using store = await HybridStore.openTemp();
  for (let i = 0; i < 10; i++) await store.put(appendKey(i), bytes(`${i}`));
  const expected = { gt: "456789", gte: "3456789", lt: "012", lte: "0123", prefix: "3" };
  for (const [name, values] of Object.entries(expected)) {
    const bound = appendKey(3);
    const [scan, scanSync] = [store.scan({ [name]: bound }), store.scanSync({ [name]: bound })];
    bound.fill(0x20);
    const decode = ({ value }: Entry) => new TextDecoder().decode(value);
    assertEquals(Array.from(scanSync, decode).join(""), values);
    assertEquals((await Array.fromAsync(scan, decode)).join(""), values);
  }
});

for (const reverse of [false, true]) {
  test(`writing over a key that a scan gave does not derail the scan, reverse ${reverse}`, async () => {
    await using store = await HybridStore.openTemp();
    const batch = store.batch();
    for (let i = 0; i < 1000; i++) batch.put(appendKey(i), bytes(`${i}`));
    await batch.commit();
    for (const _ of ["from the memtable", "from the engine"]) {
      const values: Uint8Array[] = [];
      for (const { key, value } of store.scanSync({ reverse })) {
        values.push(value);
        key.fill(reverse ? 0xff : 0);
      }
      const expected = Array.from({ length: 1000 }, (_, i) => bytes(`${reverse ? 999 - i : i}`));
      assertEquals(values, expected);
      let keys = 0;
      for await (const key of store.keys({ reverse })) {
        keys++;
        key.fill(reverse ? 0xff : 0);
      }
      assertEquals(keys, 1000);
      await store.checkpoint();
    }
  });
}
