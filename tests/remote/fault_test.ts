import process from "node:process";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { assert, assertEquals, assertGreater, assertRejects } from "@std/assert";
import pg from "pg";
import { StoreError, toText } from "../../mod.ts";
import { RemoteStore } from "../../remote/mod.ts";
import { PostgresServer } from "../../servers/postgres.ts";
import { type Fate, OneMessage, Proxy } from "./_proxy.ts";
import { remoteServers } from "./_servers.ts";

const FATES: Fate[] = ["cut before", "cut behind", "cut client"];
const servers = remoteServers();
const OPTIONS = servers.options;
let tables = 0;

// Each run cuts at one of so many messages, beginning with a random one. HYBRIDSTORE_REMOTE_CUT_EVERY=1 cuts at all.
const CUT_EVERY = Number(process.env.HYBRIDSTORE_REMOTE_CUT_EVERY ?? 3);
const firstCut = () => Math.floor(Math.random() * CUT_EVERY);

/** A store behind a proxy, and the same store without one. */
async function behindProxy(timeoutMs?: number, server?: PostgresServer, changes = false) {
  const { port, ...rest } = await Promise.resolve(server ?? servers.server()).then((server) => ({
    port: server.port,
    url: (port?: number) => server.url(port === undefined ? {} : { port }),
  }));
  const proxy = await Proxy.start(port);
  const table = `fault${++tables}`;
  await RemoteStore.setup(rest.url(), { table, changes });
  const store = await RemoteStore.open(rest.url(proxy.port), {
    table,
    timeoutMs: timeoutMs ?? 10_000,
    poolSize: 3,
  });
  const direct = await RemoteStore.open(rest.url(), { table });
  return {
    proxy,
    store,
    direct,
    async [Symbol.asyncDispose]() {
      proxy.decide = () => "pass";
      await Promise.all([store.close(), direct.close()]);
      await proxy[Symbol.asyncDispose]();
    },
  };
}

/** What is done, and how often it has taken place, by what is there. */
interface Work {
  readonly name: string;
  run(store: RemoteStore, round: number): Promise<unknown>;
  /** Whether it has taken place. */
  isThere(store: RemoteStore, round: number): Promise<boolean>;
}

const WORKS: Work[] = [
  {
    name: "put",
    run: (store, round) => store.put("k", `${round}`),
    isThere: async (store, round) => toText((await store.get("k"))!) === `${round}`,
  },
  {
    name: "delete",
    run: async (store, round) => await store.delete(`d${round}`),
    isThere: async (store, round) => !(await store.has(`d${round}`)),
  },
  {
    name: "batch",
    run: (store, round) =>
      store.batch().put("a", `${round}`).delete(`d${round}`).put("b", `${round}`).commit(),
    isThere: async (store, round) => {
      const values = (await store.getMany(["a", "b"])).map((value) => value && toText(value));
      const isThere = values[0] === `${round}`;
      assertEquals(values[1] === `${round}`, isThere);
      assertEquals(await store.has(`d${round}`), !isThere);
      return isThere;
    },
  },
  {
    name: "batch with a range",
    run: (store, round) => store.batch().deleteRange({ prefix: "d" }).put("a", `${round}`).commit(),
    isThere: async (store, round) => {
      const isThere = toText((await store.get("a")) ?? new Uint8Array()) === `${round}`;
      assertEquals(await store.has(`d${round}`), !isThere);
      return isThere;
    },
  },
  {
    name: "transaction",
    run: (store, round) =>
      store.transaction(async (tx) => {
        const seen = toText((await tx.get("seen")) ?? new Uint8Array([0x30]));
        tx.put("seen", `${Number(seen) + 1}`);
        await tx.fetchAndAddU64("times", 1n);
        tx.put("last", `${round}`);
      }),
    isThere: async (store, round) => {
      const [seen, last] = (await store.getMany(["seen", "last"])).map((value) =>
        value && toText(value)
      );
      const times = await store.fetchAndAddU64("times", 0n);
      assertEquals(seen ?? "0", `${times}`);
      return last === `${round}`;
    },
  },
];

