import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { assert, assertEquals, assertLess, assertRejects, assertThrows } from "@std/assert";
import { type Entry, HybridStore, toText } from "../../../mod.ts";
import { assertCode } from "../../support/assert.ts";
import { Random } from "../../support/random.ts";
import { tempDirectory } from "../../support/temp.ts";
import { openFake } from "../_fakes.ts";
import { appendKey, btreeKey } from "../_support.ts";

/** Returns a state as text. */
function textOf(state: readonly Entry[]): string {
  return state.map(({ key, value }) => `${toText(key)}=${toText(value)}`).join();
}

/** Collects the states that a watch yields, until its end. */
function collect(
  states: AsyncIterable<Entry[]>,
): { readonly seen: string[]; readonly done: Promise<void> } {
  const seen: string[] = [];
  const done = (async () => {
    for await (const state of states) seen.push(textOf(state));
  })();
  return { seen, done };
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await delay(1);
}

test("watch shows what is there, then the newest state after each change", async () => {
  await using store = await HybridStore.openTemp();
  await store.put("b", "1");
  const { seen } = collect(store.watch(["a", "b"]));
  await until(() => seen.length === 1);
  await store.put("a", "2");
  await until(() => seen.length === 2);
  await store.delete("b");
  await until(() => seen.length === 3);
  await store.put("c", "of no interest");
  await store.batch().put("b", "3").put("a", "4").commit();
  await until(() => seen.length === 4);
  await store.transact((tx) => tx.deleteRange({}));
  await until(() => seen.length === 5);
  await store.fetchAndAddU64("a", 0x61n);
  await until(() => seen.length === 6);
  await store.checkpoint();
  await delay(5);
  assertEquals(seen, ["b=1", "a=2,b=1", "a=2", "a=4,b=3", "", "a=a\0\0\0\0\0\0\0"]);
});

test("watch of a prefix shows all keys below it, on both sides, and no other", async () => {
  await using store = await HybridStore.openTemp();
  const { seen } = collect(store.watch({ prefix: "subject\0" }));
  await until(() => seen.length === 1);
  await store.put(appendKey(1), "1");
  await until(() => seen.length === 2);
  await store.put(btreeKey(1), "2");
  await until(() => seen.length === 3);
  await store.put("subjects", "3");
  await store.put("subject", "4");
  await store.delete(appendKey(1));
  await until(() => seen.length === 4);
  assertEquals(seen.map((state) => state.replaceAll("\0", "|")), [
    "",
    "subject|H:000001=1",
    "subject|H:000001=1,subject|MV:000001=2",
    "subject|MV:000001=2",
  ]);
});

test("watch of a part of a store has keys without the prefix", async () => {
  await using store = await HybridStore.openTemp();
  const users = store.sub("user/");
  const keys = collect(users.watch(["1", ""]));
  const all = collect(users.watch({ prefix: "" }));
  await until(() => keys.seen.length === 1 && all.seen.length === 1);
  await store.put("user/1", "Ada");
  await until(() => keys.seen.length === 2 && all.seen.length === 2);
  await users.put("", "x");
  await until(() => keys.seen.length === 3 && all.seen.length === 3);
  assertEquals(keys.seen, ["", "1=Ada", "1=Ada,=x"]);
  assertEquals(all.seen, ["", "1=Ada", "=x,1=Ada"]);
});

test("watch leaves out states where the reader is slow, and never the last one", async () => {
  await using store = await HybridStore.openTemp({ memtableBytes: 5000 });
  const seed = Math.floor(Math.random() * 2 ** 32);
  const random = new Random(seed);
  const WRITES = 3000;
  const shown: number[] = [];
  const reading = (async () => {
    for await (const state of store.watch(["a", "b"])) {
      // Both keys are written together: one moment shows both, or neither.
      const [a, b] = state.map(({ value }) => Number(toText(value)));
      assertEquals(a, b, `seed ${seed}`);
      if (a !== undefined) shown.push(a);
      if (a === WRITES) return;
      if (random.once(3)) await delay(random.below(3));
    }
  })();
  for (let i = 1; i <= WRITES; i++) {
    const written = store.batch().put("a", `${i}`).put("b", `${i}`).commit({ durable: false });
    if (random.once(20)) await written;
    if (random.once(100)) await delay(1);
  }
  await reading;
  assertLess(shown.length, WRITES);
  assertEquals(shown, shown.toSorted((a, b) => a - b), `seed ${seed}`);
  assertEquals(shown.at(-1), WRITES);
});

test("watch of a prefix shows one moment, however many keys there are", async () => {
  await using store = await HybridStore.openTemp({ memtableBytes: 20_000 });
  const KEYS = 3000;
  const writeAll = (value: string) => {
    const batch = store.batch();
    for (let i = 0; i < KEYS; i++) batch.put(i % 2 === 0 ? appendKey(i) : btreeKey(i), value);
    return batch.commit();
  };
  await writeAll("0");
  const reading = (async () => {
    for await (const state of store.watch({ prefix: "subject" })) {
      assertEquals(state.length, KEYS);
      const values = new Set(state.map(({ value }) => toText(value)));
      assertEquals(values.size, 1);
      if (values.has("9")) return;
    }
  })();
  for (let i = 1; i < 10; i++) await writeAll(`${i}`);
  await reading;
});

