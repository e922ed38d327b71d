import { test } from "node:test";
import pg from "pg";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { StoreError, toText } from "../../mod.ts";
import { RemoteStore } from "../../remote/mod.ts";
import { remoteServers } from "./_servers.ts";

// What other databases refuse in their own way, said by a PostgreSQL: triggers and views of it throw the same codes.

const servers = remoteServers();
const OPTIONS = servers.options;
let tables = 0;

/** An empty store, and what changes its tables behind its back. */
async function storeAndClient() {
  const url = (await servers.server()).url();
  const table = `refusal${++tables}`;
  await RemoteStore.setup(url, { table });
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  return {
    table,
    client,
    open: (timeoutMs = 10_000) => RemoteStore.open(url, { table, timeoutMs }),
    async [Symbol.asyncDispose]() {
      await client.end();
    },
  };
}

/** Makes reads of a store wait for longer than any test. */
async function answerNoMore({ client, table }: { client: pg.Client; table: string }) {
  await client.query(`ALTER TABLE ${table} RENAME TO ${table}_rows`);
  await client.query(
    `CREATE VIEW ${table} AS SELECT 'k'::bytea AS k, 'v'::bytea AS v FROM pg_sleep(60)`,
  );
}

/** Creates a function that throws a code the first times that it is called. */
async function failing(
  client: pg.Client,
  name: string,
  returns: string,
  code: string,
  times: number,
) {
  const result = returns === "trigger" ? "NEW" : "true";
  await client.query(`CREATE SEQUENCE ${name}_calls`);
  await client.query(
    `CREATE FUNCTION ${name}() RETURNS ${returns} LANGUAGE plpgsql AS $$ BEGIN ` +
      `IF nextval('${name}_calls') <= ${times} THEN ` +
      `RAISE EXCEPTION 'thrown by the test' USING ERRCODE = '${code}'; END IF; ` +
      `RETURN ${result}; END $$`,
  );
}

async function addTrigger(client: pg.Client, table: string, when: string, name: string) {
  await client.query(
    `CREATE TRIGGER ${name} BEFORE ${when} ON ${table} FOR EACH ROW EXECUTE FUNCTION ${name}()`,
  );
}

test(
  "RemoteStore asks about a write of which the server does not know whether it took place",
  OPTIONS,
  async () => {
    await using made = await storeAndClient();
    const { client, table } = made;
    await failing(client, `${table}_ambiguous`, "trigger", "40003", 1);
    await addTrigger(client, table, "INSERT OR UPDATE", `${table}_ambiguous`);
    // While it is asked, it is in the way of others as well.
    await failing(client, `${table}_conflict`, "trigger", "40001", 2);
    await addTrigger(client, `${table}_writers`, "UPDATE OF id", `${table}_conflict`);
    await using store = await made.open();
    await store.put("key", "value");
    assertEquals(toText((await store.get("key"))!), "value");
    const { rows } = await client.query(`SELECT last_value FROM ${table}_conflict_calls`);
    assertEquals(rows, [{ last_value: "3" }]);
  },
);

test(
  "RemoteStore.put() rejects what the server does not take in one message",
  OPTIONS,
  async () => {
    await using made = await storeAndClient();
    const { client, table } = made;
    await failing(client, `${table}_large`, "trigger", "08P01", 1);
    await addTrigger(client, table, "INSERT OR UPDATE", `${table}_large`);
    await using store = await made.open();
    const error = await assertRejects(() => store.put("key", "value"), StoreError);
    assertEquals(error.code, "UNSUPPORTED");
    await store.put("key", "shorter");
    assertEquals(toText((await store.get("key"))!), "shorter");
  },
);

test("RemoteStore reads again where a read is in the way of others", OPTIONS, async () => {
  await using made = await storeAndClient();
  const { client, table } = made;
  {
    await using store = await made.open();
    await store.batch().put("a", "1").put("b", "2").commit();
  }
  await failing(client, `${table}_conflict`, "boolean", "40001", 2);
  await client.query(`ALTER TABLE ${table} RENAME TO ${table}_rows`);
  await client.query(
    `CREATE VIEW ${table} AS SELECT k, v FROM ${table}_rows WHERE ${table}_conflict()`,
  );
  await using store = await made.open();
  const reads: [string, () => Promise<unknown>, unknown][] = [
    ["get", async () => toText((await store.get("a"))!), "1"],
    ["has", () => store.has("b"), true],
    ["getMany", async () => (await store.getMany(["a", "b"])).length, 2],
    ["count", () => store.count(), 2],
    ["scan", async () => (await Array.fromAsync(store.scan())).length, 2],
    ["scanPrefix", async () => (await store.scanPrefix("a")).length, 1],
  ];
  for (const [name, read, expected] of reads) {
    await client.query(`SELECT setval('${table}_conflict_calls', 1, false)`);
    assertEquals(await read(), expected, name);
    const { rows: [row] } = await client.query(`SELECT last_value FROM ${table}_conflict_calls`);
    assert(Number(row.last_value) > 2, `${name} was refused twice`);
  }
});

