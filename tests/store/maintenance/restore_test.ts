import * as fs from "node:fs";
import { test } from "node:test";
import { assertEquals } from "@std/assert";
import { dirname, join } from "@std/path";
import { HybridStore } from "../../../mod.ts";
import { LMDB_FILE } from "../../../backends/lmdb_file.ts";
import { LOCK_FILE } from "../../../store/directory/lock.ts";
import { ReadLock } from "../../../store/directory/read_lock.ts";
import { Child } from "../../backends/_child.ts";
import { tempDirectory } from "../../support/temp.ts";
import {
  noModes,
  noReadOnlyMount,
  ReadOnlyMount,
  stateOf,
  withoutWriting,
} from "../../crash/_read_only.ts";
import { dump, putMany, rejects } from "../../crash/_stores.ts";
import { crashImage } from "../../support/crash_image.ts";

const TIMEOUT = { timeout: 600_000 };
const SMALL = { memtableBytes: 30_000, segmentBytes: 50_000 };

/** Fails unless a directory opens as a sound store with these contents. */
async function assertRestored(directory: string, contents: readonly string[]): Promise<void> {
  await using store = await HybridStore.open(directory);
  assertEquals(dump(store), contents);
  assertEquals((await store.verify()).faults, []);
}

/** What can be restored: a backup, a store that was closed, and one whose process died. */
async function backups(directory: string): Promise<{ paths: string[]; contents: string[] }> {
  const closed = join(directory, "closed");
  const store = await HybridStore.open(closed, SMALL);
  await putMany(store, 0, 500, 60);
  const backup = (await store.backup(join(directory, "backup"))).path;
  // With records that no engine has, and a log that is not in the database.
  const image = await crashImage(store, join(directory, "image"));
  const contents = dump(store);
  await store.close();
  return { paths: [backup, closed, image], contents };
}

test("a restore changes nothing in what it restores", TIMEOUT, async () => {
  using temp = tempDirectory();
  const { paths, contents } = await backups(temp.path);
  for (const path of paths) {
    const before = stateOf(path);
    const target = join(temp.path, "new", "restored");
    await HybridStore.restore(path, target);
    assertEquals(stateOf(path), before, path);
    assertEquals(fs.readdirSync(dirname(target)), ["restored"]);
    await assertRestored(target, contents);
    fs.rmSync(target, { recursive: true });
  }
});

test("a restore from a read-only mount, where a store cannot be opened", {
  ...TIMEOUT,
  skip: noReadOnlyMount(),
}, async () => {
  using temp = tempDirectory();
  const { paths, contents } = await backups(temp.path);
  for (const path of paths) {
    using mount = new ReadOnlyMount(path);
    await assertReadOnly(mount.path, contents, join(temp.path, "restored"));
  }
});

test("a restore from files without the right to write, where a store cannot be opened", {
  ...TIMEOUT,
  skip: noModes(),
}, async () => {
  using temp = tempDirectory();
  const { paths, contents } = await backups(temp.path);
  for (const path of paths) {
    using _modes = withoutWriting(path);
    await assertReadOnly(path, contents, join(temp.path, "restored"));
  }
});

/** Fails unless opening is refused clearly and leaves nothing, and restoring works. */
async function assertReadOnly(
  path: string,
  contents: readonly string[],
  target: string,
): Promise<void> {
  const before = stateOf(path);
  for (let attempt = 0; attempt < 2; attempt++) {
    const error = await rejects(() => HybridStore.open(path), "IO", /cannot be written/);
    assertEquals(error.message.includes(path), true, error.message);
  }
  assertEquals(stateOf(path), before);
  await HybridStore.restore(path, target);
  assertEquals(stateOf(path), before);
  await assertRestored(target, contents);
  fs.rmSync(target, { recursive: true });
}

test("a store that is open is not restored from, in this process or another", TIMEOUT, async () => {
  using temp = tempDirectory();
  const path = join(temp.path, "store");
  const target = join(temp.path, "restored");
  const store = await HybridStore.open(path);
  // So much that a backup takes a while.
  await putMany(store, 0, 1000, 1000);
  const contents = dump(store);
  await rejects(() => HybridStore.restore(path, target), "LOCKED", /Cannot restore store/);
  // Looking at the lock has not taken it from its owner.
  {
    using child = new Child("../crash/_backup_child.ts", path, join(temp.path, "backup"));
    const { code, errors } = await child.ending;
    assertEquals([code === 0, errors.includes("LOCKED")], [false, true], errors);
  }
  await store.close();
  await HybridStore.restore(path, target);
  await assertRestored(target, contents);
  fs.rmSync(target, { recursive: true });

  using child = new Child("../crash/_backup_child.ts", path, join(temp.path, "backup"));
  while (child.lines.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  await rejects(() => HybridStore.restore(path, target), "LOCKED", /process \d+ has it open/);
  child.process.kill("SIGKILL");
  await child.ending;
  await HybridStore.restore(path, target);
  await assertRestored(target, contents);
});

test(
  "while a store's files are copied, it cannot be opened, or that is noticed",
  TIMEOUT,
  async () => {
    using temp = tempDirectory();
    const { paths: [backup, closed] } = await backups(temp.path);
    const what = "Cannot restore store";
    // Two may read one store at the same time.
    const locks = [ReadLock.acquire(what, closed!), ReadLock.acquire(what, closed!)];
    await rejects(() => HybridStore.open(closed!), "LOCKED");
    for (const lock of locks) {
      lock.requireUnchanged(what);
      lock.release();
    }
    await (await HybridStore.open(closed!)).close();

    // A backup that was never opened has no lock, and must not get one.
    const lock = ReadLock.acquire(what, backup!);
    const store = await HybridStore.open(backup!);
    await store.close();
    await rejects(async () => await lock.requireUnchanged(what), "LOCKED", /was opened meanwhile/);
    lock.release();
  },
);

test("a damaged lock file does not keep a store from being restored", TIMEOUT, async () => {
  using temp = tempDirectory();
  const { paths: [, closed], contents } = await backups(temp.path);
  fs.writeFileSync(join(closed!, LOCK_FILE), "no database, and long enough to be none".repeat(50));
  const before = stateOf(closed!);
  await HybridStore.restore(closed!, join(temp.path, "restored"));
  assertEquals(stateOf(closed!), before);
  await assertRestored(join(temp.path, "restored"), contents);
});

test("a damaged backup is refused by its own name, and nothing is left", TIMEOUT, async () => {
  using temp = tempDirectory();
  const { paths: [path] } = await backups(temp.path);
  const file = join(path!, "append", LMDB_FILE);
  fs.writeFileSync(file, "no pages");
  const before = stateOf(path!);
  const error = await rejects(
    () => HybridStore.restore(path!, join(temp.path, "restored")),
    "CORRUPT",
    /data\.mdb/,
  );
  assertEquals(error.message.includes(file), true, error.message);
  assertEquals(error.message.includes("unfinished"), false, error.message);
  assertEquals(stateOf(path!), before);
  assertEquals(fs.readdirSync(temp.path).sort(), ["backup", "closed", "image"]);
});
