import { test } from "node:test";
import { assert, assertEquals, assertGreater, assertStringIncludes } from "@std/assert";
import { mvKey, StoreError } from "../../mod.ts";
import type { HybridStore } from "../../mod.ts";
import { FaultyFileSystem, systemError } from "../journal/_faulty_file_system.ts";
import { randomOf, VolatileFileSystem } from "../journal/_volatile_file_system.ts";
import { History, stateOf } from "./_history.ts";
import { type Disks, mapDisks, newDisks, openStore } from "./_place.ts";

const DIRECTORY = "/journal";
const TIMEOUT = { timeout: 600_000 };
/** Each life of the store takes a few hundred operations of the journal, whatever the seed. */
const SEED = 5;
const OPTIONS = { durability: "hybrid", segmentBytes: 400, memtableBytes: 500 } as const;

interface Run {
  readonly history: History;
  readonly disks: Disks;
  /** The codes of all refusals. */
  readonly codes: string[];
}

function newRun(): Run {
  const run: Run = {
    history: new History(OPTIONS.durability, randomOf(SEED)),
    disks: newDisks(),
    codes: [],
  };
  for (const disk of [run.disks.append, run.disks.btree]) disk.transactions = () => 2;
  run.history.onRefusal = ({ code }) => run.codes.push(code);
  return run;
}

/** Opens the store twice and uses it in every way, whatever fails. */
async function use(fileSystem: FaultyFileSystem, run: Run): Promise<void> {
  const { history, disks } = run;
  for (const what of ["first life", "second life"]) {
    let store: HybridStore | undefined;
    await history.attempt(async () => {
      store = await openStore(fileSystem, DIRECTORY, disks, OPTIONS);
    });
    if (store === undefined) continue;
    const earlier = run.codes.length;
    history.assertKept(stateOf(store), "process", what);
    for (let turn = 0; turn < 8; turn++) {
      const waits: Promise<unknown>[] = [1, 2, 3].map(() => history.write(store!));
      if (turn === 3) waits.push(history.promise(() => store!.flush()));
      if (turn === 5) waits.push(history.promise(() => store!.checkpoint()));
      history.endGroup();
      await Promise.all(waits);
      history.assertShown(store, what);
    }
    if (run.codes.includes("POISONED", earlier)) await assertPoisoned(store);
    await ends(history.attempt(() => store!.close()));
  }
}

/** Fails unless the store refuses writes, says why, and still reads. */
async function assertPoisoned(store: HybridStore): Promise<void> {
  const before = stateOf(store);
  const error = await refusal(() => store.put(mvKey("s", "new"), new Uint8Array(1)));
  assertEquals(error.code, "POISONED");
  assertStringIncludes(error.message, "writes are refused until the journal is reopened");
  assertEquals(stateOf(store), before);
}

async function refusal(call: () => Promise<unknown>): Promise<StoreError> {
  try {
    await call();
  } catch (error) {
    assert(error instanceof StoreError, `${error}`);
    return error;
  }
  throw new Error("it was not refused");
}

/** Fails unless a promise settles soon. */
async function ends<T>(promise: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("it does not end")), 10_000);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Fails unless a sound store has everything that was promised, and takes writes, and unless a power loss
 * before it is opened or after it leaves what was promised by then.
 */
async function assertKept(
  files: VolatileFileSystem,
  { history, disks }: Run,
  what: string,
): Promise<void> {
  await assertPowerLossKeeps(files, { history, disks }, what);
  const fileSystem = new FaultyFileSystem(files);
  const store = await openStore(fileSystem, DIRECTORY, disks, OPTIONS);
  history.assertKept(stateOf(store), "process", what);
  for (let count = 0; count < 5; count++) await history.write(store);
  await store.close();
  const again = await openStore(fileSystem, DIRECTORY, disks, OPTIONS);
  history.assertKept(stateOf(again), "power", what);
  for (let count = 0; count < 3; count++) {
    await history.write(again);
    history.endGroup();
  }
  await assertPowerLossKeeps(files, { history, disks }, `${what}, reopened`);
  await again.close();
  assertEquals([fileSystem.openNames, fileSystem.overlaps, files.overlaps], [[], [], []], what);
}

