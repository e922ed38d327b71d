import process from "node:process";
import { test } from "node:test";
import { setImmediate as nextTurn, setTimeout as delay } from "node:timers/promises";
import { assertEquals, assertGreater } from "@std/assert";
import { type AsyncTransaction, HybridStore, type Snapshot, StoreError } from "../../../mod.ts";
import { WriteSet } from "../../../store/write/write_set.ts";
import { Random } from "../../support/random.ts";

// A failure names its seed. HYBRIDSTORE_MODEL_SEED=… runs that one alone.
const { HYBRIDSTORE_MODEL_SEED } = process.env;
const TRANSACTIONS = 2000;
const CALLERS = 8;
/** Few keys, on both sides, so that transactions meet. */
const KEYS = ["\0H:1", "\0H:2", "\0H:3", "\0H:4", "a", "b", "c", "d", "e"];
/** A key of this prefix, which nobody reads, tells whose a commit is. */
const MARK = "zz";

const decoder = new TextDecoder();
type Model = Map<string, string>;

/** What an operation of a transaction has returned, and how a model answers it. */
interface Done {
  readonly what: string;
  readonly found: unknown;
  readonly expected: (model: Model) => unknown;
}

/** An attempt: what it did, and how many commits there were when it began. */
interface Attempt {
  readonly id: number;
  readonly began: number;
  readonly done: Done[];
}

/** A range, as options and as a test of keys. */
interface Range {
  readonly options: { gte?: string; lt?: string; reverse: boolean; limit?: number };
  readonly select: (model: Model) => [string, string][];
}

function someRange(random: Random): Range {
  const from = random.below(KEYS.length);
  const to = from + random.below(KEYS.length - from + 1);
  const reverse = random.once(2);
  const limit = random.once(3) ? random.below(4) : undefined;
  const gte = KEYS[from]!;
  const lt = to < KEYS.length ? KEYS[to]! : "f";
  return {
    options: { gte, lt, reverse, ...(limit !== undefined && { limit }) },
    select(model) {
      const rows = [...model].filter(([key]) => key >= gte && key < lt).sort();
      return (reverse ? rows.reverse() : rows).slice(0, limit);
    },
  };
}

async function pauseSometimes(random: Random): Promise<void> {
  const choice = random.below(6);
  if (choice < 2) await nextTurn();
  else if (choice === 2) await delay(random.below(2));
  else if (choice === 3) await Promise.resolve();
}

const textOf = (value: Uint8Array | undefined) => value && decoder.decode(value);

/** Does one thing in a transaction, and returns what a model has to say to it. */
async function step(tx: AsyncTransaction, random: Random, value: string): Promise<Done> {
  const key = random.pick(KEYS);
  const other = random.pick(KEYS);
  const range = someRange(random);
  switch (random.below(10)) {
    case 0:
    case 1:
      return {
        what: `get ${key}`,
        found: textOf(await tx.get(key)),
        expected: (model) => model.get(key),
      };
    case 2:
      return {
        what: `has ${key}`,
        found: await tx.has(key),
        expected: (model) => model.has(key),
      };
    case 3:
      return {
        what: `get ${key}, ${other}`,
        found: (await tx.getMany([key, other])).map(textOf),
        expected: (model) => [model.get(key), model.get(other)],
      };
    case 4:
      return {
        what: `scan ${JSON.stringify(range.options)}`,
        found: await Array.fromAsync(
          tx.scan(range.options),
          ({ key, value }) => [textOf(key), textOf(value)],
        ),
        expected: range.select,
      };
    case 5: {
      // Left early: what was not reached was not read.
      const found: unknown[] = [];
      const rows = 1 + random.below(3);
      for await (const key of tx.keys(range.options)) {
        if (found.push(textOf(key)) >= rows) break;
        await pauseSometimes(random);
      }
      return {
        what: `${rows} keys of ${JSON.stringify(range.options)}`,
        found,
        expected: (model) => range.select(model).slice(0, rows).map(([key]) => key),
      };
    }
    case 6:
      return {
        what: `count ${JSON.stringify(range.options)}`,
        found: await tx.count(range.options),
        expected: (model) => range.select(model).length,
      };
    case 7:
      tx.delete(key);
      return { what: `delete ${key}`, found: true, expected: (model) => (model.delete(key), true) };
    case 8:
      if (!random.once(4)) {
        tx.put(key, value);
        return {
          what: `put ${key} ${value}`,
          found: undefined,
          expected: (model) => void model.set(key, value),
        };
      }
      return {
        what: `delete ${JSON.stringify(range.options)}`,
        found: await tx.deleteRange(range.options),
        expected: (model) => {
          const gone = range.select(model);
          for (const [key] of gone) model.delete(key);
          return gone.length;
        },
      };
    default:
      tx.put(key, value);
      return {
        what: `put ${key} ${value}`,
        found: undefined,
        expected: (model) => void model.set(key, value),
      };
  }
}

