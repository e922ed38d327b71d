import { test } from "node:test";
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { join } from "@std/path";
import { compareBytes } from "../../codec/bytes.ts";
import { type Kv, KvU64, openKv } from "../../kv/mod.ts";
import { Queue, type StoredMessage } from "../../kv/queue.ts";
import { HybridStore } from "../../store/hybrid_store.ts";
import { setTimeout as sleep } from "node:timers/promises";
import { newDisks, openStore } from "../crash/_place.ts";
import { FaultyFileSystem, systemError } from "../journal/_faulty_file_system.ts";
import { tempDirectory } from "../support/temp.ts";
import { withClock } from "./_clock.ts";

/** Listens, and closes the Kv after some messages; returns them in the order of their delivery. */
async function received(kv: Kv, count: number): Promise<unknown[]> {
  const found: unknown[] = [];
  await kv.listenQueue((value) => {
    found.push(value);
    if (found.length === count) void kv.close();
  });
  return found;
}

/** Runs a function while what goes to the console is collected. */
async function quietly<T>(body: () => Promise<T>): Promise<{ result: T; shown: string[] }> {
  const { error } = console;
  const shown: string[] = [];
  console.error = (...parts: unknown[]) => void shown.push(parts.map(String).join(" "));
  try {
    return { result: await body(), shown };
  } finally {
    console.error = error;
  }
}

/** How many keys there are whose first byte is that of messages. */
function messagesIn(store: HybridStore): Promise<number> {
  return store.count({ prefix: new Uint8Array([4]) });
}

test("messages are delivered in the order in which they were put in, of all kinds of values", async () => {
  const kv = await openKv(":memory:");
  const values = [
    undefined,
    null,
    1,
    "a",
    5n,
    new KvU64(7n),
    new Uint8Array([1, 2]),
    new Map([[1, 2]]),
  ];
  for (const value of values) await kv.enqueue(value);
  await kv.atomic().set(["a"], 1).enqueue("x").enqueue("y").commit();
  assertEquals(await received(kv, values.length + 2), [...values, "x", "y"]);
});

test("a message of an operation whose check fails is not put in", async () => {
  await using store = await HybridStore.openMemory();
  const kv = await openKv(store);
  await kv.set(["a"], 1);
  const absent = { key: ["a"], versionstamp: null };
  assertEquals((await kv.atomic().check(absent).enqueue("x").commit()).ok, false);
  assertEquals(await messagesIn(store), 0);
  assertEquals((await kv.atomic().enqueue("y", { delay: 1e6 }).commit()).ok, true);
  assertEquals(await messagesIn(store), 1);
  // Messages are no entries.
  assertEquals(await kv.count({ prefix: [] }), 1);
  await kv.close();
});

test("a message with a delay comes when it is due, after others", async () => {
  const kv = await openKv(":memory:");
  const start = Date.now();
  const times: number[] = [];
  await kv.enqueue("late", { delay: 120 });
  await kv.enqueue("later", { delay: 160 });
  await kv.enqueue("now");
  const found: unknown[] = [];
  await kv.listenQueue((value) => {
    found.push(value);
    times.push(Date.now() - start);
    if (found.length === 4) void kv.close();
    // One that is due before what the timer waits for.
    if (found.length === 1) void kv.enqueue("between", { delay: 10 });
  });
  assertEquals(found, ["now", "between", "late", "later"]);
  assertEquals([times[2]! >= 120, times[3]! >= 160], [true, true]);
});

