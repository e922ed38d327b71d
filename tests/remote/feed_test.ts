import { test } from "node:test";
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import pg from "pg";
import { copyStore, HybridStore, type OrderedStore, toText } from "../../mod.ts";
import { RemoteStore } from "../../remote/mod.ts";
import { assertCode } from "../support/assert.ts";
import { Random } from "../support/random.ts";
import { remoteServers } from "./_servers.ts";

const servers = remoteServers();
const OPTIONS = servers.options;
let tables = 0;

/** Opens stores on the same keys, which have a feed. */
async function openFed(count: number): Promise<RemoteStore[]> {
  const url = (await servers.server()).url();
  const table = `fed${++tables}`;
  await RemoteStore.setup(url, { table, changes: true });
  return await Promise.all(
    Array.from({ length: count }, () => RemoteStore.open(url, { table, changes: true })),
  );
}

async function closeAll(stores: readonly RemoteStore[]): Promise<void> {
  await Promise.all(stores.map((store) => store.close()));
}

const contents = async (store: OrderedStore): Promise<[string, string][]> => {
  return (await store.scanPrefix("")).map(({ key, value }) => [toText(key), toText(value)]);
};

/** Keys and values as changes have made them. */
class Replica {
  readonly #entries = new Map<string, string>();

  apply(writes: readonly { key: Uint8Array; value: Uint8Array | undefined }[]): void {
    for (const { key, value } of writes) {
      if (value === undefined) this.#entries.delete(toText(key));
      else this.#entries.set(toText(key), toText(value));
    }
  }

  get(key: string): string | undefined {
    return this.#entries.get(key);
  }

