import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import process from "node:process";
import { test } from "node:test";
import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { HybridStore } from "../../../mod.ts";
import { loadLibc } from "../../../runtime/libc.ts";
import { ROOT } from "../../../scripts/_run.ts";
import { tempDirectory } from "../../support/temp.ts";
import { Child, RUNTIMES } from "../_child.ts";
import { appendKey, btreeKey, bytes } from "../_support.ts";
import { assertCode } from "../../support/assert.ts";

const skip = loadLibc() === undefined && "there is no way to the C library here";
const PACKAGES = join(ROOT, "node_modules");

/** What a program may do in the directory of its own store; each drops the POSIX locks on some file. */
const READINGS: Record<string, (path: string, temp: string) => void> = {
  "reads the lock": (path) => void readFileSync(join(path, "lock")),
  "reads the note": (path) => void readFileSync(join(path, "lock.pid")),
  "copies the directory": (path, temp) => cpSync(path, join(temp, "copy"), { recursive: true }),
  "reads every file": (path) => {
    for (const { parentPath, name } of filesIn(path)) readFileSync(join(parentPath, name));
  },
};

function filesIn(path: string) {
  return readdirSync(path, { recursive: true, withFileTypes: true }).filter((file) =>
    file.isFile()
  );
}

for (const [runtime, command] of RUNTIMES) {
  test(`a ${runtime} process is refused a store whose owner has read its own directory`, {
    timeout: 600_000,
    skip,
  }, async () => {
    using temp = tempDirectory();
    const path = join(temp.path, "store");
    await using store = await HybridStore.open(path);
    for (const [index, read] of Object.values(READINGS).entries()) {
      await store.put(appendKey(index), bytes("1"));
      await store.put(btreeKey(index), bytes("1"));
      read(path, temp.path);
      await using child = new Child(command, "_try_child.ts", [path]);
      assertEquals(await child.line(), `LOCKED by ${process.pid}`);
      await store.checkpoint();
    }
    assertEquals(await store.count(), 2 * Object.keys(READINGS).length);
    assertEquals((await store.verify()).faults, []);
  });
}

test("a store whose owner has read its own directory is not taken for a backup", {
  skip,
}, async () => {
  using temp = tempDirectory();
  await using store = await HybridStore.open(join(temp.path, "store"));
  await store.put(btreeKey(1), bytes("1"));
  rmSync(join(store.path, "lock"));
  const target = join(temp.path, "target");
  await assertCode(() => HybridStore.restore(store.path, target), "LOCKED", `${process.pid}`);
  assertEquals(existsSync(target), false);
});

test("the lock of an owner that was killed is free, whatever it has read", {
  timeout: 600_000,
  skip,
}, async () => {
  using temp = tempDirectory();
  for (const [, command] of RUNTIMES) {
    await using child = new Child(command, "_lock_child.ts", [temp.path]);
    const pid = Number(await child.line());
    await assertCode(() => HybridStore.open(temp.path), "LOCKED", `process ${pid} has it open`);
    await child.kill(pid);
    await using store = await HybridStore.open(temp.path);
    assertEquals(await store.get(btreeKey(1)), bytes("kept"));
  }
});

test("of processes of both runtimes that open a store at once, one at a time gets it", {
  timeout: 600_000,
}, async () => {
  using temp = tempDirectory();
  const path = join(temp.path, "store");
  for (let round = 0; round < 2; round++) {
    // A new directory, and one that is there.
    if (round % 2 === 0) rmSync(path, { recursive: true, force: true });
    const commands = RUNTIMES.flatMap(([, command]) => [command, command]);
    const children = commands.map((command) => new Child(command, "_race_child.ts", [path]));
    for (const child of children) assertEquals(await child.line(), "ready");
    writeFileSync(`${path}.go`, "");
    const outcomes = await Promise.all(children.map((child) => child.line()));
    for (const child of children) await child[Symbol.asyncDispose]();
    rmSync(`${path}.go`);
    const others = outcomes.filter((outcome) => outcome !== "owner" && outcome !== "LOCKED");
    assertEquals([others, outcomes.includes("owner")], [[], true]);
  }
  await using store = await HybridStore.open(path);
  assertEquals((await store.verify()).faults, []);
});

/** How an owner loses its lock, and to which processes. */
const LOSSES: Record<string, (path: string) => void> = {
  "removes the lock and the note": (path) => {
    rmSync(join(path, "lock"));
    rmSync(join(path, "lock.pid"));
  },
  "reads the lock": READINGS["reads the lock"] as (path: string) => void,
};

// A Deno that may not call the C library has SQLite's lock alone, as Node has.
const deno = RUNTIMES.find(([runtime]) => runtime === "deno")?.[1][0];
const WITHOUT_LIBC = [
  deno!,
  "run",
  "--no-check",
  "--no-prompt",
  "--allow-read",
  "--allow-write",
  "--allow-env",
  "--allow-sys",
  `--allow-ffi=${PACKAGES}`,
];

for (const [name, lose] of Object.entries(LOSSES)) {
  test(`an owner that ${name} and loses it to another process stops`, {
    timeout: 600_000,
    skip: deno === undefined && "there is no Deno here",
  }, async () => {
    using temp = tempDirectory(true);
    const store = await HybridStore.open(temp.path, { durability: "always" });
    await store.put(btreeKey(2), bytes("2"));
    await store.checkpoint();
    await store.put(btreeKey(3), bytes("3"));
    lose(temp.path);
    await using child = new Child(WITHOUT_LIBC, "_lock_child.ts", [temp.path]);
    const pid = Number(await child.line());
    const journal = readdirSync(join(temp.path, "journal"));

    const message = `process ${pid} has opened it since`;
    await assertCode(() => store.checkpoint(), "POISONED", message);
    await assertCode(() => store.put(appendKey(4), bytes("4")), "POISONED", message);
    await assertCode(() => store.close(), "POISONED", message);
    assertEquals(readdirSync(join(temp.path, "journal")), journal);
    assertEquals(existsSync(join(temp.path, "lock.pid")), true);

    await child.kill(pid);
    await using again = await HybridStore.open(temp.path);
    const found = await again.getMany([2, 3, 1].map(btreeKey));
    assertEquals(found, [bytes("2"), bytes("3"), bytes("kept")]);
    assertEquals((await again.verify()).faults, []);
  });
}
