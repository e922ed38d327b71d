import process from "node:process";
import { setImmediate as nextTurn } from "node:timers/promises";
import { test } from "node:test";
import { assert, assertEquals, assertGreater } from "@std/assert";
import type { JournalFileSystem } from "../../journal/mod.ts";
import { type HybridStore, type OpenOptions, StoreError } from "../../mod.ts";
import { FaultyFileSystem, systemError } from "../journal/_faulty_file_system.ts";
import { VolatileFileSystem } from "../journal/_volatile_file_system.ts";
import { entriesOf, fit, operationOf, touchesBtree, wrote } from "../power/_load.ts";
import { Testimony } from "../power/_testimony.ts";
import { Random } from "../support/random.ts";
import { consume } from "./_feed_consumer.ts";
import { checkFeed, type OnShown, shownByCursor } from "./_feed_views.ts";
import { run } from "./_kill_operations.ts";
import { mapDisks, newDisks, openStore } from "./_place.ts";

const TIMEOUT = { timeout: 600_000 };
const DIRECTORY = "/journal";
const LOAD = { seed: 20, isLarge: false, isFed: true };

/** A store whose views are kept by consumers, while its files fail or lose their power. */
class Subject {
  readonly random: Random;
  readonly testimony = new Testimony(0);
  disks = newDisks();
  /** The codes of all failures. */
  readonly codes = new Set<string>();
  readonly #options: OpenOptions;
  readonly #onShown: OnShown = (...shown) => this.testimony.hear(`shown ${shown.join(" ")}`);

  constructor(seed: number) {
    this.random = new Random(seed);
    this.#options = {
      durability: this.random.pick(["always", "hybrid", "flush"] as const),
      syncIntervalMs: this.random.pick([1, 20]),
      segmentBytes: this.random.pick([400, 3000]),
      memtableBytes: this.random.pick([500, 3000]),
    };
    for (const disk of [this.disks.append, this.disks.btree]) {
      disk.transactions = () => 1 + this.random.below(3);
    }
  }

  /** Opens the store, checks it, and uses it until it is over or has been used enough. */
  async live(
    fileSystem: JournalFileSystem,
    what: string,
    { turns, isOver = () => false }: { turns: number; isOver?: () => boolean },
  ): Promise<void> {
    const store = await this.#attempt(() => {
      return openStore(fileSystem, DIRECTORY, this.disks, this.#options);
    });
    if (store === undefined) return;
    if (await this.#attempt(() => this.check(store, what)) !== undefined) {
      const consumed = consume(store, {
        random: this.random,
        onShown: this.#onShown,
        // Another attempt begins where the cursor is.
        onFailure: (error) => {
          this.codes.add(error.code);
          return error.code !== "POISONED" && !isOver();
        },
      });
      for (let turn = 0; turn < turns && !isOver(); turn++) await this.#use(store);
      // Consumers have their share of what fails.
      for (let turn = 0; turn < 20 && !isOver(); turn++) await nextTurn();
      await this.#attempt(() => store.close());
      await consumed;
    } else await this.#attempt(() => store.close());
  }

  /** Fails unless a store has what was promised and shown, and its views each change once. */
  async check(store: HybridStore, what: string): Promise<true> {
    const { testimony } = this;
    const faults = await checkFeed(store, shownByCursor(testimony.shown), this.#onShown);
    assertEquals(faults, [], what);
    const { numbers, outcomes, promised } = testimony;
    const { length, fault } = fit(LOAD, numbers, outcomes, await entriesOf(store));
    assertEquals(fault, undefined, what);
    assert(length! >= promised, `${what}: ${length} operations of ${promised} promised`);
    testimony.hear(`found ${length}`);
    return true;
  }

  /** Opens files and engines that do not fail, checks them, and closes them. */
  async checkKept(fileSystem: JournalFileSystem, what: string): Promise<void> {
    const store = await openStore(fileSystem, DIRECTORY, this.disks, this.#options);
    await this.check(store, what);
    await store.close();
  }

  async #use(store: HybridStore): Promise<void> {
    const { random, testimony } = this;
    const { next } = testimony;
    const end = next + 1 + random.below(5);
    testimony.hear(`issue ${next} ${end}`);
    const calls: Promise<unknown>[] = [];
    for (let n = next; n < end; n++) calls.push(this.#call(store, n));
    if (random.once(6)) calls.push(this.#promise(() => store.flush()));
    if (random.once(12)) calls.push(this.#promise(() => store.checkpoint()));
    if (random.once(2)) await Promise.all(calls);
    else await nextTurn();
  }

  async #call(store: HybridStore, n: number): Promise<void> {
    const { durability } = this.#options;
    const operation = operationOf(LOAD, n);
    try {
      const outcome = await run(store, operation);
      this.testimony.hear(`answer ${n} ${outcome}`);
      const isDurable = durability === "always"
        ? wrote(operation, outcome)
        : durability === "hybrid" && touchesBtree(store, operation, outcome);
      if (isDurable) this.testimony.hear(`durable ${n}`);
    } catch (error) {
      // A store that is poisoned cannot tell.
      const isUnknown = ["POISONED", "CLOSED"].includes(this.#codeOf(error));
      if (!isUnknown) this.testimony.hear(`refused ${n}`);
    }
  }

  async #promise(call: () => Promise<void>): Promise<void> {
    const { next } = this.testimony;
    const isKept = await this.#attempt(() => call().then(() => true));
    if (isKept !== undefined) this.testimony.hear(`flushed ${next}`);
  }

  /** Returns what a call resolves to; `undefined` where it fails as a store may. */
  async #attempt<T>(call: () => Promise<T>): Promise<T | undefined> {
    try {
      return await call();
    } catch (error) {
      this.#codeOf(error);
      return undefined;
    }
  }

  #codeOf(error: unknown): string {
    if (!(error instanceof StoreError)) throw error;
    assert(["IO", "NO_SPACE", "POISONED", "CLOSED"].includes(error.code), error.stack);
    this.codes.add(error.code);
    return error.code;
  }
}

