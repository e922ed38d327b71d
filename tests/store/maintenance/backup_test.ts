import * as fs from "node:fs";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import {
  assert,
  assertEquals,
  assertGreater,
  assertNotEquals,
  assertStrictEquals,
} from "@std/assert";
import { join } from "@std/path";
import { HybridStore, mvKey } from "../../../mod.ts";
import { Child } from "../../backends/_child.ts";
import { pattern } from "../../conformance/_kit.ts";
import { tempDirectory } from "../../support/temp.ts";
import { randomOf } from "../../journal/_volatile_file_system.ts";
import { dump, keysOf, putMany, rejects } from "../../crash/_stores.ts";

const TIMEOUT = { timeout: 600_000 };
const SMALL = { memtableBytes: 30_000, segmentBytes: 50_000 };

function identityOf(directory: string): string {
  return JSON.parse(fs.readFileSync(join(directory, "manifest.json"), "utf8")).identity;
}

/** Fails unless a directory opens as a sound store with these contents. Returns the store's digest. */
async function assertCopy(directory: string, contents: readonly string[]): Promise<void> {
  const copy = await HybridStore.open(directory);
  try {
    assertEquals(dump(copy), contents);
    assertEquals((await copy.verify()).faults, []);
    // A store like any other: it takes writes and keeps them.
    await copy.put(keysOf(1)[0], new Uint8Array([1]));
  } finally {
    await copy.close();
  }
}

/** Returns the bytes of memory that are no part of a file. */
function ownMemory(): number {
  const found = /^RssAnon:\s+(\d+) kB$/m.exec(fs.readFileSync("/proc/self/status", "utf8"));
  return 1024 * Number(found![1]);
}

/** Writes to a store, without a pause that others would notice, until it is told to stop. */
function startWriting(store: HybridStore, seed: number): { stop(): Promise<void> } {
  const random = randomOf(seed);
  let isRunning = true;
  const run = async () => {
    while (isRunning) {
      const batch = store.batch();
      for (let count = 0; count < 8; count++) {
        const keys = keysOf(random(600));
        if (random(4) === 0) keys.forEach((key) => batch.delete(key));
        else keys.forEach((key) => batch.put(key, pattern(random(400), random(256))));
      }
      await batch.commit();
      await nextTurn();
    }
  };
  const running = run();
  return {
    stop: () => {
      isRunning = false;
      return running;
    },
  };
}

test("a backup under load is the store of the moment of the call", TIMEOUT, async () => {
  using temp = tempDirectory();
  await using store = await HybridStore.open(join(temp.path, "store"), SMALL);
  await putMany(store, 0, 600, 200);
  const load = startWriting(store, 1);
  const identities = new Set([identityOf(store.path)]);
  let position = 0n;
  for (let round = 0; round < 6; round++) {
    for (let turns = 0; turns < 7 * round; turns++) await nextTurn();
    // Still in the group that is open.
    const last = store.put(keysOf(0)[1], pattern(round));
    const target = join(temp.path, "deep", "er", `${round}`);
    const contents = dump(store);
    const backup = store.backup(target);
    const afterwards = store.put(keysOf(1)[1], pattern(1000 + round));
    const report = await backup;
    await Promise.all([last, afterwards]);
    assertEquals(report.path, target);
    assertEquals(report.keys, contents.length);
    assertEquals(report.bytes, contents.join("").length - contents.length);
    assertGreater(report.position, position);
    position = report.position;
    await assertCopy(target, contents);
    identities.add(identityOf(target));
  }
  await load.stop();
  assertGreater(store.stats().applies, 10);
  assertEquals(identities.size, 7);
  assertEquals(fs.readdirSync(join(temp.path, "deep", "er")).length, 6);
});

test("a backup of an empty store, and of one that is idle", TIMEOUT, async () => {
  using temp = tempDirectory();
  await using store = await HybridStore.openTemp();
  const empty = await store.backup(join(temp.path, "empty"));
  assertEquals([empty.keys, empty.bytes], [0, 0]);
  await assertCopy(empty.path, []);
  await putMany(store, 0, 10, 10);
  await store.checkpoint();
  const progress: number[] = [];
  const { path } = await store.backup(join(temp.path, "idle"), {
    onProgress: ({ keys }) => progress.push(keys),
  });
  await assertCopy(path, dump(store));
  assertEquals(progress.at(-1), 20);
});

