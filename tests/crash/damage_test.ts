import * as fs from "node:fs";
import { test } from "node:test";
import { assert, assertEquals, assertGreater } from "@std/assert";
import { basename, join } from "@std/path";
import { HybridStore, StoreError } from "../../mod.ts";
import { readManifest } from "../../store/directory/manifest.ts";
import { noise } from "../backends/_damage.ts";
import { bytes, pattern } from "../conformance/_kit.ts";
import { tempDirectory } from "../support/temp.ts";
import { VolatileFileSystem } from "../journal/_volatile_file_system.ts";
import { stateOf } from "./_history.ts";
import { assertRefused, copies, lookAt, outcomesOf } from "./_outcomes.ts";
import { newDisks, openStore } from "./_place.ts";
import {
  digest,
  keysOf,
  LMDB_FILE,
  pageBytesOf,
  putMany,
  rejects,
  segmentsOf,
  SQLITE_FILE,
} from "./_stores.ts";
import { crashImage } from "../support/crash_image.ts";

const TIMEOUT = { timeout: 600_000 };
const DIRECTORY = "/journal";

/** The journal of a store whose process died before anything of it was applied, and what the store showed
 * after each of its groups. */
interface SmallJournal {
  readonly files: ReadonlyMap<string, Uint8Array>;
  readonly states: readonly string[];
}

async function smallJournal(durability: "always" | "flush"): Promise<SmallJournal> {
  using temp = tempDirectory();
  await using store = await HybridStore.open(temp.path, { durability, segmentBytes: 150 });
  const states = [""];
  for (let number = 0; number < 4; number++) {
    const batch = store.batch();
    for (const key of keysOf(number)) batch.put(key, bytes(number, 1));
    await batch.delete(keysOf(number - 1)[0]).commit();
    states.push(showing([...store.scanSync()].map(({ key, value }) => [`${key}`, `${value}`])));
  }
  const journal = join(temp.path, "journal");
  const names = fs.readdirSync(journal);
  const files = new Map(names.map((name) => [name, fs.readFileSync(join(journal, name))]));
  assertGreater(files.size, 3);
  return { files, states };
}

function showing(entries: Iterable<readonly [string, string]>): string {
  return [...entries].map(([key, value]) => `${key}=${value}`).sort().join(";");
}

/** Returns what a store with that journal shows, or why it cannot be opened. */
async function open(files: ReadonlyMap<string, Uint8Array>): Promise<string | StoreError> {
  const fileSystem = new VolatileFileSystem();
  for (const [name, content] of files) {
    if (content.length > 0) fileSystem.create(join(DIRECTORY, name)).write(content, 0);
    else fileSystem.create(join(DIRECTORY, name));
  }
  try {
    const store = await openStore(fileSystem, DIRECTORY, newDisks(), {});
    const latin = (text: string) => `${Uint8Array.from(text, (char) => char.charCodeAt(0))}`;
    const shown = showing([...stateOf(store)].map(([key, value]) => [latin(key), latin(value)]));
    const { reason } = store.stats().recovery;
    await store.close();
    return reason === undefined ? shown : `${shown} ${reason}`;
  } catch (error) {
    assert(error instanceof StoreError, error instanceof Error ? error.stack : `${error}`);
    return error;
  }
}

/** Returns where the records of the last segment end, by its name and the mark of a journal. */
function recordsEnd(segment: string, mark: Uint8Array): number {
  const durable = new DataView(mark.buffer, mark.byteOffset).getBigUint64(0, true);
  return 16 + Number(durable - BigInt(basename(segment, ".seg")));
}

/** Every way in which one byte of a journal can be wrong, and every way in which a file can be cut. */
function* damages(
  files: ReadonlyMap<string, Uint8Array>,
): Generator<[string, Map<string, Uint8Array>]> {
  for (const [name, content] of files) {
    for (let at = 0; at < content.length; at++) {
      for (const mask of [1 << at % 8, 0xff]) {
        const flipped = new Uint8Array(content);
        flipped[at]! ^= mask;
        yield [`byte ${at} of ${name} ^ ${mask}`, new Map([...files, [name, flipped]])];
      }
      yield [`${name} cut at ${at}`, new Map([...files, [name, content.slice(0, at)]])];
    }
    yield [`${name} missing`, new Map([...files].filter(([other]) => other !== name))];
  }
}