  contents(): [string, string][] {
    return [...this.#entries].sort(([a], [b]) => a < b ? -1 : 1);
  }
}

/** Writes at random, of every kind; two keys always in one write, with the same value. */
async function writeAtRandom(store: RemoteStore, random: Random, count: number): Promise<void> {
  const key = () => `k${random.below(12)}`;
  const all: Promise<unknown>[] = [];
  for (let i = 0; i < count; i++) {
    const value = `${random.below(1_000_000)}`;
    const kinds: (() => Promise<unknown>)[] = [
      () => store.put(key(), value),
      () => store.delete(key()),
      () => store.batch().put("pair/a", value).put(key(), value).put("pair/b", value).commit(),
      () => store.batch().put("k3", "gone").deleteRange({ prefix: "k" }).put("k3", value).commit(),
      () => store.deleteRange({ gte: "k3", lt: "l", limit: 2 }),
      () => store.fetchAndAddU64("n", 1n),
      () =>
        store.transaction(async (tx) => {
          const a = await tx.get(key());
          tx.put("pair/a", value);
          if (a !== undefined) tx.delete(key());
          await tx.deleteRange({ gte: "k7", lt: "k8" });
          tx.put(key(), value);
          tx.put("pair/b", value);
        }, { attempts: 100 }),
    ];
    const done = kinds[random.below(kinds.length)]!();
    all.push(done);
    if (random.below(3) > 0) await done;
  }
  await Promise.all(all);
}

test(
  "the changes of several writers lead to what is there, in the order of the commits",
  OPTIONS,
  async () => {
    const stores = await openFed(4);
    const [reader, ...writers] = stores as [RemoteStore, ...RemoteStore[]];
    const live = new Replica();
    const seen: bigint[] = [];
    const reading = (async () => {
      for await (const { position, writes } of reader.changes({ after: 0n })) {
        seen.push(position);
        live.apply(writes);
        assertEquals(live.get("pair/a"), live.get("pair/b"));
        if (live.get("last") !== undefined) break;
      }
    })();
    reading.catch(() => {});

    let middle: { replica: Replica; position: bigint } | undefined;
    const writing = Promise.all(
      writers.map((store, i) => writeAtRandom(store, new Random(40 + i), 60)),
    );
    for (let i = 0; i < 4; i++) {
      const moment = await reader.snapshot();
      const replica = new Replica();
      replica.apply(await moment.scanPrefix(""));
      middle = { replica, position: moment.position! };
      await moment.close();
    }
    await writing;
    const expected = await contents(reader);

    // From the beginning, from a moment in between, and in pieces.
    const again = new Replica();
    const positions: bigint[] = [];
    for await (const { position, writes } of reader.changes({ after: 0n, live: false })) {
      again.apply(writes);
      positions.push(position);
    }
    assertEquals(again.contents(), expected);
    assertEquals(positions, [...positions].sort((a, b) => a < b ? -1 : 1));
    assertEquals(new Set(positions).size, positions.length);
    for await (const { writes } of reader.changes({ after: middle!.position, live: false })) {
      middle!.replica.apply(writes);
    }
    assertEquals(middle!.replica.contents(), expected);
    const pieces = new Replica();
    for (let after = 0n, isAtEnd = false; !isAtEnd;) {
      isAtEnd = true;
      let left = 7;
      for await (const { position, writes } of reader.changes({ after, live: false })) {
        pieces.apply(writes);
        after = position;
        isAtEnd = false;
        if (--left === 0) break;
      }
    }
    assertEquals(pieces.contents(), expected);

    await writers[0]!.put("last", "1");
    await reading;
    assertEquals(seen.slice(0, positions.length), positions);
    await closeAll(stores);
  },
);

test(
  "a feed is read of the keys that are asked for, from where it is asked for",
  OPTIONS,
  async () => {
    const stores = await openFed(1);
    const [store] = stores as [RemoteStore];
    await store.put("a/1", "1");
    await store.batch().put("a/2", "2").put("b/1", "1").delete("a/1").commit();
    await store.delete("nothing");
    const read = async (
      options: Parameters<RemoteStore["changes"]>[0],
      of: RemoteStore | ReturnType<RemoteStore["sub"]> = store,
    ) => {
      const changes = await Array.fromAsync(of.changes({ live: false, ...options }));
      return changes.map(({ writes }) =>
        writes.map(({ key, value }) => `${toText(key)}=${value ? toText(value) : "-"}`).join(" ")
      );
    };
    assertEquals(await read({ after: 0n }), ["a/1=1", "a/2=2 b/1=1 a/1=-"]);
    assertEquals(await read({ after: 0n, prefix: "b/" }), ["b/1=1"]);
    const part = store.sub("a/");
    assertEquals(await read({ after: 0n }, part), ["1=1", "2=2 1=-"]);
    assertEquals(await read({ after: 0n, prefix: "2" }, part), ["2=2"]);
    assertEquals(await read({}), []);
    const [first] = await Array.fromAsync(store.changes({ after: 0n, live: false }));
    assertEquals((await read({ after: first!.position })).length, 1);

    // Part and store end theirs when they are closed.
    const ofPart = part.changes()[Symbol.asyncIterator]().next();
    const ofStore = store.changes();
    const next = ofStore.next();
    await part.close();
    assertEquals((await ofPart).done, true);
    await store.put("c", "1");
    assertEquals(toText((await next).value!.writes[0]!.key), "c");
    const last = ofStore.next();
    await store.close();
    assertEquals((await last).done, true);
  },
);

test("what a feed refuses, and what is trimmed", OPTIONS, async () => {
  const stores = await openFed(1);
  const [store] = stores as [RemoteStore];
  for (let i = 0; i < 10; i++) await store.put(`k${i}`, `${i}`);
  const all = await Array.fromAsync(store.changes({ after: 0n, live: false }));
  assertEquals(all.length, 10);
  const fifth = all[4]!.position;
  await store.trimChanges(fifth);
  await store.trimChanges(all[2]!.position);
  const rest = await Array.fromAsync(store.changes({ after: fifth, live: false }));
  assertEquals(rest.map(({ position }) => position), all.slice(5).map(({ position }) => position));
  await assertCode(
    () => Array.fromAsync(store.changes({ after: all[3]!.position, live: false })),
    "CURSOR_LOST",
  );
  await assertCode(() => Array.fromAsync(store.changes({ after: 0n })), "CURSOR_LOST");
  await store.trimChanges(all[9]!.position);
  assertEquals(await Array.fromAsync(store.changes({ after: all[9]!.position, live: false })), []);
  const moment = await store.snapshot();
  assertEquals(moment.position, all[9]!.position);
  await moment.close();
  await store.put("more", "1");
  assertEquals(
    (await Array.fromAsync(store.changes({ after: all[9]!.position, live: false }))).length,
    1,
  );

  const far = 1n << 40n;
  await assertRejects(() => Array.fromAsync(store.changes({ after: far })), RangeError, "after is");
  await assertRejects(() => Array.fromAsync(store.changes({ after: -1n })), RangeError, "after is");
  await assertRejects(() => store.trimChanges(far), RangeError, "upTo is");
  await assertRejects(() => store.trimChanges(1 as never), TypeError, "upTo is a number");
  for (const wrong of [{ after: 1 }, { live: 1 }, { prefix: 1 }, { cursor: "c" }, { signal: 1 }]) {
    assertThrows(() => store.changes(wrong as never), TypeError);
  }
  assertThrows(() => store.watch(7 as never), TypeError, "what to watch is a number");
  await closeAll(stores);
  assertThrows(() => store.changes(), Error, "the store is closed");
});

test(
  "a store gets a feed, which no writer that has not opened it again writes past",
  OPTIONS,
  async () => {
    const url = (await servers.server()).url();
    const table = `fed${++tables}`;
    await RemoteStore.setup(url, { table });
    const before = await RemoteStore.open(url, { table });
    for (const refused of [() => before.changes(), () => before.watch(["a"])]) {
      assertThrows(refused, Error, "the store has no change feed");
    }
    await assertCode(() => before.trimChanges(0n), "UNSUPPORTED");
    await assertCode(() => RemoteStore.open(url, { table, changes: true }), "SCHEMA");
    await before.put("a", "before");
    await before.transaction(async (tx) => tx.put("b", (await tx.get("a"))!));

    await RemoteStore.setup(url, { table, changes: true });
    const writes: (() => Promise<unknown>)[] = [
      () => before.put("a", "past"),
      () => before.delete("a"),
      () => before.batch().put("a", "past").put("c", "past").commit(),
      () => before.deleteRange({}),
      () => before.fetchAndAddU64("n", 1n),
      () => before.transaction(async (tx) => tx.put("b", (await tx.get("a"))!)),
    ];
    for (const write of writes) await assertCode(write, "SCHEMA");
    const after = await RemoteStore.open(url, { table });
    assertEquals(await contents(after), [["a", "before"], ["b", "before"]]);
    await after.put("a", "after");
    const changes = await Array.fromAsync(after.changes({ after: 0n, live: false }));
    assertEquals(changes.map(({ writes }) => toText(writes[0]!.value!)), ["after"]);
    // Who sets it up again, with or without, changes nothing.
    await RemoteStore.setup(url, { table });
    await RemoteStore.setup(url, { table, changes: true });
    await after.put("a", "again");
    assertEquals((await Array.fromAsync(after.changes({ after: 0n, live: false }))).length, 2);
    await Promise.all([before.close(), after.close()]);
  },
);

test("keys and prefixes are watched, over several stores", OPTIONS, async () => {
  const stores = await openFed(2);
  const [store, other] = stores as [RemoteStore, RemoteStore];
  const part = store.sub("p/");
  const shown = async (states: AsyncIterator<{ key: Uint8Array; value: Uint8Array }[]>) => {
    const { value } = await states.next();
    return value?.map(({ key, value }: { key: Uint8Array; value: Uint8Array }) =>
      `${toText(key)}=${toText(value)}`
    ).join(" ");
  };
  const keys = part.watch(["b", "a", "none"]);
  const prefix = store.watch({ prefix: "p/" });
  assertEquals([await shown(keys), await shown(prefix)], ["", ""]);
  const next = [shown(keys), shown(prefix)];
  await other.put("q", "not watched");
  await other.batch().put("p/a", "1").put("p/b", "2").commit();
  assertEquals(await Promise.all(next), ["b=2 a=1", "p/a=1 p/b=2"]);
  // States in between are left out, and the last one never is.
  for (let i = 0; i < 20; i++) await other.put("p/a", `${i}`);
  await other.delete("p/b");
  assertEquals([await shown(keys), await shown(prefix)], ["a=19", "p/a=19"]);
  const [left, closed] = [keys.next(), prefix.next()];
  await keys.return!();
  assertEquals((await left).done, true);
  const stop = new AbortController();
  const ended = store.watch(["a"], { signal: stop.signal });
  await ended.next();
  const never = ended.next();
  stop.abort(new Error("enough"));
  await assertRejects(() => never, Error, "enough");
  await closeAll(stores);
  assertEquals((await closed).done, true);
});

test("a store on a server that is written meanwhile is moved into a file", OPTIONS, async () => {
  const stores = await openFed(1);
  const [from] = stores as [RemoteStore];
  for (let i = 0; i < 30; i++) void from.put(`k${i}`, `${i}`);
  await using to = await HybridStore.openTemp();
  let { position: after } = await copyStore(from, to);
  await from.put("k3", "changed");
  await from.deleteRange({ prefix: "k2" });
  ({ position: after } = await copyStore(from, to, { after: after! }));
  await from.put("k4", "changed");
  await copyStore(from, to, { after: after! });
  assertEquals(await contents(to), await contents(from));
  await closeAll(stores);
});

test(
  "a commit takes its position alone, so that none comes behind one that was shown",
  OPTIONS,
  async () => {
    const [store] = await openFed(1) as [RemoteStore];
    const table = `fed${tables}`;
    await store.put("first", "1");
    const shown: string[] = [];
    const reading = (async () => {
      for await (const { writes } of store.changes({ after: 0n })) {
        shown.push(...writes.map(({ key }) => toText(key)));
        if (shown.length === 4) break;
      }
    })();
    reading.catch(() => {});
    while (shown.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    const client = new pg.Client({ connectionString: (await servers.server()).url() });
    await client.connect();
    // A commit of another store that has its position, and stands still.
    await client.query("BEGIN");
    await client.query(`SELECT 1 FROM ${table}_feed FOR UPDATE`);
    await client.query(`INSERT INTO ${table}_commits (w, n) VALUES ('other', 1)`);
    await client.query(`INSERT INTO ${table}_changes VALUES ('other', 1, 1, 'second', '2')`);
    let isThere = false;
    const writes = [
      store.put("third", "3"),
      store.transaction(async (tx) => tx.put("fourth", (await tx.get("first"))!)),
    ];
    void Promise.all(writes).then(() => isThere = true);
    await new Promise((resolve) => setTimeout(resolve, 400));
    assertEquals([shown, isThere], [["first"], false]);
    await client.query("COMMIT");
    await Promise.all(writes);
    await reading;
    assertEquals(shown.slice(0, 2), ["first", "second"]);
    assertEquals(shown.slice(2).sort(), ["fourth", "third"]);
    await client.end();
    await store.close();
  },
);
