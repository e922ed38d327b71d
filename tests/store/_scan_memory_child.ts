// Fills a store with large values, or reads one in every way there is and says how far its memory grew.

import { readFileSync } from "node:fs";
import process from "node:process";
import { HybridStore } from "../../mod.ts";
import { appendKey, btreeKey, bytes } from "./_support.ts";

const [step, path, side] = process.argv.slice(2) as [string, string, string];
const SMALL_ROWS = 3000;
const LARGE_ROWS = 12;
const LARGE_BYTES = 6 * 2 ** 20;
const keyOf = side === "append" ? appendKey : btreeKey;

const runtime = globalThis as { Bun?: { gc(force: boolean): void }; gc?: () => void };
const collect = runtime.Bun === undefined ? runtime.gc! : () => runtime.Bun!.gc(true);

/** The memory that is the process's own and in use, in MiB. Pages of mapped files are not: they go when
 * they are needed. */
function memory(): number {
  collect();
  return Number(/^RssAnon:\s+(\d+)/m.exec(readFileSync("/proc/self/status", "utf8"))![1]) / 1024;
}

let peak = 0;
function note(): void {
  peak = Math.max(peak, memory());
}

async function measure(name: string, action: () => unknown): Promise<void> {
  const before = peak = memory();
  const timer = setInterval(note, 20);
  await action();
  clearInterval(timer);
  note();
  console.log(`${name} ${Math.round(peak - before)}`);
}

async function countOf(rows: AsyncIterable<unknown> | Iterable<unknown>): Promise<void> {
  let count = 0;
  for await (const _ of rows) {
    count++;
    // The first rows of pages, and the large ones.
    if (count % 256 === 1 || count > SMALL_ROWS || count < LARGE_ROWS) note();
  }
  if (count < SMALL_ROWS + LARGE_ROWS) throw new Error(`${count} rows`);
}

async function fill(): Promise<void> {
  await using store = await HybridStore.open(path, { durability: "flush" });
  const batch = store.batch();
  for (let i = 0; i < SMALL_ROWS; i++) batch.put(keyOf(i), bytes(`${i}`));
  await batch.commit();
  const value = new Uint8Array(LARGE_BYTES);
  for (let i = 0; i < LARGE_ROWS; i++) await store.put(keyOf(SMALL_ROWS + i), value);
}

async function read(): Promise<void> {
  await using store = await HybridStore.open(path);
  const large = { gte: keyOf(SMALL_ROWS) };
  await measure("first-row", async () => {
    for await (const _ of store.scan(large)) {
      note();
      break;
    }
    for (const _ of store.scanSync(large)) {
      note();
      break;
    }
  });
  await measure("scan", () => countOf(store.scan()));
  await measure("scan-reverse", () => countOf(store.scan({ reverse: true })));
  await measure("scanSync", () => countOf(store.scanSync()));
  await measure("keys", () => countOf(store.keys()));
  await measure("count", () => store.count());
  await measure("snapshot", async () => {
    await using snapshot = await store.snapshot();
    await countOf(snapshot.scan());
    await snapshot.count();
  });
  await measure("transact", () => {
    return store.transact((tx) => {
      tx.put(keyOf(SMALL_ROWS + LARGE_ROWS), bytes("the memtable has to be merged"));
      for (const _ of tx.scan(large)) note();
    });
  });
  await measure("merged", () => countOf(store.scan()));
  await measure("verify", () => store.verify());
  await measure("deleteRange", () => store.deleteRange(large));
}

await (step === "fill" ? fill() : read());
console.log("done");
process.exit(0);
