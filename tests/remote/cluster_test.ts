import { test } from "node:test";
import { assertEquals, assertGreater } from "@std/assert";
import { decodeU64, toText } from "../../mod.ts";
import { RemoteStore } from "../../remote/mod.ts";
import { PostgresCluster } from "../../servers/cluster.ts";
import { whyNoPostgres } from "../../servers/programs.ts";

const OPTIONS = {
  timeout: 600_000,
  skip: whyNoPostgres() ?? false,
};
const KEYS = ["a", "b", "c", "d"];

test(
  "what is acknowledged survives the primary, and what is under way takes place once",
  OPTIONS,
  async () => {
    await using cluster = await PostgresCluster.start();
    await RemoteStore.setup(cluster.url());
    await using store = await RemoteStore.open(cluster.url());
    const isUnderWay = Promise.withResolvers<void>();
    let isPromoted = false;
    let added = 0;
    const add = async (key: string) => {
      let count = 0;
      for (; !isPromoted; count++) {
        await store.fetchAndAddU64(key, 1n);
        if (++added === 100) isUnderWay.resolve();
      }
      return count;
    };
    // Transactions have connections of their own.
    const count = async () => {
      let count = 0;
      for (; !isPromoted; count++) {
        await store.transaction(async (tx) => {
          const stored = await tx.get("number");
          tx.put("number", `${Number(stored === undefined ? 0 : toText(stored)) + 1}`);
        });
      }
      return count;
    };
    const failOver = async () => {
      await isUnderWay.promise;
      await cluster.kill();
      const before = added;
      await cluster.promote();
      await store.put("after", "1");
      isPromoted = true;
      return before;
    };
    const [before, counted, ...counts] = await Promise.all([failOver(), count(), ...KEYS.map(add)]);

    const values = await store.getMany(KEYS);
    assertEquals(values.map((value) => Number(decodeU64(value!))), counts);
    assertEquals(toText((await store.get("number"))!), `${counted}`);
    assertGreater(added, before!);
  },
);
