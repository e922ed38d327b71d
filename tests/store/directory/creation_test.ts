import { cpSync, existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { assertEquals, assertGreater } from "@std/assert";
import { join } from "@std/path";
import { HybridStore } from "../../../mod.ts";
import { tempDirectory } from "../../support/temp.ts";
import { Child, RUNTIMES } from "../_child.ts";
import { appendKey, btreeKey, bytes } from "../_support.ts";
import { assertCode } from "../../support/assert.ts";

/** Opens, writes, and opens again: a store like any other. */
async function assertUsable(path: string): Promise<void> {
  {
    await using store = await HybridStore.open(path);
    await store.put(appendKey(2), bytes("2"));
    await store.put(btreeKey(2), bytes("2"));
  }
  await using store = await HybridStore.open(path);
  assertEquals(await store.getMany([appendKey(2), btreeKey(2)]), [bytes("2"), bytes("2")]);
  assertEquals(existsSync(join(path, "creating")), false);
}

test("a creation that was interrupted is begun anew, wherever it was", async () => {
  using temp = tempDirectory();
  const whole = join(temp.path, "whole");
  await (await HybridStore.open(whole)).close();
  // What is there at each step, in the order of creation; files may be half written.
  const steps: ((path: string) => void)[] = [
    (path) => writeFileSync(join(path, "lock"), ""),
    (path) => writeFileSync(join(path, "creating"), ""),
    (path) => mkdirSync(join(path, "append")),
    (path) => writeFileSync(join(path, "append", "data.mdb"), new Uint8Array(100)),
    (path) => cpSync(join(whole, "append"), join(path, "append"), { recursive: true }),
    (path) => mkdirSync(join(path, "btree")),
    (path) => writeFileSync(join(path, "btree", "data.sqlite"), ""),
    (path) => cpSync(join(whole, "btree"), join(path, "btree"), { recursive: true }),
    (path) => mkdirSync(join(path, "journal")),
    (path) => writeFileSync(join(path, "journal", "00000000000000000000.seg"), "HSJ"),
    (path) => cpSync(join(whole, "journal"), join(path, "journal"), { recursive: true }),
    (path) => writeFileSync(join(path, "manifest.json.tmp"), "{"),
  ];
  for (let reached = 0; reached <= steps.length; reached++) {
    const path = join(temp.path, `${reached}`);
    mkdirSync(path);
    for (const step of steps.slice(0, reached)) step(path);
    await assertUsable(path);
  }
});

test("a creation that ended but for the removal of its mark counts as done", async () => {
  using temp = tempDirectory();
  {
    await using store = await HybridStore.open(temp.path);
    await store.put(appendKey(1), bytes("1"));
  }
  writeFileSync(join(temp.path, "creating"), "");
  await assertUsable(temp.path);
  await using store = await HybridStore.open(temp.path);
  assertEquals(await store.count(), 3);
});

test("a new store leaves other files in its directory alone", async () => {
  using temp = tempDirectory();
  writeFileSync(join(temp.path, "notes.txt"), "mine");
  await assertUsable(temp.path);
  assertEquals(readdirSync(temp.path).includes("notes.txt"), true);
});

for (const part of ["append", "btree", "journal"]) {
  test(`a directory that holds ${part} and no manifest is CORRUPT`, async () => {
    using temp = tempDirectory();
    mkdirSync(join(temp.path, part));
    writeFileSync(join(temp.path, part, "file"), "precious");
    const open = () => HybridStore.open(temp.path);
    await assertCode(open, "CORRUPT", temp.path, part, "no manifest.json");
    assertEquals(readdirSync(join(temp.path, part)), ["file"]);
  });
}

test("a process that is killed while it creates stores leaves none that does not open", {
  timeout: 600_000,
}, async () => {
  using temp = tempDirectory();
  const [[, command]] = RUNTIMES as [[string, string[]]];
  for (let round = 0; round < 6; round++) {
    const path = join(temp.path, `${round}`);
    mkdirSync(path);
    let latest = "";
    {
      await using child = new Child(command, "_create_child.ts", [path]);
      const pid = Number(await child.line());
      for (let stores = 0; stores < 3; stores++) latest = await child.line();
      await delay(round * 3);
      await child.kill(pid);
    }
    assertEquals(latest, "created 2");
    for (const name of readdirSync(path)) {
      {
        await using store = await HybridStore.open(join(path, name));
        const wasWritten = Number(name) <= 2;
        if (wasWritten) assertEquals(await store.get(btreeKey(1)), bytes("kept"));
      }
      await assertUsable(join(path, name));
    }
    assertGreater(readdirSync(path).length, 2);
  }
});