test("a handler that fails is called again by the schedule, then the keys are set", async () => {
  await using store = await HybridStore.openMemory();
  const kv = await openKv(store);
  const { result: calls, shown } = await quietly(async () => {
    const calls: { value: unknown; at: number }[] = [];
    const listening = kv.listenQueue((value) => {
      calls.push({ value, at: Date.now() });
      if (value === "twice" && calls.filter((call) => call.value === "twice").length === 2) return;
      if (value !== "fine") throw new Error("no");
    });
    const stamps = [];
    const keysIfUndelivered = [["u", 1], ["u", 2]];
    stamps.push(await kv.enqueue("never", { backoffSchedule: [20, 40], keysIfUndelivered }));
    stamps.push(await kv.enqueue("dropped", { backoffSchedule: [] }));
    stamps.push(await kv.enqueue("twice", { backoffSchedule: [10], keysIfUndelivered: [["no"]] }));
    await kv.enqueue("fine", { delay: 100 });
    while (await messagesIn(store) > 0) await sleep(5);
    const undelivered = await kv.getMany<string[]>([["u", 1], ["u", 2], ["no"]]);
    assertEquals(undelivered.map(({ value }) => value), ["never", "never", null]);
    assertEquals(undelivered[0]!.versionstamp, undelivered[1]!.versionstamp);
    assertEquals(
      stamps.every(({ versionstamp }) => versionstamp < undelivered[0]!.versionstamp!),
      true,
    );
    await kv.close();
    await listening;
    return calls;
  });
  const of = (name: string) => calls.filter(({ value }) => value === name).map(({ at }) => at);
  assertEquals([of("never").length, of("dropped").length, of("twice").length], [3, 1, 2]);
  const [first, second, third] = of("never") as [number, number, number];
  assertEquals([second - first >= 20, third - second >= 40], [true, true]);
  assertEquals(shown, Array(5).fill("Exception in queue handler Error: no"));
});

test("several listeners share the messages; none gets one that another works on", async () => {
  await using store = await HybridStore.openMemory();
  const [one, two] = [await openKv(store), await openKv(store)];
  const counts = [0, 0, 0];
  const working = new Set<unknown>();
  const done: unknown[] = [];
  const handler = (at: number) => async (value: unknown) => {
    assertEquals(working.has(value), false);
    working.add(value);
    counts[at]!++;
    await sleep(Math.random() * 4);
    working.delete(value);
    done.push(value);
  };
  const listening = [one, two, two].map((kv, at) =>
    kv.listenQueue(handler(at), { concurrency: 3 })
  );
  await Promise.all(Array.from({ length: 300 }, (_, i) => (i % 2 ? one : two).enqueue(i)));
  while (await messagesIn(store) > 0) await sleep(5);
  assertEquals(
    done.toSorted((a, b) => Number(a) - Number(b)),
    Array.from({ length: 300 }, (_, i) => i),
  );
  assertEquals(counts.every((count) => count > 50), true);
  await one.close();
  await two.enqueue("still");
  while (done.at(-1) !== "still") await sleep(5);
  await two.close();
  await Promise.all(listening);
});

test("no more messages are worked on at a time than a listener says, and 100 otherwise", async () => {
  for (
    const [options, most] of [[{ concurrency: 1 }, 1], [{ concurrency: 7 }, 7], [{}, 100]] as const
  ) {
    const kv = await openKv(":memory:");
    for (let i = 0; i < 250; i++) await kv.enqueue(i);
    let [now, highest, done] = [0, 0, 0];
    await kv.listenQueue(async () => {
      highest = Math.max(highest, ++now);
      await sleep(1);
      now--;
      if (++done === 250) await kv.close();
    }, options);
    assertEquals(highest, most);
  }
});

test("messages stay over a reopening, also those that were being worked on", async () => {
  using directory = tempDirectory();
  const path = join(directory.path, "kv");
  const kv = await openKv(path);
  for (const value of ["a", "stuck", "b"]) await kv.enqueue(value);
  await kv.enqueue("last", { delay: 50 });
  const found: unknown[] = [];
  const listening = kv.listenQueue(async (value) => {
    found.push(value);
    if (value === "stuck") await new Promise(() => {});
    if (value === "last") void kv.close();
  });
  await listening;
  await kv.close();
  assertEquals(found, ["a", "stuck", "b", "last"]);
  const again = await openKv(path);
  assertEquals(await received(again, 1), ["stuck"]);
  await again.close();
  const last = await openKv(path);
  await last.enqueue("end");
  assertEquals(await received(last, 1), ["end"]);
  await last.close();
});