/** Replays an attempt on a copy of a model, and compares all that it has read. */
function replay({ id, done }: Attempt, model: Model, where: string): Model {
  const copy = new Map(model);
  for (const { what, found, expected } of done) {
    assertEquals(found, expected(copy), `${where}, transaction ${id}: ${what}`);
  }
  return copy;
}

test("transactions around await are as if one had run after the other", {
  timeout: 600_000,
}, async () => {
  const seed = Number(HYBRIDSTORE_MODEL_SEED ?? Math.floor(Math.random() * 2 ** 31));
  const random = new Random(seed);
  await using store = await HybridStore.openTemp({
    memtableBytes: 200 + random.below(5000),
    segmentBytes: 20_000,
    durability: "flush",
  });
  const attempts: Attempt[] = [];
  /** What was committed, in order: an attempt, or a write of the store's own. */
  const commits: (Attempt | ((model: Model) => void))[] = [];
  const conflicts = { count: 0, givenUp: 0 };

  // Commits are one step each, in which the writes are encoded: here they are heard of, in their order.
  const { writeInto } = WriteSet.prototype;
  WriteSet.prototype.writeInto = function (...rest) {
    const ids = [...this.memtable.order()].map((id) => decoder.decode(this.memtable.key(id)));
    const mark = ids.find((key) => key.startsWith(MARK));
    commits.push(attempts.findLast(({ id }) => `${MARK}${id}` === mark)!);
    return writeInto.apply(this, rest);
  };

  async function runTransaction(id: number): Promise<void> {
    const steps = 1 + random.below(5);
    await store.transaction(async (tx) => {
      const attempt: Attempt = { id, began: commits.length, done: [] };
      attempts.push(attempt);
      if (tx.attempt > 1) conflicts.count++;
      for (let i = 0; i < steps; i++) {
        await pauseSometimes(random);
        attempt.done.push(await step(tx, random, `${id}.${i}`));
      }
      await pauseSometimes(random);
      if (attempt.done.some(({ what }) => /^(put|delete)/.test(what))) tx.put(`${MARK}${id}`, "");
    }, { attempts: random.once(4) ? 1 : 16 }).catch((error) => {
      if (!(error instanceof StoreError && error.code === "CONFLICT")) throw error;
      conflicts.givenUp++;
    });
  }

  async function disturb(): Promise<void> {
    const key = random.pick(KEYS);
    const value = `own ${commits.length}`;
    if (random.once(3)) {
      commits.push((model) => model.delete(key));
      void store.delete(key);
    } else {
      commits.push((model) => model.set(key, value));
      void store.put(key, value);
    }
    if (random.once(20)) await store.checkpoint();
  }

  const snapshots: Snapshot[] = [];
  let begun = 0;
  const caller = async () => {
    while (begun < TRANSACTIONS) {
      await runTransaction(begun++);
      if (random.once(4)) await disturb();
      if (random.once(10)) snapshots.push(store.snapshotSync());
      if (snapshots.length > 5) snapshots.splice(random.below(5), 1)[0]!.close();
    }
  };
  try {
    await Promise.all(Array.from({ length: CALLERS }, caller));
  } finally {
    WriteSet.prototype.writeInto = writeInto;
  }

  let model: Model = new Map();
  let checked = 0;
  for (let index = 0; index <= commits.length; index++) {
    const where = `seed ${seed}, commit ${index}`;
    // Also those that were run again, or gave up: none has seen two moments.
    for (const attempt of attempts) {
      if (attempt.began === index) {
        checked += Number(!!replay(attempt, model, `${where}, as it began`));
      }
    }
    const commit = commits[index];
    if (typeof commit === "function") commit(model);
    else if (commit !== undefined) model = replay(commit, model, where);
  }
  assertEquals(checked, attempts.length);
  for (const key of KEYS) assertEquals(textOf(store.getSync(key)), model.get(key), `seed ${seed}`);
  // There was something to see.
  assertGreater(conflicts.count, TRANSACTIONS / 100, `seed ${seed}`);
  assertGreater(commits.length, TRANSACTIONS / 2, `seed ${seed}`);
  assertEquals(store.stats().transactions, { open: 0, bytes: 0 });
});
