import { test } from "node:test";
import { assertGreater } from "@std/assert";
import fc from "fast-check";
import type { Durability, OpenOptions } from "../../mod.ts";
import type { HybridStore } from "../../mod.ts";
import { randomOf, VolatileFileSystem } from "../journal/_volatile_file_system.ts";
import { History, stateOf } from "./_history.ts";
import { mapDisks, newDisks, openStore } from "./_place.ts";

/** A store that loses its power or its process again and again. */
class Subject {
  readonly #random: (limit: number) => number;
  readonly #options: OpenOptions;
  readonly #history: History;
  #fileSystem = new VolatileFileSystem();
  #disks = newDisks();
  #crash: "process" | "power" = "process";

  constructor(seed: number, durability: Durability) {
    this.#random = randomOf(seed);
    this.#options = {
      durability,
      segmentBytes: 64 + this.#random(800),
      memtableBytes: 1 + this.#random(1000),
    };
    this.#history = new History(durability, this.#random);
  }

  /** Calls that were acknowledged, over all lives. */
  get acknowledged(): number {
    return this.#history.acknowledged;
  }

  /** Opens the store, checks that it has kept its promises, uses it, and takes its power or its process
   * away. */
  async live(life: number): Promise<void> {
    const random = this.#random;
    const fileSystem = this.#fileSystem;
    const disks = this.#disks;
    // Sometimes the power goes while the store is opened.
    let steps = random(3) === 0 ? random(60) : Infinity;
    const countDown = () => {
      if (--steps < 0) throw new Error("the power is gone");
    };
    fileSystem.before = countDown;
    for (const disk of [disks.append, disks.btree]) {
      disk.onStep = countDown;
      disk.transactions = () => 1 + random(3);
    }
    let store: HybridStore | undefined;
    await this.#history.attempt(async () => {
      store = await openStore(fileSystem, "/journal", disks, this.#options);
    });
    if (store !== undefined) {
      this.#history.assertKept(stateOf(store), this.#crash, `life ${life}`);
      steps = Math.min(steps, random(200));
      while (steps >= 0) await this.#use(store);
      await this.#history.attempt(() => store!.close());
    }
    // A crash while opening leaves the promises as they were; a weaker kind of crash cannot restore them.
    const isPowerLost = random(3) > 0;
    if (store !== undefined || isPowerLost) this.#crash = isPowerLost ? "power" : "process";
    this.#fileSystem = isPowerLost ? fileSystem.losePower(random) : fileSystem.loseProcess();
    this.#disks = mapDisks(disks, (disk) => {
      return isPowerLost ? disk.losePower(random) : disk.loseProcess();
    });
  }

  async #use(store: HybridStore): Promise<void> {
    const random = this.#random;
    const history = this.#history;
    const isFull = random(10) === 0;
    if (isFull) this.#fileSystem.space = (wanted) => random(2) * random(wanted);
    const waits: Promise<unknown>[] = [];
    for (let count = random(4); count >= 0; count--) waits.push(history.write(store));
    if (random(6) === 0) waits.push(history.promise(() => store.flush()));
    if (random(12) === 0) waits.push(history.promise(() => store.checkpoint()));
    history.endGroup();
    if (random(3) > 0 || isFull) await Promise.all(waits);
    else await new Promise((resolve) => setImmediate(resolve));
    this.#fileSystem.space = (wanted) => wanted;
  }
}

for (const durability of ["always", "hybrid", "flush"] as const) {
  test(`whenever power or process go, a store keeps what "${durability}" promises`, {
    timeout: 600_000,
  }, async () => {
    let acknowledged = 0;
    const property = fc.asyncProperty(fc.integer(), async (seed) => {
      const subject = new Subject(seed, durability);
      for (let life = 0; life < 6; life++) await subject.live(life);
      acknowledged += subject.acknowledged;
    });
    await fc.assert(property, { numRuns: 200 });
    assertGreater(acknowledged, 4000);
  });
}