test("what a handler works on is not delivered again by another Kv that is opened meanwhile", async () => {
  await using store = await HybridStore.openMemory();
  const kv = await openKv(store);
  const gate = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  const listening = kv.listenQueue(async () => {
    begun.resolve();
    await gate.promise;
  });
  await kv.enqueue("slow");
  await begun.promise;
  await kv.close();
  await listening;
  const other = await openKv(store);
  const found: unknown[] = [];
  void other.listenQueue((value) => void found.push(value));
  await other.enqueue("next");
  while (found.length === 0) await sleep(1);
  assertEquals(found, ["next"]);
  gate.resolve();
  while (await messagesIn(store) > 0) await sleep(1);
  assertEquals(found, ["next"]);
  await other.close();
});

test("a listener ends when the store under its Kv is closed", async () => {
  const store = await HybridStore.openMemory();
  const kv = await openKv(store);
  const part = await openKv(store.sub("part/"));
  const listening = [kv.listenQueue(() => {}), part.listenQueue(() => {})];
  await sleep(5);
  await store.close();
  await Promise.all(listening);
  await kv.close();
  await part.close();
});

test("a message that cannot be read stays, is shown, and holds nothing up", async () => {
  await using store = await HybridStore.openMemory();
  const kv = await openKv(store);
  for (const value of ["a", "b", "c"]) await kv.enqueue(value);
  const [, second] = await store.scanPrefix(new Uint8Array([4]));
  second!.value[9]! ^= 1;
  await store.put(second!.key, second!.value);
  const { result, shown } = await quietly(() => received(kv, 2));
  assertEquals(result, ["a", "c"]);
  assertEquals(shown.length, 1);
  assertEquals(
    /^Cannot deliver message: StoreError: Cannot read message/.test(shown[0]!),
    true,
    shown[0],
  );
  while (await messagesIn(store) > 1) await sleep(1);
  assertEquals((await store.scanPrefix(new Uint8Array([4]))).map(({ key }) => key), [second!.key]);
});

test("a clock that is set back or forward keeps no message", async () => {
  await withClock(async (clock) => {
    await using store = await HybridStore.openMemory();
    const kv = await openKv(store);
    const found: unknown[] = [];
    void kv.listenQueue((value) => void found.push(value));
    for (const [value, jump] of [["a", 0], ["b", -1e9], ["c", 5e9], ["d", -7e9]] as const) {
      clock.now += jump;
      await kv.enqueue(value);
      while (found.at(-1) !== value) await sleep(1);
    }
    await kv.close();
  });
});

test("a write about a message that fails is made again, and the message comes once", async () => {
  const delays: number[] = [];
  let rows: StoredMessage[] = [];
  await using store = await HybridStore.openMemory();
  const kv = await openKv(store);
  await kv.enqueue("x");
  rows = await store.scanPrefix(new Uint8Array([4]));
  await kv.close();
  let [failures, delivered] = [0, 0];
  const closing = new AbortController();
  const queue = new Queue({
    closing: closing.signal,
    messages: ({ gte }) => rows.filter((row) => gte.join() <= row.key.join()),
    firstDue: () => Infinity,
    finish: () => {
      if (++failures < 3) return Promise.reject(new Error("full"));
      rows = [];
      closing.abort();
      return Promise.resolve();
    },
    fail: () => Promise.reject(new Error("not failed")),
    retain: () => delays.push(1),
    release: () => delays.push(-1),
  });
  await queue.listen(() => delivered++, 5, new AbortController().signal);
  while (delays.length < 2) await sleep(1);
  assertEquals([failures, delivered, delays], [3, 1, [1, -1]]);
});

