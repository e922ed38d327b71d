import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { HybridStore, type StoreError } from "../../../mod.ts";
import { tempDirectory } from "../../support/temp.ts";
import { Child, RUNTIMES } from "../_child.ts";
import { appendKey, btreeKey, bytes } from "../_support.ts";
import { assertCode } from "../../support/assert.ts";

/** Returns the names of all files in a directory and below. */
function namesIn(directory: string): string[] {
  return (readdirSync(directory, { recursive: true }) as string[]).sort();
}

/** Opens a store and lets its engines hold something. */
async function openUsed(path: string): Promise<HybridStore> {
  const store = await HybridStore.open(path, { durability: "always" });
  await store.batch().put(appendKey(1), bytes("1")).put(btreeKey(1), bytes("1")).commit();
  await store.checkpoint();
  return store;
}

test("a store keeps to the directory it opened when a symbolic link to it is switched", async () => {
  using temp = tempDirectory();
  const [one, two, link] = ["one", "two", "link"].map((name) => join(temp.path, name));
  for (const path of [one!, two!]) mkdirSync(path);
  symlinkSync(one!, link!);
  const first = await openUsed(link!);
  rmSync(link!);
  symlinkSync(two!, link!);
  const second = await openUsed(link!);
  await second.put(btreeKey(2), bytes("2"));
  const names = namesIn(two!);

  await first.put(btreeKey(3), bytes("3"));
  await first.checkpoint();
  await (await first.snapshot())[Symbol.asyncDispose]();
  await first.close();
  assertEquals(namesIn(two!), names);

  // As a kill leaves it.
  const copy = join(temp.path, "image");
  cpSync(two!, copy, { recursive: true });
  await using image = await HybridStore.open(copy);
  assertEquals(await image.getMany([btreeKey(2), btreeKey(3)]), [bytes("2"), undefined]);
  await second.close();
  await using again = await HybridStore.open(one!);
  assertEquals(await again.getMany([btreeKey(2), btreeKey(3)]), [undefined, bytes("3")]);
});

test("a store whose directory was replaced leaves the other one alone", {
  timeout: 600_000,
}, async () => {
  using temp = tempDirectory();
  const path = join(temp.path, "store");
  const away = join(temp.path, "away");
  const old = await openUsed(path);
  await old.backup(join(temp.path, "backup"));
  await old.put(btreeKey(2), bytes("old"));
  renameSync(path, away);
  renameSync(join(temp.path, "backup"), path);
  await using child = new Child(RUNTIMES[0]![1], "_lock_child.ts", [path]);
  const pid = Number(await child.line());
  const names = namesIn(path);
  const note = readFileSync(join(path, "lock.pid"));

  const message = `${path} is no longer the directory of this store: ${path} was replaced`;
  await assertCode(() => old.checkpoint(), "POISONED", message, "close this store");
  await assertCode(() => old.put(btreeKey(3), bytes("3")), "POISONED", message);
  assertEquals(await old.get(btreeKey(2)), bytes("old"));
  await assertCode(() => old.close(), "POISONED", "Cannot close store", message);
  assertEquals(namesIn(path), names);
  assertEquals(readFileSync(join(path, "lock.pid")), note);

  await child.kill(pid);
  {
    await using store = await HybridStore.open(path);
    assertEquals(await store.getMany([appendKey(1), btreeKey(1)]), [bytes("kept"), bytes("kept")]);
    assertEquals((await store.verify()).faults, []);
  }
  await using store = await HybridStore.open(away);
  assertEquals(await store.get(btreeKey(2)), bytes("old"));
});

for (
  const gone of ["btree/data.sqlite", "btree/data.sqlite-wal", "append/data.mdb", "journal", ""]
) {
  for (const isReplaced of [false, true]) {
    const what = `${gone || "the directory"} was ${isReplaced ? "replaced by a copy" : "removed"}`;
    test(`verify() does not pass a store when ${what}`, async () => {
      using temp = tempDirectory();
      const path = join(temp.path, "store");
      const store = await openUsed(path);
      assertEquals((await store.verify()).faults, []);
      const away = join(temp.path, "away");
      renameSync(join(path, gone), away);
      if (isReplaced) cpSync(away, join(path, gone), { recursive: true });
      const message = join(path, gone).replace(/\/$/, "");
      await assertCode(() => store.verify(), "POISONED", "Cannot verify store", message);
      await assertCode(() => store.close(), "POISONED");
    });
  }
}

test("a store whose directory was moved is POISONED, also when it is moved back", async () => {
  using temp = tempDirectory();
  const path = join(temp.path, "store");
  const store = await openUsed(path);
  await store.put(appendKey(2), bytes("2"));
  renameSync(path, `${path}.away`);
  const message = `${path} was moved or removed`;
  await assertCode(() => store.checkpoint(), "POISONED", message);
  // It would need a connection by the path.
  await assertCode(() => store.snapshot(), "POISONED", "Cannot take view", message);
  assertEquals(existsSync(path), false);
  renameSync(`${path}.away`, path);
  await assertCode(() => store.checkpoint(), "POISONED", message);
  await assertCode(() => store.close(), "POISONED");
  await using again = await HybridStore.open(path);
  assertEquals(await again.getMany([appendKey(1), appendKey(2)]), [bytes("1"), bytes("2")]);
});