test("each call of a transaction that has failed says why it has failed", OPTIONS, async () => {
  await using made = await storeAndClient();
  const { client, table } = made;
  await using store = await made.open();
  await client.query(`ALTER TABLE ${table} RENAME TO ${table}_gone`);
  await store.transaction(async (tx) => {
    const calls = () => [
      tx.get("a"),
      tx.count(),
      tx.fetchAndAddU64("n", 1n),
      Array.fromAsync(tx.scan()),
      tx.deleteRange({ prefix: "a" }),
    ];
    const settled = await Promise.allSettled(calls());
    settled.push(...await Promise.allSettled(calls()));
    for (const each of settled) {
      assert(each.status === "rejected" && each.reason instanceof StoreError);
      assertEquals(each.reason.code, "SCHEMA", each.reason.message);
    }
    const messages = settled.map((each) => each.status === "rejected" && each.reason.message);
    assert(messages[1].startsWith("Cannot count keys in transaction: "), messages[1]);
    throw new RangeError("enough was seen");
  }).then(
    () => assert(false, "it is committed"),
    (error) => assertEquals(error.message, "enough was seen"),
  );
  await client.query(`ALTER TABLE ${table}_gone RENAME TO ${table}`);
});

test("RemoteStore ends a connection that the server does not answer on", OPTIONS, async () => {
  await using made = await storeAndClient();
  await answerNoMore(made);
  await using store = await made.open(300);
  for (const read of [() => store.get("k"), () => store.count()]) {
    const error = await assertRejects(read, StoreError, "has not answered for 300 ms");
    assertEquals(error.code, "UNREACHABLE");
  }
});

test("RemoteStore.close() does not wait for a server that does not answer", OPTIONS, async () => {
  await using made = await storeAndClient();
  await answerNoMore(made);
  const store = await made.open(300);
  const reading = assertRejects(() => store.get("k"), StoreError);
  await store.close();
  assertEquals((await reading).code, "UNREACHABLE");
});

test(
  "writes that are in the way of others at random are made again, each of them once",
  OPTIONS,
  async () => {
    await using made = await storeAndClient();
    const { client, table } = made;
    await client.query(
      `CREATE FUNCTION ${table}_random() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ` +
        `IF random() < 0.15 THEN RAISE EXCEPTION 'thrown by the test' USING ERRCODE = '40001'; END IF; ` +
        `IF random() < 0.15 THEN RAISE EXCEPTION 'thrown by the test' USING ERRCODE = '40P01'; END IF; ` +
        `RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END; END $$`,
    );
    await addTrigger(client, table, "INSERT OR UPDATE OR DELETE", `${table}_random`);
    await using store = await made.open();
    const attempts = 1000;
    let [bodies, added] = [0, 0n];
    await Promise.all(Array.from({ length: 5 }, async (_, caller) => {
      for (let i = 0; i < 12; i++) {
        const [key, value] = [`${caller}/${i % 3}`, `${i}`];
        await store.put(key, value);
        assertEquals(toText((await store.get(key))!), value);
        await store.batch().put(`${key}/a`, value).delete(`${key}/b`).put(`${key}/c`, value)
          .commit();
        await store.fetchAndAddU64("n", 1n);
        await store.transaction(async (tx) => {
          bodies++;
          await tx.fetchAndAddU64("n", 10n);
          tx.put(`${key}/b`, toText((await tx.get(`${key}/a`))!));
        }, { attempts });
        assertEquals(await store.deleteRange({ prefix: `${key}/` }), 3);
        added += 11n;
      }
    }));
    assertEquals(await store.fetchAndAddU64("n", 0n), added);
    assertEquals(await store.count(), 16);
    assert(bodies > 60, `${bodies} of 60 transactions ran`);
    // The last attempt says what was in the way.
    await client.query(
      `CREATE OR REPLACE FUNCTION ${table}_random() RETURNS trigger LANGUAGE plpgsql AS ` +
        `$$ BEGIN RAISE EXCEPTION 'thrown by the test' USING ERRCODE = '40P01'; END $$`,
    );
    const put = () => store.transaction((tx) => Promise.resolve(tx.put("n", "")), { attempts: 3 });
    const error = await assertRejects(put, StoreError, "in the last of 3 attempts");
    assertEquals(error.code, "CONFLICT");
  },
);
