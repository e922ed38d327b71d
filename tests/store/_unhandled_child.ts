// Lets writes fail, awaited and not, and says which rejections nobody handled.

import process from "node:process";
import { setTimeout as delay } from "node:timers/promises";
import { failSegments, openFake, repair } from "./_fakes.ts";
import { appendKey, bytes } from "./_support.ts";

const VALUE = bytes("1");
let unhandled: string[] = [];
process.on("unhandledRejection", (error: { code?: string; name: string }) => {
  unhandled.push(error.code ?? error.name);
});

const { store, files, journal, append } = await openFake(process.argv[2]!, {
  syncIntervalMs: 5,
  memtableBytes: 1000,
});
const key = appendKey(1);

async function report(title: string, action: () => unknown): Promise<void> {
  await action();
  await delay(30);
  console.log([`${title}:`, ...unhandled].join(" "));
  unhandled = [];
}

failSegments(files, "write", "ENOSPC");
await report("put alone", () => void store.put(key, VALUE));
await report("three puts of a group", () => {
  for (let i = 0; i < 3; i++) void store.put(appendKey(i), VALUE);
});
await report("transaction", () => void store.transact((tx) => tx.put(key, VALUE)));
await report("awaited put", () => store.put(key, VALUE).catch(() => {}));
repair(files);
await report("wrong argument", () => {
  void (async () => await store.put(7 as never, VALUE))();
});
append.before = () => {
  throw new Error("injected");
};
await report("apply in the background", async () => {
  await store.put(key, new Uint8Array(1000));
  while (append.attempts === 0) await delay(1);
});
failSegments(files, "sync", "EIO");
await report("poisoned by the timer", async () => {
  await store.put(key, VALUE);
  while (journal.poison === undefined) await delay(1);
});
await report("put when poisoned", () => {
  void (async () => await store.put(key, VALUE))();
});
await report("reads when poisoned", () => {
  store.getSync(key);
  store.snapshotSync();
});
process.exit();
