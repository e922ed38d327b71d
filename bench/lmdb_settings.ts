/** Compares the settings of LMDB that cannot damage a file, for the writes that the append side makes:
 * sorted batches into a growing file.
 *
 *     bun bench/lmdb_settings.ts [rounds]
 *     deno run -A bench/lmdb_settings.ts [rounds]
 *
 * Every round gives every setting a new file, each round beginning with another one, so that what else
 * the machine does meets all of them; the table shows medians. Not compared, because they are not safe:
 * `noSync` and overlapping syncs (a power loss, a full disk), `useWritemap` (a full disk ends the
 * process), `mapSize`. Another page size also changes the longest key that LMDB takes.
 *
 * @module
 */

import { type Database, open, type RootDatabaseOptionsWithPath } from "lmdb";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import process from "node:process";
import { join } from "@std/path";
import { encoding } from "../backends/lmdb_reader.ts";
import { nextTurn } from "../runtime/turn.ts";

type Db = Database<Uint8Array, Uint8Array>;

/** Writes a sorted batch durably, and returns the milliseconds of the main thread that it took. */
type WriteBatch = (db: Db, keys: readonly Uint8Array[], value: Uint8Array) => Promise<number>;

const ROUNDS = Number(process.argv[2] ?? 5);
const BATCHES = 20;
const BATCH_WRITES = 10_000;
const SLICE_WRITES = 4096;
const GETS = 50_000;
const KEY_BYTES = 31;
const VALUE_BYTES = 100;

const onWriterThread: WriteBatch = async (db, keys, value) => {
  let busyMs = 0;
  const commits: Promise<boolean>[] = [];
  for (let start = 0; start < keys.length; start += SLICE_WRITES) {
    const startedMs = performance.now();
    commits.push(db.batch(() => {
      for (const key of keys.slice(start, start + SLICE_WRITES)) db.put(key, value);
    }));
    busyMs += performance.now() - startedMs;
    await nextTurn();
  }
  await Promise.all(commits);
  return busyMs;
};

const onMainThread: WriteBatch = (db, keys, value) => {
  const startedMs = performance.now();
  db.transactionSync(() => {
    for (const key of keys) db.putSync(key, value);
  });
  return Promise.resolve(performance.now() - startedMs);
};

/** The types of the library leave some out. */
type Options = Partial<RootDatabaseOptionsWithPath> & {
  noMetaSync?: boolean;
  noReadAhead?: boolean;
};
type Setting = readonly [name: string, options: Options, write: WriteBatch];

const SETTINGS: readonly Setting[] = [
  ["classic", {}, onWriterThread],
  ["noMetaSync", { noMetaSync: true }, onWriterThread],
  ["noReadAhead", { noReadAhead: true }, onWriterThread],
  ["noMemInit", { noMemInit: true }, onWriterThread],
  ["pageSize 4096", { pageSize: 4096 }, onWriterThread],
  ["pageSize 16384", { pageSize: 16_384 }, onWriterThread],
  ["transactionSync", {}, onMainThread],
  ["transactionSync, noMetaSync", { noMetaSync: true }, onMainThread],
];

const COLUMNS = ["writes/s", "main ms per 1,000", "gets/s", "MB on disk", "longest key"] as const;

async function measure([, options, write]: Setting, round: number): Promise<number[]> {
  const path = fs.mkdtempSync(join(tmpdir(), "hybridstore-bench-"));
  try {
    const root = open<Uint8Array, Uint8Array>({
      path,
      ...encoding,
      overlappingSync: false,
      pageSize: 8192,
      ...options,
    });
    const db = root.openDB<Uint8Array, Uint8Array>({ name: "entries", ...encoding });
    const random = randomNumbers(round);
    const value = new Uint8Array(VALUE_BYTES).fill(7);
    const batches = Array.from({ length: BATCHES }, () => {
      const numbers = Array.from({ length: BATCH_WRITES }, random).sort((a, b) => a - b);
      return numbers.map(keyOf);
    });
    let mainMs = 0;
    const startedMs = performance.now();
    for (const keys of batches) mainMs += await write(db, keys, value);
    const writeMs = performance.now() - startedMs;

    const all = batches.flat();
    const wanted = Array.from({ length: GETS }, () => all[random() % all.length]!);
    const getsStartedMs = performance.now();
    for (const key of wanted) db.get(key);
    const getMs = performance.now() - getsStartedMs;

    const { size } = fs.statSync(join(path, "data.mdb"));
    const { maxKeySize } = db as unknown as { maxKeySize: number };
    await root.close();
    const thousands = BATCHES * BATCH_WRITES / 1000;
    return [
      thousands * 1e6 / writeMs,
      mainMs / thousands,
      GETS * 1000 / getMs,
      size / 1e6,
      maxKeySize,
    ];
  } finally {
    fs.rmSync(path, { recursive: true });
  }
}

/** Returns a function that yields numbers below 2^32, the same for the same seed. */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = state + 0x6d2b79f5 | 0;
    let mixed = Math.imul(state ^ state >>> 15, 1 | state);
    mixed = mixed + Math.imul(mixed ^ mixed >>> 7, 61 | mixed) ^ mixed;
    return (mixed ^ mixed >>> 14) >>> 0;
  };
}

function keyOf(number: number): Uint8Array {
  return new TextEncoder().encode(`subject_${number}`.padEnd(KEY_BYTES - 11, "0") + "\0H:hash0001");
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!;
}

function format(value: number): string {
  return value.toLocaleString("en", { maximumFractionDigits: value < 100 ? 2 : 0 });
}

const results = new Map<string, number[][]>(SETTINGS.map(([name]) => [name, []]));
// Round 0 warms up and does not count.
for (let round = 0; round <= ROUNDS; round++) {
  for (let i = 0; i < SETTINGS.length; i++) {
    const setting = SETTINGS[(i + round) % SETTINGS.length]!;
    const figures = await measure(setting, round);
    if (round > 0) results.get(setting[0])!.push(figures);
  }
}

const { versions } = process;
console.log(
  `${
    versions.bun ? `Bun ${versions.bun}` : versions.deno ? `Deno ${versions.deno}` : versions.node
  }, ` +
    `${BATCHES} sorted batches of ${BATCH_WRITES} writes of ${KEY_BYTES} + ${VALUE_BYTES} bytes, ` +
    `medians of ${ROUNDS} rounds`,
);
console.log("".padEnd(28) + COLUMNS.map((column) => column.padStart(20)).join(""));
for (const [name, rounds] of results) {
  const medians = COLUMNS.map((_, i) => median(rounds.map((round) => round[i]!)));
  console.log(name.padEnd(28) + medians.map((value) => format(value).padStart(20)).join(""));
}