for (const { name, run, isThere } of WORKS) {
  for (const fate of FATES) {
    test(
      `a connection that is lost at any message of a ${name} (${fate}) takes it whole or not, once`,
      OPTIONS,
      async () => {
        await using place = await behindProxy();
        const { proxy, store, direct } = place;
        // Prepared statements and writers are there already.
        for (let round = -3; round < 0; round++) {
          await direct.put(`d${round}`, "");
          await run(store, round);
        }
        let transactions = 3;
        let cuts = 0;
        for (let round = firstCut();; round += CUT_EVERY) {
          await direct.put(`d${round}`, "");
          const cut = new OneMessage(round, fate);
          proxy.decide = cut.decide;
          const outcome = await run(store, round).then(() => "done", (error) => error);
          proxy.decide = () => "pass";
          if (
            outcome !== "done" &&
            !(outcome instanceof StoreError && outcome.code === "UNKNOWN_RESULT")
          ) {
            throw outcome;
          }
          assertEquals(outcome, "done", "the server could be asked");
          assertEquals(await isThere(direct, round), true, `${round}`);
          if (name === "transaction") {
            transactions++;
            assertEquals(await direct.fetchAndAddU64("times", 0n), BigInt(transactions));
          }
          if (!cut.isDone) break;
          cuts++;
        }
        assertGreater(cuts, 4 / CUT_EVERY);
      },
    );
  }
}

test("counters count each call once, whatever connections are lost", OPTIONS, async () => {
  for (const [fate, changes] of [...FATES.map((fate) => [fate, false]), ["cut behind", true]]) {
    await using place = await behindProxy(undefined, undefined, changes as boolean);
    const { proxy, store, direct } = place;
    await store.fetchAndAddU64("n", 0n);
    let expected = 0n;
    for (let at = firstCut();; at += CUT_EVERY) {
      const cut = new OneMessage(at, fate as Fate);
      proxy.decide = cut.decide;
      const sums = await Promise.all([1n, 2n, 3n].map((delta) => store.fetchAndAddU64("n", delta)));
      proxy.decide = () => "pass";
      assertEquals(sums, [expected + 1n, expected + 3n, expected + 6n]);
      expected += 6n;
      assertEquals(await direct.fetchAndAddU64("n", 0n), expected);
      if (!cut.isDone) break;
    }
  }
});

test(
  "what has become of a transaction is asked in the midst of no other write",
  OPTIONS,
  async () => {
    await using place = await behindProxy();
    const { proxy, store, direct } = place;
    await store.fetchAndAddU64("n", 1n);
    const client = new pg.Client({ connectionString: (await servers.server()).url() });
    await client.connect();
    await client.query(`BEGIN; SELECT v FROM fault${tables} WHERE k = 'n' FOR UPDATE`);
    let adding: Promise<bigint> | undefined;
    await store.transaction(async (tx) => {
      await tx.get("other");
      if (adding === undefined) {
        adding = store.fetchAndAddU64("n", 1n);
        const waiting = "SELECT 1 FROM pg_locks WHERE NOT granted";
        while ((await client.query(waiting)).rowCount === 0) await sleep(5);
        // The answer to the last of put, number and commit is lost, while the counter waits between its reading and its
        // writing.
        let answersLeft = 3;
        proxy.decide = (direction, type) => {
          return direction === "client" && type === "Z" && --answersLeft === 0
            ? "cut before"
            : "pass";
        };
      }
      tx.put("other", "written");
    });
    assertEquals(toText((await direct.get("other"))!), "written");
    await client.query("COMMIT");
    await client.end();
    assertEquals(await adding, 2n);
    assertEquals(await direct.fetchAndAddU64("n", 0n), 2n);
  },
);

test(
  "random cuts under concurrent work lose nothing and do nothing twice",
  OPTIONS,
  () => cutAtRandom(false),
);

test(
  "random cuts make nothing be missing in a feed, or come twice",
  OPTIONS,
  () => cutAtRandom(true),
);

function numberOf({ buffer, byteOffset }: Uint8Array): bigint {
  return new DataView(buffer, byteOffset).getBigUint64(0, true);
}

