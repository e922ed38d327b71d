import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { assertEquals } from "@std/assert";
import { HybridStore, StoreError } from "../../mod.ts";
import { tempDirectory } from "../support/temp.ts";
import { appendKey, btreeKey, bytes } from "./_support.ts";

/** Calls again and again, until the store is closed under it, and returns why it ended. */
async function untilClosed(call: (round: number) => Promise<unknown>): Promise<string> {
  for (let round = 0;; round++) {
    try {
      await call(round);
    } catch (error) {
      return error instanceof StoreError ? error.code : String(error);
    }
    if (round % 5 === 4) await nextTurn();
  }
}

for (const durability of ["hybrid", "always", "flush"] as const) {
  test(
    `a store that is closed amid all kinds of calls keeps what it acknowledged, "${durability}"`,
    {
      timeout: 600_000,
    },
    async () => {
      for (let turns = 0; turns < 24; turns++) {
        using temp = tempDirectory();
        const options = { durability, memtableBytes: 400, segmentBytes: 600, syncIntervalMs: 1 };
        const store = await HybridStore.open(temp.path, options);
        const acknowledged = new Map<string, Uint8Array>();
        const put = (keyOf: (number: number) => Uint8Array) => async (round: number) => {
          const key = keyOf(round);
          await store.put(key, bytes(`${round}`));
          acknowledged.set(`${key}`, bytes(`${round}`));
        };
        const calls = [
          put(appendKey),
          put((round) => appendKey(1000 + round)),
          put(btreeKey),
          () => store.fetchAndAddU64(appendKey(100_000), 1n),
          () => store.transact((tx) => tx.fetchAndAddU64(btreeKey(100_000), 1n)),
          () => Array.fromAsync(store.scan()),
          () => store.count(),
          () => store.flush(),
          () => store.checkpoint(),
          () => store.deleteRange({ gte: btreeKey(200_000) }),
          async (round: number) => {
            const snapshot = await store.snapshot();
            await snapshot.count();
            if (round % 2 === 0) await snapshot[Symbol.asyncDispose]();
          },
        ];
        const endings = calls.map(untilClosed);
        for (let turn = 0; turn < turns; turn++) await nextTurn();
        await store.close();
        assertEquals(new Set(await Promise.all(endings)), new Set(["CLOSED"]));

        await using again = await HybridStore.open(temp.path);
        assertEquals(again.stats().recovery, { records: 0, replayed: 0, truncatedBytes: 0 });
        const found = new Map(
          Array.from(again.scanSync(), ({ key, value }) => [`${key}`, value]),
        );
        for (const [key, value] of acknowledged) assertEquals(found.get(key), value);
      }
    },
  );
}
