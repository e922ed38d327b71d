import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { assertEquals, assertGreater, assertRejects, assertStrictEquals } from "@std/assert";
import { StoreError } from "../../mod.ts";
import { tempDirectory } from "../support/temp.ts";
import { all } from "../conformance/_kit.ts";
import { type FakeStore, FlakyEngine, openFake } from "./_fakes.ts";
import { appendKey, btreeKey, bytes } from "./_support.ts";
import { assertCode } from "../support/assert.ts";

const TIMEOUT = { timeout: 600_000 };

/** Lets an engine fail at its next apply, and from then on. */
function breakEngine(fake: FakeStore, side: "append" | "btree"): StoreError {
  const failure = new StoreError("IO", "Cannot write to the engine: the disk is broken");
  fake[side].before = () => {
    fake[side].broken = failure;
    throw failure;
  };
  return failure;
}

async function failureOf(work: () => Promise<unknown>): Promise<unknown> {
  return await work().then(() => undefined, (error) => error);
}

for (const side of ["append", "btree"] as const) {
  test(
    `after the ${side} engine has failed nothing is applied, trimmed or lost`,
    TIMEOUT,
    async () => {
      using temp = tempDirectory();
      const options = { memtableBytes: 400, segmentBytes: 200 };
      const fake = await openFake(temp.path, options);
      const { store, append, btree, journal, releases } = fake;
      for (let i = 0; i < 20; i++) await store.put(appendKey(i), bytes(`${i}`));
      await store.checkpoint();
      const positions = [append.position, btree.position];
      const failure = breakEngine(fake, side);
      await store.put(appendKey(20), bytes("20"));
      await store.put(btreeKey(20), bytes("20"));
      assertStrictEquals(await failureOf(() => store.checkpoint()), failure);
      const first = journal.segments[0]!.base;
      const attempts = [append.attempts, btree.attempts];
      // It works again, but what it holds is unknown.
      fake[side].before = () => {};
      assertStrictEquals(await failureOf(() => store.checkpoint()), failure);
      for (let turn = 0; turn < 50; turn++) await nextTurn();
      assertEquals([append.attempts, btree.attempts], attempts);
      assertEquals(fake[side].position, positions[side === "append" ? 0 : 1]);
      assertEquals(journal.segments[0]!.base, first);

      // Reads go on, and writes as far as there is memory for what waits.
      let written = 21;
      const writeOn = async () => {
        for (; written < 1000; written++) await store.put(appendKey(written), bytes("more"));
      };
      await assertCode(writeOn, "IO", "memory is full", "the disk is broken");
      assertGreater(written, 21);
      assertEquals(store.getSync(btreeKey(20)), bytes("20"));
      assertEquals(store.getSync(appendKey(written - 1)), bytes("more"));
      const engines = { append: await copyOf(append), btree: await copyOf(btree) };
      assertStrictEquals(await failureOf(() => store.close()), failure);
      assertEquals(releases.count, 1);

      // The journal has all that the engines lack.
      const again = await openFake(temp.path, options, engines);
      assertEquals(again.store.getSync(btreeKey(20)), bytes("20"));
      for (let i = 21; i < written; i++) {
        assertEquals(again.store.getSync(appendKey(i)), bytes("more"));
      }
      await again.store.close();
    },
  );
}

test("the lock stays where an engine may still write", TIMEOUT, async () => {
  using temp = tempDirectory();
  const fake = await openFake(temp.path);
  fake.append.isStuck = true;
  await fake.store.close();
  assertEquals(fake.releases.count, 0);
});

test("checkpoint() resolves while a writer goes on writing", TIMEOUT, async () => {
  using temp = tempDirectory();
  const { store, append } = await openFake(temp.path, { memtableBytes: 2000, segmentBytes: 2000 });
  let isDone = false;
  let written = 0;
  const writing = (async () => {
    while (!isDone) {
      await store.put(appendKey(written++), bytes("value"));
      // There is always something that waits for the engines.
      store.snapshotSync();
    }
  })();
  append.before = () => nextTurn();
  for (let i = 0; i < 5; i++) {
    const last = written - 1;
    await store.checkpoint();
    if (last >= 0) assertEquals(append.get(appendKey(last)), bytes("value"));
  }
  isDone = true;
  await writing;
  await store.close();
});

test("a write that waits for room gets it while others go on writing", TIMEOUT, async () => {
  using temp = tempDirectory();
  const { store, append } = await openFake(temp.path, { memtableBytes: 500 });
  append.before = () => nextTurn();
  const counts = [0, 0, 0, 0];
  let isDone = false;
  const writers = counts.map(async (_, writer) => {
    while (!isDone) {
      await store.put(appendKey(writer), bytes("value".repeat(20)));
      counts[writer]!++;
    }
  });
  while (Math.min(...counts) < 50) await nextTurn();
  isDone = true;
  await Promise.all(writers);
  await store.close();
});

test(
  "the journal keeps what an apply has brought until the next one is durable",
  TIMEOUT,
  async () => {
    using temp = tempDirectory();
    const { store, append, journal } = await openFake(temp.path, {
      segmentBytes: 64,
      memtableBytes: 1,
    });
    const apply = async (number: number) => {
      const { applies } = store.stats();
      await store.put(appendKey(number), bytes("value"));
      while (store.stats().applies === applies) await nextTurn();
      // Removing waits for the disk.
      for (let turn = 0; turn < 20; turn++) await nextTurn();
      return append.position;
    };
    const first = await apply(1);
    assertEquals(journal.segments[0]!.base, 0n);
    const second = await apply(2);
    assertEquals(journal.segments[0]!.base, first);
    await apply(3);
    assertEquals(journal.segments[0]!.base, second);

    // A checkpoint does not wait for an apply to come: it has both engines commit once more.
    const { attempts } = append;
    await store.checkpoint();
    assertEquals(append.attempts, attempts + 1);
    assertEquals([journal.segments.length, journal.segments[0]!.base], [1, journal.end]);
    await store.close();
  },
);

test("an engine that lost its latest apply gets it again from the journal", TIMEOUT, async () => {
  using temp = tempDirectory();
  const options = { segmentBytes: 64, memtableBytes: 1 };
  const { store, append, btree } = await openFake(temp.path, options);
  await store.put(appendKey(1), bytes("1"));
  while (store.stats().applies < 1) await nextTurn();
  const older = await copyOf(append);
  await store.put(appendKey(2), bytes("2"));
  while (store.stats().applies < 2) await nextTurn();
  for (let turn = 0; turn < 20; turn++) await nextTurn();
  const newer = await copyOf(btree);
  // As a kill leaves it: without the last checkpoint.
  append.broken = new StoreError("IO", "killed");
  await assertRejects(() => store.close(), StoreError, "killed");

  const again = await openFake(temp.path, {}, { append: older, btree: newer });
  assertEquals(again.store.getSync(appendKey(2)), bytes("2"));
  await again.store.checkpoint();
  assertEquals(older.get(appendKey(2)), bytes("2"));
  await again.store.close();
});

/** Returns an engine that holds what another one does now, as it is found when it is opened anew. */
async function copyOf(engine: FlakyEngine): Promise<FlakyEngine> {
  const copy = new FlakyEngine();
  await copy.apply(all(engine), engine.position);
  return copy;
}