async function cutAtRandom(changes: boolean): Promise<void> {
  await using place = await behindProxy(undefined, undefined, changes);
  const { proxy, store, direct } = place;
  // After some calls, and not some time: a slow machine would never have a connection for a whole call.
  let cuts = 0;
  let callsLeft = 0;
  const cutNowAndThen = () => {
    if (callsLeft-- > 0) return;
    callsLeft = Math.floor(Math.random() * 20);
    cuts++;
    // In the midst of what the other callers do.
    setTimeout(() => proxy.cutAll(), Math.random() * 5);
  };
  const acknowledged = new Map<string, string>();
  let count = 0n;
  await Promise.all(Array.from({ length: 6 }, async (_, caller) => {
    for (let i = 0; i < 40; i++) {
      const key = `${caller}/${i % 10}`;
      if (i % 4 === 0) {
        await store.fetchAndAddU64("count", 1n);
        count++;
      } else if (i % 4 === 1) {
        await store.transaction(async (tx) => {
          await tx.fetchAndAddU64("count", 1n);
          tx.put(key, `${i}`);
        }, { attempts: 1000 });
        count++;
        acknowledged.set(key, `${i}`);
      } else {
        await store.put(key, `${i}`);
        acknowledged.set(key, `${i}`);
      }
      cutNowAndThen();
      assertEquals(toText((await store.get(key)) ?? new Uint8Array()), acknowledged.get(key) ?? "");
    }
  }));
  assertGreater(cuts, 10);
  assertEquals(numberOf((await direct.get("count"))!), count);
  for (const [key, value] of acknowledged) assertEquals(toText((await direct.get(key))!), value);
  if (!changes) return;
  const replica = new Map<string, string>();
  let counted = 0n;
  for await (const { writes } of direct.changes({ after: 0n, live: false })) {
    for (const { key, value } of writes) {
      replica.set(toText(key), value!.join());
      if (toText(key) !== "count") continue;
      const sum = numberOf(value!);
      assert(sum > counted, `${sum} behind ${counted}`);
      counted = sum;
    }
  }
  assertEquals(counted, count);
  const entries = (await direct.scanPrefix("")).map((
    { key, value },
  ) => [toText(key), value.join()]);
  assertEquals([...replica].sort(), (entries as [string, string][]).sort());
}

test("a server that is not there is UNREACHABLE, in time, and found again", OPTIONS, async () => {
  await using server = await PostgresServer.start();
  await using place = await behindProxy(1500, server);
  const { store } = place;
  await store.put("a", "1");
  await server.stop("SIGINT");
  const calls = [
    () => store.get("a"),
    () => store.put("b", "2"),
    () => store.count(),
    () => store.snapshot(),
    () => store.transaction((tx) => Promise.resolve(tx.put("c", "3"))),
    () => Array.fromAsync(store.scan()),
  ];
  await Promise.all(calls.map(async (call) => {
    const error = await assertRejects(async () => void await call(), StoreError);
    assertEquals(error.code, "UNREACHABLE", error.message);
    assert(!error.message.includes("secret-of-tests"));
  }));
  await server.resume();
  assertEquals(toText((await store.get("a"))!), "1");
  await store.put("b", "3");
  // Of a restart in the middle, callers see nothing but time.
  const work = Promise.all(Array.from({ length: 20 }, async (_, i) => {
    await sleep(i * 10);
    await store.put(`k${i}`, `${i}`);
    return toText((await store.get(`k${i}`))!);
  }));
  await sleep(50);
  await server.stop("SIGKILL");
  await server.resume();
  assertEquals(await work, Array.from({ length: 20 }, (_, i) => `${i}`));
});

test(
  "a server that does not answer is given up, and what it does later is done once or never",
  OPTIONS,
  async () => {
    await using place = await behindProxy(800);
    const { proxy, store, direct } = place;
    await store.fetchAndAddU64("n", 1n);
    await store.put("a", "1");
    // A half-open connection: everything is sent, and nothing comes back.
    proxy.decide = (direction) => direction === "client" ? "hold" : "pass";
    const counting = store.fetchAndAddU64("n", 1n).then(() => "done", (error) => error.code);
    const reading = store.get("a").then(() => "done", (error) => error.code);
    assertEquals(await counting, "UNKNOWN_RESULT");
    assertEquals(await reading, "UNREACHABLE");
    proxy.decide = () => "pass";
    const before = await direct.fetchAndAddU64("n", 0n);
    assert(before === 1n || before === 2n);
    assertEquals(await store.fetchAndAddU64("n", 1n), before + 1n);
    assertEquals(toText((await store.get("a"))!), "1");
  },
);

test(
  "a pool that is exhausted says so, and goes on when a snapshot is closed",
  OPTIONS,
  async () => {
    await using place = await behindProxy(500);
    const { store } = place;
    const snapshots = await Promise.all([1, 2, 3].map(() => store.snapshot()));
    const error = await assertRejects(
      () => store.count(),
      StoreError,
      "none of the 3 connections was free",
    );
    assertEquals(error.code, "UNREACHABLE");
    await store.put("a", "1");
    const waiting = store.count();
    await snapshots[0]!.close();
    assertEquals(await waiting, 1);
    for (const snapshot of snapshots) await snapshot.close();
  },
);

test("a snapshot whose connection is lost says so", OPTIONS, async () => {
  await using place = await behindProxy();
  const { proxy, store } = place;
  await store.put("a", "1");
  await using snapshot = await store.snapshot();
  assertEquals(await snapshot.count(), 1);
  proxy.cutAll();
  await sleep(20);
  const error = await assertRejects(() => snapshot.get("a"), StoreError, "take another snapshot");
  assertEquals(error.code, "UNREACHABLE");
  assertEquals(await store.count(), 1);
});