/** Fails unless what is promised by now is there when the power goes. */
async function assertPowerLossKeeps(
  files: VolatileFileSystem,
  { history, disks }: Pick<Run, "history" | "disks">,
  what: string,
): Promise<void> {
  // Another one for each run.
  const random = randomOf(history.acknowledged);
  const left = mapDisks(disks, (disk) => disk.losePower(random));
  const store = await openStore(files.losePower(random), DIRECTORY, left, OPTIONS);
  history.assertFound(stateOf(store), "power", `${what}, power lost`);
  await store.close();
}

/** How a run fails from the Nth operation of its journal on. */
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
  "write finds the disk full, as do the next ten": (fileSystem, nth) => {
    fileSystem.before = ({ kind }) => {
      const { length } = fileSystem.operations;
      const isWrite = kind === "write" || kind === "create";
      if (isWrite && length >= nth && length < nth + 10) throw systemError("ENOSPC");
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
      await new Promise((resolve) => setImmediate(resolve));
      if (length === nth) throw systemError("EIO");
    };
  },
};

for (const [name, prepare] of Object.entries(FAULTS)) {
  test(
    `whichever journal ${name}, a store loses nothing that it acknowledged`,
    TIMEOUT,
    async () => {
      const codes = new Set<string>();
      let acknowledged = 0;
      for (let nth = 1;; nth++) {
        const what = `${name} ${nth}`;
        const files = new VolatileFileSystem();
        const fileSystem = new FaultyFileSystem(files);
        prepare(fileSystem, nth);
        const run = newRun();
        await use(fileSystem, run);
        assertEquals(fileSystem.openNames, [], what);
        await assertKept(files, run, what);
        for (const code of run.codes) codes.add(code);
        if (fileSystem.operations.length >= nth) {
          acknowledged += run.history.acknowledged;
          continue;
        }
        assertEquals(run.codes, [], what);
        assertGreater(nth, 150);
        break;
      }
      assertGreater(codes.size, 0);
      assertGreater(acknowledged, 1000);
    },
  );
}

for (const side of ["append", "btree"] as const) {
  for (const [name, lasts] of Object.entries({ once: 1, "for a while": 9 })) {
    test(`whenever the ${side} side fails ${name}, nothing is lost`, TIMEOUT, async () => {
      for (let nth = 1;; nth++) {
        const what = `${side} step ${nth}`;
        const files = new VolatileFileSystem();
        const run = newRun();
        let steps = 0;
        run.disks[side].onStep = () => {
          steps++;
          if (steps < nth || steps >= nth + lasts) return;
          throw new StoreError("NO_SPACE", `Cannot write to the ${side} side: injected`);
        };
        await use(new FaultyFileSystem(files), run);
        run.disks[side].onStep = () => {};
        await assertKept(files, run, what);
        for (const code of run.codes) assertEquals(code, "NO_SPACE", what);
        if (steps < nth) {
          assertGreater(nth, 10);
          break;
        }
      }
    });
  }

  test(
    `while the ${side} side takes nothing, memory is bounded and reads go on`,
    TIMEOUT,
    async () => {
      const run = newRun();
      const { history, disks } = run;
      const files = new VolatileFileSystem();
      const store = await openStore(files, DIRECTORY, disks, OPTIONS);
      let isFailing = true;
      disks[side].onStep = () => {
        if (isFailing) throw new StoreError("NO_SPACE", "Cannot write to the side: injected");
      };
      for (let count = 0; count < 200; count++) {
        await ends(history.write(store));
        history.endGroup();
      }
      history.assertShown(store, side);
      const error = await refusal(() => store.delete(mvKey("s", "1")));
      assertEquals(error.code, "NO_SPACE");
      assertEquals(
        error.message,
        "Cannot delete key: memory is full, and stays so until what waits can be applied (Cannot write to the side: injected)",
      );
      assert(store.stats().memtable.bytes < 10 * OPTIONS.memtableBytes);
      isFailing = false;
      const { applies } = store.stats();
      // Nobody asks for it: it is tried again by itself.
      await ends((async () => {
        while (store.stats().applies === applies) {
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
      })());
      await history.write(store);
      history.assertShown(store, side);
      await store.close();
      await assertKept(files, run, side);
    },
  );
}
