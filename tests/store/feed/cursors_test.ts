import { cpSync, existsSync, rmSync } from "node:fs";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { assert, assertEquals, assertGreater, assertRejects, assertThrows } from "@std/assert";
import { dirname, fromFileUrl, join } from "@std/path";
import { HybridStore, toText } from "../../../mod.ts";
import { readManifest } from "../../../store/directory/manifest.ts";
import { assertCode } from "../../support/assert.ts";
import { Random } from "../../support/random.ts";
import { tempDirectory } from "../../support/temp.ts";
import { openFake } from "../_fakes.ts";
import { appendKey, btreeKey } from "../_support.ts";
import { readAll, segmentsOf, textOf } from "./_feed.ts";

test("a cursor moves with the writes of a batch or a transaction, and not without them", async () => {
  await using store = await HybridStore.openTemp();
  assertEquals(await store.createCursor("view"), 0n);
  await store.put("word/a", "1");
  await store.put("word/b", "2");
  const [first, second] = await Array.fromAsync(store.changes({ cursor: "view", live: false }));
  const position = () => store.cursors()[0]!.position;

  const batch = store.batch().put("view/a", "1").advance("view", first!.position);
  assertEquals(position(), 0n);
  await batch.commit();
  assertEquals(position(), first!.position);
  assertEquals(await readAll(store, { cursor: "view", prefix: "word/" }), ["word/b=2"]);
  await assertRejects(
    () =>
      store.transact((tx) => {
        tx.put("view/b", "2");
        tx.advance("view", second!.position);
        throw new Error("not now");
      }),
    Error,
    "not now",
  );
  assertEquals(position(), first!.position);
  await store.transact((tx) => {
    tx.put("view/b", "2");
    tx.advance("view", second!.position);
  });
  assertEquals(position(), second!.position);
  await store.put("word/c", "3");
  const [third] = await Array.fromAsync(
    store.changes({ cursor: "view", prefix: "word/", live: false }),
  );
  await store.transaction(async (tx) => {
    tx.put("view/c", toText((await tx.get("word/c"))!));
    tx.advance("view", third!.position);
  });
  assertEquals(position(), third!.position);
  assertEquals(store.cursors(), [{ name: "view", position: third!.position, isLost: false }]);
  // Changes of the cursor alone are no changes.
  await store.createCursor("other");
  assertEquals(await readAll(store, { after: third!.position, prefix: "word/" }), []);
});

test("a cursor goes forward only, to where the journal has been", async () => {
  await using store = await HybridStore.openTemp();
  await store.createCursor("view");
  const position = await store.batch().put("a", "1").commit();
  await store.batch().advance("view", position).commit();
  for (const wrong of [position, position - 1n, 0n, store.position + 1n]) {
    const batch = store.batch().put("view/a", "again").advance("view", wrong);
    await assertRejects(() => batch.commit(), RangeError, "has another consumer moved it?");
  }
  await assertRejects(
    () =>
      store.transact((tx) => {
        tx.put("view/a", "1");
        tx.advance("view", position);
      }),
    RangeError,
  );
  assertEquals(store.hasSync("view/a"), false);
  const batch = store.batch();
  assertThrows(() => batch.advance(7 as never, 1n), TypeError, "the name is a number");
  assertThrows(() => batch.advance("view", 7 as never), TypeError, "the position is a number");
  assertThrows(() => batch.advance("", 1n), RangeError, "0 bytes long, not 1 to 255");
  assertThrows(() => batch.advance("x".repeat(256), 1n), RangeError, "256 bytes long");
  await assertCode(() => store.batch().advance("none", 1n).commit(), "NOT_FOUND");
});

