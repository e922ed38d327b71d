// Works on a store after every timer that a test runner can replace was made to stand still, and says
// how far it came.

import nodeTimers from "node:timers";
import process from "node:process";
import { HybridStore } from "../../mod.ts";
import { appendKey, btreeKey, bytes } from "./_support.ts";

const HUNG_MS = 20_000;
let step = "open";
// Node's own object stays usable through what was taken of it before.
nodeTimers.setTimeout(() => {
  console.log(`hung at ${step}`);
  process.exit(1);
}, HUNG_MS).unref();

const names = [
  "setTimeout",
  "setInterval",
  "setImmediate",
  "clearTimeout",
  "queueMicrotask",
] as const;
for (const target of [globalThis, nodeTimers] as unknown as Record<string, unknown>[]) {
  for (const name of names) if (name in target) target[name] = () => ({ unref() {} });
}
performance.now = () => 0;
process.nextTick = () => {};

for (const durability of ["always", "hybrid", "flush"] as const) {
  step = `open ${durability}`;
  const path = `${process.argv[2]!}/${durability}`;
  const store = await HybridStore.open(path, { durability, memtableBytes: 64 * 1024 });
  for (const round of ["1", "2"]) {
    step = `put ${round} ${durability}`;
    const value = bytes(round.repeat(200));
    for (let i = 0; i < 500; i++) {
      await Promise.all([store.put(appendKey(i), value), store.put(btreeKey(i), value)]);
    }
    // What the engines hold has to be seen too: the library of one of them resets its reads by timers.
    step = `read ${round} ${durability}`;
    await store.checkpoint();
    for (let i = 0; i < 500; i++) {
      for (const key of [appendKey(i), btreeKey(i)]) {
        if (store.getSync(key)?.[0] !== value[0]) throw new Error(`stale read at ${step}`);
      }
    }
  }
  for (
    const [name, work] of [
      ["flush", () => store.flush()],
      ["checkpoint", () => store.checkpoint()],
      ["count", () => store.count()],
      ["backup", () => store.backup(`${path}-copy`)],
      ["verify", () => store.verify()],
      ["deleteRange", () => store.deleteRange({})],
      ["close", () => store.close()],
    ] as [string, () => Promise<unknown>][]
  ) {
    step = `${name} ${durability}`;
    await work();
  }
}
console.log("done");
process.exit(0);