test("a byte of a journal that was synced is right, or the store is refused", TIMEOUT, async () => {
  const { files, states } = await smallJournal("always");
  assertEquals(await open(files), states.at(-1));
  const last = [...files.keys()].filter((name) => name.endsWith(".seg")).sort().at(-1)!;
  const end = recordsEnd(last, files.get(".durable")!);
  // Room for records to come.
  const reserved = new Set<string>();
  for (let at = end; at < files.get(last)!.length; at++) reserved.add(`byte ${at} of ${last}`);
  assertGreater(reserved.size, 0);
  let refused = 0;
  for (const [what, damaged] of damages(files)) {
    const outcome = await open(damaged);
    if (outcome instanceof StoreError) {
      refused++;
      assert(["CORRUPT", "UNSUPPORTED"].includes(outcome.code), `${what}: ${outcome.message}`);
      assert(/\.seg|journal/.test(outcome.message), `${what}: ${outcome.message}`);
      const advice = /restore a backup|use the version/;
      assert(advice.test(outcome.message), `${what}: ${outcome.message}`);
    } else {
      const [shown, reason] = outcome.split(/ (.*)/s);
      assertEquals(shown, states.at(-1), what);
      // Without the mark, nobody knows that there was nothing where the zeros are.
      const isTold = reason?.startsWith("torn tail") ?? false;
      const isReserved = reserved.has(what.split(" ^")[0]!);
      if (!what.includes(".durable")) assertEquals(isTold, isReserved, `${what}: ${reason}`);
    }
  }
  assertGreater(refused, 500);
});

test("a byte of a journal that was never synced costs the groups behind it", TIMEOUT, async () => {
  const { files, states } = await smallJournal("flush");
  let cut = 0;
  for (const [what, damaged] of damages(files)) {
    const outcome = await open(damaged);
    if (outcome instanceof StoreError) {
      assert(["CORRUPT", "UNSUPPORTED"].includes(outcome.code), `${what}: ${outcome.message}`);
    } else if (outcome !== states.at(-1)) {
      // Nothing is lost in silence, except where the end of the file itself is gone.
      const [shown, reason] = outcome.split(/ (.*)/s);
      assert(states.includes(shown!), `${what}: ${outcome}`);
      if (!/cut at|missing/.test(what)) assert(/torn|unfinished/.test(reason ?? ""), what);
      cut++;
    }
  }
  assertGreater(cut, 50);
});

test("a synced record that is damaged is never taken for a torn tail", TIMEOUT, async () => {
  using temp = tempDirectory();
  const store = await HybridStore.open(join(temp.path, "store"), { durability: "always" });
  await store.put(keysOf(1)[1], bytes(1));
  await store.put(keysOf(2)[1], bytes(2));
  const image = await crashImage(store, join(temp.path, "image"));
  await store.close();
  const [segment] = segmentsOf(image);
  const content = fs.readFileSync(segment!);
  const end = recordsEnd(segment!, fs.readFileSync(join(image, "journal", ".durable")));
  assertGreater(content.length, end);
  // As far as to where the room ends that was reserved, an end that is missing looks like such room.
  for (const filled of [0, 1, end, content.length]) {
    for (const size of [end - 1, (end + 16) / 2, 16]) {
      const length = Math.max(size, filled);
      fs.truncateSync(segment!, size);
      fs.truncateSync(segment!, length);
      const error = await rejects(() => HybridStore.open(image), "CORRUPT", /restore a backup/);
      assert(error.message.includes(segment!), error.message);
      assertEquals(fs.statSync(segment!).size, length);
      fs.writeFileSync(segment!, content);
    }
  }
  await using whole = await HybridStore.open(image);
  assertEquals(whole.getSync(keysOf(2)[1]), bytes(2));
});