test("a copy keeps the routes of the store", TIMEOUT, async () => {
  using temp = tempDirectory();
  const routes = [{ tag: "MV:", engine: "append" }] as const;
  await using store = await HybridStore.openTemp({ routes });
  await putMany(store, 0, 10, 10);
  const { path } = await store.backup(join(temp.path, "copy"));
  await using copy = await HybridStore.open(path, { routes });
  assertEquals(copy.stats().append.keys, 10);
  assertEquals(dump(copy), dump(store));
});

test("a backup of large values takes memory for some of them alone", {
  ...TIMEOUT,
  skip: fs.existsSync("/proc/self/status") ? false : "the system does not tell",
}, async () => {
  using temp = tempDirectory();
  await using store = await HybridStore.openTemp();
  // More rows than a backup takes at a time of small ones.
  for (let number = 0; number < 24; number++) {
    for (const key of keysOf(number)) await store.put(key, pattern(2 ** 21, number));
  }
  await store.checkpoint();
  const before = ownMemory();
  let most = 0;
  const { bytes, path } = await store.backup(join(temp.path, "copy"), {
    onProgress: () => {
      // What is only waiting to be collected is not needed.
      (globalThis as { Bun?: { gc(isSynchronous: boolean): void } }).Bun?.gc(true);
      most = Math.max(most, ownMemory() - before);
    },
  });
  assertGreater(bytes, 48 * 2 ** 21);
  assert(most < bytes, `${most} bytes of memory for ${bytes}`);
  await using copy = await HybridStore.open(path);
  for (let number = 0; number < 24; number++) {
    for (const key of keysOf(number)) assertEquals(copy.getSync(key), pattern(2 ** 21, number));
  }
});

test("a backup goes into a directory that is absent or empty", TIMEOUT, async () => {
  using temp = tempDirectory();
  await using store = await HybridStore.openTemp();
  await putMany(store, 0, 10, 10);
  const target = join(temp.path, "target");
  fs.mkdirSync(target);
  await assertCopy((await store.backup(target)).path, dump(store));
  await rejects(() => store.backup(target), "NOT_EMPTY", /target holds \w+ already/);
  await rejects(() => store.backup(store.path), "NOT_EMPTY");
  const file = join(temp.path, "file");
  fs.writeFileSync(file, "text");
  await rejects(() => store.backup(file), "NOT_EMPTY", /file is a file/);
  await rejects(() => store.backup(join(file, "below")), "NOT_EMPTY", /file is a file/);
  // Neither by another name, nor where nothing is yet.
  const link = join(temp.path, "link");
  fs.symlinkSync(store.path, link);
  const contents = fs.readdirSync(store.path);
  for (const inside of ["", "append", "new", "new/deeper"]) {
    for (const own of [store.path, link]) {
      await rejects(() => store.backup(join(own, inside)), "NOT_EMPTY", /outside it/);
    }
  }
  assertEquals(fs.readdirSync(store.path), contents);
  fs.rmSync(link);
  // A name that only begins alike is another one.
  await using _sibling = await HybridStore.open((await store.backup(`${target}-2`)).path);
  assertEquals(fs.readFileSync(file, "utf8"), "text");
  assertEquals(fs.readdirSync(temp.path).sort(), ["file", "target", "target-2"]);
});

test("what somebody puts into the target meanwhile is left alone", TIMEOUT, async () => {
  using temp = tempDirectory();
  await using store = await HybridStore.openTemp();
  await putMany(store, 0, 10, 10);
  const target = join(temp.path, "target");
  const onProgress = () => {
    fs.mkdirSync(target, { recursive: true });
    fs.writeFileSync(join(target, "theirs"), "text");
  };
  await rejects(() => store.backup(target, { onProgress }), "NOT_EMPTY", /target/);
  assertEquals(fs.readdirSync(target), ["theirs"]);
  assertEquals(fs.readdirSync(temp.path), ["target"]);
});

test("two backups into one directory: one of them is refused", TIMEOUT, async () => {
  using temp = tempDirectory();
  await using store = await HybridStore.openTemp();
  await putMany(store, 0, 100, 10);
  const target = join(temp.path, "target");
  const outcomes = await Promise.allSettled([store.backup(target), store.backup(target)]);
  assertEquals(outcomes.map(({ status }) => status).sort(), ["fulfilled", "rejected"]);
  assertEquals(fs.readdirSync(temp.path), ["target"]);
  await assertCopy(target, dump(store));
});