test("many watch, and each hears of its own keys alone", async () => {
  await using store = await HybridStore.openTemp();
  const watches = Array.from({ length: 200 }, (_, i) => {
    const stop = new AbortController();
    const { seen, done } = collect(store.watch([`key ${i}`, "shared"], { signal: stop.signal }));
    return { seen, done, stop };
  });
  await until(() => watches.every(({ seen }) => seen.length === 1));
  assertEquals(store.stats().feed.watches, 200);
  await store.put("key 7", "1");
  await until(() => watches[7]!.seen.length === 2);
  await store.put("key 8", "1");
  await until(() => watches[8]!.seen.length === 2);
  assertEquals(watches.filter(({ seen }) => seen.length > 1).length, 2);
  await store.put("shared", "1");
  await until(() => watches.every(({ seen }) => seen.at(-1)!.endsWith("shared=1")));
  for (const { stop } of watches) stop.abort(new Error("enough"));
  for (const { done } of watches) await assertRejects(() => done, Error, "enough");
  assertEquals(store.stats().feed.watches, 0);
  await store.put("shared", "2");
});

test("a watch ends with its loop, its signal or the store", async () => {
  const store = await HybridStore.openTemp();
  for await (const state of store.watch(["a"])) {
    assertEquals(state, []);
    break;
  }
  assertEquals(store.stats().feed.watches, 0);
  const reason = new Error("stop");
  await assertRejects(
    () => Array.fromAsync(store.watch(["a"], { signal: AbortSignal.abort(reason) })),
    Error,
    "stop",
  );
  const stop = new AbortController();
  const waiting = collect(store.watch({ prefix: "a" }, { signal: stop.signal }));
  await until(() => waiting.seen.length === 1);
  stop.abort(reason);
  await assertRejects(() => waiting.done, Error, "stop");
  const open = collect(store.watch(["a"]));
  await until(() => open.seen.length === 1);
  await store.close();
  await open.done;
  await assertCode(() => store.watch(["a"]), "CLOSED");
});

test("a watch that nobody goes on with does not hold up the store", async () => {
  const store = await HybridStore.openTemp();
  const states = store.watch(["a"]);
  await states.next();
  for (let i = 0; i < 100; i++) await store.put("a", `${i}`);
  assertEquals(textOf((await states.next()).value!), "a=99");
  await store.close();
});

test("what is to be watched is checked, and copied", async () => {
  await using store = await HybridStore.openTemp();
  const refused: [keys: unknown, type: typeof TypeError | typeof RangeError, message: string][] = [
    ["a", TypeError, "neither an array of keys nor { prefix }"],
    [undefined, TypeError, "what to watch is undefined"],
    [new Uint8Array(1), TypeError, "neither an array of keys nor { prefix }"],
    [[""], RangeError, "the key is empty"],
    [[7], TypeError, "the key is a number"],
    [{ prefix: 7 }, TypeError, "prefix is a number"],
  ];
  for (const [keys, type, message] of refused) {
    assertThrows(() => store.watch(keys as never), type, message);
  }
  assertThrows(() => store.watch([], { live: true } as never), TypeError, "no option live");
  assertThrows(() => store.watch([], { signal: 1 } as never), TypeError, "signal is a number");
  const key = new Uint8Array([1]);
  const { seen } = collect(store.watch([key]));
  key[0] = 2;
  await until(() => seen.length === 1);
  await store.put(new Uint8Array([1]), "1");
  await until(() => seen.length === 2);
  assertEquals(seen[1], "\x01=1");
});

test("a write that fails is shown to be gone", async () => {
  using temp = tempDirectory();
  const { store, files } = await openFake(temp.path, {});
  await store.put("a", "1");
  const { seen } = collect(store.watch(["a"]));
  await until(() => seen.length === 1);
  files.before = ({ kind, name }) => {
    if (kind === "write" && name.endsWith(".seg")) {
      throw Object.assign(new Error("ENOSPC"), { code: "ENOSPC" });
    }
  };
  await assertRejects(() => store.put("a", "2"));
  files.before = () => {};
  await delay(5);
  assertEquals(seen.at(-1), "a=1");
  await store.flush().catch(() => {});
  await store.put("a", "3");
  await until(() => seen.at(-1) === "a=3");
  assert(!seen.includes("a=2"));
  await store.close();
});

for (const watched of [["a"], { prefix: "a" }]) {
  const name = Array.isArray(watched) ? "keys" : "a prefix";
  test(`a watch of ${name} that begins within a group that fails is shown that it is gone`, async () => {
    using temp = tempDirectory();
    const { store, files } = await openFake(temp.path, {});
    await store.put("a", "1");
    files.before = ({ kind, name }) => {
      if (kind === "write" && name.endsWith(".seg")) {
        throw Object.assign(new Error("ENOSPC"), { code: "ENOSPC" });
      }
    };
    const failing = assertRejects(() => store.put("a", "2"));
    const { seen } = collect(store.watch(watched));
    await failing;
    files.before = () => {};
    await until(() => seen.at(-1) === "a=1");
    await store.close();
  });
}

test("a watch that begins in a transaction does not end the group that this has read from", async () => {
  using temp = tempDirectory();
  const { store, files } = await openFake(temp.path, {});
  await store.put("n", "1");
  let writes = 0;
  files.before = ({ kind, name }) => {
    if (kind === "write" && name.endsWith(".seg") && writes++ === 0) {
      throw Object.assign(new Error("ENOSPC"), { code: "ENOSPC" });
    }
  };
  const failing = assertRejects(() => store.put("n", "5"));
  const transaction = assertRejects(() =>
    store.transact((tx) => {
      const read = toText(tx.get("n")!);
      store.watch({ prefix: "x" }).next();
      tx.put("copy", read);
    })
  );
  await failing;
  await transaction;
  assertEquals([await store.has("copy"), toText(store.getSync("n")!)], [false, "1"]);
  await store.close();
});