test("cursors are created, listed and removed", async () => {
  using temp = tempDirectory();
  {
    await using store = await HybridStore.open(temp.path);
    const { position: start } = store;
    const after = await store.batch().put("a", "1").commit();
    await store.put("b", "2");
    assertEquals(await store.createCursor("ä", { after }), after);
    assertEquals(await store.createCursor("start", { after: start }), start);
    const now = await store.createCursor("now");
    assertEquals(await store.createCursor("ä"), after);
    assertEquals(await store.createCursor("ä", { after: start }), after);
    assertEquals(store.cursors().map(({ name, position }) => [name, position]), [
      ["ä", after],
      ["start", start],
      ["now", now],
    ]);
    assertEquals(await store.deleteCursor("start"), true);
    assertEquals(await store.deleteCursor("start"), false);
    await assertRejects(() => store.createCursor(""), RangeError);
    await assertRejects(() => store.createCursor("x", { after: 99999n }), RangeError);
    await assertRejects(() => store.createCursor("x", { from: 0n } as never), TypeError);
    await assertRejects(() => store.createCursor("\ud800"), TypeError, "surrogate");
    await assertRejects(() => store.deleteCursor(1 as never), TypeError);
    await assertRejects(
      () =>
        store.transact(() => void store.createCursor("x").catch(() => {})).then(() =>
          store.createCursor("x", { after: -1n })
        ),
      RangeError,
    );
    assertEquals(await readAll(store, { cursor: "ä" }), ["b=2"]);
  }
  await using store = await HybridStore.open(temp.path);
  assertEquals(store.cursors().map(({ name }) => name), ["ä", "now"]);
  assertEquals(await readAll(store, { cursor: "ä" }), ["b=2"]);
});

test("the journal is kept for the oldest cursor, and no longer", async () => {
  using temp = tempDirectory();
  const options = { segmentBytes: 2000, memtableBytes: 1000 };
  const fill = async (store: HybridStore, count: number) => {
    for (let i = 0; i < count; i++) {
      await store.put(i % 2 === 0 ? appendKey(i) : btreeKey(i), "value");
    }
  };
  let position: bigint;
  {
    await using store = await HybridStore.open(temp.path, options);
    await fill(store, 100);
    await store.checkpoint();
    assertEquals(segmentsOf(store).length, 1);
    position = await store.createCursor("view");
    await fill(store, 100);
    await store.checkpoint();
    assertGreater(segmentsOf(store).length, 3);
    assert(segmentsOf(store)[0]! <= Number(position));
    assertEquals(store.stats().feed.bytes, Number(store.position - position));
  }
  {
    await using store = await HybridStore.open(temp.path, options);
    assertGreater(segmentsOf(store).length, 3);
    const changes = await Array.fromAsync(store.changes({ cursor: "view", live: false }));
    assertEquals(changes.length, 100);
    // Moved on: what is below goes, without a checkpoint or an apply.
    await store.batch().advance("view", changes[49]!.position).commit();
    while (segmentsOf(store)[1]! <= Number(changes[49]!.position)) await delay(1);
    assert(segmentsOf(store)[0]! <= Number(changes[49]!.position));
    assertEquals((await readAll(store, { cursor: "view" })).length, 50);
    await store.deleteCursor("view");
    while (segmentsOf(store).length > 2) await delay(1);
    await fill(store, 100);
    await store.checkpoint();
    assertEquals(segmentsOf(store).length, 1);
    await assertCode(() => store.createCursor("view", { after: position }), "CURSOR_LOST");
    await assertCode(() => store.changes({ after: position }), "CURSOR_LOST", "take a snapshot");
  }
});

test("a reader keeps the journal while it is read, and lets it go behind it", async () => {
  await using store = await HybridStore.openTemp({ segmentBytes: 2000, memtableBytes: 1000 });
  const after = store.position;
  const fill = async () => {
    for (let i = 0; i < 100; i++) await store.put(appendKey(i), "value");
  };
  const changes = store.changes({ after });
  await Promise.all([changes.next(), fill()]);
  await fill();
  await store.checkpoint();
  await store.checkpoint();
  assertGreater(segmentsOf(store).length, 3);
  assertEquals(store.stats().feed.readers, 1);
  for (let i = 1; i < 200; i++) assertEquals((await changes.next()).done, false);
  await changes.return!();
  await store.checkpoint();
  await store.put(appendKey(1), "value");
  await store.checkpoint();
  assertEquals(segmentsOf(store).length, 1);
});

