import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { Journal, type JournalOptions, StoreError } from "../../journal/mod.ts";
import { FaultyFileSystem, systemError } from "./_faulty_file_system.ts";
import type { DecodedRecord } from "./_format.ts";
import { payloadOf, readAll } from "./_journals.ts";
import { ReservingJournal, type TestJournal } from "./_reserving.ts";
import { randomOf, VolatileFileSystem } from "./_volatile_file_system.ts";

const DIRECTORY = "/journal";
const SEGMENT_BYTES = 216;
/** Ways in which the power is lost after each run. */
const POWER_LOSSES = 3;

/** What was tried with a journal, and what it promised. */
interface Run {
  attempted: Uint8Array[];
  acknowledged: DecodedRecord[];
  /** Below this offset, records may have been removed. */
  cursor: bigint;
}

type Open = (
  directory: string,
  options: JournalOptions & { fileSystem: FaultyFileSystem },
) => Promise<TestJournal>;

const KINDS: Record<string, Open> = {
  journal: Journal.open,
  "journal that reserves room": ReservingJournal.open,
};

/** Uses a journal in every way, whatever fails. */
async function use(openJournal: Open, fileSystem: FaultyFileSystem): Promise<Run> {
  const run: Run = { attempted: [], acknowledged: [], cursor: 0n };
  const append = async (journal: TestJournal, length: number) => {
    const payload = payloadOf(run.attempted.length, length);
    run.attempted.push(payload);
    const offset = await attempt(() => journal.append(payload));
    if (offset !== undefined) run.acknowledged.push({ offset, payload });
  };
  const open = () =>
    attempt(() => openJournal(DIRECTORY, { fileSystem, segmentBytes: SEGMENT_BYTES }));
  const first = await open();
  if (first !== undefined) {
    await Promise.all([10, 0, 30].map((length) => append(first, length)));
    await append(first, 20);
    await Promise.all([100, 100, 5].map((length) => append(first, length)));
    await attempt(() => readAll(first));
    run.cursor = run.acknowledged.at(-2)?.offset ?? run.cursor;
    await attempt(() => first.removeBefore(run.cursor));
    await Promise.all([300, 1].map((length) => append(first, length)));
    await attempt(() => first.sync());
    const last = append(first, 12);
    await attempt(() => first.close());
    await last;
  }
  const second = await open();
  if (second !== undefined) {
    await append(second, 3);
    await attempt(() => second.close());
  }
  return run;
}

/** Returns what the call gave, `undefined` where it failed as it may. */
async function attempt<T>(call: () => Promise<T>): Promise<T | undefined> {
  try {
    return await call();
  } catch (error) {
    assert(error instanceof StoreError, `${error}`);
    assert(["IO", "NO_SPACE", "POISONED"].includes(error.code), error.message);
    return undefined;
  }
}

/** Fails unless the journal holds all that was acknowledged, and nothing that was not tried.
 *
 * @returns What it holds then, all of which it has promised.
 */
async function assertKept(
  openJournal: Open,
  files: VolatileFileSystem,
  run: Run,
  what: string,
): Promise<Run> {
  const fileSystem = new FaultyFileSystem(files);
  await using journal = await openJournal(DIRECTORY, { fileSystem });
  const found = await readAll(journal);
  const byOffset = new Map(found.map(({ offset, payload }) => [offset, payload]));
  for (const { offset, payload } of run.acknowledged) {
    if (offset < run.cursor && !byOffset.has(offset)) continue;
    assertEquals(byOffset.get(offset), payload, `${what}: acknowledged at ${offset}`);
  }
  let next = 0;
  for (const { payload } of found) {
    const same = (other: Uint8Array) => other.join() === payload.join();
    const index = run.attempted.findIndex((other, i) => i >= next && same(other));
    assert(index >= 0, `${what}: a record that was not tried, or in another order`);
    next = index + 1;
  }
  const extra = payloadOf(99, 9);
  const offset = await journal.append(extra);
  const acknowledged = [...found, { offset, payload: extra }];
  assertEquals(await readAll(journal), acknowledged, what);
  return { attempted: acknowledged.map(({ payload }) => payload), acknowledged, cursor: 0n };
}

/** Fails unless everything is kept when the power goes, and when the process dies, another one opens the
 * journal, and the power goes then.
 */
async function assertKeptAfterAll(
  openJournal: Open,
  files: VolatileFileSystem,
  run: Run,
  nth: number,
  what: string,
): Promise<void> {
  const losePower = async (files: VolatileFileSystem, run: Run, what: string) => {
    for (let i = 0; i < POWER_LOSSES; i++) {
      const seed = nth * POWER_LOSSES + i;
      const survivors = files.losePower(randomOf(seed));
      await assertKept(openJournal, survivors, run, `${what}, the power lost, seed ${seed}`);
    }
  };
  await losePower(files, run, what);
  const sameBoot = files.loseProcess();
  const reopened = await assertKept(openJournal, sameBoot, run, what);
  await losePower(sameBoot, reopened, `${what}, reopened`);
}

/** How a run fails from its Nth operation on. */
const FAULTS: Record<string, (fileSystem: FaultyFileSystem, nth: number) => void> = {
  "operation fails": (fileSystem, nth) => {
    fileSystem.before = () => {
      if (fileSystem.operations.length === nth) throw systemError("EIO");
    };
  },
  "operation and all later ones fail": (fileSystem, nth) => {
    fileSystem.before = () => {
      if (fileSystem.operations.length >= nth) throw systemError("EIO");
    };
  },
  "write and all later ones find the disk full": (fileSystem, nth) => {
    fileSystem.before = ({ kind }) => {
      const isWrite = kind === "write" || kind === "create";
      if (isWrite && fileSystem.operations.length >= nth) throw systemError("ENOSPC");
    };
  },
  "write is cut short and the next operation fails": (fileSystem, nth) => {
    fileSystem.writeLimit = () => fileSystem.operations.length === nth ? 50 : Infinity;
    fileSystem.before = ({ kind }) => {
      const isNext = fileSystem.operations.length === nth + 1;
      if (isNext && kind !== "close") throw systemError("ENOSPC");
    };
  },
  "sync fails after it has begun": (fileSystem, nth) => {
    fileSystem.beforeSync = async () => {
      const { length } = fileSystem.operations;
      await Promise.resolve();
      if (length === nth) throw systemError("EIO");
    };
  },
};

for (const [kind, open] of Object.entries(KINDS)) {
  for (const [name, prepare] of Object.entries(FAULTS)) {
    test(`whichever ${name}, a ${kind} keeps what was acknowledged`, {
      timeout: 600_000,
    }, async () => {
      for (let nth = 1;; nth++) {
        const files = new VolatileFileSystem();
        // A sync that fails loses all that it was to write, or some of it.
        const random = randomOf(nth);
        files.isLost = () => nth % 2 === 0 || random(2) === 0;
        const fileSystem = new FaultyFileSystem(files);
        prepare(fileSystem, nth);
        const run = await use(open, fileSystem);
        assertEquals(fileSystem.openNames, [], `${name} ${nth}`);
        await assertKeptAfterAll(open, files, run, nth, `${name} ${nth}`);
        assertEquals([fileSystem.overlaps, files.overlaps], [[], []], `${name} ${nth}`);
        if (fileSystem.operations.length < nth) {
          assertEquals(run.acknowledged.length, run.attempted.length);
          break;
        }
      }
    });
  }
}
