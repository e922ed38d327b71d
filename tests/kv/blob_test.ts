import { test } from "node:test";
import { assertEquals, assertRejects } from "@std/assert";
import { setImmediate } from "node:timers";
import { setTimeout as sleep } from "node:timers/promises";
import { join } from "@std/path";
import { HybridStore } from "../../store/hybrid_store.ts";
import { type Kv, KvBlob, openKv } from "../../kv/mod.ts";
import { Random } from "../support/random.ts";
import { Transaction } from "../../store/write/transaction.ts";
import { tempDirectory } from "../support/temp.ts";
import { withClock } from "./_clock.ts";

const CHUNK = 64 * 1024;

function bytes(length: number, seed = 1): Uint8Array<ArrayBuffer> {
  const random = new Random(seed);
  const found = new Uint8Array(length);
  for (let i = 0; i < length; i += 97) found[i] = random.below(256);
  return found;
}

/** Yields bytes in parts of a length. */
async function* parts(whole: Uint8Array, length: number): AsyncIterable<Uint8Array> {
  for (let at = 0; at < whole.length; at += length) {
    await Promise.resolve();
    yield whole.subarray(at, at + length);
  }
}

async function blobOf(kv: Kv, key: string): Promise<Uint8Array | undefined> {
  const { value, size } = await kv.getBlob([key]);
  if (value === null) return undefined;
  const found = new Uint8Array(
    await new Response(value as ReadableStream<Uint8Array<ArrayBuffer>>).arrayBuffer(),
  );
  assertEquals(found.length, size);
  return found;
}

/** How many keys there are of chunks, and of notes of blobs that no entry has. */
async function rows(store: HybridStore): Promise<[number, number]> {
  return [
    await store.count({ prefix: new Uint8Array([5]) }),
    await store.count({ prefix: new Uint8Array([6]) }),
  ];
}

/** Waits until there are so many chunks, and no notes. */
async function settled(store: HybridStore, chunks: number): Promise<void> {
  while ((await rows(store)).join() !== `${chunks},0`) await sleep(1);
}

test("blobs of all lengths and from all sources come back", async () => {
  await using store = await HybridStore.openMemory();
  await using kv = await openKv(store);
  const lengths = [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 16 * CHUNK, 16 * CHUNK + 1, 40 * CHUNK + 7];
  for (const length of lengths) {
    const whole = bytes(length, length);
    const sources = [
      whole,
      whole.buffer,
      new Blob([whole]),
      new Blob([whole]).stream(),
      parts(whole, 1000),
      parts(whole, 3 * CHUNK + 5),
      [whole.subarray(0, 10), new Uint8Array(0), whole.subarray(10)] as unknown as AsyncIterable<
        Uint8Array
      >,
    ];
    for (const source of sources) {
      const { versionstamp } = await kv.setBlob(["b"], source);
      assertEquals(await blobOf(kv, "b"), whole);
      const entry = await kv.get<KvBlob>(["b"]);
      assertEquals(entry.versionstamp, versionstamp);
      assertEquals([entry.value instanceof KvBlob, entry.value?.size], [true, length]);
    }
    await settled(store, Math.ceil(length / CHUNK));
  }
  assertEquals(await kv.count({ prefix: [] }), 1);
});

test("getBlob() has values that are bytes as well, and refuses others", async () => {
  await using kv = await openKv(":memory:");
  assertEquals(await kv.getBlob(["a"]), {
    key: ["a"],
    value: null,
    size: null,
    versionstamp: null,
  });
  await kv.set(["a"], new Uint8Array([1, 2]));
  assertEquals(await blobOf(kv, "a"), new Uint8Array([1, 2]));
  await kv.set(["a"], new Uint8Array(0));
  assertEquals(await blobOf(kv, "a"), new Uint8Array(0));
  await kv.set(["a"], "text");
  await assertRejects(() => kv.getBlob(["a"]), TypeError, "use get()");
});

