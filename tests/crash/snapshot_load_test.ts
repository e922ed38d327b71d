import { existsSync, readdirSync } from "node:fs";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { assert, assertEquals, assertLess, assertLessOrEqual, assertRejects } from "@std/assert";
import { HybridStore, type Snapshot, StoreError } from "../../mod.ts";
import { Random } from "../support/random.ts";
import { appendKey, btreeKey, bytes } from "../store/_support.ts";
import { idle } from "../support/crash_image.ts";

const KEYS = 8;
const LOAD_MS = 2500;
const LIVE_MAX = 40;
const SMALL = { memtableBytes: 2000, segmentBytes: 4000 } as const;
/** Every write is applied, so that snapshots before and after it share no moment. */
const APPLIED = { ...SMALL, memtableBytes: 1, durability: "flush" } as const;
const FORGOTTEN = 10_000;
/** A moment of its own for every few snapshots: more moments than LMDB has reader slots. */
const SNAPSHOTS_PER_MOMENT = 8;
/** How many moments an engine can hold. */
const MOMENTS_MAX = 1024;

const DESCRIPTORS = "/proc/self/fd";
const openFiles = () => readdirSync(DESCRIPTORS).length;
const skip = existsSync(DESCRIPTORS) ? false : "this platform does not list open files";

/** Writes the same stamp to both sides, in one batch. */
async function stamp(store: HybridStore, value: string | undefined): Promise<void> {
  const batch = store.batch();
  for (let i = 0; i < KEYS; i++) {
    for (const key of [appendKey(i), btreeKey(i)]) {
      if (value === undefined) batch.delete(key);
      else batch.put(key, bytes(value));
    }
  }
  await batch.commit();
}

/** A snapshot, and what it showed at first. */
class Witness {
  readonly #snapshot: Snapshot;
  readonly #first: string;

  private constructor(snapshot: Snapshot) {
    this.#snapshot = snapshot;
    this.#first = stampOf([...snapshot.scanSync()]);
  }

  static async take(store: HybridStore): Promise<Witness> {
    return new Witness(await store.snapshot());
  }

