import { test } from "node:test";
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { join } from "@std/path";
import { HybridStore } from "../../../mod.ts";
import { tempDirectory } from "../../support/temp.ts";

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