test("what takes the entry of a blob away takes its chunks along", async () => {
  await using store = await HybridStore.openMemory();
  await using kv = await openKv(store);
  const whole = bytes(20 * CHUNK);
  const takers: [string, () => Promise<unknown>][] = [
    ["set", () => kv.set(["b"], 1)],
    ["set that expires", () => kv.set(["b"], 1, { expireIn: 100_000 })],
    ["setBlob", () => kv.setBlob(["b"], new Uint8Array(0))],
    ["delete", () => kv.delete(["b"])],
    ["deleteRange", () => kv.deleteRange({ prefix: [] })],
    ["atomic set", () => kv.atomic().set(["b"], 1).set(["b"], 2).commit()],
    ["atomic delete", () => kv.atomic().delete(["b"]).commit()],
    ["transaction set", () => kv.transaction((tx) => Promise.resolve(void tx.set(["b"], 1)))],
    ["transaction delete", () => kv.transaction((tx) => Promise.resolve(void tx.delete(["b"])))],
    ["transaction deleteRange", () => kv.transaction((tx) => tx.deleteRange({ prefix: [] }))],
  ];
  for (const [name, take] of takers) {
    await kv.setBlob(["b"], whole);
    assertEquals((await rows(store))[0] >= 20, true, name);
    await take();
    await settled(store, 0);
  }
  // What does not take place takes nothing.
  await kv.setBlob(["b"], whole);
  const absent = { key: ["b"], versionstamp: null };
  assertEquals((await kv.atomic().check(absent).delete(["b"]).commit()).ok, false);
  await assertRejects(() => kv.atomic().sum(["b"], 1n).commit(), TypeError, "non-U64");
  await assertRejects(
    () =>
      kv.transaction(async (tx) => {
        await tx.deleteRange({ prefix: [] });
        tx.delete(["b"]);
        throw new Error("no");
      }),
    Error,
    "no",
  );
  await sleep(5);
  assertEquals(await rows(store), [20, 0]);
  assertEquals(await blobOf(kv, "b"), whole);
});

test("a blob that expires is gone, with its chunks", async () => {
  await withClock(async (clock) => {
    await using store = await HybridStore.openMemory();
    await using kv = await openKv(store);
    await kv.setBlob(["b"], bytes(CHUNK + 1), { expireIn: 30 });
    assertEquals((await blobOf(kv, "b"))?.length, CHUNK + 1);
    clock.now += 30;
    assertEquals(await blobOf(kv, "b"), undefined);
    // The sweeper's timer is a real one.
    await settled(store, 0);
  });
});

test("a stream shows the blob that was there, whatever is written meanwhile", async () => {
  await using store = await HybridStore.openMemory();
  await using kv = await openKv(store);
  const whole = bytes(50 * CHUNK);
  await kv.setBlob(["b"], whole);
  const [first, second] = [await kv.getBlob(["b"]), await kv.getBlob(["b"])];
  const reader = second.value!.getReader();
  assertEquals((await reader.read()).value?.length, CHUNK);
  await kv.setBlob(["b"], bytes(3, 2));
  await sleep(10);
  assertEquals((await rows(store))[0], 51);
  const found = await new Response(first.value as ReadableStream<Uint8Array<ArrayBuffer>>)
    .arrayBuffer();
  assertEquals(new Uint8Array(found), whole);
  assertEquals((await rows(store))[0], 51);
  await reader.cancel();
  await settled(store, 1);
  assertEquals(await blobOf(kv, "b"), bytes(3, 2));
});

test("a source that fails, or that a signal ends, leaves the old value", async () => {
  await using store = await HybridStore.openMemory();
  await using kv = await openKv(store);
  await kv.set(["b"], "old");
  const failing = async function* () {
    yield bytes(40 * CHUNK);
    throw new Error("no more");
  };
  await assertRejects(() => kv.setBlob(["b"], failing()), Error, "no more");
  let isEnded = false;
  const stuck = async function* () {
    try {
      yield bytes(20 * CHUNK);
      // Not before it is stuck, however slow the machine is.
      setImmediate(() => late.abort(new Error("too late")));
      await new Promise(() => {});
    } finally {
      isEnded = true;
    }
  };
  const late = new AbortController();
  const { signal } = late;
  await assertRejects(() => kv.setBlob(["b"], stuck(), { signal }), Error, "too late");
  assertEquals(isEnded, false);
  const cancelled = Promise.withResolvers<unknown>();
  const stream = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.enqueue(bytes(100_000)),
    cancel: (reason) => cancelled.resolve(reason),
  });
  const abort = new AbortController();
  const setting = kv.setBlob(["b"], stream, { signal: abort.signal });
  await sleep(5);
  abort.abort(new Error("enough"));
  await assertRejects(() => setting, Error, "enough");
  await cancelled.promise;
  await assertRejects(
    () => kv.setBlob(["b"], ["text"] as never),
    TypeError,
    "gave a string, not bytes",
  );
  await assertRejects(() => kv.setBlob(["b"], 5 as never), TypeError, "its source is");
  await assertRejects(
    () => kv.setBlob(["b"], new Uint8Array(1), { signal: AbortSignal.abort(new Error("off")) }),
    Error,
    "off",
  );
  await settled(store, 0);
  assertEquals((await kv.get(["b"])).value, "old");
});

