import { spawnSync } from "node:child_process";
import process from "node:process";
import { test } from "node:test";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { dirname, fromFileUrl, join } from "@std/path";
import { KvCore } from "../../kv/core.ts";
import { copyKv, exportNdjson, importNdjson, type Kv, KvU64, openKv } from "../../kv/mod.ts";
import { tempDirectory } from "../support/temp.ts";
import { withClock } from "./_clock.ts";
import { show, values } from "./_values.ts";

const HERE = dirname(fromFileUrl(import.meta.url));
const ROOT = join(HERE, "..", "..");

async function allOf(kv: Kv): Promise<string[]> {
  const found: string[] = [];
  for await (const { key, value } of kv.list({ prefix: [] })) {
    found.push(`${show(key)} ${show(value)}`);
  }
  return found;
}

test("copyKv() copies values, counters, blobs and times of expiry", async () => {
  await withClock(async (clock) => {
    await using from = await openKv(":memory:");
    await using to = await openKv(":memory:");
    let i = 0;
    for (const value of Object.values(values())) await from.set(["v", i++], value);
    await from.atomic().sum(["n"], 5n).commit();
    await from.set(["short"], 1, { expireIn: 50 });
    await from.setBlob(["blob"], new Uint8Array(100_000).fill(7));
    await to.set(["stays"], 1);
    const progress: number[] = [];
    const { entries } = await copyKv(from, to, {
      onProgress: ({ entries }) => progress.push(entries),
    });
    assertEquals(entries, i + 3);
    assertEquals(progress.at(-1), entries);
    await to.atomic().sum(["n"], 1n).commit();
    assertEquals((await to.get<KvU64>(["n"])).value?.value, 6n);
    const { value } = await to.getBlob(["blob"]);
    const bytes = await new Response(value as ReadableStream<Uint8Array<ArrayBuffer>>)
      .arrayBuffer();
    assertEquals(bytes.byteLength, 100_000);
    clock.now += 49;
    assertEquals((await to.get(["short"])).value, 1);
    clock.now += 1;
    assertEquals((await to.get(["short"])).value, null);
    await to.delete(["stays"]);
    await to.set(["n"], new KvU64(5n));
    await from.delete(["blob"]);
    await to.delete(["blob"]);
    assertEquals(await allOf(to), await allOf(from));
  });
});

test("copyKv() copies what is selected, and can be ended", async () => {
  await using from = await openKv(":memory:");
  await using to = await openKv(":memory:");
  for (let i = 0; i < 4000; i++) await from.set([i % 2 ? "odd" : "even", i], i);
  assertEquals(await copyKv(from, to, { selector: { prefix: ["odd"] } }), { entries: 2000 });
  assertEquals(await to.count({ prefix: [] }), 2000);
  const stop = new AbortController();
  await assertRejects(
    () =>
      copyKv(from, to, {
        signal: stop.signal,
        onProgress: () => stop.abort(new Error("enough")),
      }),
    Error,
    "enough",
  );
  assertEquals(await to.count({ prefix: ["even"] }), 1000);
});

test("copyKv() to another implementation keeps to its limits, and names what it refuses", async () => {
  const text = (value: unknown) =>
    JSON.stringify(value, (_, each) => typeof each === "bigint" ? `${each}` : each);
  /** What stands for one that takes no more than Deno's. */
  class Other {
    readonly entries = new Map<string, unknown>();
    atomic() {
      const sets: [unknown, unknown][] = [];
      const operation = {
        set: (key: unknown, value: unknown) => {
          if (text(value)?.length > 65_536) {
            throw new TypeError("Value too large (max 65536 bytes)");
          }
          sets.push([key, value]);
          return operation;
        },
        commit: () => {
          assert(sets.length <= 1000 && text(sets).length < 819_200, `${sets.length}`);
          for (const [key, value] of sets) this.entries.set(JSON.stringify(key), value);
          return Promise.resolve({ ok: true });
        },
      };
      return operation;
    }
  }
  await using from = await openKv(":memory:");
  for (let i = 0; i < 1200; i++) await from.set(["k", i], "x".repeat(i));
  const other = new Other();
  assertEquals(await copyKv(from, other), { entries: 1200 });
  assertEquals(other.entries.get('["k",7]'), "xxxxxxx");
  await from.set(["large"], "y".repeat(70_000));
  const error = await assertRejects(() => copyKv(from, other), TypeError);
  assertEquals(
    error.message,
    'Cannot copy Kv: the target refuses the entry of ["large"]: Value too large (max 65536 bytes); leave it ' +
      "out, or make it smaller",
  );
  await from.delete(["large"]);
  await from.setBlob(["large"], new Uint8Array(10));
  await assertRejects(() => copyKv(from, other), TypeError, "it is a blob");
  await from.delete(["large"]);
  class Counter {
    constructor(readonly value: bigint) {}
  }
  await from.set(["n"], new KvU64(3n));
  if (!("Deno" in globalThis)) {
    await assertRejects(
      () => copyKv(from, other),
      TypeError,
      'Cannot copy Kv: ["n"] is a counter; pass the target\'s class of counters, as KvU64',
    );
  }
  await copyKv(from, other, { KvU64: Counter });
  const counter = other.entries.get('["n"]');
  assert(counter instanceof Counter && counter.value === 3n);
  await assertRejects(
    () => copyKv({} as never, other),
    TypeError,
    "from is an Object, and has no list()",
  );
  await assertRejects(() => copyKv(from, {} as never), TypeError, "has no atomic()");
});