/** What becomes of the note of an owner whose lock got lost, and what the owner says. */
const NOTE_CHANGES: Record<string, [change: (note: string) => void, message: string]> = {
  "written over by another process": [
    (note) => writeFileSync(note, "1234\nanother nonce\n"),
    "process 1234 has opened it since",
  ],
  "replaced by another process": [
    (note) => {
      rmSync(note);
      writeFileSync(note, "1234\nanother nonce\n");
    },
    "process 1234 has opened it since",
  ],
  "removed": [(note) => rmSync(note), "lock.pid was removed"],
};

for (const [name, [change, message]] of Object.entries(NOTE_CHANGES)) {
  test(`a store whose note is ${name} is POISONED`, async () => {
    using temp = tempDirectory();
    const store = await openUsed(temp.path);
    await store.put(btreeKey(2), bytes("2"));
    change(join(temp.path, "lock.pid"));
    const journal = namesIn(join(temp.path, "journal"));
    await assertCode(() => store.checkpoint(), "POISONED", message);
    await assertCode(() => store.put(btreeKey(3), bytes("3")), "POISONED", message);
    await assertCode(() => store.batch().put(btreeKey(3), bytes("3")).commit(), "POISONED");
    assertEquals(await store.get(btreeKey(2)), bytes("2"));
    const note = existsSync(join(temp.path, "lock.pid"));
    await assertCode(() => store.close(), "POISONED", message);
    assertEquals(existsSync(join(temp.path, "lock.pid")), note);
    assertEquals(namesIn(join(temp.path, "journal")), journal);
    await using again = await HybridStore.open(temp.path);
    assertEquals(await again.getMany([btreeKey(2), btreeKey(3)]), [bytes("2"), undefined]);
  });
}

test("a store that only writes to its journal notices a lost lock as well", {
  timeout: 600_000,
}, async () => {
  using temp = tempDirectory();
  const store = await openUsed(temp.path);
  writeFileSync(join(temp.path, "lock.pid"), "1234\nanother nonce\n");
  let failure: StoreError | undefined;
  let acknowledged = 1;
  while (failure === undefined) {
    await store.put(btreeKey(acknowledged + 1), bytes("2")).then(() => acknowledged++, (error) => {
      failure = error;
    });
    await delay(50);
  }
  assertEquals([failure.code, store.stats().applies], ["POISONED", 1]);
  assertEquals(await store.count(), acknowledged + 1);
  await assertCode(() => store.close(), "POISONED");
});

/** Files that go from under an open store, and whether what was acknowledged can be opened then. */
const UNLINKED: Record<string, boolean> = {
  "append": false,
  "append/data.mdb": false,
  "btree": false,
  "btree/data.sqlite": false,
  "btree/data.sqlite-wal": true,
  "journal": false,
};

for (const [name, canOpen] of Object.entries(UNLINKED)) {
  test(`a store that has lost ${name} while it is open says so, and creates nothing`, async () => {
    using temp = tempDirectory();
    const store = await openUsed(temp.path);
    await store.put(btreeKey(2), bytes("2"));
    rmSync(join(temp.path, name), { recursive: true });
    const message = `${join(temp.path, name)} was moved or removed`;
    await assertCode(() => store.flush(), "POISONED", message);
    await assertCode(() => store.checkpoint(), "POISONED", message);
    await assertCode(() => store.put(btreeKey(3), bytes("3")), "POISONED", message);
    await assertCode(() => store.close(), "POISONED", message);
    assertEquals(existsSync(join(temp.path, name)), false);
    if (!canOpen) return void await assertCode(() => HybridStore.open(temp.path), "CORRUPT");
    await using again = await HybridStore.open(temp.path);
    assertEquals(await again.getMany([btreeKey(1), btreeKey(2)]), [bytes("1"), bytes("2")]);
  });
}

test("openTemp() does not remove what was put in the place of its directory", async () => {
  using temp = tempDirectory();
  const store = await HybridStore.openTemp();
  const { path } = store;
  try {
    renameSync(path, join(temp.path, "away"));
    mkdirSync(path);
    writeFileSync(join(path, "precious"), "");
    await assertCode(() => store.close(), "POISONED");
    assertEquals(readdirSync(path), ["precious"]);
  } finally {
    rmSync(path, { recursive: true });
  }
});

test("a store that is lost while it is created leaves the other directory alone", async () => {
  using temp = tempDirectory();
  const path = join(temp.path, "store");
  const other = join(temp.path, "other");
  await (await openUsed(other)).close();
  const opening = HybridStore.open(path);
  renameSync(path, `${path}.away`);
  cpSync(other, path, { recursive: true });
  const names = namesIn(path);
  await assertCode(() => opening, "POISONED", path);
  assertEquals(namesIn(path), names);
  await using store = await HybridStore.open(path);
  assert(await store.has(btreeKey(1)));
});
