import { appendFileSync, cpSync, readdirSync, rmSync, truncateSync } from "node:fs";
import { test } from "node:test";
import { assertEquals, assertGreater, assertLess, assertMatch } from "@std/assert";
import { join } from "@std/path";
import { HybridStore } from "../../../mod.ts";
import { tempDirectory } from "../../support/temp.ts";
import { FlakyEngine, openFake } from "../_fakes.ts";
import { appendKey, btreeKey, bytes } from "../_support.ts";
import { recordBytes } from "../../support/store.ts";
import { assertCode } from "../../support/assert.ts";
import { crashImage, idle } from "../../support/crash_image.ts";

/** Writes 3 groups: puts to both sides, a batch over both, a counter and a deletion. */
async function write(store: HybridStore): Promise<void> {
  await Promise.all([
    store.put(appendKey(1), bytes("1")),
    store.put(btreeKey(1), bytes("1")),
    store.put(btreeKey(2), bytes("2")),
  ]);
  await store.batch().put(appendKey(2), bytes("2")).put(btreeKey(2), bytes("22")).commit();
  await Promise.all([store.delete(btreeKey(1)), store.fetchAndAddU64(appendKey(3), 7n)]);
}

async function assertWritten(store: HybridStore): Promise<void> {
  assertEquals(await store.count(), 4);
  assertEquals(await store.getMany([appendKey(1), appendKey(2), btreeKey(1), btreeKey(2)]), [
    bytes("1"),
    bytes("2"),
    undefined,
    bytes("22"),
  ]);
  assertEquals(await store.fetchAndAddU64(appendKey(3), 0n), 7n);
}

for (const durability of ["hybrid", "always", "flush"] as const) {
  test(`what was acknowledged with "${durability}" is there after the process died`, async () => {
    using temp = tempDirectory();
    await using store = await HybridStore.open(join(temp.path, "store"), { durability });
    await write(store);
    const image = await crashImage(store, join(temp.path, "image"));
    await using again = await HybridStore.open(image);
    const { recovery } = again.stats();
    assertEquals(recovery, { records: 3, replayed: 3, truncatedBytes: 0 });
    await assertWritten(again);
  });
}

test("replaying twice gives the same as replaying once", async () => {
  using temp = tempDirectory();
  await using store = await HybridStore.open(join(temp.path, "store"));
  await write(store);
  const image = await crashImage(store, join(temp.path, "image"));
  for (let round = 0; round < 3; round++) {
    const again = await HybridStore.open(image);
    // The replayed records wait in a memtable: another crash finds them in the journal still.
    await crashImage(again, join(temp.path, `image${round}`));
    await assertWritten(again);
    await again.close();
    await using twice = await HybridStore.open(join(temp.path, `image${round}`));
    assertEquals(twice.stats().recovery.replayed, round === 0 ? 3 : 0);
    if (round === 0) await assertWritten(twice);
  }
});

test("a replay of more than a memtable goes into the engines bit by bit", async () => {
  using temp = tempDirectory();
  await using store = await HybridStore.open(join(temp.path, "store"), { segmentBytes: 5000 });
  for (let i = 0; i < 500; i++) {
    await store.put(i % 2 === 0 ? appendKey(i) : btreeKey(i), bytes(`${i}`));
  }
  const image = await crashImage(store, join(temp.path, "image"));
  await using again = await HybridStore.open(image, { memtableBytes: 3000, segmentBytes: 200 });
  const opened = again.stats();
  assertEquals([opened.recovery.records, opened.recovery.replayed], [500, 500]);
  // It does not wait for the engines to have all of it, and yet memory is bounded.
  assertGreater(opened.memtable.bytes, 3000);
  assertLess(opened.memtable.bytes, 8 * 3000 + 200);
  await idle(again);
  const { applies, memtable, append, btree } = again.stats();
  assertGreater(applies, 5);
  assertLess(memtable.bytes, 3000);
  // The same measure as before the crash: bytes of the journal.
  assertGreater(memtable.bytes, 60 * memtable.keys);
  assertEquals(append.keys + btree.keys + memtable.keys, 500);
  assertEquals(await again.count(), 500);
  assertEquals(again.getSync(btreeKey(499)), bytes("499"));
});

test("what the engines hold already is not replayed", async () => {
  using temp = tempDirectory();
  await using store = await HybridStore.open(join(temp.path, "store"), {
    segmentBytes: 2 ** 20,
    memtableBytes: 10 * recordBytes(appendKey(1), bytes("1")),
  });
  // Applied, and still in the journal, whose only segment is being written.
  for (let i = 0; i < 10; i++) await store.put(appendKey(i), bytes("1"));
  await idle(store);
  assertEquals(store.stats().append.keys, 10);
  for (let i = 0; i < 5; i++) await store.put(appendKey(i), bytes("2"));
  const image = await crashImage(store, join(temp.path, "image"));
  await using again = await HybridStore.open(image);
  const { recovery, memtable } = again.stats();
  assertEquals([recovery.records, recovery.replayed, memtable.keys], [15, 5, 5]);
  assertEquals(again.getSync(appendKey(4)), bytes("2"));
  assertEquals(again.getSync(appendKey(5)), bytes("1"));
});