test("while nothing can be written about messages, no more of them are delivered", async () => {
  await using store = await HybridStore.openMemory();
  const kv = await openKv(store);
  for (let i = 0; i < 50; i++) await kv.enqueue(i);
  let rows = await store.scanPrefix(new Uint8Array([4]));
  await kv.close();
  const closing = new AbortController();
  let isFull = true;
  const delivered: unknown[] = [];
  const queue = new Queue({
    closing: closing.signal,
    messages: ({ gte }) => rows.filter((row) => compareBytes(gte, row.key) <= 0),
    firstDue: () => Infinity,
    finish: async (key) => {
      await sleep(1);
      if (isFull) throw new Error("full");
      rows = rows.filter((row) => row.key.join() !== key.join());
      if (rows.length === 0) closing.abort();
    },
    fail: () => Promise.reject(new Error("not failed")),
    retain: () => {},
    release: () => {},
  });
  const listening = queue.listen(
    async (value) => {
      delivered.push(value);
      await sleep(1);
    },
    2,
    new AbortController().signal,
  );
  await sleep(100);
  // Those whose handlers ran when the first write failed.
  assertEquals(delivered.length < 10, true, `${delivered.length}`);
  isFull = false;
  await listening;
  assertEquals(delivered, Array.from({ length: 50 }, (_, i) => i));
});

test("a message is not delivered before it is acknowledged, nor where its write fails", async () => {
  const enqueues: ((kv: Kv) => Promise<unknown>)[] = [
    (kv) => kv.enqueue("x"),
    (kv) => kv.atomic().enqueue("x").commit(),
    (kv) => kv.transaction((tx) => Promise.resolve(void tx.enqueue("x"))),
  ];
  for (const enqueue of enqueues) {
    for (const fails of [false, true]) {
      using directory = tempDirectory();
      const files = new FaultyFileSystem();
      const path = join(directory.path, "journal");
      const store = await openStore(files, path, newDisks(), { durability: "always" });
      const kv = await openKv(store);
      const found: unknown[] = [];
      let isBusy = true;
      const listening = kv.listenQueue(async (value) => {
        if (value === "x") found.push(value);
        // So that it looks for messages again and again.
        else while (isBusy) await sleep(1);
      });
      await kv.enqueue("busy");
      const looking = setInterval(() => void kv.enqueue("look").catch(() => {}), 1);
      files.beforeSync = async () => {
        await sleep(30);
        assertEquals(found, []);
        if (fails) throw systemError("EIO");
        files.beforeSync = () => Promise.resolve();
      };
      if (fails) await assertRejects(() => enqueue(kv));
      else await enqueue(kv);
      isBusy = false;
      clearInterval(looking);
      await sleep(10);
      assertEquals(found, fails ? [] : ["x"]);
      await kv.close();
      await listening;
      await store.close().catch(() => {});
    }
  }
});

test("a message of a transaction that runs again is delivered once", async () => {
  await using store = await HybridStore.openMemory();
  const kv = await openKv(store);
  await kv.transaction(async (tx) => {
    await tx.get(["a"]);
    tx.enqueue(tx.attempt);
    if (tx.attempt < 3) await kv.set(["a"], tx.attempt);
  });
  await kv.enqueue("end");
  assertEquals(await received(kv, 2), [3, "end"]);
  await kv.close();
});

test("a message whose handler fails in the millisecond in which it was due comes again", async () => {
  await withClock(async () => {
    await using store = await HybridStore.openMemory();
    const kv = await openKv(store);
    let calls = 0;
    await quietly(async () => {
      void kv.listenQueue(() => {
        if (++calls < 4) throw new Error("no");
      });
      await kv.enqueue("x", { backoffSchedule: [0, 0, 0] });
      while (await messagesIn(store) > 0) await sleep(1);
    });
    assertEquals(calls, 4);
    await kv.close();
  });
});