test("a store that is closed during a backup leaves nothing of it", TIMEOUT, async () => {
  using temp = tempDirectory();
  const target = join(temp.path, "target");
  for (const pages of [0, 1, 3]) {
    const store = await HybridStore.openTemp(SMALL);
    await putMany(store, 0, 5000, 50);
    let closing: Promise<void> | undefined;
    let left = pages;
    const backup = store.backup(target, {
      onProgress: () => {
        if (--left === 0) closing = store.close();
      },
    });
    if (pages === 0) closing = store.close();
    await rejects(() => backup, "CLOSED", /closed/);
    await closing;
    assertEquals(fs.readdirSync(temp.path), []);
    await rejects(() => store.backup(target), "CLOSED");
  }
});

test("what the caller's own function throws ends a backup, and is passed on", TIMEOUT, async () => {
  using temp = tempDirectory();
  await using store = await HybridStore.openTemp();
  await putMany(store, 0, 10, 10);
  for (const own of [new Error("enough"), undefined, "text", { code: "ENOSPC" }]) {
    const backup = store.backup(join(temp.path, "target"), {
      onProgress: () => {
        throw own;
      },
    });
    const outcome = await backup.then(() => "resolved", (error) => [error]);
    assertStrictEquals(outcome[0], own);
    assertEquals(fs.readdirSync(temp.path), []);
  }
});

test("a kill during a backup leaves the store, and nothing that opens", TIMEOUT, async () => {
  using temp = tempDirectory();
  const random = randomOf(7);
  const path = join(temp.path, "store");
  const store = await HybridStore.open(path);
  await putMany(store, 0, 3000, 100);
  const contents = dump(store);
  await store.close();
  let unfinished = 0;
  // On a busy machine few kills find a backup under way.
  for (let round = 0; round < 6 || unfinished < 3; round++) {
    const target = join(temp.path, "target");
    using child = new Child("../crash/_backup_child.ts", path, target);
    while (child.lines.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    await new Promise((resolve) => setTimeout(resolve, random(60)));
    child.process.kill("SIGKILL");
    const { errors } = await child.ending;
    assertEquals(errors, "");
    const source = await HybridStore.open(path);
    assertEquals(dump(source), contents);
    await source.close();
    for (const name of fs.readdirSync(temp.path)) {
      const left = join(temp.path, name);
      if (left === path) continue;
      if (left === target) {
        await assertCopy(target, contents);
      } else {
        unfinished++;
        const advice = /is a backup or a repair that was not finished; remove it/;
        await rejects(() => HybridStore.open(left), "CORRUPT", advice);
        const restored = join(temp.path, "restored");
        await rejects(() => HybridStore.restore(left, restored), "CORRUPT");
        assert(!fs.existsSync(restored));
      }
      fs.rmSync(left, { recursive: true });
    }
  }
});

test("a restored store equals the backup, which stays as it is", TIMEOUT, async () => {
  using temp = tempDirectory();
  const target = join(temp.path, "restored");
  await using store = await HybridStore.openTemp(SMALL);
  await putMany(store, 0, 500, 50);
  const contents = dump(store);
  const { path } = await store.backup(join(temp.path, "backup"));
  await HybridStore.restore(path, target);
  assertNotEquals(identityOf(target), identityOf(path));
  await assertCopy(target, contents);
  await assertCopy(path, contents);

  await rejects(() => HybridStore.restore(path, target), "NOT_EMPTY", /Cannot restore store/);
  const empty = join(temp.path, "empty");
  fs.mkdirSync(empty);
  const other = join(temp.path, "other");
  await rejects(() => HybridStore.restore(empty, other), "NOT_FOUND", /holds no store/);
  await rejects(() => HybridStore.restore(join(temp.path, "none"), other), "NOT_FOUND");
  await rejects(() => HybridStore.restore(path, join(path, "in")), "NOT_EMPTY", /outside it/);
  await rejects(() => HybridStore.restore(store.path, other), "LOCKED");
  assertEquals(fs.readdirSync(empty), []);
  assertEquals(fs.readdirSync(temp.path).sort(), ["backup", "empty", "restored"]);
});

test("a backup of a store whose keys were all deleted is empty", TIMEOUT, async () => {
  using temp = tempDirectory();
  await using store = await HybridStore.openTemp();
  await putMany(store, 0, 100, 10);
  await store.checkpoint();
  await store.deleteRange({});
  await store.put(mvKey("a", "b"), new Uint8Array(0));
  await assertCopy((await store.backup(join(temp.path, "copy"))).path, dump(store));
});
