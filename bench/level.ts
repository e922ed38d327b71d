/** Measures `HybridLevel` beside `classic-level`, LevelDB as a native module: single operations, and the work of
 * y-leveldb, a program that was written for Level.
 *
 *     bun bench/level.ts
 *     deno run -A bench/level.ts
 *
 * Both acknowledge a write once the operating system has it. Rounds alternate between the two, each round with new
 * databases and the keys in another order; the figures are medians of the rounds.
 *
 * @module
 */

import type { AbstractLevel } from "abstract-level";
import { ClassicLevel } from "classic-level";
import { LeveldbPersistence } from "y-leveldb";
import * as Y from "yjs";
import { HybridLevel } from "../level/mod.ts";
import { median } from "./_measure.ts";
import { makeTemp, removeTemp } from "./_temp.ts";

const ROUNDS = 7;
const KEYS = 20_000;
const VALUE = "x".repeat(100);
const BATCH = 1000;
const CALLERS = 64;
const DOCUMENTS = 20;
const UPDATES = 100;

type Level = AbstractLevel<string | Uint8Array, string, string>;
type LevelClass = new (location: string, options?: object) => Level;

const CONTESTANTS: Readonly<Record<string, LevelClass>> = {
  "classic-level": ClassicLevel as unknown as LevelClass,
  "HybridLevel": HybridLevel as unknown as LevelClass,
};

/** What the work with documents needs of y-leveldb. */
interface Persistence {
  storeUpdate(name: string, update: Uint8Array): Promise<number>;
  getYDoc(name: string): Promise<Y.Doc>;
  flushDocument(name: string): Promise<void>;
  clearDocument(name: string): Promise<void>;
  getAllDocNames(): Promise<string[]>;
  destroy(): Promise<void>;
}

/** Runs a part of a work and returns how many operations it did. */
type Part<T> = (subject: T, keys: readonly string[]) => Promise<number>;

/** Milliseconds for each operation, by part and by contestant. */
const found = new Map<string, Map<string, number[]>>();

async function measure(part: string, contestant: string, run: () => Promise<number>) {
  const start = performance.now();
  const operations = await run();
  const ms = (performance.now() - start) / operations;
  const ofPart = found.get(part) ?? new Map<string, number[]>();
  found.set(part, ofPart);
  ofPart.set(contestant, [...ofPart.get(contestant) ?? [], ms]);
}

const PARTS: Readonly<Record<string, Part<Level>>> = {
  async "put, one by one"(db, keys) {
    for (const key of keys) await db.put(key, VALUE);
    return keys.length;
  },
  async "put, 64 callers"(db, keys) {
    let next = 0;
    await Promise.all(Array.from({ length: CALLERS }, async () => {
      while (next < keys.length) await db.put(keys[next++]!, VALUE);
    }));
    return keys.length;
  },
  async "batch of 1,000 puts, a put"(db, keys) {
    for (let i = 0; i < keys.length; i += BATCH) {
      await db.batch(
        keys.slice(i, i + BATCH).map((key) => ({ type: "put", key, value: VALUE })),
      );
    }
    return keys.length;
  },
  async "get"(db, keys) {
    for (const key of keys) await db.get(key);
    return keys.length;
  },
  // deno-lint-ignore require-await
  async "getSync"(db, keys) {
    for (const key of keys) db.getSync(key);
    return keys.length;
  },
  async "getMany of 100, a key"(db, keys) {
    for (let i = 0; i < keys.length; i += 100) await db.getMany(keys.slice(i, i + 100));
    return keys.length;
  },
  async "for await over all entries, an entry"(db) {
    let count = 0;
    for await (const _ of db.iterator()) count++;
    return count;
  },
  async "nextv(1000) over all entries, an entry"(db) {
    const iterator = db.iterator();
    let count = 0;
    for (let page; (page = await iterator.nextv(1000)).length > 0;) count += page.length;
    await iterator.close();
    return count;
  },
  async "all() of 10 entries"(db, keys) {
    for (const gte of keys.slice(0, 4000)) await db.iterator({ gte, limit: 10 }).all();
    return 4000;
  },
  async "the last key below another"(db, keys) {
    for (const lt of keys.slice(0, 4000)) await db.keys({ lt, reverse: true, limit: 1 }).all();
    return 4000;
  },
  async "put, and an iterator over 10 entries"(db, keys) {
    for (const key of keys.slice(0, 4000)) {
      await db.put(key, VALUE);
      await db.values({ gte: key, limit: 10 }).all();
    }
    return 4000;
  },
  async "clear of a range of 100 keys"(db, keys) {
    const sorted = keys.toSorted();
    let count = 0;
    for (let i = 0; i < sorted.length; i += 100, count++) {
      await db.clear({ gte: sorted[i]!, lte: sorted[i + 99]! });
    }
    return count;
  },
};

