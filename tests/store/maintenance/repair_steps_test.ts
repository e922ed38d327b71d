import * as fs from "node:fs";
import { test } from "node:test";
import { assert, assertEquals, assertGreater } from "@std/assert";
import { basename, join } from "@std/path";
import { HybridStore, JournalReader } from "../../../mod.ts";
import { runChild } from "../../backends/_child.ts";
import { bytes } from "../../conformance/_kit.ts";
import { tempDirectory } from "../../support/temp.ts";
import {
  dump,
  keysOf,
  LMDB_FILE,
  pageBytesOf,
  putMany,
  rejects,
  segmentsOf,
  SQLITE_FILE,
} from "../../crash/_stores.ts";
import { crashImage } from "../../support/crash_image.ts";

const TIMEOUT = { timeout: 600_000 };

/** A store that needs a repair and loses nothing by it. */
async function createDamaged(path: string): Promise<string[]> {
  const store = await HybridStore.open(path);
  await putMany(store, 0, 100, 50);
  const contents = dump(store);
  await store.close();
  fs.rmSync(join(path, "manifest.json"));
  return contents;
}

async function contentsOf(path: string): Promise<string[]> {
  const store = await HybridStore.open(path);
  try {
    assertEquals((await store.verify()).faults, []);
    return dump(store);
  } finally {
    await store.close();
  }
}

for (const next of ["open", "repair"] as const) {
  test(`a kill at any step of a repair leaves a store, which ${next} finds`, TIMEOUT, async () => {
    using temp = tempDirectory();
    const damaged = join(temp.path, "damaged");
    const contents = await createDamaged(damaged);
    let steps = 0;
    for (;; steps++) {
      const directory = join(temp.path, `${steps}`);
      fs.mkdirSync(directory);
      const path = join(directory, "store");
      fs.cpSync(damaged, path, { recursive: true });
      const { signal, lines, errors } = await runChild(
        "../crash/_repair_child.ts",
        path,
        `${steps}`,
      );
      const isDone = lines.includes("repaired");
      assertEquals(signal, isDone ? null : "SIGKILL", errors);
      const names = fs.readdirSync(directory).sort();
      const isDamaged = fs.existsSync(path) && !fs.existsSync(join(path, "manifest.json"));
      if (isDamaged) {
        // Nothing has changed its name yet: what was damaged is there, and can be repaired.
        await rejects(() => HybridStore.open(path), "CORRUPT", /HybridStore\.repair\(\)/);
        await HybridStore.repair(path);
      } else if (next === "repair") {
        const report = await HybridStore.repair(path);
        assertEquals([report.ok, report.faults], [true, []]);
        if (!names.includes("store")) {
          assert(report.setAside?.startsWith(`${path}.damaged-`), `${report.setAside}`);
        }
      }
      assertEquals(await contentsOf(path), contents, `${steps}: ${names}`);
      const left = fs.readdirSync(directory).map((name) => name.replace(/-\w{6}$/, "")).sort();
      const kept = left.filter((name) => name !== "store.unfinished");
      assertEquals(kept, ["store", "store.damaged"], `${steps}: ${left}`);
      if (isDone) break;
    }
    assertEquals(steps, 4);
  });
}

test(
  "a store that a repair is putting in its place is neither created anew nor opened elsewhere",
  TIMEOUT,
  async () => {
    using temp = tempDirectory();
    const path = join(temp.path, "store");
    const contents = await createDamaged(path);
    await runChild("../crash/_repair_child.ts", path, "2");
    assert(!fs.existsSync(path));
    const repaired = fs.readdirSync(temp.path).find((name) => name.includes(".repaired-"))!;
    await rejects(() => HybridStore.open(join(temp.path, repaired)), "CORRUPT", /open .*store$/);
    await rejects(() => HybridStore.verify(join(temp.path, repaired)), "CORRUPT", /open .*store$/);
    // Another process was about to open the directory when it went away.
    fs.mkdirSync(path);
    fs.writeFileSync(join(path, "lock"), "");
    assertEquals(await contentsOf(path), contents);
  },
);

