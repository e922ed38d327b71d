import * as fs from "node:fs";
import { test } from "node:test";
import { assert, assertEquals, assertGreater } from "@std/assert";
import { join } from "@std/path";
import { HybridStore, type RepairReport } from "../../mod.ts";
import { noise } from "../backends/_damage.ts";
import { bytes } from "../conformance/_kit.ts";
import { tempDirectory } from "../helpers/temp.ts";
import { crashImage, dump, keysOf, LMDB_FILE, putMany, SQLITE_FILE } from "./_stores.ts";

const TIMEOUT = { timeout: 120_000 };
/** Files that may change although nothing is repaired. */
const LOCK_FILES = /(^|\/)lock/;

function filesOf(directory: string): Record<string, string> {
  const names = fs.readdirSync(directory, { recursive: true, encoding: "utf8" }).sort();
  return Object.fromEntries(
    names.filter((name) => !LOCK_FILES.test(name) && fs.statSync(join(directory, name)).isFile())
      .map((name) => [name, fs.readFileSync(join(directory, name), "latin1")]),
  );
}

/** A store that was never trimmed: its journal has everything since its birth. */
async function createYoung(temp: string): Promise<{ image: string; contents: string[] }> {
  const store = await HybridStore.open(join(temp, "young"), {
    memtableBytes: 20_000,
    durability: "always",
  });
  await putMany(store, 0, 300, 100);
  await store.delete(keysOf(7)[1]);
  await (await store.snapshot())[Symbol.asyncDispose]();
  await store.put(keysOf(1000)[0], bytes(1));
  await store.put(keysOf(1000)[1], bytes(2));
  const image = await crashImage(store, join(temp, "young-image"));
  const contents = dump(store);
  await store.close();
  return { image, contents };
}

/** A store whose journal was trimmed, with some writes since, and what it held when it was trimmed. */
async function createOld(
  temp: string,
): Promise<{ image: string; contents: string[]; trimmed: string[] }> {
  const store = await HybridStore.open(join(temp, "old"), { durability: "always" });
  await putMany(store, 0, 600, 100);
  for (let round = 0; round < 3; round++) {
    await store.put(keysOf(0)[0], bytes(round));
    await store.checkpoint();
  }
  const trimmed = dump(store);
  for (let number = 600; number < 620; number++) {
    await store.batch().put(keysOf(number)[0], bytes(1)).put(keysOf(number)[1], bytes(2)).commit();
  }
  const image = await crashImage(store, join(temp, "old-image"));
  const contents = dump(store);
  await store.close();
  return { image, contents, trimmed };
}

/** Repairs a store, makes sure that it is one and that the damaged one is as it was; returns what it holds. */
async function repair(path: string): Promise<{ report: RepairReport; contents: string[] }> {
  const before = filesOf(path);
  const verified = await HybridStore.verify(path);
  assertEquals(filesOf(path), before);
  const report = await HybridStore.repair(path);
  assertEquals(report.path, path);
  if (report.setAside === undefined) assertEquals(verified.faults, report.faults);
  else assertGreater(report.faults.length, 0);
  assertEquals(verified.faults, report.faults);
  assertEquals(filesOf(report.setAside ?? path), before);
  assertEquals((await HybridStore.verify(path)).faults, []);
  const again = await HybridStore.repair(path);
  assertEquals([again.ok, again.setAside, again.kept], [true, undefined, report.kept]);
  const store = await HybridStore.open(path);
  try {
    assertEquals((await store.verify()).faults, []);
    const contents = dump(store);
    if (report.setAside !== undefined) {
      assertEquals(report.kept.append + report.kept.btree, contents.length);
    }
    await store.put(keysOf(1)[1], bytes(1));
    return { report, contents };
  } finally {
    await store.close();
  }
}

const sideOf = (row: string) => /\0(MV|S|SP):/.test(row) ? "btree" : "append";
const onSide = (rows: string[], side: string) => rows.filter((row) => sideOf(row) === side);