/** The updates of each document, as an editor sends them. */
const updates = Array.from({ length: DOCUMENTS }, (_, i) => {
  const doc = new Y.Doc();
  const sent: Uint8Array[] = [];
  doc.on("update", (update: Uint8Array) => sent.push(update));
  for (let j = 0; j < UPDATES; j++) doc.getText("text").insert((j * 7) % (j + 1), `${i} ${j} `);
  return sent;
});

const DOCUMENT_PARTS: Readonly<Record<string, Part<Persistence>>> = {
  async "y-leveldb: store an update"(documents) {
    await Promise.all(updates.map(async (ofDocument, i) => {
      for (const update of ofDocument) await documents.storeUpdate(`doc ${i}`, update);
    }));
    return DOCUMENTS * UPDATES;
  },
  async "y-leveldb: read a document"(documents) {
    for (let i = 0; i < DOCUMENTS; i++) await documents.getYDoc(`doc ${i}`);
    return DOCUMENTS;
  },
  async "y-leveldb: flush a document"(documents) {
    for (let i = 0; i < DOCUMENTS; i++) await documents.flushDocument(`doc ${i}`);
    return DOCUMENTS;
  },
  async "y-leveldb: read a flushed document"(documents) {
    for (let i = 0; i < DOCUMENTS; i++) await documents.getYDoc(`doc ${i}`);
    return DOCUMENTS;
  },
  async "y-leveldb: list the documents"(documents) {
    for (let i = 0; i < 100; i++) await documents.getAllDocNames();
    return 100;
  },
  async "y-leveldb: delete a document"(documents) {
    for (let i = 0; i < DOCUMENTS; i++) await documents.clearDocument(`doc ${i}`);
    return DOCUMENTS;
  },
};

function shuffledKeys(): string[] {
  const keys = Array.from({ length: KEYS }, (_, i) => `user/${String(i).padStart(8, "0")}`);
  for (let i = keys.length - 1; i > 0; i--) {
    const j = Math.floor(Math.random() * (i + 1));
    [keys[i], keys[j]] = [keys[j]!, keys[i]!];
  }
  return keys;
}

async function runRound(contestant: string, Level: LevelClass, keys: readonly string[]) {
  const directory = makeTemp();
  try {
    const db = new Level(`${directory}/level`);
    await db.open();
    for (const [part, run] of Object.entries(PARTS)) {
      await measure(part, contestant, () => run(db, keys));
    }
    await db.close();

    const Persistence = LeveldbPersistence as unknown as new (
      location: string,
      options: object,
    ) => Persistence;
    const documents = new Persistence(`${directory}/documents`, { Level });
    await documents.getAllDocNames();
    await measure("y-leveldb: all of it, once", contestant, async () => {
      for (const [part, run] of Object.entries(DOCUMENT_PARTS)) {
        await measure(part, contestant, () => run(documents, keys));
      }
      return 1;
    });
    await documents.destroy();
  } finally {
    removeTemp(directory);
  }
}

for (let round = 0; round < ROUNDS; round++) {
  const keys = shuffledKeys();
  const contestants = Object.entries(CONTESTANTS);
  if (round % 2 === 1) contestants.reverse();
  for (const [name, Level] of contestants) await runRound(name, Level, keys);
}

console.log(`${"".padEnd(44)}classic-level   HybridLevel   time of classic-level`);
for (const [part, times] of found) {
  const [classic, hybrid] = Object.keys(CONTESTANTS).map((name) => median(times.get(name)!)) as [
    number,
    number,
  ];
  const cells = [classic, hybrid].map((ms) => `${(ms * 1000).toFixed(2)} µs`.padStart(14));
  console.log(`${part.padEnd(43)}${cells.join("")}   ${(hybrid / classic).toFixed(2)}×`);
}
