import { existsSync, readdirSync, renameSync } from "node:fs";
import { test } from "node:test";
import { assertEquals, assertLessOrEqual } from "@std/assert";
import { join } from "@std/path";
import { HybridStore } from "../../../mod.ts";
import { tempDirectory } from "../../support/temp.ts";
import { appendKey, btreeKey, bytes } from "../_support.ts";
import { assertCode } from "../../support/assert.ts";

// Where Linux shows the files that a process has open.
const DESCRIPTORS = "/proc/self/fd";
const skip = !existsSync(DESCRIPTORS);

function descriptors(): number {
  return readdirSync(DESCRIPTORS).length;
}

/** Does something a few times, and fails where each time leaves a file open. */
async function assertNoneLeft(action: () => Promise<void>): Promise<void> {
  // The first time may open what stays open for good.
  await action();
  const before = descriptors();
  for (let i = 0; i < 10; i++) await action();
  assertLessOrEqual(descriptors(), before + 3);
}

test("a store that is closed leaves no file open", { skip }, async () => {
  await assertNoneLeft(async () => {
    await using store = await HybridStore.openTemp({ memtableBytes: 1, segmentBytes: 64 });
    await store.put(appendKey(1), bytes("1"));
    await store.put(btreeKey(1), bytes("1"));
    await using _snapshot = await store.snapshot();
    await store.snapshot();
  });
});

test("snapshots that are disposed of leave no file open", { skip }, async () => {
  await using store = await HybridStore.openTemp();
  await assertNoneLeft(async () => {
    await store.put(btreeKey(1), bytes("1"));
    await using snapshot = await store.snapshot();
    await store.checkpoint();
    await using other = await store.snapshot();
    assertEquals(await snapshot.count() + await other.count(), 2);
  });
});

test("a store that cannot be opened leaves no file open, and no lock", { skip }, async () => {
  using temp = tempDirectory();
  const path = join(temp.path, "store");
  await (await HybridStore.open(path)).close();
  const open = () => HybridStore.open(path);
  await assertNoneLeft(async () => {
    await assertCode(() => HybridStore.open(path, { routes: [] }), "ROUTES_CHANGED");
    for (const part of ["append", "btree", "journal", "manifest.json"]) {
      renameSync(join(path, part), join(temp.path, "away"));
      await assertCode(open, "CORRUPT");
      renameSync(join(temp.path, "away"), join(path, part));
    }
    await using _store = await open();
    await assertCode(open, "LOCKED");
  });
});
