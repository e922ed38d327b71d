import * as fs from "node:fs";
import { test } from "node:test";
import { assert, assertEquals, assertGreater } from "@std/assert";
import { join } from "@std/path";
import { HybridStore, type RepairReport } from "../../../mod.ts";
import { noise } from "../../backends/_damage.ts";
import { bytes } from "../../conformance/_kit.ts";
import { tempDirectory } from "../../support/temp.ts";
import { copies, outcomesOf } from "../../crash/_outcomes.ts";
import { dump, keysOf, LMDB_FILE, putMany, segmentsOf, SQLITE_FILE } from "../../crash/_stores.ts";
import { crashImage } from "../../support/crash_image.ts";

const TIMEOUT = { timeout: 600_000 };
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
  "an empty B-tree side": (copy) => fs.truncateSync(withoutLog(copy), 0),
  "a torn append side": (copy) => cut(join(copy, LMDB_FILE), 0.5),
  "a torn B-tree side": (copy) => cut(withoutLog(copy), 0.5),
  "an append side of noise": (copy) => scramble(join(copy, LMDB_FILE)),
  "a B-tree side of noise": (copy) => scramble(withoutLog(copy)),
  "sides that are swapped": (copy) => {
    const [a, b] = [join(copy, LMDB_FILE), withoutLog(copy)];
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

/** Removes the log of the B-tree side, which has what its database lacks, and returns the database. */
function withoutLog(copy: string): string {
  for (const suffix of ["-wal", "-shm"]) {
    fs.rmSync(join(copy, SQLITE_FILE + suffix), { force: true });
  }
  return join(copy, SQLITE_FILE);
}

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

/** Damage of all kinds that a store is refused for, whatever it costs. */
const REFUSED: Record<string, (copy: string, other: string) => void> = {
  ...DAMAGES,
  "a foreign append side": (copy, other) => {
    fs.copyFileSync(join(other, LMDB_FILE), join(copy, LMDB_FILE));
  },
  "a foreign B-tree side": (copy, other) => {
    for (const suffix of ["", "-wal"]) {
      fs.rmSync(join(copy, SQLITE_FILE + suffix), { force: true });
      const from = join(other, SQLITE_FILE + suffix);
      if (fs.existsSync(from)) fs.copyFileSync(from, join(copy, SQLITE_FILE + suffix));
    }
  },
  "a foreign journal": (copy, other) => {
    fs.rmSync(join(copy, "journal"), { recursive: true });
    fs.cpSync(join(other, "journal"), join(copy, "journal"), { recursive: true });
  },
  "a foreign manifest": (copy, other) => {
    fs.copyFileSync(join(other, "manifest.json"), join(copy, "manifest.json"));
  },
  "no journal": (copy) => fs.rmSync(join(copy, "journal"), { recursive: true }),
  "no segments": (copy) => segmentsOf(copy).forEach((segment) => fs.rmSync(segment)),
  "a journal that was cut": (copy) => fs.truncateSync(segmentsOf(copy).at(-1)!, 16),
  "a damaged record that was synced": (copy) => flipRecord(copy),
  "a segment without a header": (copy) => {
    const segment = segmentsOf(copy)[0]!;
    const content = fs.readFileSync(segment);
    fs.writeFileSync(segment, content.fill(0, 0, 16));
  },
  "a damaged lock": (copy) => fs.writeFileSync(join(copy, "lock"), noise(5000)),
};

/** Damages the last record that was synced. */
function flipRecord(directory: string): void {
  const segment = segmentsOf(directory).at(-1)!;
  const content = fs.readFileSync(segment);
  let last = content.length - 1;
  while (content[last] === 0) last--;
  content[last - 1]! ^= 1;
  fs.writeFileSync(segment, content);
}

test("the advice of every refusal works when it is followed literally", TIMEOUT, async () => {
  using temp = tempDirectory();
  const { image, contents } = await createYoung(temp.path);
  const other = join(temp.path, "other");
  const store = await HybridStore.open(other);
  await putMany(store, 500, 550, 10);
  await store.close();
  const damages = Object.fromEntries(
    Object.entries(REFUSED).map(([name, damage]) => [name, (copy: string) => damage(copy, other)]),
  );
  const directories = copies(image, join(temp.path, "copies"), damages);
  for (const outcome of await outcomesOf("open", directories)) {
    const { directory, code, message = "" } = outcome;
    assertEquals(code, "CORRUPT", `${directory}: ${JSON.stringify(outcome)}`);
    const [, removed] = /: ([^:]*) is damaged; remove it/.exec(message) ?? [];
    if (removed !== undefined) {
      fs.rmSync(removed);
    } else {
      assert(message.includes("HybridStore.repair()"), message);
      const report = await HybridStore.repair(directory);
      assertEquals((await HybridStore.verify(directory)).faults, [], directory);
      // What is lost is said to be lost.
      if (report.ok) assertEquals(report.lost, []);
    }
    const repaired = await HybridStore.open(directory);
    const found = new Set(dump(repaired));
    await repaired.close();
    const missing = contents.filter((row) => !found.has(row));
    // Of a young store everything is both in the engines and in the journal, but for the last two writes.
    assert(missing.length <= 2, `${directory}: ${missing.length} are missing`);
  }
});

test(
  "a journal that was cut or lost costs what the engines did not have, and it is said",
  TIMEOUT,
  async () => {
    using temp = tempDirectory();
    const { image } = await createYoung(temp.path);
    for (
      const name of [
        "no journal",
        "a foreign journal",
        "a journal that was cut",
        "a damaged record that was synced",
      ]
    ) {
      const [copy] = copies(image, join(temp.path, name.replaceAll(" ", "-")), {
        copy: (directory) => REFUSED[name]!(directory, join(temp.path, "young")),
      });
      // The foreign one: that of a store with other keys.
      if (name === "a foreign journal") {
        fs.writeFileSync(
          join(copy!, "journal", ".store"),
          "another\n",
        );
      }
      const { report } = await repair(copy!);
      assertEquals(report.ok, false, name);
      assert(
        report.lost.some(({ part }) => part === "journal"),
        `${name}: ${JSON.stringify(report.lost)}`,
      );
    }
  },
);

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
