/** An engine in memory whose contents outlive it on a disk that can lose its power. */

import type { Entry, Write, Writes } from "../../backends/engine.ts";
import { MemoryEngine } from "../../backends/memory.ts";
import { listWrites } from "../../backends/writes.ts";
import { rangeOf } from "../conformance/_kit.ts";

/** What an engine holds. */
interface Image {
  readonly entries: readonly Entry[];
  readonly position: bigint;
  readonly note: string | undefined;
}

/** The disk of one engine: the first image is safe, the last one is what a read sees. */
export class EngineDisk {
  #images: Image[] = [{ entries: [], position: 0n, note: undefined }];
  /** Called before each step of an apply, which fails where this throws. */
  onStep: () => void = () => {};
  /** How many transactions carry the writes of an apply. */
  transactions: () => number = () => 1;
  /** Whether each transaction is on disk at once, as with LMDB, or with the position, as with SQLite. */
  readonly isEachSynced: boolean;

  constructor(isEachSynced: boolean) {
    this.isEachSynced = isEachSynced;
  }

  get image(): Image {
    return this.#images.at(-1)!;
  }

  /** Opens an engine on what the disk holds. */
  async open(): Promise<DiskEngine> {
    const engine = new DiskEngine(this);
    await engine.load(this.image);
    return engine;
  }

  save(image: Image, isSynced: boolean): void {
    if (isSynced) this.#images = [];
    this.#images.push(image);
  }

  /** Returns the disk as it is found after the process has died. */
  loseProcess(): EngineDisk {
    const after = new EngineDisk(this.isEachSynced);
    // What a process wrote is with the operating system, which may still lose its power.
    after.#images = [...this.#images];
    return after;
  }

  /** Returns the disk as it is found after the power was lost: SQLite finds a prefix of its log. */
  losePower(random: (limit: number) => number): EngineDisk {
    const after = new EngineDisk(this.isEachSynced);
    after.#images = [this.#images[random(this.#images.length)]!];
    return after;
  }
}

/** An engine on such a disk. */
export class DiskEngine extends MemoryEngine {
  readonly #disk: EngineDisk;

  constructor(disk: EngineDisk) {
    super();
    this.#disk = disk;
  }

  async load({ entries, position, note }: Image): Promise<void> {
    await super.apply(entries, position, note);
  }

  override async apply(
    given: Writes | readonly Write[],
    position: bigint,
    note?: string,
  ): Promise<void> {
    const writes = listWrites(given);
    const before = this.position;
    const transactions = this.#disk.transactions();
    for (let i = 0; i < transactions; i++) {
      const from = Math.floor(writes.length * i / transactions);
      const to = Math.floor(writes.length * (i + 1) / transactions);
      await this.#commit(writes.slice(from, to), before, this.#disk.isEachSynced);
    }
    await this.#commit([], position, true, note);
  }

  async #commit(
    writes: readonly Write[],
    position: bigint,
    isSynced: boolean,
    note?: string,
  ): Promise<void> {
    this.#disk.onStep();
    await super.apply(writes, position, note);
    await new Promise((resolve) => setImmediate(resolve));
    const entries = this.range(rangeOf(), Infinity);
    this.#disk.save({ entries, position, note: this.note }, isSynced);
  }
}