test("a healthy store is left as it is, closed or killed", TIMEOUT, async () => {
  using temp = tempDirectory();
  const { image, contents } = await createYoung(temp.path);
  const store = await HybridStore.open(join(temp.path, "closed"));
  await putMany(store, 0, 50, 10);
  const closed = dump(store);
  await store.close();
  for (const [path, there] of [[image, contents], [join(temp.path, "closed"), closed]] as const) {
    const before = filesOf(path);
    const names = fs.readdirSync(temp.path).sort();
    const report = await HybridStore.repair(path);
    assertEquals(
      [report.ok, report.setAside, report.faults, report.lost, report.records],
      [true, undefined, [], [], 0],
    );
    assertEquals(filesOf(path), before);
    assertEquals(fs.readdirSync(temp.path).sort(), names);
    const { contents: found } = await repair(path);
    assertEquals(found, there);
  }
});

/** Damage, and what it costs a store whose journal reaches back to its birth: nothing. */
const DAMAGES: Record<string, (copy: string) => void> = {
  "no manifest": (copy) => fs.rmSync(join(copy, "manifest.json")),
  "half a manifest": (copy) => fs.truncateSync(join(copy, "manifest.json"), 50),
  "no append side": (copy) => fs.rmSync(join(copy, "append"), { recursive: true }),
  "no B-tree side": (copy) => fs.rmSync(join(copy, "btree"), { recursive: true }),
  "neither side": (copy) => {
    for (const side of ["append", "btree"]) fs.rmSync(join(copy, side), { recursive: true });
  },
  "an empty append side": (copy) => fs.truncateSync(join(copy, LMDB_FILE), 0),
  "an empty B-tree side": (copy) => fs.truncateSync(join(copy, SQLITE_FILE), 0),
  "a torn append side": (copy) => cut(join(copy, LMDB_FILE), 0.5),
  "a torn B-tree side": (copy) => cut(join(copy, SQLITE_FILE), 0.5),
  "an append side of noise": (copy) => scramble(join(copy, LMDB_FILE)),
  "a B-tree side of noise": (copy) => scramble(join(copy, SQLITE_FILE)),
  "sides that are swapped": (copy) => {
    const [a, b] = [join(copy, LMDB_FILE), join(copy, SQLITE_FILE)];
    const kept = fs.readFileSync(a);
    fs.copyFileSync(b, a);
    fs.writeFileSync(b, kept);
  },
  "no owner of the journal": (copy) => fs.rmSync(join(copy, "journal", ".store")),
  "no manifest and no append side": (copy) => {
    fs.rmSync(join(copy, "manifest.json"));
    fs.rmSync(join(copy, "append"), { recursive: true });
  },
};

function cut(path: string, part: number): void {
  fs.truncateSync(path, Math.floor(fs.statSync(path).size * part));
}

function scramble(path: string): void {
  fs.writeFileSync(path, noise(fs.statSync(path).size));
}

for (const [name, damage] of Object.entries(DAMAGES)) {
  test(
    `a store with ${name} is repaired from its journal, and nothing is lost`,
    TIMEOUT,
    async () => {
      using temp = tempDirectory();
      const { image, contents } = await createYoung(temp.path);
      damage(image);
      const { report, contents: found } = await repair(image);
      assertEquals(report.lost, []);
      assert(report.ok);
      assertEquals(found, contents);
    },
  );
}

for (const [side, directory] of [["append", "append"], ["btree", "btree"]] as const) {
  test(
    `an old store that has lost its ${side} side keeps the other one and its journal`,
    TIMEOUT,
    async () => {
      using temp = tempDirectory();
      const { image, contents, trimmed } = await createOld(temp.path);
      fs.rmSync(join(image, directory), { recursive: true });
      const { report, contents: found } = await repair(image);
      assertEquals(report.ok, false);
      assert(report.lost.every(({ part }) => part === side), JSON.stringify(report.lost));
      const other = side === "append" ? "btree" : "append";
      assertEquals(onSide(found, other), onSide(contents, other));
      const old = new Set(trimmed);
      const since = onSide(contents, side).filter((row) => !old.has(row));
      assertEquals(since.length, 20);
      for (const row of since) assert(found.includes(row), row);
    },
  );
}