/** Creates a store whose engines have pages of all kinds, and returns what it holds. */
async function createStore(path: string, seed = 0): Promise<string> {
  const store = await HybridStore.open(path);
  await putMany(store, 0, 400, 150, seed);
  for (const key of keysOf(1000)) await store.put(key, pattern(30_000, seed));
  await store.checkpoint();
  await putMany(store, 100, 120, 100, seed + 1);
  const contents = digest(store);
  await store.close();
  return contents;
}

test("a manifest that is missing, cut, or of a newer format is refused", TIMEOUT, async () => {
  using temp = tempDirectory();
  const path = join(temp.path, "store");
  const contents = await createStore(path);
  const manifest = join(path, "manifest.json");
  const text = fs.readFileSync(manifest, "utf8");
  const healthy = readManifest(path);
  const readIt = () => Promise.resolve().then(() => readManifest(path));
  for (let size = 0; size < text.length - 1; size++) {
    fs.truncateSync(manifest, size);
    const open = size % 50 === 0 ? () => HybridStore.open(path) : readIt;
    await rejects(open, "CORRUPT", /manifest\.json.*restore a backup/);
    fs.writeFileSync(manifest, text);
  }
  for (let at = 0; at < text.length; at++) {
    const flipped = fs.readFileSync(manifest);
    flipped[at]! ^= 1;
    fs.writeFileSync(manifest, flipped);
    // Other white space means the same.
    const found = await readIt().catch((error) => error);
    if (!(found instanceof StoreError)) assertEquals(found, healthy, `${at}`);
    fs.writeFileSync(manifest, text);
  }
  fs.writeFileSync(manifest, text.replace('"format": 2', '"format": 3'));
  await rejects(() => HybridStore.open(path), "UNSUPPORTED", /manifest\.json.*use the version/);
  fs.rmSync(manifest);
  await rejects(() => HybridStore.open(path), "CORRUPT", /manifest\.json; .*restore a backup/);
  fs.writeFileSync(manifest, text);
  const store = await HybridStore.open(path);
  assertEquals(digest(store), contents);
  await store.close();
});