// A failure names its seed, and HYBRIDSTORE_FEED_SEED=… begins with that one.
const { HYBRIDSTORE_FEED_SEED } = process.env;
const SEED = HYBRIDSTORE_FEED_SEED === undefined
  ? Math.floor(Math.random() * 2 ** 31)
  : Number(HYBRIDSTORE_FEED_SEED);

test(
  "whenever the power goes, what the feed has shown stays, and views agree with it",
  TIMEOUT,
  async () => {
    let shown = 0;
    for (let seed = SEED; seed < SEED + 30; seed++) {
      const subject = new Subject(seed);
      const { random } = subject;
      let fileSystem = new VolatileFileSystem();
      for (let life = 0; life < 5; life++) {
        let steps = random.once(3) ? random.below(60) : random.below(600);
        const countDown = () => {
          if (--steps < 0) throw new Error("the power is gone");
        };
        fileSystem.before = countDown;
        for (const disk of [subject.disks.append, subject.disks.btree]) disk.onStep = countDown;
        const what = `seed ${seed}, life ${life}`;
        await subject.live(fileSystem, what, { turns: 40, isOver: () => steps < 0 });
        const losing = (limit: number) => random.below(limit);
        const isPower = !random.once(4);
        fileSystem = isPower ? fileSystem.losePower(losing) : fileSystem.loseProcess();
        subject.disks = mapDisks(subject.disks, (disk) => {
          return isPower ? disk.losePower(losing) : disk.loseProcess();
        });
      }
      await subject.checkKept(fileSystem, `seed ${seed}`);
      shown += subject.testimony.shown.length;
    }
    assertGreater(shown, 300);
  },
);

/** How the journal fails from its Nth operation on. */
const FAULTS: Record<string, (fileSystem: FaultyFileSystem, nth: number) => void> = {
  "an operation fails": (fileSystem, nth) => {
    fileSystem.before = () => {
      if (fileSystem.operations.length === nth) throw systemError("EIO");
    };
  },
  "writes find the disk full for a while": (fileSystem, nth) => {
    fileSystem.before = ({ kind }) => {
      const { length } = fileSystem.operations;
      const isWrite = kind === "write" || kind === "create";
      if (isWrite && length >= nth && length < nth + 20) throw systemError("ENOSPC");
    };
  },
  "one write in eight finds the disk full": (fileSystem, nth) => {
    const random = new Random(nth);
    fileSystem.before = ({ kind, name }) => {
      if (kind === "write" && name.endsWith(".seg") && random.once(8)) throw systemError("ENOSPC");
    };
  },
};

for (const [name, prepare] of Object.entries(FAULTS)) {
  test(`where ${name}, a consumer that begins again applies no change twice`, TIMEOUT, async () => {
    const codes = new Set<string>();
    for (let seed = SEED; seed < SEED + 16; seed++) {
      const subject = new Subject(seed);
      const files = new VolatileFileSystem();
      const fileSystem = new FaultyFileSystem(files);
      prepare(fileSystem, 30 + subject.random.below(500));
      const what = `seed ${seed}`;
      // The second life opens what the first one left in the same boot.
      for (let life = 0; life < 2; life++) await subject.live(fileSystem, what, { turns: 25 });
      fileSystem.before = () => {};
      await subject.checkKept(fileSystem, what);
      const losing = (limit: number) => subject.random.below(limit);
      subject.disks = mapDisks(subject.disks, (disk) => disk.losePower(losing));
      await subject.checkKept(files.losePower(losing), `${what}, power lost`);
      for (const code of subject.codes) codes.add(code);
    }
    assertGreater(codes.size, 0);
  });
}
