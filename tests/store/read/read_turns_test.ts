import { test } from "node:test";
import { assert } from "@std/assert";
import { HybridStore } from "../../../mod.ts";
import { withLazyClock } from "../../support/clock.ts";
import { appendKey, btreeKey, bytes } from "../_support.ts";

// A loop that never lets a timer fire would run until the test's own limit, which then cannot fire either.
const LOOPS_MAX = 10_000_000;
const TIMEOUT = { timeout: 600_000 };

const READS: Record<string, (store: HybridStore) => Promise<unknown>> = {
  get: (store) => store.get(btreeKey(1)),
  "get of a memtable": (store) => store.get(appendKey(1)),
  has: (store) => store.has(btreeKey(2)),
  getMany: (store) => store.getMany([btreeKey(1), appendKey(1)]),
  scanPrefix: (store) => store.scanPrefix(btreeKey(1)),
  "a transact that only reads": (store) => store.transact((tx) => tx.get(btreeKey(1))),
  "a short scan": async (store) => {
    for await (const _ of store.scan({ limit: 1 }));
  },
  count: (store) => store.count({ prefix: btreeKey(1) }),
  snapshots: async (store) => {
    await using snapshot = await store.snapshot();
    await snapshot.get(btreeKey(1));
  },
};

for (const [name, read] of Object.entries(READS)) {
  test(`a loop of awaited reads lets timers fire: ${name}`, TIMEOUT, async () => {
    await using store = await HybridStore.openTemp();
    await store.put(btreeKey(1), bytes("1"));
    await store.checkpoint();
    await store.put(appendKey(1), bytes("1"));
    let fired = 0;
    const timer = setInterval(() => fired++, 1);
    for (let loops = 0; fired < 3; loops++) {
      assert(loops < LOOPS_MAX, "no timer fired");
      await read(store);
    }
    clearInterval(timer);
  });
}

/** Reads that can take milliseconds each: a few of them are a turn. */
const LONG_READS: Record<string, (store: HybridStore) => Promise<unknown>> = {
  "get of a large value": (store) => store.get(btreeKey(3)),
  getMany: READS.getMany!,
  scanPrefix: READS.scanPrefix!,
  transact: READS["a transact that only reads"]!,
  scan: READS["a short scan"]!,
};

for (const [name, read] of Object.entries(LONG_READS)) {
  test(`a few reads that may take long let the event loop turn: ${name}`, async () => {
    await using store = await HybridStore.openTemp();
    await store.put(btreeKey(3), new Uint8Array(100_000));
    await withLazyClock(async () => {
      let hasTurned = false;
      setImmediate(() => hasTurned = true);
      for (let i = 0; i < 12; i++) await read(store);
      assert(hasTurned);
    });
  });
}
