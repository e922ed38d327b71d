import * as fs from "node:fs";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { assert, assertEquals, assertGreater, assertStringIncludes } from "@std/assert";
import { basename, join } from "@std/path";
import { openLmdbEngine, openSqliteEngine } from "../../../backends/mod.ts";
import { MemoryEngine } from "../../../backends/memory.ts";
import { Router } from "../../../codec/route.ts";
import { nodeFileSystem } from "../../../journal/mod.ts";
import { openWriter } from "../../../journal/journal.ts";
import { SEGMENT_HEADER_BYTES } from "../../../journal/segment.ts";
import {
  epochKey,
  HybridStore,
  mvKey,
  type VerifyFault,
  type VerifyOptions,
} from "../../../mod.ts";
import { readManifest } from "../../../store/directory/manifest.ts";
import { Verification } from "../../../store/maintenance/verify.ts";
import { createWithPages } from "../../backends/_lmdb_pages.ts";
import { bytes, pattern, put } from "../../conformance/_kit.ts";
import { tempDirectory } from "../../support/temp.ts";
import { copies, outcomesOf } from "../../crash/_outcomes.ts";
import { noReadOnlyMount, ReadOnlyMount, stateOf } from "../../crash/_read_only.ts";
import {
  digest,
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

/** Stores of several shapes. */
const SHAPES: Record<string, (store: HybridStore) => Promise<unknown>> = {
  "nothing": () => Promise.resolve(),
  "one key": (store) => store.put(bytes(1), bytes()),
  "the append side alone": async (store) => {
    for (let id = 0; id < 300; id++) await store.put(epochKey(`${id}`), pattern(id));
  },
  "the B-tree side alone": async (store) => {
    for (let id = 0; id < 300; id++) await store.put(mvKey("s", `${id}`), pattern(id));
  },
  "more than a page of keys": (store) => putMany(store, 0, 3000, 10),
  "large values and long keys": async (store) => {
    const long = mvKey("s".repeat(1900), "p");
    await store.batch().put(long, pattern(3 * 2 ** 20)).put(epochKey("e"), pattern(2 ** 22))
      .commit();
    await putMany(store, 0, 20, 70_000);
  },
  "what was deleted": async (store) => {
    await putMany(store, 0, 1000, 50);
    await store.checkpoint();
    await store.deleteRange({});
  },
  "what was written over": async (store) => {
    for (let seed = 0; seed < 5; seed++) {
      await putMany(store, 0, 500, 100 * seed, seed);
      await store.checkpoint();
    }
  },
};

for (const [name, write] of Object.entries(SHAPES)) {
  test(`a store with ${name} is verified, open and reopened`, TIMEOUT, async () => {
    using temp = tempDirectory();
    for (const life of ["first", "second"]) {
      await using store = await HybridStore.open(join(temp.path, "store"));
      if (life === "first") await write(store);
      const { ok, faults, faultCount, keys } = await store.verify();
      assertEquals({ ok, faults, faultCount }, { ok: true, faults: [], faultCount: 0 });
      const { append, btree } = store.stats();
      assertEquals(keys, { append: append.keys, btree: btree.keys });
      await rejects(() => HybridStore.verify(store.path), "LOCKED");
    }
    for (const directory of [join(temp.path, "store"), join(temp.path, "image")]) {
      await using store = await HybridStore.open(join(temp.path, "store"));
      if (basename(directory) === "image") await crashImage(store, directory);
      const { append, btree } = store.stats();
      await store.close();
      const before = stateOf(directory);
      const report = await HybridStore.verify(directory);
      assertEquals([report.ok, report.faults], [true, []], directory);
      assertEquals(report.keys, { append: append.keys, btree: btree.keys });
      assertEquals(stateOf(directory), before);
    }
  });
}

const MOUNTED = { ...TIMEOUT, skip: noReadOnlyMount() };

test("a closed store on a disk that can only be read is verified", MOUNTED, async () => {
  using temp = tempDirectory();
  const store = await HybridStore.open(join(temp.path, "store"));
  await putMany(store, 0, 100, 30);
  const image = await crashImage(store, join(temp.path, "image"));
  await store.close();
  for (const path of [store.path, image]) {
    const before = stateOf(path);
    using mount = new ReadOnlyMount(path);
    assertEquals((await HybridStore.verify(mount.path)).faults, []);
    assertEquals(stateOf(path), before);
  }
});

test(
  "the progress of a closed verification is told, and what it throws ends it",
  TIMEOUT,
  async () => {
    using temp = tempDirectory();
    const store = await HybridStore.open(join(temp.path, "store"));
    await putMany(store, 0, 3000, 20);
    await store.checkpoint();
    await putMany(store, 0, 300, 20);
    const image = await crashImage(store, join(temp.path, "image"));
    await store.close();
    const told = new Set<string>();
    await HybridStore.verify(image, {
      onProgress: ({ part, step }) => told.add(`${part} ${step}`),
    });
    const all = ["append check", "append walk", "btree check", "btree walk", "journal check"];
    assertEquals([...told].sort(), all);
    for (const wanted of all) {
      const onProgress: VerifyOptions["onProgress"] = ({ part, step }) => {
        if (`${part} ${step}` === wanted) throw new RangeError(wanted);
      };
      const error = await HybridStore.verify(image, { onProgress }).catch((error) => error);
      assert(error instanceof RangeError, `${error}`);
    }
  },
);

test("a store is verified while it is written to", TIMEOUT, async () => {
  using temp = tempDirectory();
  const options = { memtableBytes: 20_000, segmentBytes: 20_000 };
  await using store = await HybridStore.open(join(temp.path, "store"), options);
  let isRunning = true;
  const writing = (async () => {
    for (let round = 0; isRunning; round++) {
      await putMany(store, 50 * (round % 20), 50 * (round % 20) + 50, 30 + round % 100, round);
      await nextTurn();
    }
  })();
  const { applies } = store.stats();
  let records = 0;
  for (let round = 0; round < 5; round++) {
    const report = await store.verify();
    assertEquals(report.faults, []);
    records += report.journalRecords;
  }
  isRunning = false;
  await writing;
  assertGreater(records, 0);
  assertGreater(store.stats().applies, applies);
});

test("the verification of a crash image follows its replay", TIMEOUT, async () => {
  using temp = tempDirectory();
  await using store = await HybridStore.open(join(temp.path, "store"));
  await putMany(store, 0, 100, 10);
  await using image = await HybridStore.open(await crashImage(store, join(temp.path, "image")));
  const report = await image.verify();
  assertEquals([report.faults, report.keys], [[], { append: 100, btree: 100 }]);
});

test("progress is told for each step", TIMEOUT, async () => {
  await using store = await HybridStore.openTemp();
  await putMany(store, 0, 3000, 20);
  const told = new Map<string, number[]>();
  const onProgress: VerifyOptions["onProgress"] = ({ part, step, done, total }) => {
    if (total !== undefined) assert(done <= total, `${part} ${step}: ${done} of ${total}`);
    told.set(`${part} ${step}`, [...told.get(`${part} ${step}`) ?? [], done]);
  };
  const verifying = store.verify({ onProgress });
  // Keeps the journal from being trimmed.
  await store.put(bytes(1), bytes(1));
  const { journalRecords } = await verifying;
  assertGreater(journalRecords, 0);
  assertEquals([...told.keys()].sort(), [
    "append check",
    "append walk",
    "btree walk",
    "journal check",
  ]);
  for (const done of told.values()) assertEquals(done, done.toSorted((a, b) => a - b));
  assertEquals(told.get("append walk")!.at(-1), 3000);
  assertGreater(told.get("append walk")!.length, 2);
});

test("what the caller's own function throws ends a verification", TIMEOUT, async () => {
  await using store = await HybridStore.openTemp();
  await putMany(store, 0, 10, 20);
  const own = new Error("enough");
  const verifying = store.verify({
    onProgress: () => {
      throw own;
    },
  });
  assertEquals(await verifying.then(() => undefined, (error) => error), own);
  assertEquals((await store.verify()).faults, []);
});

test("a store that is closed during a verification says so, and closes", TIMEOUT, async () => {
  for (const calls of [0, 1, 2, 3, 4]) {
    const store = await HybridStore.openTemp({ memtableBytes: 50_000 });
    await putMany(store, 0, 3000, 20);
    let left = calls;
    let closing: Promise<void> | undefined;
    const verifying = store.verify({
      onProgress: () => {
        if (--left === 0) closing = store.close();
      },
    });
    if (calls === 0) closing = store.close();
    await rejects(() => verifying, "CLOSED");
    await closing;
    await rejects(() => store.verify(), "CLOSED");
  }
});

test("a key that lives on the wrong side is named", TIMEOUT, async () => {
  using temp = tempDirectory();
  const path = join(temp.path, "store");
  {
    await using store = await HybridStore.open(path);
    await putMany(store, 0, 10, 10);
  }
  const options = { identity: readManifest(path)!.identity, create: false };
  const append = await openLmdbEngine(join(path, "append"), options);
  await append.apply([put(mvKey("lost", "p"), bytes(1))], append.position);
  await append.close();
  const btree = await openSqliteEngine(join(path, "btree"), options);
  await btree.apply([put(epochKey("lost"), bytes(1))], btree.position);
  await btree.close();

  await using store = await HybridStore.open(path);
  const { ok, faults, faultCount } = await store.verify();
  assertEquals([ok, faultCount], [false, 2]);
  assertEquals(faults, [
    { part: "append", message: 'key "lost\\u0000MV:p" belongs to the btree side' },
    { part: "btree", message: 'key "\\u0000E:lost" belongs to the append side' },
  ]);
});

/** Opens a store with one segment of records, and calls `damage` on it and on the place of its last byte. The
 * first verification of a store finds the segment still there, whatever the machine is doing: what comes in
 * while it waits for the engines keeps the journal from being trimmed.
 */
async function verifyDamaged(
  damage: (segment: string, last: number) => void,
): Promise<{ segment: string; faults: VerifyFault[] }> {
  await using store = await HybridStore.openTemp();
  await putMany(store, 0, 300, 20);
  const [segment] = segmentsOf(store.path);
  // Behind the last record there may be room for more.
  damage(segment!, SEGMENT_HEADER_BYTES + store.stats().journal.bytes - 1);
  const verifying = store.verify();
  const writing = store.put(keysOf(1)[1], bytes(1));
  const { faults } = await verifying;
  await writing;
  return { segment: segment!, faults };
}

test("a damaged record of the journal is named", TIMEOUT, async () => {
  const offsets = [() => 4, () => 30, () => 50, () => 1000, (last: number) => last];
  for (const offset of offsets) {
    let at = 0;
    const { segment, faults } = await verifyDamaged((path, last) => {
      assertGreater(last, 1000);
      at = offset(last);
      const file = fs.openSync(path, "r+");
      const byte = new Uint8Array(1);
      fs.readSync(file, byte, 0, 1, at);
      fs.writeSync(file, Uint8Array.of(byte[0]! ^ 0x40), 0, 1, at);
      fs.closeSync(file);
    });
    assertEquals(faults.length, 1, `byte ${at}`);
    const { part, message } = faults[0]!;
    assertEquals(part, "journal");
    assertStringIncludes(message, segment);
    const pattern = at < 16 ? /format version/ : /no valid record at offset \d+ .*(crc32c|short)/;
    assert(pattern.test(message), message);
  }
});

test("a missing segment of the journal is named, and nothing else is", TIMEOUT, async () => {
  const { segment, faults } = await verifyDamaged((path) => fs.renameSync(path, `${path}.away`));
  assertEquals(faults.map(({ part }) => part), ["journal"]);
  assertStringIncludes(faults[0]!.message, segment);
  assertEquals((await verifyDamaged(() => {})).faults, []);
});

test("a position that does not fit the journal is named", TIMEOUT, async () => {
  using temp = tempDirectory();
  const directory = join(temp.path, "journal");
  const settings = { segmentBytes: 2 ** 20, salvage: false };
  const { writer } = await openWriter(nodeFileSystem, directory, settings);
  // The journal starts and ends at 100.
  const journal = {
    segments: [{ ...writer.segments[0]!, base: 100n }],
    end: 100n,
    fileSystem: nodeFileSystem,
  };
  const engines = { append: new MemoryEngine(), btree: new MemoryEngine() };
  const verify = async (append: bigint, btree: bigint) => {
    await engines.append.apply([], append);
    await engines.btree.apply([], btree);
    const views = { append: engines.append.view(), btree: engines.btree.view() };
    const source = { router: new Router(), engines, views, journal, requireOpen: () => {} };
    const { faults } = await new Verification(source, {}).run();
    return faults.filter(({ part }) => part !== "journal");
  };
  const text = (position: number) =>
    `it was written up to journal position ${position}, and the journal runs from 100 to 100`;
  assertEquals(await verify(100n, 100n), []);
  assertEquals(await verify(101n, 100n), [{ part: "append", message: text(101) }]);
  assertEquals(await verify(100n, 99n), [{ part: "btree", message: text(99) }]);
  await writer.close();
});

/** Creates a store whose engines have trees of some pages, and returns what it holds. */
async function createStore(path: string): Promise<string> {
  await using store = await HybridStore.open(path);
  await putMany(store, 0, 1500, 120);
  return digest(store);
}

/** Returns a damage that changes bytes of one page of a file, which is so many percent into it. */
function inPage(file: string, percent: number, change: (bytes: Uint8Array) => void) {
  return (copy: string) => {
    const content = fs.readFileSync(join(copy, file));
    const pageBytes = pageBytesOf(content);
    const start = Math.floor(content.length / pageBytes * percent / 100) * pageBytes;
    change(content.subarray(start, start + pageBytes));
    fs.writeFileSync(join(copy, file), content);
  };
}

test(
  "damaged pages of an engine are named, and its keys are then not walked",
  TIMEOUT,
  async () => {
    using temp = tempDirectory();
    const path = join(temp.path, "store");
    await createStore(path);
    const wipe = (content: Uint8Array) => void content.fill(0);
    const scramble = (content: Uint8Array) => void content.subarray(0, 64).reverse();
    const damages = Object.fromEntries([20, 40, 60, 80].flatMap((percent) => [
      [`append wiped ${percent}`, inPage(LMDB_FILE, percent, wipe)],
      [`append scrambled ${percent}`, inPage(LMDB_FILE, percent, scramble)],
      [`btree wiped ${percent}`, inPage(SQLITE_FILE, percent, wipe)],
      [`btree scrambled ${percent}`, inPage(SQLITE_FILE, percent, scramble)],
    ]));
    const found = { append: 0, btree: 0 };
    const directories = copies(path, join(temp.path, "copies"), damages);
    for (const { directory, code, message, faults } of await outcomesOf("verify", directories)) {
      const part = basename(directory).startsWith("append") ? "append" : "btree";
      const file = part === "append" ? LMDB_FILE : SQLITE_FILE;
      if (code !== undefined) {
        assertEquals(code, "CORRUPT", message);
        assertStringIncludes(message!, join(directory, file));
        found[part]++;
      } else {
        // A page may be free.
        for (const fault of faults!) assertStringIncludes(fault, join(directory, file));
        if (faults!.length > 0) found[part]++;
      }
    }
    assert(found.append >= 3 && found.btree >= 3, JSON.stringify(found));
  },
);

test("a store whose append side has pages of another size works, and keeps them", async () => {
  using temp = tempDirectory();
  const path = join(temp.path, "store");
  await (await HybridStore.open(path)).close();
  const directory = join(path, "append");
  const { identity } = readManifest(path)!;
  const engine = await openLmdbEngine(directory, { identity, create: false });
  await engine.close();
  fs.rmSync(directory, { recursive: true });
  await createWithPages(directory, 4096, identity, engine.position);
  let contents: string;
  {
    await using store = await HybridStore.open(path);
    await putMany(store, 0, 500, 150);
    await store.checkpoint();
    await putMany(store, 400, 700, 100);
    contents = digest(store);
  }
  await using store = await HybridStore.open(path);
  assertEquals(digest(store), contents);
  assertEquals((await store.verify()).faults, []);
  assertEquals(pageBytesOf(fs.readFileSync(join(path, LMDB_FILE))), 4096);
  await store.backup(join(temp.path, "copy"));
  await using copy = await HybridStore.open(join(temp.path, "copy"));
  assertEquals(digest(copy), contents);
  assertEquals(pageBytesOf(fs.readFileSync(join(copy.path, LMDB_FILE))), 8192);
});

test(
  "however much is wrong, the report names a hundred faults and counts all",
  TIMEOUT,
  async () => {
    using temp = tempDirectory();
    const path = join(temp.path, "store");
    await (await HybridStore.open(path)).close();
    const options = { identity: readManifest(path)!.identity, create: false };
    const append = await openLmdbEngine(join(path, "append"), options);
    const keys = Array.from({ length: 150 }, (_, i) => mvKey("s", `${1000 + i}`));
    await append.apply(keys.map((key) => put(key, bytes(1))), append.position);
    await append.close();
    await using store = await HybridStore.open(path);
    const { faults, faultCount } = await store.verify();
    assertEquals([faults.length, faultCount], [100, 150]);
  },
);