test("what onProgress throws ends a repair that has changed nothing", TIMEOUT, async () => {
  using temp = tempDirectory();
  const path = join(temp.path, "store");
  const contents = await createDamaged(path);
  const before = fs.readdirSync(temp.path);
  const seen = new Set<string>();
  for (const wanted of ["append check", "append walk", "append copy", "btree copy"]) {
    const onProgress = ({ part, step }: { part: string; step: string }) => {
      seen.add(`${part} ${step}`);
      if (`${part} ${step}` === wanted) throw new RangeError(wanted);
    };
    const error = await HybridStore.repair(path, { onProgress }).catch((error) => error);
    assert(error instanceof RangeError, `${wanted}: ${error}; ${[...seen]}`);
    assertEquals(fs.readdirSync(temp.path), before);
  }
  await HybridStore.repair(path);
  assertEquals(await contentsOf(path), contents);
});

test("a link to a store keeps pointing to its place", TIMEOUT, async () => {
  using temp = tempDirectory();
  const place = join(temp.path, "disk", "store");
  const contents = await createDamaged(place);
  const link = join(temp.path, "link");
  fs.symlinkSync(place, link);
  const report = await HybridStore.repair(link);
  assert(report.setAside!.startsWith(`${fs.realpathSync(place)}.damaged-`), report.setAside);
  assertEquals(fs.readlinkSync(link), place);
  assertEquals(await contentsOf(link), contents);
  // Cut off while the place is empty.
  fs.rmSync(join(place, "manifest.json"));
  await runChild("../crash/_repair_child.ts", link, "2");
  assert(!fs.existsSync(place));
  assertEquals(await contentsOf(link), contents);
});

test(
  "routes that a lost manifest had are asked for where keys contradict the default ones",
  TIMEOUT,
  async () => {
    using temp = tempDirectory();
    const path = join(temp.path, "store");
    const routes = [{ tag: "LOG:", engine: "append" as const }];
    const key = new TextEncoder().encode("a\0LOG:1");
    const store = await HybridStore.open(path, { routes });
    await store.put(key, bytes(1));
    await store.close();
    fs.rmSync(join(path, "manifest.json"));
    const error = await rejects(
      () => HybridStore.repair(path),
      "ROUTES_CHANGED",
      /LOG:1.*\{ routes, defaultEngine \}/,
    );
    assert(error.message.includes(path), error.message);
    assertEquals(fs.readdirSync(temp.path), ["store"]);
    const report = await HybridStore.repair(path, { routes });
    assertEquals([report.ok, report.kept.append], [true, 1]);
    const repaired = await HybridStore.open(path, { routes });
    assertEquals(repaired.getSync(key), bytes(1));
    await repaired.close();
    await rejects(
      () =>
        HybridStore.repair(path, { routes: [] }).then(() => HybridStore.open(path, { routes: [] })),
      "ROUTES_CHANGED",
    );
  },
);

test("directories that hold nothing of one store are refused", TIMEOUT, async () => {
  using temp = tempDirectory();
  const path = join(temp.path, "store");
  await rejects(() => HybridStore.repair(path), "NOT_FOUND");
  await rejects(() => HybridStore.verify(path), "NOT_FOUND");
  fs.mkdirSync(path);
  await rejects(() => HybridStore.repair(path), "NOT_FOUND");
  fs.writeFileSync(join(path, "manifest.json"), '{"name": "an app"}');
  await rejects(() => HybridStore.repair(path), "NOT_FOUND");
  fs.rmSync(path, { recursive: true });
  await createDamaged(path);
  const other = join(temp.path, "other");
  await createDamaged(other);
  fs.copyFileSync(join(other, LMDB_FILE), join(path, LMDB_FILE));
  fs.rmSync(join(path, "journal", ".store"));
  await rejects(() => HybridStore.repair(path), "CORRUPT", /different stores.*restore a backup/);
  assertEquals(fs.readdirSync(temp.path).sort(), ["other", "store"]);
  // Its creation was cut off, and nothing was promised.
  fs.writeFileSync(join(path, "creating"), "");
  assertEquals((await HybridStore.repair(path)).ok, true);
  assertEquals((await HybridStore.verify(path)).ok, true);
  await using open = await HybridStore.open(join(temp.path, "open"));
  await rejects(() => HybridStore.repair(open.path), "LOCKED");
  await rejects(() => HybridStore.verify(open.path), "LOCKED");
});