test("a reader keeps the journal from the change on that it has shown, not from the page", async () => {
  await using store = await HybridStore.openTemp({ segmentBytes: 16_384 });
  for (let i = 0; i < 20; i++) await store.put(appendKey(i), "x".repeat(2000));
  for await (const { position } of store.changes({ after: 0n, live: false })) {
    await store.checkpoint();
    assertEquals(await store.createCursor("view", { after: position }), position);
    break;
  }
  assertEquals((await readAll(store, { cursor: "view" })).length, 19);
});

test("a cursor that is too far behind is lost, and starts again from a snapshot", async () => {
  using temp = tempDirectory();
  const options = { segmentBytes: 2000, memtableBytes: 1000, feedBytesMax: 20_000 };
  {
    await using store = await HybridStore.open(temp.path, options);
    await store.createCursor("view");
    await store.createCursor("other");
    for (let i = 0; i < 150; i++) await store.put(`word/${i}`, "x".repeat(50));
    await store.checkpoint();
    assertEquals(store.cursors().map(({ isLost }) => isLost), [false, false]);
    for (let i = 150; i < 300; i++) {
      await store.put(`word/${i}`, "x".repeat(50));
      if (i === 160) await store.batch().advance("other", store.position).commit();
    }
    await store.checkpoint();
    await store.put("more", "");
    await store.checkpoint();
    assertEquals(store.cursors().map(({ isLost }) => isLost), [true, false]);
    assertEquals((await readAll(store, { cursor: "other", prefix: "word/" })).length, 139);
  }
  await using store = await HybridStore.open(temp.path, options);
  await assertCode(() => store.changes({ cursor: "view" }), "CURSOR_LOST", '"view"');
  await assertCode(() => store.batch().advance("view", store.position).commit(), "CURSOR_LOST");

  // The way back that the message names.
  await store.createCursor("making view");
  using snapshot = await store.snapshot();
  const view = store.batch().deleteRange({ prefix: "view/" });
  for await (const key of snapshot.keys({ prefix: "word/" })) view.put(`view/${toText(key)}`, "");
  await view.commit();
  assertEquals(
    await store.createCursor("view", { after: snapshot.position }),
    snapshot.position,
  );
  await store.deleteCursor("making view");
  await store.put("word/300", "");
  assertEquals(await readAll(store, { cursor: "view", prefix: "word/" }), ["word/300="]);
  assertEquals(await store.count({ prefix: "view/" }), 300);
});

test("a reader that is too far behind is told so while it reads", async () => {
  await using store = await HybridStore.openTemp({
    segmentBytes: 2000,
    memtableBytes: 1000,
    feedBytesMax: 5000,
  });
  await store.put("a", "");
  const changes = store.changes({ after: 0n });
  await changes.next();
  for (let i = 0; i < 300; i++) await store.put(`${i}`, "x".repeat(50));
  await store.checkpoint();
  await assertCode(
    async () => {
      for (;;) await changes.next();
    },
    "CURSOR_LOST",
    "take a snapshot",
  );
});

test("with a cursor and a prefix, a feed says how far it has come without a change of its own", async () => {
  await using store = await HybridStore.openTemp({ segmentBytes: 2 ** 20 });
  await store.createCursor("view");
  const value = new Uint8Array(100_000);
  for (let i = 0; i < 35; i++) await store.put(`other/${i}`, value);
  await store.put("word/a", "1");
  const options = { cursor: "view", prefix: "word/", live: false };
  const changes = await Array.fromAsync(store.changes(options));
  assertEquals(changes.map(textOf), ["", "", "", "word/a=1"]);
  await store.batch().advance("view", changes[0]!.position).commit();
  assertEquals((await readAll(store, options)).length, 3);
  assertEquals(await readAll(store, { after: 0n, prefix: "word/" }), ["word/a=1"]);
});

