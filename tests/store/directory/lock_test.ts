import { cpSync, existsSync, mkdirSync, readFileSync, symlinkSync } from "node:fs";
import process from "node:process";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { HybridStore } from "../../../mod.ts";
import { tempDirectory } from "../../support/temp.ts";
import { Child, RUNTIMES } from "../_child.ts";
import { appendKey, btreeKey, bytes } from "../_support.ts";
import { assertCode } from "../../support/assert.ts";

test("a store that this process has open is LOCKED, by any of its paths", async () => {
  using temp = tempDirectory();
  const path = join(temp.path, "store");
  const link = join(temp.path, "link");
  mkdirSync(path);
  symlinkSync(path, link);
  await using store = await HybridStore.open(path);
  for (const other of [path, `${path}/`, join(path, "..", "store"), link]) {
    const message = `this process (pid ${process.pid}) has it open`;
    const advice = "globalThis.store ??= await HybridStore.open(…)";
    await assertCode(() => HybridStore.open(other), "LOCKED", message, advice);
  }
  await store.put(appendKey(1), bytes("1"));
  assertEquals(store.getSync(appendKey(1)), bytes("1"));
});

test("of several that open a store at once, one gets it", async () => {
  using temp = tempDirectory();
  const openings = await Promise.allSettled(
    Array.from({ length: 5 }, () => HybridStore.open(temp.path)),
  );
  const stores = openings.flatMap((opening) =>
    opening.status === "fulfilled" ? [opening.value] : []
  );
  assertEquals(stores.length, 1);
  await stores[0]!.close();
});

test("a store can be opened again once it is closed, and not before", async () => {
  using temp = tempDirectory();
  for (let i = 0; i < 5; i++) {
    const store = await HybridStore.open(temp.path);
    await store.put(btreeKey(i), bytes("1"));
    const closing = store.close();
    await assertCode(() => HybridStore.open(temp.path), "LOCKED");
    await closing;
  }
  assertEquals(existsSync(join(temp.path, "lock.pid")), false);
});

test("a store that could not be opened is not LOCKED", async () => {
  using temp = tempDirectory();
  await (await HybridStore.open(temp.path)).close();
  const options = { routes: [] };
  for (let i = 0; i < 3; i++) {
    await assertCode(() => HybridStore.open(temp.path, options), "ROUTES_CHANGED");
  }
  await (await HybridStore.open(temp.path)).close();
});

test("a copy of an open store is not LOCKED", async () => {
  using temp = tempDirectory();
  await using store = await HybridStore.open(join(temp.path, "store"));
  cpSync(store.path, join(temp.path, "copy"), { recursive: true });
  await using copy = await HybridStore.open(join(temp.path, "copy"));
  assertEquals(await copy.count(), 0);
});

test("the lock outlives a collection of garbage", { timeout: 600_000 }, async () => {
  using temp = tempDirectory();
  await using _store = await HybridStore.open(temp.path);
  const { Bun } = globalThis as { Bun?: { gc(force: boolean): void } };
  for (let round = 0; round < 4; round++) {
    Bun?.gc(true);
    for (let i = 0; i < 5; i++) new Uint8Array(20_000_000).fill(i);
    // Bun lets go of a lock 0.2 s after the object became garbage.
    await delay(100);
  }
  await using child = new Child(RUNTIMES[0]![1], "_try_child.ts", [temp.path]);
  assertEquals(await child.line(), `LOCKED by ${process.pid}`);
});

for (const [runtime, command] of RUNTIMES) {
  test(`a store that a ${runtime} process has open is LOCKED with its pid`, {
    timeout: 600_000,
  }, async () => {
    using temp = tempDirectory();
    const path = join(temp.path, "store");
    await using child = new Child(command, "_lock_child.ts", [path]);
    const pid = await child.line();
    await assertCode(() => HybridStore.open(path), "LOCKED", `process ${pid} has it open`);
    symlinkSync(path, join(temp.path, "link"));
    await assertCode(() => HybridStore.open(join(temp.path, "link")), "LOCKED", pid);
    assertEquals(readFileSync(join(path, "lock.pid"), "utf8").split("\n")[0], pid);
  });

  test(`a ${runtime} process that is killed frees the lock, and its writes are there`, {
    timeout: 600_000,
  }, async () => {
    using temp = tempDirectory();
    await using child = new Child(command, "_lock_child.ts", [temp.path]);
    await child.kill(Number(await child.line()));
    await using store = await HybridStore.open(temp.path);
    assertEquals(store.stats().recovery.replayed, 1);
    assertEquals(await store.getMany([appendKey(1), btreeKey(1)]), [bytes("kept"), bytes("kept")]);
  });

  test(`a ${runtime} process is refused what this process has open`, {
    timeout: 600_000,
  }, async () => {
    using temp = tempDirectory();
    await using store = await HybridStore.open(temp.path);
    await store.put(btreeKey(1), bytes("1"));
    await using child = new Child(command, "_try_child.ts", [temp.path]);
    assertEquals(await child.line(), `LOCKED by ${process.pid}`);
    // Being tried has not let go of it.
    await using again = new Child(command, "_try_child.ts", [temp.path]);
    assertEquals(await again.line(), `LOCKED by ${process.pid}`);
    await store.put(btreeKey(2), bytes("2"));
    assertEquals(await store.count(), 2);
  });
}