test("valid records behind a gap stay where a reader finds them", TIMEOUT, async () => {
  using temp = tempDirectory();
  const store = await HybridStore.open(join(temp.path, "store"), {
    durability: "always",
    segmentBytes: 400,
  });
  const ends: number[] = [];
  for (let number = 0; number < 20; number++) {
    await store.batch().put(keysOf(number)[0], bytes(number)).put(keysOf(number)[1], bytes(number))
      .commit();
    ends.push(store.stats().journal.bytes);
  }
  const image = await crashImage(store, join(temp.path, "image"));
  await store.close();
  for (const side of ["append", "btree"]) {
    // Both engines as they were when nothing had been applied.
    fs.rmSync(join(image, side), { recursive: true });
  }
  const segments = segmentsOf(image);
  assertGreater(segments.length, 4);
  const damagedAt = Number(basename(segments[2]!, ".seg"));
  const content = fs.readFileSync(segments[2]!);
  content[16 + 60]! ^= 1;
  fs.writeFileSync(segments[2]!, content);
  const whole = ends.filter((end) => end <= damagedAt).length;
  const report = await HybridStore.repair(image);
  assertEquals(report.ok, false);
  assertEquals([report.kept.append, report.kept.btree, report.records], [whole, whole, whole]);
  const [run, ...more] = report.unapplied;
  assertEquals([more, run!.from, run!.records], [[], BigInt(ends[whole]!), 20 - whole - 1]);
  const reader = await JournalReader.open(join(report.setAside!, "journal"));
  let records = 0;
  for await (const _ of reader.entries({ from: run!.from })) records++;
  reader.close();
  assertEquals(records, run!.records);
  // Offsets are not given twice.
  const repaired = await HybridStore.open(image);
  await repaired.put(keysOf(0)[0], bytes(9));
  await repaired.close();
  assert(segmentsOf(image).every((segment) => Number(basename(segment, ".seg")) >= ends.at(-1)!));
});

for (const [side, file] of [["append", LMDB_FILE], ["btree", SQLITE_FILE]] as const) {
  test(
    `a damaged page of the ${side} side costs its own keys, and none that the journal has`,
    TIMEOUT,
    async () => {
      using temp = tempDirectory();
      const path = join(temp.path, "store");
      const store = await HybridStore.open(path);
      await putMany(store, 0, 2000, 100);
      for (let round = 0; round < 3; round++) {
        await store.put(keysOf(0)[0], bytes(round));
        await store.checkpoint();
      }
      await putMany(store, 1000, 1010, 70);
      const contents = dump(store);
      await store.close();
      const content = fs.readFileSync(join(path, file));
      const pageBytes = pageBytesOf(content);
      const pages = content.length / pageBytes;
      let lossless = 0;
      let roots = 0;
      for (let part = 1; part < 12; part++) {
        const copy = join(temp.path, `${part}`);
        fs.cpSync(path, copy, { recursive: true });
        const damaged = new Uint8Array(content);
        const page = Math.max(2, Math.floor(pages * part / 12));
        damaged.fill(0xff, page * pageBytes, page * pageBytes + 100);
        fs.writeFileSync(join(copy, file), damaged);
        const { ok: isSound } = await HybridStore.verify(copy);
        const report = await HybridStore.repair(copy);
        const found = await contentsOf(copy);
        const missing = contents.filter((row) => !found.includes(row));
        if (report.ok) {
          assertEquals(missing, [], `page ${page}`);
          lossless++;
        } else {
          assert(!isSound);
          assert(report.lost.every((lost) => lost.part === side), JSON.stringify(report.lost));
          // A root page costs everything that the journal does not have.
          if (found.length < contents.length * 0.9) roots++;
        }
        for (const row of found) assert(contents.includes(row), row);
      }
      assertGreater(11, lossless);
      assertGreater(2, roots);
    },
  );
}