test("messages that were read before a read fails are there for the next listener", async () => {
  await using store = await HybridStore.openMemory();
  const kv = await openKv(store);
  for (const value of ["a", "b", "c"]) await kv.enqueue(value);
  let rows = await store.scanPrefix(new Uint8Array([4]));
  await kv.close();
  let isBroken = true;
  const queue = new Queue({
    closing: new AbortController().signal,
    *messages({ gte }) {
      for (const [at, row] of rows.entries()) {
        if (isBroken && at === 1) throw new Error("cannot read");
        if (gte.join() <= row.key.join()) yield row;
      }
    },
    firstDue: () => Infinity,
    finish: (key) => {
      rows = rows.filter((row) => row.key.join() !== key.join());
      return Promise.resolve();
    },
    fail: () => Promise.reject(new Error("not failed")),
    retain: () => {},
    release: () => {},
  });
  const found: unknown[] = [];
  const ending = new AbortController();
  const listen = () =>
    queue.listen(
      (value) => {
        if (found.push(value) === 3) ending.abort();
      },
      5,
      ending.signal,
    );
  await assertRejects(listen, Error, "cannot read");
  isBroken = false;
  await listen();
  assertEquals(found, ["a", "b", "c"]);
});

test("enqueue() and listenQueue() say what is wrong, in Deno's words", async () => {
  const kv = await openKv(":memory:");
  // deno-lint-ignore no-explicit-any -- Arguments of wrong types are the point.
  const any = kv as any;
  const day = 24 * 3600 * 1000;
  const wrong: [unknown, string][] = [
    [{ delay: -1 }, "Delay must be >= 0: received -1"],
    [{ delay: NaN }, "Delay cannot be NaN"],
    [{ delay: 30 * day + 1 }, `Delay cannot be greater than 30 days: received ${30 * day + 1}`],
    [{ delay: "5" }, "Delay must be a number: received a string"],
    [{ backoffSchedule: [1, 1, 1, 1, 1, 1] }, "Invalid backoffSchedule, max 5 intervals allowed"],
    [{ backoffSchedule: [1, -1] }, "Invalid backoffSchedule, interval at index 1 is invalid"],
    [{ backoffSchedule: [NaN] }, "Invalid backoffSchedule, interval at index 0 is invalid"],
    [{ backoffSchedule: [3_600_001] }, "Invalid backoffSchedule, interval at index 0 is invalid"],
    [{ backoffSchedule: "a" }, "backoffSchedule must be a list of numbers: received a string"],
    [{ keysIfUndelivered: "a" }, "keysIfUndelivered must be a list of keys: received a string"],
    [{ keysIfUndelivered: [[{}]] }, "expected string, number, bigint, ArrayBufferView, boolean"],
  ];
  for (const [options, message] of wrong) {
    const error = await assertRejects(() => any.enqueue(1, options), TypeError);
    assertEquals(error.message.includes(message), true, error.message);
    assertThrows(() => any.atomic().enqueue(1, options), TypeError);
  }
  await assertRejects(() => kv.enqueue(() => {}), TypeError, "could not be cloned");
  await assertRejects(
    () => any.listenQueue(),
    TypeError,
    "the handler is undefined, not a function",
  );
  await assertRejects(() => kv.listenQueue(() => {}, { concurrency: 0 }), RangeError, "from 1 on");
  await assertRejects(
    () => any.listenQueue(() => {}, { concurrency: "1" }),
    TypeError,
    "concurrency",
  );
  await assertRejects(
    async () => await (kv.atomic() as unknown as Promise<void>),
    TypeError,
    "commit()",
  );
  await kv.enqueue(1, { delay: 30 * day, backoffSchedule: [0, 3_600_000] });
  await kv.close();
  await assertRejects(() => kv.listenQueue(() => {}), Error, "Queue already closed");
  await assertRejects(() => kv.enqueue(1), Error, "Bad resource ID");
});