test("cursors and what they have before them are part of a backup, and of what is restored", async () => {
  using temp = tempDirectory();
  const at = (name: string) => join(temp.path, name);
  let positions: unknown;
  {
    await using store = await HybridStore.open(at("store"), {
      segmentBytes: 2000,
      memtableBytes: 1000,
      feedBytesMax: 30_000,
    });
    await store.createCursor("lost");
    for (let i = 0; i < 1000; i++) await store.put(appendKey(i), "value");
    await store.checkpoint();
    await store.createCursor("view");
    for (let i = 0; i < 100; i++) await store.put(btreeKey(i), `${i}`);
    await store.checkpoint();
    await store.createCursor("now");
    await store.put("last", "");
    positions = store.cursors();
    assertEquals(store.cursors().map(({ name, isLost }) => [name, isLost]), [
      ["lost", true],
      ["view", false],
      ["now", false],
    ]);
    await store.backup(at("copy"));
    await store.put("later", "");
  }
  await HybridStore.restore(at("copy"), at("restored"));
  for (const name of ["copy", "restored"]) {
    assertEquals((await HybridStore.verify(at(name))).faults, []);
    await using store = await HybridStore.open(at(name));
    assertEquals(store.cursors(), positions);
    assertEquals(await readAll(store, { cursor: "now" }), ["last="]);
    const view = await readAll(store, { cursor: "view" });
    assertEquals([view.length, view[0]!.endsWith("=0"), view[100]], [101, true, "last="]);
    await assertCode(() => store.changes({ cursor: "lost" }), "CURSOR_LOST");
    const changes = await Array.fromAsync(store.changes({ cursor: "view", live: false }));
    await store.batch().advance("view", changes[100]!.position).commit();
    await store.checkpoint();
  }
});

test("a backup takes the backlog along while it grows and is trimmed", async () => {
  using temp = tempDirectory();
  await using store = await HybridStore.openTemp({
    segmentBytes: 2000,
    memtableBytes: 1000,
    feedBytesMax: 30_000,
  });
  await store.createCursor("view");
  for (let i = 0; i < 200; i++) await store.put(btreeKey(i), `${i}`);
  let isOver = false;
  const backup = store.backup(join(temp.path, "copy")).finally(() => isOver = true);
  for (let i = 0; !isOver; i++) await store.put(appendKey(i % 1000), "value");
  const { position } = await backup;
  await using copy = await HybridStore.open(join(temp.path, "copy"));
  assertEquals(copy.position, position);
  assertGreater((await readAll(copy, { cursor: "view" })).length, 199);
});

test("a repaired store says of its cursors that they are lost", async () => {
  using temp = tempDirectory();
  const path = join(temp.path, "store");
  {
    await using store = await HybridStore.open(path);
    await store.createCursor("behind");
    await store.put("a", "1");
    await store.createCursor("end");
    await store.batch().advance("end", store.position).commit();
  }
  rmSync(join(path, "manifest.json"));
  await HybridStore.repair(path);
  await using store = await HybridStore.open(path);
  assertEquals(store.cursors().map(({ name, isLost }) => [name, isLost]), [
    ["behind", true],
    ["end", true],
  ]);
  await assertCode(() => store.changes({ cursor: "behind" }), "CURSOR_LOST");
  const { position } = store;
  assertEquals(await store.createCursor("behind"), position);
});

test("a store of format 1 becomes one of format 2 with its first cursor", async () => {
  using temp = tempDirectory();
  const path = join(temp.path, "store");
  const fixture = join(
    dirname(fromFileUrl(import.meta.url)),
    "..",
    "..",
    "fixtures",
    "v1",
    "default",
  );
  cpSync(fixture, path, { recursive: true });
  {
    await using store = await HybridStore.open(path);
    assertEquals(readManifest(path)!.format, 1);
    await store.createCursor("view");
    assertEquals(readManifest(path)!.format, 2);
    assertEquals(readManifest(path)!.keyBytesMax, 1978);
    await store.put("a", "1");
  }
  await using store = await HybridStore.open(path);
  assertEquals(await readAll(store, { cursor: "view" }), ["a=1"]);
  assertEquals(existsSync(join(path, "manifest.json.tmp")), false);
});

