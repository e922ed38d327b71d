import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { join } from "@std/path";
import { HybridStore } from "../../../mod.ts";
import { assertCode } from "../../support/assert.ts";
import { tempDirectory } from "../../support/temp.ts";
import { openFake } from "../_fakes.ts";

test("a position within a change is none, and no cursor gets to it", async () => {
  for (const open of [() => HybridStore.openTemp(), () => HybridStore.openMemory()]) {
    await using store = await open();
    using temp = tempDirectory();
    const message = "where no change ends";
    const start = await store.createCursor("view");
    const ends = [];
    // The last one is longer than what is read of the journal at a time.
    for (const length of [1, 1000, 300_000]) {
      ends.push(await store.batch().put("key", "\0".repeat(length)).commit());
    }
    await store.put("key", "");
    for (const end of [start, ...ends]) {
      for (const within of [end + 1n, end + 40n, end + 47n]) {
        assertThrows(() => store.changes({ after: within }), RangeError, message);
        await assertRejects(
          () => store.createCursor("other", { after: within }),
          RangeError,
          message,
        );
        const batch = store.batch().put("view", "").advance("view", within);
        await assertRejects(() => batch.commit(), RangeError, message);
      }
    }
    assertEquals(store.cursors(), [{ name: "view", position: start, isLost: false }]);
    for (const end of ends) {
      await store.createCursor(`at ${end}`, { after: end });
      await store.batch().advance("view", end).commit();
    }
    await store.backup(join(temp.path, "backup"));
  }
});

test("a cursor that another call has created or removed is answered for once that is on disk", async () => {
  using temp = tempDirectory();
  const { store, files } = await openFake(temp.path, {});
  const disk = Promise.withResolvers<void>();
  files.beforeSync = () => disk.promise;
  const answers: unknown[] = [];
  const note = (answer: unknown) => void answers.push(answer);
  const created = ["view", "view"].map((name) => store.createCursor(name).then(note));
  const removed = ["view", "view"].map((name) => store.deleteCursor(name).then(note));
  await delay(20);
  assertEquals(answers, []);
  disk.resolve();
  await Promise.all([...created, ...removed]);
  assertEquals(answers.toSorted(), [0n, 0n, false, true]);
  await store.close();
});

test("a cursor whose creation or removal failed is created or removed by the next call", async () => {
  using temp = tempDirectory();
  const { store, files } = await openFake(temp.path, {});
  const failOnce = () => {
    files.before = ({ kind, name }) => {
      if (kind !== "write" || !name.endsWith(".seg")) return;
      files.before = () => {};
      throw Object.assign(new Error("ENOSPC"), { code: "ENOSPC" });
    };
  };
  failOnce();
  const first = assertCode(() => store.createCursor("view"), "NO_SPACE");
  assertEquals(await store.createCursor("view"), 0n);
  await first;
  assertEquals(store.cursors().length, 1);
  failOnce();
  const removal = assertCode(() => store.deleteCursor("view"), "NO_SPACE");
  assertEquals(await store.deleteCursor("view"), true);
  await removal;
  assertEquals(store.cursors(), []);
  await store.close();
});