for (const [side, file] of Object.entries({ append: LMDB_FILE, btree: SQLITE_FILE })) {
  test(`a ${side} file that is damaged as a whole is refused`, TIMEOUT, async () => {
    using temp = tempDirectory();
    const path = join(temp.path, "store");
    const contents = await createStore(path);
    const other = join(temp.path, "other");
    await createStore(other, 7);
    const { size } = fs.statSync(join(path, file));
    const replace = (content: Uint8Array) => (copy: string) =>
      fs.writeFileSync(join(copy, file), content);
    const damaged = copies(path, join(temp.path, "copies"), {
      garbage: replace(noise(size)),
      zeros: replace(new Uint8Array(size)),
      empty: replace(new Uint8Array(0)),
      text: replace(new TextEncoder().encode("no database\n")),
      missing: (copy) => fs.rmSync(join(copy, file)),
      foreign: (copy) => fs.copyFileSync(join(other, file), join(copy, file)),
      swapped: (copy) => {
        const [a, b] = [join(copy, LMDB_FILE), join(copy, SQLITE_FILE)];
        const kept = fs.readFileSync(a);
        fs.copyFileSync(b, a);
        fs.writeFileSync(b, kept);
      },
    });
    for (const outcome of await outcomesOf("open", damaged)) {
      // Whichever of two is looked at first.
      const name = basename(outcome.directory) === "swapped" ? "data." : basename(file);
      assertRefused(outcome, name);
    }

    const pageBytes = pageBytesOf(fs.readFileSync(join(path, file)));
    const cuts = [1, 100, pageBytes - 1, pageBytes, 2 * pageBytes, 2 * pageBytes + 1];
    for (let part = 1; part < 10; part++) cuts.push(Math.floor(size * part / 10));
    for (let pages = 1; pages < 4; pages++) cuts.push(size - pageBytes * pages);
    const cut = copies(
      path,
      join(temp.path, "cuts"),
      Object.fromEntries(cuts.map((length) => [
        `${length}`,
        (copy: string) => fs.truncateSync(join(copy, file), length),
      ])),
    );
    let refused = 0;
    for (const outcome of await outcomesOf("verify", cut)) {
      if (outcome.code === undefined) {
        // Only free pages are gone, or a check finds it.
        if (outcome.faults!.length === 0) {
          assertEquals(outcome.contents, contents, outcome.directory);
        }
      } else {
        refused++;
        assertEquals(outcome.code, "CORRUPT", outcome.message);
        assert(outcome.message!.includes(basename(file)), outcome.message);
      }
    }
    assertGreater(refused, 10);
  });

  test(`a ${side} side of an earlier day is replayed, or refused`, TIMEOUT, async () => {
    using temp = tempDirectory();
    const path = join(temp.path, "store");
    const store = await HybridStore.open(path, { memtableBytes: 20_000 });
    await putMany(store, 0, 100, 50);
    const early = await crashImage(store, join(temp.path, "early"));
    await putMany(store, 50, 200, 60);
    const contents = digest(store);
    // The segment is still the first one, and holds everything.
    const late = await crashImage(store, join(temp.path, "late"));
    await store.checkpoint();
    await putMany(store, 200, 210, 60);
    const trimmedContents = digest(store);
    const trimmed = await crashImage(store, join(temp.path, "trimmed"));
    await store.close();
    const rollBack = (copy: string) => {
      fs.rmSync(join(copy, side), { recursive: true });
      fs.cpSync(join(early, side), join(copy, side), { recursive: true });
    };
    const directories = [
      late,
      trimmed,
      ...copies(late, join(temp.path, "l"), { rolled: rollBack }),
      ...copies(trimmed, join(temp.path, "t"), { rolled: rollBack }),
    ];
    const [whole, wholeTrimmed, rolled, rolledTrimmed] = await outcomesOf("open", directories);
    assertEquals([whole!.contents, whole!.faults], [contents, []], whole!.message);
    assertEquals([wholeTrimmed!.contents, wholeTrimmed!.faults], [trimmedContents, []]);
    assertEquals([rolled!.contents, rolled!.faults], [contents, []], rolled!.message);
    assertRefused(rolledTrimmed!, side === "append" ? "append" : "B-tree");
  });
}

test(
  "a lost or damaged log of SQLite costs nothing, or the store is refused",
  TIMEOUT,
  async () => {
    using temp = tempDirectory();
    const store = await HybridStore.open(join(temp.path, "store"), { memtableBytes: 20_000 });
    await putMany(store, 0, 300, 100);
    const contents = digest(store);
    const image = await crashImage(store, join(temp.path, "image"));
    await store.checkpoint();
    const trimmed = await crashImage(store, join(temp.path, "trimmed"));
    await store.close();
    const log = `${SQLITE_FILE}-wal`;
    const { size } = fs.statSync(join(image, log));
    assertGreater(size, 10_000);
    const damage: Record<string, (copy: string) => void> = {
      missing: (copy) => fs.rmSync(join(copy, log)),
      empty: (copy) => fs.truncateSync(join(copy, log), 0),
      garbage: (copy) => fs.writeFileSync(join(copy, log), noise(size)),
      index: (copy) => fs.writeFileSync(join(copy, `${SQLITE_FILE}-shm`), noise(32_768)),
    };
    for (const part of [0.2, 0.5, 0.9]) {
      damage[`cut ${part}`] = (copy) => fs.truncateSync(join(copy, log), Math.floor(size * part));
      damage[`flip ${part}`] = (copy) => {
        const content = fs.readFileSync(join(copy, log));
        content[Math.floor(size * part)]! ^= 1;
        fs.writeFileSync(join(copy, log), content);
      };
    }
    const directories = [
      ...copies(image, join(temp.path, "i"), damage),
      ...copies(trimmed, join(temp.path, "t"), damage),
    ];
    for (const outcome of await outcomesOf("open", directories)) {
      if (outcome.code === undefined) {
        assertEquals([outcome.contents, outcome.faults], [contents, []], outcome.directory);
      } else {
        assertEquals(outcome.code, "CORRUPT", outcome.message);
      }
    }
  },
);

