import { existsSync } from "node:fs";
import { test } from "node:test";
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  type Batch,
  HybridStore,
  type Snapshot,
  type Synchronous,
  type Transaction,
} from "../../../mod.ts";
import { appendKey, btreeKey, bytes } from "../_support.ts";
import { assertCode } from "../../support/assert.ts";

const VALUE = bytes("1");
const KEY = appendKey(1);

type Call = (store: HybridStore, batch: Batch) => Promise<unknown>;

/** Everything that writes, or ends the group that was read from. */
const REFUSED: [what: string, call: Call][] = [
  ["Cannot put key", (store) => store.put(KEY, VALUE)],
  ["Cannot delete key", (store) => store.delete(KEY)],
  ["Cannot commit batch", (_store, batch) => batch.commit()],
  ["Cannot run transaction", (store) => store.transact((tx) => tx.put(KEY, VALUE))],
  [
    "Cannot run transaction",
    (store) => store.transaction((tx) => Promise.resolve(tx.put(KEY, VALUE))),
  ],
  ["Cannot add to counter", (store) => store.fetchAndAddU64(KEY, 10n)],
  ["Cannot update number", (store) => store.compareAndSwapF32(btreeKey(1), () => 7)],
  ["Cannot delete range", (store) => store.deleteRange({})],
  ["Cannot take snapshot", (store) => store.snapshot()],
  ["Cannot flush", (store) => store.flush()],
  ["Cannot checkpoint", (store) => store.checkpoint()],
  ["Cannot back up store", (store) => store.backup(`${store.path}-copy`)],
  ["Cannot verify store", (store) => store.verify()],
];

const WITHIN: [name: string, run: (store: HybridStore, body: () => void) => Promise<unknown>][] = [
  ["the function of transact", (store, body) =>
    store.transact((tx) => {
      tx.fetchAndAddU64(KEY, 1n);
      body();
    })],
  [
    "the update function of compareAndSwapF32",
    (store, body) =>
      store.compareAndSwapF32(btreeKey(1), (current) => {
        body();
        return current + 1;
      }),
  ],
];

for (const [name, run] of WITHIN) {
  test(`while ${name} runs, the store's writes are refused`, async () => {
    await using store = await HybridStore.openTemp();
    const batch = store.batch().put(appendKey(2), VALUE);
    await store.fetchAndAddU64(KEY, 1n);
    const before = store.stats().groups;
    const calls: Promise<unknown>[] = [];
    const running = run(store, () => {
      for (const [, call] of REFUSED) calls.push(call(store, batch));
    });
    for (const [index, [what]] of REFUSED.entries()) {
      const message = `${what}: ${name} is running; `;
      await assertRejects(() => calls[index]!, TypeError, message);
    }
    await running;
    assertEquals(store.stats().groups, before + 1);
    assertEquals(existsSync(`${store.path}-copy`), false);
    const isTransaction = name.endsWith("transact");
    assertEquals(await store.fetchAndAddU64(KEY, 0n), isTransaction ? 2n : 1n);
    assertEquals(await store.compareAndSwapF32(btreeKey(1), (n) => n), isTransaction ? 0 : 1);

    // Everything works again, the batch that was refused included.
    await batch.commit();
    await store.put(appendKey(3), VALUE);
    await using _snapshot: Snapshot = await store.snapshot();
    assertEquals(store.hasSync(appendKey(2)), true);
  });

  test(`while ${name} runs, the store can be read`, async () => {
    await using store = await HybridStore.openTemp();
    await store.put(appendKey(2), VALUE);
    const reads: Promise<unknown>[] = [];
    const found: unknown[] = [];
    await run(store, () => {
      found.push(store.getSync(appendKey(2)), store.hasSync(appendKey(2)));
      found.push([...store.scanSync({ prefix: appendKey(2) })].length);
      found.push(store.routeOf(KEY), store.stats().groups, store.batch().size);
      reads.push(store.get(appendKey(2)), store.has(KEY), store.getMany([appendKey(2)]));
      reads.push(store.scanPrefix(appendKey(2)).then((entries) => entries.length));
      reads.push(store.count({ prefix: appendKey(2) }));
    });
    assertEquals(found, [VALUE, true, 1, "append", 1, 0]);
    assertEquals(await Promise.all(reads), [VALUE, false, [VALUE], 1, 1]);
  });

  test(`when ${name} has thrown, the store takes writes`, async () => {
    await using store = await HybridStore.openTemp();
    const own = new Error("enough");
    const failing = run(store, () => {
      throw own;
    });
    assertEquals(await failing.catch((error) => error), own);
    await store.put(KEY, VALUE);
    assertEquals(await store.get(KEY), VALUE);
  });

  test(`when ${name} closes the store, its write is refused`, async () => {
    const store = await HybridStore.openTemp();
    let closing: Promise<void> | undefined;
    await assertCode(() => run(store, () => closing = store.close()), "CLOSED");
    await closing;
  });
}

test("while an update function runs, its transaction takes no writes", async () => {
  await using store = await HybridStore.openTemp();
  const writes: ((tx: Transaction) => unknown)[] = [
    (tx) => tx.put(btreeKey(1), VALUE),
    (tx) => tx.delete(btreeKey(1)),
    (tx) => tx.fetchAndAddU64(KEY, 1n),
    (tx) => tx.compareAndSwapF32(btreeKey(1), () => 7),
  ];
  const result = await store.transact((tx) => {
    tx.put(appendKey(2), VALUE);
    return tx.compareAndSwapF32(btreeKey(1), (current) => {
      for (const write of writes) {
        assertThrows(() => write(tx), TypeError, "in transaction: the update function of");
      }
      assertEquals([tx.has(appendKey(2)), [...tx.scan()].length], [true, 1]);
      return current + 1;
    });
  });
  assertEquals(result, 1);
  assertEquals(await store.count(), 2);
});

test("HybridStore.transact() takes no asynchronous function, by its type", async () => {
  await using store = await HybridStore.openTemp();
  const refused: Promise<unknown>[] = [
    // @ts-expect-error A promise would be waited for after the transaction is over.
    store.transact(async (tx) => await tx.get(KEY)),
    // @ts-expect-error Nor may it return one at times.
    store.transact((tx) => tx.has(KEY) ? 1 : Promise.resolve(1)),
    // @ts-expect-error Nor what is no promise and can be waited for.
    store.transact((): PromiseLike<void> => Promise.resolve()),
  ];
  for (const transaction of refused) await assertRejects(() => transaction, TypeError);

  // Each line is checked by the compiler: what the function returns is what the promise gives.
  const nothing: void = await store.transact((tx) => tx.put(KEY, VALUE));
  const value: Uint8Array | undefined = await store.transact((tx) => tx.get(KEY));
  const literal: { kind: "a" } = await store.transact(() => ({ kind: "a" as const }));
  const unknown: unknown = await store.transact((): unknown => 1);
  // deno-lint-ignore no-explicit-any
  const any: string = await store.transact((): any => "any");
  const either: number | string = await store.transact((tx) => tx.has(KEY) ? 1 : "none");
  const generic = await within(store, (tx) => tx.has(KEY));
  assertEquals([nothing, value, literal.kind, unknown, any, either], [
    undefined,
    VALUE,
    "a",
    1,
    "any",
    1,
  ]);
  assertEquals(generic, true);
  await assertRejects(() =>
    store.transact((): never => {
      throw new RangeError("own");
    }), RangeError);
});

/** A caller's own function around a transaction. */
function within<T>(
  store: HybridStore,
  body: (tx: Transaction) => Synchronous<T>,
): Promise<T> {
  return store.transact<T>(body);
}