for (const ahead of ["append", "btree"] as const) {
  for (const written of ["append", "btree", "both"] as const) {
    test(`a crash with the ${ahead} side ahead by writes to ${written} loses nothing`, async () => {
      using temp = tempDirectory();
      await using store = await HybridStore.open(join(temp.path, "store"), { memtableBytes: 1 });
      const before = await crashImage(store, join(temp.path, "before"));
      await store.batch().put(appendKey(1), bytes("1")).put(btreeKey(1), bytes("1")).commit();
      const batch = store.batch();
      if (written !== "btree") batch.put(appendKey(1), bytes("2")).put(appendKey(2), bytes("2"));
      if (written !== "append") batch.put(btreeKey(1), bytes("2")).put(btreeKey(2), bytes("2"));
      await batch.commit();
      const after = await crashImage(store, join(temp.path, "after"));
      // The other side goes back to before it was applied.
      const other = ahead === "append" ? "btree" : "append";
      rmSync(join(after, other), { recursive: true });
      cpSync(join(before, other), join(after, other), { recursive: true });

      const valuesOf = (store: HybridStore) => [...store.scanSync()].map(({ value }) => `${value}`);
      const expected = valuesOf(store);
      // Twice, with a checkpoint in between: it must not trim what the side behind has not taken.
      for (const replayed of [2, 0, 0]) {
        const again = await HybridStore.open(after);
        assertEquals(again.stats().recovery.replayed, replayed);
        assertEquals(valuesOf(again), expected);
        await again.close();
      }
    });
  }
}

test("a replay takes an engine that is ahead no step back, at no time", async () => {
  using temp = tempDirectory();
  const { store, journal, append } = await openFake(temp.path);
  for (let i = 0; i < 100; i++) {
    await store.put(i % 2 === 0 ? appendKey(0) : btreeKey(0), bytes(`${i}`));
  }
  await store.flush();
  const { end } = journal;
  const ahead = new FlakyEngine();
  await ahead.apply([{ key: appendKey(0), value: bytes("98") }], end);
  let applies = 0;
  ahead.before = (writes, position) => {
    // Whatever it were given now would be older than what it has, until the replay ends.
    assertEquals([writes, position], [[], end]);
    applies++;
  };
  const again = await openFake(temp.path, { memtableBytes: 500 }, {
    append: ahead,
    btree: new FlakyEngine(),
  });
  await again.store.checkpoint();
  assertGreater(applies, 5);
  assertEquals(again.store.getSync(appendKey(0)), bytes("98"));
  assertEquals(again.store.getSync(btreeKey(0)), bytes("99"));
  assertEquals(append.attempts, 0);
  ahead.before = () => {};
  await again.store.close();
  await store.close();
});

test("a torn tail is cut and reported, and what comes before it is there", async () => {
  using temp = tempDirectory();
  await using store = await HybridStore.open(join(temp.path, "store"), { durability: "flush" });
  await write(store);
  const image = await crashImage(store, join(temp.path, "image"));
  const segments = readdirSync(join(image, "journal")).filter((name) => name.endsWith(".seg"));
  const segment = join(image, "journal", segments.at(-1)!);
  appendFileSync(segment, new Uint8Array(100).fill(7));
  {
    await using again = await HybridStore.open(image);
    const { recovery } = again.stats();
    assertEquals([recovery.records, recovery.replayed, recovery.truncatedBytes], [3, 3, 100]);
    assertMatch(recovery.reason!, /torn tail at offset \d+/);
    await assertWritten(again);
  }
  await using again = await HybridStore.open(image);
  assertEquals(again.stats().recovery, { records: 0, replayed: 0, truncatedBytes: 0 });
});

test("a record cut short takes its whole group with it, and no other", async () => {
  using temp = tempDirectory();
  await using store = await HybridStore.open(join(temp.path, "store"), { durability: "flush" });
  await store.put(appendKey(0), bytes("0"));
  const kept = store.stats().journal.bytes;
  await store.batch().put(appendKey(1), bytes("1")).put(btreeKey(1), bytes("1")).commit();
  const whole = store.stats().journal.bytes;
  const image = await crashImage(store, join(temp.path, "image"));
  for (let size = kept; size < whole; size += 13) {
    const cut = join(temp.path, `cut${size}`);
    cpSync(image, cut, { recursive: true });
    truncateSync(join(cut, "journal", "00000000000000000000.seg"), 16 + size);
    await using again = await HybridStore.open(cut);
    assertEquals([...again.scanSync()], [{ key: appendKey(0), value: bytes("0") }]);
    assertEquals(again.stats().recovery.truncatedBytes, size - kept);
  }
});

test("engines and journal of different moments are CORRUPT, and nothing is changed", async () => {
  using temp = tempDirectory();
  await using store = await HybridStore.open(join(temp.path, "store"), { segmentBytes: 64 });
  await store.put(appendKey(1), bytes("1"));
  await store.checkpoint();
  const early = await crashImage(store, join(temp.path, "early"));
  await store.put(appendKey(2), bytes("2"));
  await store.put(appendKey(3), bytes("3"));
  await store.checkpoint();
  const late = await crashImage(store, join(temp.path, "late"));

  const mix = (part: string, from: string, to: string) => {
    const path = join(temp.path, `${part} of ${from.slice(-5)}`);
    cpSync(to, path, { recursive: true });
    rmSync(join(path, part), { recursive: true });
    cpSync(join(from, part), join(path, part), { recursive: true });
    return path;
  };
  for (const [part, side] of [["append", "append"], ["btree", "B-tree"]] as const) {
    const old = mix(part, early, late);
    await assertCode(() => HybridStore.open(old), "CORRUPT", `the ${side} side`, "older ones");
  }
  const cut = mix("journal", early, late);
  await assertCode(() => HybridStore.open(cut), "CORRUPT", "the journal ends at", "was cut");
  rmSync(join(cut, "journal"), { recursive: true });
  cpSync(join(late, "journal"), join(cut, "journal"), { recursive: true });
  await using again = await HybridStore.open(cut);
  assertEquals(await again.count(), 3);
});