test("the files of the lock may hold anything", TIMEOUT, async () => {
  using temp = tempDirectory();
  const path = join(temp.path, "store");
  const contents = await createStore(path);
  const directories = copies(path, join(temp.path, "copies"), {
    missing: (copy) => fs.rmSync(join(copy, "lock")),
    empty: (copy) => fs.writeFileSync(join(copy, "lock"), ""),
    pid: (copy) => fs.writeFileSync(join(copy, "lock.pid"), noise(100)),
    garbage: (copy) => fs.writeFileSync(join(copy, "lock"), noise(5000)),
    journal: (copy) => fs.writeFileSync(join(copy, "lock-journal"), noise(5000)),
  });
  for (const outcome of await outcomesOf("open", directories)) {
    if (basename(outcome.directory) === "garbage") assertRefused(outcome, "lock");
    else assertEquals(outcome.contents, contents, outcome.message);
  }
});

test("a journal of another store is refused, or has nothing to say", TIMEOUT, async () => {
  using temp = tempDirectory();
  const images: string[] = [];
  const contents: string[] = [];
  for (const seed of [0, 7]) {
    const store = await HybridStore.open(join(temp.path, `store${seed}`));
    await putMany(store, 0, 20, 20, seed);
    images.push(await crashImage(store, join(temp.path, `image${seed}`)));
    contents.push(digest(store));
    await store.close();
  }
  const [copy] = copies(images[0]!, join(temp.path, "copies"), {
    foreign: (copy) => {
      fs.rmSync(join(copy, "journal"), { recursive: true });
      fs.cpSync(join(images[1]!, "journal"), join(copy, "journal"), { recursive: true });
    },
  });
  const [own, foreign] = await outcomesOf("open", [images[0]!, copy!]);
  assertEquals(own!.contents, contents[0]);
  assertRefused(foreign!, "journal");
});

test(
  "damage in LMDB pages is looked for by a process of its own, and never ends this one",
  TIMEOUT,
  async () => {
    using temp = tempDirectory();
    const path = join(temp.path, "store");
    const contents = await createStore(path);
    assertEquals(segmentsOf(path).length, 1);
    const file = fs.readFileSync(join(path, LMDB_FILE));
    const pageBytes = pageBytesOf(file);
    let state = 11;
    const random = (limit: number) => (state = state * 48_271 % 0x7fffffff) % limit;
    const damages = Object.fromEntries(
      Array.from({ length: 100 }, (_, i) => [`${i}`, (copy: string) => {
        const flipped = new Uint8Array(file);
        // Behind the meta pages, and in the heads of pages more often than by chance.
        const page = 2 + random(file.length / pageBytes - 2);
        flipped[page * pageBytes + random(i % 2 === 0 ? 64 : pageBytes)]! ^= 1 << random(8);
        fs.writeFileSync(join(copy, LMDB_FILE), flipped);
      }]),
    );
    const counts = { refused: 0, faults: 0, right: 0, values: 0, crashed: 0 };
    let left = copies(path, join(temp.path, "copies"), damages);
    while (left.length > 0) {
      const { outcomes, signal } = await lookAt("verify", left);
      for (const { code, faults, contents: found, keys } of outcomes) {
        if (code !== undefined) counts.refused++;
        else if (faults!.length > 0) counts.faults++;
        else if (found === contents) counts.right++;
        else counts.values++;
        if (keys !== undefined) assertEquals(keys, 802);
      }
      if (signal !== null) counts.crashed++;
      left = left.slice(outcomes.length + (signal === null ? 0 : 1));
    }
    assertGreater(counts.faults + counts.refused, 10);
  },
);
