import * as fs from "node:fs";
import { test } from "node:test";
import { assert, assertEquals, assertGreater } from "@std/assert";
import { join } from "@std/path";
import { examineLmdb } from "../../backends/lmdb_remains.ts";
import type { Engine, Entry, Write } from "../../backends/mod.ts";
import type { EngineRemains, LostKeys } from "../../backends/remains.ts";
import { examineSqlite } from "../../backends/sqlite_remains.ts";
import { compareBytes } from "../../codec/bytes.ts";
import { all, numberedKey, pattern, put, sorted } from "../conformance/_kit.ts";
import { tempDirectory } from "../support/temp.ts";
import { noise } from "./_damage.ts";
import { ENGINES, IDENTITY, numberedWrites } from "./_engines.ts";

const TIMEOUT = { timeout: 600_000 };

const examine = {
  lmdb: (path: string, _: string) => examineLmdb(path, () => {}),
  sqlite: (path: string, scratch: string) => Promise.resolve(examineSqlite(path, scratch)),
};
/** Pages as both libraries have them in new files. */
const PAGE_BYTES = { lmdb: 8192, sqlite: 4096 };

/** Writes with keys and values of all lengths that change how they are stored. */
function variedWrites(): Write[] {
  const writes = numberedWrites(0, 700, 5);
  for (const length of [0, 1, 4000, 4096, 8170, 9000, 100_000]) {
    writes.push(put(numberedKey(100_000 + length), pattern(length, length)));
  }
  for (let length = 20; length <= 2600; length += 89) {
    const key = pattern(length, length);
    key[0] = 0x7a;
    writes.push(put(key, pattern(length % 7 === 0 ? 5000 : length)));
  }
  return sorted(writes);
}

async function create(
  kind: keyof typeof examine,
  directory: string,
  body: (engine: Engine) => Promise<void>,
): Promise<Entry[]> {
  const engine = await ENGINES[kind]!.open(directory, { identity: IDENTITY, create: true });
  await body(engine);
  const entries = all(engine);
  await engine.close();
  return entries;
}

async function readAll(remains: EngineRemains): Promise<{ entries: Entry[]; lost: LostKeys[] }> {
  const entries: Entry[] = [];
  const lost = await remains.read("entries", (page) => void entries.push(...page));
  const keys: Uint8Array[] = [];
  await remains.read("keys", (page) => void keys.push(...page.map(({ key }) => key)));
  assert(keys.length >= entries.length);
  return { entries, lost };
}

function filesOf(directory: string): Record<string, string> {
  return Object.fromEntries(
    fs.readdirSync(directory).sort().map((name) => [
      name,
      fs.readFileSync(join(directory, name)).toString("latin1"),
    ]),
  );
}

function isLost(key: Uint8Array, lost: readonly LostKeys[]): boolean {
  return lost.some(({ from, to }) =>
    (from === undefined || compareBytes(from, key) <= 0) &&
    (to === undefined || compareBytes(key, to) < 0)
  );
}

/** Fails unless what was read was there, and what was not read is said to be lost. */
function assertHonest(found: Entry[], lost: LostKeys[], entries: Entry[], what: string): void {
  // Nothing tells that other bytes are in a page of a long value, or of a key that is on one.
  const isSure = ({ key }: Entry) => key.length < 450;
  const values = new Map(entries.filter(isSure).map(({ key, value }) => [key.join(), value]));
  for (const { key, value } of found.filter(isSure)) {
    const right = values.get(key.join());
    assert(right !== undefined && right.length === value.length, `${what}: ${key.slice(0, 50)}`);
    if (right.length < 1000) assertEquals(value, right, `${what}: ${key.slice(0, 50)}`);
    values.delete(key.join());
  }
  for (const key of values.keys()) {
    assert(
      isLost(Uint8Array.from(key.split(",").map(Number)), lost),
      `${what}: ${key.slice(0, 50)}`,
    );
  }
}

for (const kind of ["lmdb", "sqlite"] as const) {
  const { file } = ENGINES[kind]!;

  test(
    `the remains of a healthy ${kind} file are all of it, and it stays as it is`,
    TIMEOUT,
    async () => {
      using temp = tempDirectory();
      const directory = join(temp.path, "engine");
      const entries = await create(kind, directory, async (engine) => {
        await engine.apply(variedWrites(), 77n);
        await engine.apply(sorted(numberedWrites(100, 300, 9)), 88n);
      });
      const before = filesOf(directory);
      const remains = await examine[kind](join(directory, file), temp.path);
      assertEquals([...remains.faults], []);
      assertEquals([remains.isEngine, remains.identity, remains.position], [true, IDENTITY, 88n]);
      const found = await readAll(remains);
      assertEquals(found.lost, []);
      assertEquals(found.entries.map(({ key }) => key), entries.map(({ key }) => key));
      assertHonest(found.entries, [], entries, "healthy");
      remains.close();
      assertEquals(filesOf(directory), before);
      assertEquals(fs.readdirSync(temp.path), ["engine"]);
    },
  );

  test(`the remains of an empty and of an unclosed ${kind} engine are read`, TIMEOUT, async () => {
    using temp = tempDirectory();
    const empty = join(temp.path, "empty");
    await create(kind, empty, () => Promise.resolve());
    const image = join(temp.path, "image");
    const entries = await create(kind, join(temp.path, "engine"), async (engine) => {
      await engine.apply(variedWrites(), 5n);
      fs.cpSync(join(temp.path, "engine"), image, { recursive: true });
    });
    for (const [directory, there, at] of [[empty, [], 0n], [image, entries, 5n]] as const) {
      const before = filesOf(directory);
      const remains = await examine[kind](join(directory, file), temp.path);
      assertEquals([[...remains.faults], remains.position], [[], at]);
      const found = await readAll(remains);
      assertEquals([found.entries.length, found.lost], [there.length, []]);
      assertHonest(found.entries, [], [...there], directory);
      remains.close();
      assertEquals(filesOf(directory), before);
    }
  });

  test(
    `what is read of a damaged ${kind} file was there, and the rest is named`,
    TIMEOUT,
    async () => {
      using temp = tempDirectory();
      const directory = join(temp.path, "engine");
      const entries = await create(kind, directory, (engine) => engine.apply(variedWrites(), 5n));
      const path = join(directory, file);
      const content = fs.readFileSync(path);
      const pageBytes = PAGE_BYTES[kind];
      const pages = content.length / pageBytes;
      let kept = 0;
      let cases = 0;
      for (let page = 0; page < pages; page++) {
        const start = page * pageBytes;
        const damages: Record<string, (bytes: Uint8Array) => void> = {
          zeros: (bytes) => bytes.fill(0, start, start + pageBytes),
          noise: (bytes) => bytes.set(noise(pageBytes), start),
          "another page": (bytes) =>
            bytes.copyWithin(start, (page + 7) % pages * pageBytes, (page + 8) % pages * pageBytes),
        };
        for (const [name, damage] of Object.entries(damages)) {
          const bytes = new Uint8Array(content);
          damage(bytes);
          // A part of a value may be the same on two pages.
          if (compareBytes(bytes, content) === 0) continue;
          fs.writeFileSync(path, bytes);
          const remains = await examine[kind](path, temp.path);
          const { entries: found, lost } = await readAll(remains);
          remains.close();
          // An older state, which the other meta page leads to, says that it is one.
          if (kind === "lmdb" && remains.position === 0n) continue;
          assertHonest(found, lost, entries, `page ${page} is ${name}`);
          kept += found.length / entries.length;
          cases++;
        }
      }
      assertGreater(cases, 50);
      assertGreater(kept / cases, 0.9);
    },
  );
}