test("what an upload left when its process ended goes with the next opening", async () => {
  using directory = tempDirectory();
  const path = join(directory.path, "kv");
  const kv = await openKv(path);
  await kv.setBlob(["kept"], bytes(2 * CHUNK));
  const begun = Promise.withResolvers<void>();
  const endless = async function* () {
    for (let i = 0;; i++) {
      yield bytes(CHUNK);
      await sleep(0);
      if (i === 40) begun.resolve();
    }
  };
  const refused = assertRejects(() => kv.setBlob(["b"], endless()), Error, "Bad resource ID");
  const reading = (await kv.getBlob(["kept"])).value!.getReader();
  await begun.promise;
  await kv.close();
  await refused;
  await assertRejects(() => reading.read(), Error, "Bad resource ID");
  const store = await HybridStore.open(path);
  assertEquals((await rows(store))[0] > 2, true);
  const again = await openKv(store);
  await settled(store, 2);
  assertEquals(await blobOf(again, "kept"), bytes(2 * CHUNK));
  await again.close();
  await store.close();
});

test("damage to a chunk, and a chunk at the wrong place, are found", async () => {
  await using store = await HybridStore.openMemory();
  await using kv = await openKv(store);
  await kv.setBlob(["b"], bytes(4 * CHUNK));
  const chunks = await store.scanPrefix(new Uint8Array([5]));
  const damages: [number, Uint8Array | undefined][] = [
    [1, chunks[1]!.value.map((byte, at) => at === 5000 ? byte ^ 1 : byte)],
    [1, chunks[2]!.value],
    [3, chunks[3]!.value.subarray(0, -1)],
    [0, undefined],
  ];
  for (const [at, value] of damages) {
    const { key, value: right } = chunks[at]!;
    if (value === undefined) await store.delete(key);
    else await store.put(key, value);
    const error = await assertRejects(() => blobOf(kv, "b"));
    assertEquals((error as { code?: string }).code, "CORRUPT");
    await store.put(key, right);
    assertEquals(await blobOf(kv, "b"), bytes(4 * CHUNK));
  }
  // A damaged entry can be set again.
  const [entry] = await store.scanPrefix(new Uint8Array([1]));
  entry!.value[30]! ^= 1;
  await store.put(entry!.key, entry!.value);
  await assertRejects(() => kv.getBlob(["b"]), Error, "its bytes are not what was written");
  await kv.set(["b"], 1);
});

test("the removal of a blob does not pass over what it has removed again and again", async () => {
  await using store = await HybridStore.openMemory();
  await using kv = await openKv(store);
  await kv.setBlob(["b"], bytes(100 * CHUNK));
  const { keys } = Transaction.prototype;
  const begins: string[] = [];
  Transaction.prototype.keys = function (range) {
    const { prefix, gte = prefix } = range as { prefix?: Uint8Array; gte?: Uint8Array };
    if (gte?.[0] === 5) begins.push(gte.join());
    return keys.call(this, range);
  };
  try {
    await kv.delete(["b"]);
    await settled(store, 0);
  } finally {
    Transaction.prototype.keys = keys;
  }
  assertEquals(begins.length, 7);
  assertEquals(new Set(begins).size, 7);
});

test("a blob is not a value of set()", async () => {
  await using kv = await openKv(":memory:");
  await kv.setBlob(["b"], new Uint8Array(5));
  const { value } = await kv.get<KvBlob>(["b"]);
  await assertRejects(() => kv.set(["c"], value), TypeError, "setBlob()");
});

test("keys of others among the notes of blobs do not keep chunks from their removal", async () => {
  await using store = await HybridStore.openMemory();
  await store.put(new Uint8Array([6]), "");
  await store.put(new Uint8Array([6, 0]), "other");
  await using kv = await openKv(store);
  await kv.setBlob(["b"], bytes(3 * CHUNK));
  await kv.delete(["b"]);
  while ((await rows(store)).join() !== "0,2") await sleep(1);
});