test("copyKv() knows the counters of other implementations, and what they refuse", async () => {
  /** A class of the name that it has in `@deno/kv`. */
  class _KvU64 {
    constructor(readonly value: bigint) {}
  }
  class Count {
    constructor(readonly value: bigint) {}
  }
  const source = (value: unknown) => ({
    async *list() {
      yield await Promise.resolve({ key: ["n"], value });
    },
  });
  await using to = await openKv(":memory:");
  for (
    const [value, options] of [[new _KvU64(3n), {}], [new Count(3n), { KvU64: Count }]] as const
  ) {
    await copyKv(source(value), to, options);
    await to.atomic().sum(["n"], 1n).commit();
    assertEquals((await to.get<KvU64>(["n"])).value?.value, 4n);
  }
  for (const value of [{ value: 3n }, Object.assign([1], { value: 3n })]) {
    await copyKv(source(value), to);
    assertEquals(show((await to.get(["n"])).value), show(value));
  }
  const refusal = 'the target refuses the entry of ["n"]: ';
  await assertRejects(() => copyKv(source(() => 1), to), TypeError, refusal);
  // As @deno/kv refuses an entry.
  const native = {
    atomic: () => ({
      set: () => {},
      commit: () => Promise.reject(new Error("ValueTooLong\n\nat")),
    }),
  };
  const given = source(1);
  await assertRejects(() => copyKv(given, native), TypeError, `${refusal}ValueTooLong; leave`);
  // Another failure is not one of an entry, and is not tried again.
  let commits = 0;
  const failing = {
    atomic: () => ({
      set: () => {},
      commit: () => {
        commits++;
        return Promise.reject(new TypeError("error sending request"));
      },
    }),
  };
  await using two = await openKv(":memory:");
  await two.atomic().set([1], 1).set([2], 2).commit();
  await assertRejects(() => copyKv(two, failing), TypeError, "error sending request");
  assertEquals(commits, 1);
  await assertRejects(() => copyKv(two, two, { selector: {} as never }), TypeError, "Selector");
  await to.close();
  const error = await assertRejects(() => copyKv(two, to), Error);
  assertEquals(error.name, "BadResource");
});

test("copyKv() keeps times of expiry while the clock goes on", async () => {
  await withClock(async (clock) => {
    await using from = await openKv(":memory:");
    await using to = await openKv(":memory:");
    await from.set(["a"], 1, { expireIn: 100 });
    await from.setBlob(["b"], new Uint8Array(200_000), { expireIn: 100 });
    const { commit } = KvCore.prototype;
    KvCore.prototype.commit = function (...args) {
      clock.now += 7;
      return commit.apply(this, args);
    };
    try {
      await copyKv(from, to);
      await importNdjson(to, exportNdjson(from, { selector: { prefix: [], end: ["b"] } }));
    } finally {
      KvCore.prototype.commit = commit;
    }
    assertEquals(clock.now, 1_800_000_000_021);
    clock.now = 1_800_000_000_099;
    assertEquals((await to.getMany([["a"], ["b"]])).map(({ value }) => value !== null), [
      true,
      true,
    ]);
    clock.now++;
    assertEquals((await to.getMany([["a"], ["b"]])).map(({ value }) => value), [null, null]);
  });
});

test("entries go from Deno's own KV to ours, through JSON, and back", {
  skip: !("Deno" in globalThis),
  timeout: 600_000,
}, () => {
  using directory = tempDirectory();
  const child = join(HERE, "_copy_child.ts");
  const args = ["run", "-A", "--no-check", "--unstable-kv", child, directory.path];
  const { stdout, stderr } = spawnSync(process.execPath, args, { cwd: ROOT, encoding: "utf8" });
  assertEquals(`${stdout}${stderr}`, "ok\n");
});