  /** Looks again, in one of the ways there are. */
  async look(random: Random): Promise<void> {
    const snapshot = this.#snapshot;
    const reverse = random.once(2);
    switch (random.below(4)) {
      case 0:
        return assertEquals(stampOf([...snapshot.scanSync({ reverse })]), this.#first);
      case 1:
        return assertEquals(
          stampOf(await Array.fromAsync(snapshot.scan({ reverse }))),
          this.#first,
        );
      case 2:
        return assertEquals(await snapshot.count(), this.#first === "" ? 0 : 2 * KEYS);
      default: {
        const i = random.below(KEYS);
        for (const key of [appendKey(i), btreeKey(i)]) {
          assertEquals(new TextDecoder().decode(snapshot.getSync(key)), this.#first);
        }
      }
    }
  }

  dispose(): Promise<void> {
    return this.#snapshot[Symbol.asyncDispose]();
  }
}

/** Returns the stamp that all entries carry; empty where there are none. */
function stampOf(entries: readonly { value: Uint8Array }[]): string {
  const stamps = new Set(entries.map(({ value }) => new TextDecoder().decode(value)));
  assertLessOrEqual(stamps.size, 1, `half a batch: ${[...stamps]}`);
  assert(entries.length === 0 || entries.length === 2 * KEYS, `${entries.length} keys`);
  return [...stamps][0] ?? "";
}

test("snapshots under load never show half a batch, for as long as they live", {
  timeout: 600_000,
}, async () => {
  const seed = Math.floor(Math.random() * 2 ** 32);
  const random = new Random(seed);
  await using store = await HybridStore.openTemp(APPLIED);
  const end = performance.now() + LOAD_MS;
  let batches = 0;
  let looks = 0;
  // However slow the machine is, there has to be enough of everything.
  const isOver = () =>
    performance.now() > end && batches > 50 && looks > 50 && store.stats().applies > 5;
  const write = async () => {
    while (!isOver()) {
      await Promise.all(Array.from({ length: 1 + batches % 5 }, () => {
        return stamp(store, ++batches % 11 === 0 ? undefined : `${batches}`);
      }));
      await nextTurn();
    }
  };
  // A list for each reader: while one looks at a snapshot, the other must not dispose of it.
  const lives: Witness[][] = [[], []];
  const read = async (live: Witness[]) => {
    while (!isOver()) {
      live.push(await Witness.take(store));
      for (let i = 0; i < 3; i++, looks++) await random.pick(live).look(random);
      // Not the oldest alone: some live through very many applies.
      if (live.length > LIVE_MAX / lives.length) {
        await live.splice(random.below(live.length), 1)[0]!.dispose();
      }
      for (let turns = random.below(4); turns > 0; turns--) await nextTurn();
    }
  };
  try {
    await Promise.all([write(), ...lives.map(read)]);
    await store.checkpoint();
    for (const witness of lives.flat()) await witness.look(random);
  } catch (error) {
    throw new Error(`seed ${seed}: ${error}`, { cause: error });
  }
});

test("forgotten snapshots and abandoned iterators leave no reader slots and no open files", {
  timeout: 600_000,
  skip,
}, async () => {
  const before = openFiles();
  const store = await HybridStore.openTemp(APPLIED);
  try {
    await stamp(store, "0");
    await store.checkpoint();
    const opened = openFiles();
    let most = opened;
    for (let i = 0; i < FORGOTTEN; i++) {
      if (i % SNAPSHOTS_PER_MOMENT === 0) {
        await store.put(i % 16 === 0 ? appendKey(99) : btreeKey(99), bytes(`${i}`));
        await idle(store);
      }
      await abandon(store, i);
      if (i % 500 === 0) most = Math.max(most, openFiles());
    }
    // They go when the collector finds them, which is some time after.
    assertLess(most - opened, 2 * MOMENTS_MAX);
    await using snapshot = await store.snapshot();
    assertEquals(snapshot.getSync(appendKey(0)), bytes("0"));
  } finally {
    await store.close();
  }
  assertLessOrEqual(openFiles(), before + 8);
});

/** Takes a snapshot and begins to iterate it, and the store, without an end. */
async function abandon(store: HybridStore, i: number): Promise<void> {
  const snapshot = await store.snapshot();
  const iterators = [snapshot.scanSync(), store.scanSync(), store.scanSync({ reverse: true })];
  assertEquals(iterators[i % 3]!.next().done, false);
  if (i % 4 === 0) await snapshot.scan().next();
  if (i % 4 === 1) await store.scan().next();
  if (i % 4 === 2) await store.keys().next();
}

test("more live snapshots than there are reader slots are refused, and no other call is", {
  timeout: 600_000,
}, async () => {
  const filesBefore = skip === false ? openFiles() : 0;
  const store = await HybridStore.openTemp(APPLIED);
  const live: Snapshot[] = [];
  try {
    const take = async (i: number) => {
      await store.put(appendKey(1), bytes(`${i}`));
      live.push(await store.snapshot());
      await idle(store);
    };
    for (let i = 0; i < MOMENTS_MAX; i++) await take(i);
    for (let i = 0; i < 3; i++) {
      const error = await assertRejects(() => take(-1), StoreError, "1024 moments are held");
      assertEquals((error as StoreError).code, "TOO_MANY_SNAPSHOTS");
      await idle(store);
    }
    for (const [i, snapshot] of live.entries()) {
      assertEquals(snapshot.getSync(appendKey(1)), bytes(`${i}`));
    }

    await stamp(store, "new");
    await store.checkpoint();
    assertEquals(store.stats().append.keys, KEYS);
    for (const key of [appendKey(0), btreeKey(0)]) assertEquals(store.getSync(key), bytes("new"));
    assertEquals((await Array.fromAsync(store.scan())).length, 2 * KEYS);

    for (const snapshot of live.splice(0, 10)) await snapshot[Symbol.asyncDispose]();
    await using snapshot = await store.snapshot();
    assertEquals(snapshot.getSync(btreeKey(0)), bytes("new"));
  } finally {
    await store.close();
  }
  for (const snapshot of live) {
    const error = await assertRejects(() => snapshot.get(appendKey(1)), StoreError);
    assertEquals((error as StoreError).code, "CLOSED");
    await snapshot[Symbol.asyncDispose]();
  }
  if (skip === false) assertLessOrEqual(openFiles(), filesBefore + 8);
});