test("a store that is only read shows its changes, and takes no cursor", async () => {
  using temp = tempDirectory();
  const path = join(temp.path, "store");
  {
    await using store = await HybridStore.open(path);
    await store.createCursor("view");
    await store.put("a", "1");
  }
  await using store = await HybridStore.open(path, { readOnly: true });
  assertEquals(await readAll(store, { cursor: "view" }), ["a=1"]);
  await assertCode(() => store.createCursor("other"), "READ_ONLY");
  await assertCode(() => store.deleteCursor("view"), "READ_ONLY");
  await assertCode(() => store.batch().advance("view", store.position).commit(), "READ_ONLY");
});

test("a failed write takes back what it did to cursors", async () => {
  using temp = tempDirectory();
  const { store, files } = await openFake(temp.path, {});
  await store.createCursor("view");
  const position = await store.batch().put("a", "1").commit();
  files.before = ({ kind, name }) => {
    if (kind === "write" && name.endsWith(".seg")) {
      throw Object.assign(new Error("ENOSPC"), { code: "ENOSPC" });
    }
  };
  await assertRejects(() => store.batch().advance("view", position).commit());
  await assertRejects(() => store.createCursor("other"));
  await assertRejects(() => store.deleteCursor("view"));
  files.before = () => {};
  await store.flush().catch(() => {});
  assertEquals(store.cursors(), [{ name: "view", position: 0n, isLost: false }]);
  await store.batch().advance("view", position).commit();
  assertEquals(store.cursors(), [{ name: "view", position, isLost: false }]);
  await store.close();
});

test("a view kept by a cursor agrees with what it is made of, whatever else is done", async () => {
  using temp = tempDirectory();
  const seed = Math.floor(Math.random() * 2 ** 32);
  const random = new Random(seed);
  const options = { segmentBytes: 3000, memtableBytes: 2000 };
  let store = await HybridStore.open(temp.path, options);
  await store.createCursor("view");
  const model = new Map<string, string>();
  let applied = 0;
  const consume = async (limit: number) => {
    const changes = store.changes({ cursor: "view", prefix: "word/", live: false });
    for await (const { position, writes } of changes) {
      if (limit-- === 0) break;
      const batch = store.batch().advance("view", position);
      for (const { key, value } of writes) {
        const name = `view/${toText(key)}`;
        if (value === undefined) batch.delete(name);
        else batch.put(name, value);
        applied++;
      }
      await batch.commit();
    }
  };
  let written = 0;
  try {
    for (let step = 0; step < 400; step++) {
      const kind = random.below(20);
      if (kind === 0) await store.checkpoint();
      else if (kind === 1) {
        await store.close();
        store = await HybridStore.open(temp.path, options);
      } else if (kind < 5) await consume(random.below(30));
      else {
        const batch = store.batch();
        for (let left = 1 + random.below(4); left > 0; left--) {
          const key = `word/${random.below(20)}`;
          const isDeletion = random.once(4);
          if (isDeletion) batch.delete(key);
          else batch.put(key, `${step}`);
          if (isDeletion) model.delete(key);
          else model.set(key, `${step}`);
        }
        written += batch.size;
        await batch.commit();
      }
    }
    await consume(Infinity);
    const view = [...store.scanSync({ prefix: "view/" })].map(({ key, value }) =>
      [toText(key).slice(5), toText(value)] as const
    );
    assertEquals(new Map(view), new Map([...model].sort()), `seed ${seed}`);
    assertEquals(applied, written, `seed ${seed}`);
  } finally {
    await store.close();
  }
});
