import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import process from "node:process";
import { test } from "node:test";
import { assertEquals, assertGreater, assertMatch } from "@std/assert";
import { dirname, fromFileUrl, join } from "@std/path";
import { HybridStore, toText } from "../../mod.ts";
import { assertCode } from "../support/assert.ts";
import { tempDirectory } from "../support/temp.ts";
import { appendKey, btreeKey } from "./_support.ts";

const TIMEOUT = { timeout: 600_000 };
const ROOT = join(dirname(fromFileUrl(import.meta.url)), "..", "..");
const PRELOAD = join(ROOT, "tests", "support", "in_memory.ts");

/** The tests of what a store does, wherever it is. Those of memory and of files are about a directory. */
function suite(): string[] {
  const named = (folder: string, left: string[] = []) =>
    readdirSync(join(ROOT, folder))
      .filter((name) => name.endsWith("_test.ts") && !left.includes(name))
      .map((name) => join(folder, name));
  return [
    ...named("tests/store/read", ["scan_memory_test.ts"]),
    ...named("tests/store/write"),
    ...["arguments", "string", "sub"].map((name) => `tests/store/${name}_test.ts`),
    "tests/model/model_test.ts",
  ];
}

test("a store in memory passes the tests of the store", TIMEOUT, () => {
  const temp = mkdtempSync(join(tmpdir(), "hybridstore-test-"));
  const args = "bun" in process.versions
    ? ["test", "--preload", PRELOAD]
    : ["test", "-A", "--no-check", `--preload=${PRELOAD}`];
  const { status, stdout, stderr } = spawnSync(process.execPath, [...args, ...suite()], {
    cwd: ROOT,
    encoding: "utf8",
    env: {
      ...process.env,
      TMPDIR: temp,
      HYBRIDSTORE_MODEL_SEED: `${Math.floor(Math.random() * 2 ** 32)}`,
      NO_COLOR: "1",
    },
  });
  rmSync(temp, { recursive: true });
  const output = stdout + stderr;
  assertEquals(status, 0, output.slice(-5000));
  const [, passed] = /(\d+) pass/.exec(output)!;
  assertGreater(Number(passed), 200);
});

test("a store in memory leaves nothing on disk, and goes when it is closed", async () => {
  await using store = await HybridStore.openMemory({ memtableBytes: 1000 });
  assertEquals(store.path, ":memory:");
  for (let i = 0; i < 300; i++) {
    void store.put(appendKey(i), "value");
    void store.put(btreeKey(i), "value");
  }
  await store.checkpoint();
  const { append, btree, journal } = store.stats();
  assertEquals([append.keys, btree.keys, journal.segments], [300, 300, 1]);
  assertEquals((await store.verify()).faults, []);
  assertEquals(existsSync(":memory:"), false);
  await store.close();
  await assertCode(() => store.get("key"), "CLOSED");
  await using another = await HybridStore.openMemory();
  assertEquals(await another.count(), 0);
});

test("a store in memory is backed up into a directory", async () => {
  using temp = tempDirectory();
  await using store = await HybridStore.openMemory({ defaultEngine: "append" });
  await store.put("a", "1");
  await store.put(btreeKey(1), "2");
  const { keys, position } = await store.backup(join(temp.path, "copy"));
  assertEquals([keys, position], [2, store.position]);
  await using copy = await HybridStore.open(join(temp.path, "copy"));
  assertEquals(toText(await copy.get("a")), "1");
  assertEquals(copy.routeOf("a"), "append");
  assertEquals((await copy.verify()).faults, []);
});

test("a store in memory has no options of a directory", async () => {
  for (const option of ["create", "errorIfExists", "readOnly"]) {
    const error = await HybridStore.openMemory({ [option]: true }).then(String, String);
    assertMatch(error, new RegExp(`TypeError: Cannot open store: there is no option ${option}`));
  }
});
