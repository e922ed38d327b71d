/**
 * A short run over everything that a store does, for the versions of Node that the tests do not run in:
 * `check_package.ts` copies this file beside an installed package and runs it there. Prints `ok`.
 *
 * The same keys and values go to both sides; what differs between runtimes is how SQLite takes bounds,
 * empty values and rows.
 *
 * @module
 */
import { assertionKey, HybridStore, mvKey, voteCountKey } from "@hybrid/store";
import { deepStrictEqual as assertEquals } from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const COUNT = 600;

/** A value whose bytes lie in a buffer of their own, which some versions of Node take for NULL. */
function value(length: number): Uint8Array {
  return new Uint8Array(new ArrayBuffer(length)).fill(length);
}

/** The keys of a number, one on each side. */
function keysOf(number: number): Uint8Array[] {
  const name = `${number}`.padStart(4, "0");
  return [assertionKey("s", name), mvKey("s", name)];
}

const directory = mkdtempSync(join(tmpdir(), "hybridstore-conformance-"));
const open = () => HybridStore.open(join(directory, "store"));
try {
  let store = await open();
  const model = new Map<string, Uint8Array>();
  for (let number = 0; number < COUNT; number++) {
    const batch = store.batch();
    for (const key of keysOf(number)) {
      batch.put(key, value(number % 5));
      model.set(hex(key), value(number % 5));
    }
    await batch.commit();
  }
  // In the memtable, in the engines, and after opening anew: reads show the same.
  await compare(store, model);
  await store.checkpoint();
  await compare(store, model);
  for (const reverse of [false, true]) {
    let count = 0;
    for await (const key of store.keys({ reverse })) count += Number(await store.has(key));
    assertEquals(count, model.size);
  }
  await store.close();
  store = await open();
  await compare(store, model);

  for (const key of [...keysOf(1), ...keysOf(COUNT)]) {
    await store.delete(key);
    model.delete(hex(key));
  }
  await store.checkpoint();
  await compare(store, model);

  await store.transact((transaction) => {
    for (const key of keysOf(2)) {
      assertEquals(transaction.get(key), value(2));
      transaction.put(key, value(0));
      model.set(hex(key), value(0));
    }
  });
  const counter = voteCountKey("s", "h");
  assertEquals(await store.fetchAndAddU64(counter, 5n), 5n);
  assertEquals(await store.fetchAndAddU64(counter, 6n), 11n);
  model.set(hex(counter), (await store.get(counter))!);

  const snapshot = await store.snapshot();
  const atSnapshot = new Map(model);
  const [, first] = keysOf(100);
  const [, last] = keysOf(110);
  assertEquals(await store.deleteRange({ gte: first!, lt: last! }), 10);
  for (let number = 100; number < 110; number++) model.delete(hex(keysOf(number)[1]!));
  await store.checkpoint();
  await compare(store, model);
  await compare(snapshot, atSnapshot);
  await snapshot[Symbol.asyncDispose]();

  const report = await store.backup(join(directory, "backup"));
  assertEquals(report.keys, model.size);
  assertEquals(await store.deleteRange({}), model.size);
  await store.checkpoint();
  await compare(store, new Map());
  await store.close();

  await HybridStore.restore(join(directory, "backup"), join(directory, "restored"));
  const restored = await HybridStore.open(join(directory, "restored"));
  await compare(restored, model);
  assertEquals((await restored.verify()).faults, []);
  await restored.close();
} finally {
  rmSync(directory, { recursive: true });
}
console.log("ok");

/** Compares all ways of reading with a model. */
async function compare(
  store: Pick<HybridStore, "scan" | "count" | "get">,
  model: ReadonlyMap<string, Uint8Array>,
): Promise<void> {
  const expected = [...model].sort(([a], [b]) => a < b ? -1 : 1);
  const [from, to] = [keysOf(50)[0]!, keysOf(60)[1]!];
  const within = expected.filter(([key]) => key >= hex(from) && key <= hex(to));
  for (const reverse of [false, true]) {
    const inOrder = (rows: typeof expected) => reverse ? rows.toReversed() : rows;
    assertEquals(await rowsOf(store.scan({ reverse })), inOrder(expected));
    assertEquals(await rowsOf(store.scan({ gte: from, lte: to, reverse })), inOrder(within));
    assertEquals(
      await rowsOf(store.scan({ gt: new Uint8Array(0), limit: 3, reverse })),
      inOrder(expected).slice(0, 3),
    );
  }
  assertEquals(await store.count(), expected.length);
  for (const key of keysOf(0)) {
    assertEquals(await store.get(key), model.get(hex(key)));
  }
}

async function rowsOf(
  scan: AsyncIterable<{ key: Uint8Array; value: Uint8Array }>,
): Promise<[string, Uint8Array][]> {
  const rows: [string, Uint8Array][] = [];
  for await (const { key, value } of scan) rows.push([hex(key), value]);
  return rows;
}

/** Names a key so that the names are in the order of the keys. */
function hex(key: Uint8Array): string {
  return Array.from(key, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
