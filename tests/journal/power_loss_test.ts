import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { Journal, type JournalOptions, StoreError } from "../../journal/mod.ts";
import { payloadOf, readAll } from "./_journals.ts";
import { ReservingJournal, type TestJournal } from "./_reserving.ts";
import { randomOf, VolatileFileSystem } from "./_volatile_file_system.ts";

const DIRECTORY = "/journal";

type Open = (
  directory: string,
  options: JournalOptions & { fileSystem: VolatileFileSystem },
) => Promise<TestJournal>;

/** A journal that loses its power or its process again and again, and what it has promised over all that time. */
class Subject {
  readonly #open: Open;
  readonly #random: (limit: number) => number;
  readonly #options: { segmentBytes: number; sync: "group" | "manual" };
  #fileSystem = new VolatileFileSystem();
  #attempted: string[] = [];
  /** Payloads by offset that are on disk, by all that the journal has said. */
  #promised = new Map<bigint, string>();
  /** Payloads by offset that the operating system has, and a power loss may take. */
  #written = new Map<bigint, string>();
  #refused = new Set<string>();
  #cursor = 0n;
  #isPoisoned = false;
  #countDown = () => {};

  constructor(seed: number, open: Open) {
    this.#open = open;
    this.#random = randomOf(seed);
    const sync = this.#random(2) === 0 ? "group" : "manual";
    this.#options = { segmentBytes: 64 + this.#random(500), sync };
  }

  /** Opens the journal, checks that it has kept its promises, uses it, and takes its power or its
   * process away. */
  async live(): Promise<void> {
    const fileSystem = this.#fileSystem;
    // Sometimes the power goes during recovery.
    let operations = this.#random(3) === 0 ? this.#random(40) : Infinity;
    this.#countDown = () => {
      if (--operations < 0) throw new Error("the power is gone");
    };
    fileSystem.before = this.#countDown;
    fileSystem.isLost = () => this.#random(3) > 0;
    this.#isPoisoned = false;
    const journal = await this.#attempt(() =>
      this.#open(DIRECTORY, { ...this.#options, fileSystem })
    );
    if (journal !== undefined) {
      if (operations === Infinity) await this.#check(journal);
      operations = Math.min(operations, this.#random(150));
      while (operations >= 0 && !this.#isPoisoned) await this.#use(journal, fileSystem);
      await this.#attempt(() => journal.close());
    }
    assertEquals(fileSystem.overlaps, []);
    const isPowerLost = this.#random(3) > 0;
    this.#fileSystem = isPowerLost ? fileSystem.losePower(this.#random) : fileSystem.loseProcess();
    if (isPowerLost) this.#written.clear();
  }

  async #check(journal: TestJournal): Promise<void> {
    const found = (await readAll(journal)).map(({ offset, payload }) => ({
      offset,
      key: payload.join(),
    }));
    const byOffset = new Map(found.map(({ offset, key }) => [offset, key]));
    for (const [offset, key] of [...this.#promised, ...this.#written]) {
      if (offset < this.#cursor && !byOffset.has(offset)) continue;
      assertEquals(byOffset.get(offset), key, `promised at ${offset}`);
    }
    let last = -1;
    for (const { key } of found) {
      assert(!this.#refused.has(key), "a record that was refused");
      const index = this.#attempted.indexOf(key, last + 1);
      assert(index > last, "a record that was not tried, or in another order");
      last = index;
    }
    // Opening makes durable what it finds.
    this.#promised = byOffset;
    this.#written.clear();
  }

  async #use(journal: TestJournal, fileSystem: VolatileFileSystem): Promise<void> {
    const isFull = this.#random(8) === 0;
    if (isFull) fileSystem.space = (wanted) => this.#random(2) * this.#random(wanted);
    const count = 1 + this.#random(4);
    const appends = Array.from({ length: count }, () => this.#append(journal, this.#random(90)));
    const waits = [Promise.all(appends).then(() => {})];
    if (this.#random(30) === 0) await this.#loseWrites(fileSystem);
    if (this.#options.sync === "manual" && this.#random(3) === 0) {
      const syncing = this.#attempt(() => journal.sync().then(() => true));
      waits.push(this.#promiseOnce(syncing, appends));
    }
    if (this.#random(3) > 0 || isFull) await Promise.all(waits);
    fileSystem.space = (wanted) => wanted;
    if (this.#random(6) === 0) {
      const offsets = [...this.#promised.keys()];
      const cursor = offsets[this.#random(offsets.length)] ?? 0n;
      if (cursor > this.#cursor) this.#cursor = cursor;
      await this.#attempt(() => journal.removeBefore(this.#cursor));
    }
    if (this.#random(4) === 0) await this.#attempt(() => readAll(journal));
  }

  /** Loses what some files have unsynced, at a time of its own. */
  async #loseWrites(fileSystem: VolatileFileSystem): Promise<void> {
    for (let turns = this.#random(3); turns > 0; turns--) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    fileSystem.before = () => {};
    const names = fileSystem.list(DIRECTORY);
    fileSystem.before = this.#countDown;
    for (const name of names) {
      if (this.#random(2) === 0) fileSystem.failWriteBack(`${DIRECTORY}/${name}`);
    }
  }

  async #promiseOnce(
    syncing: Promise<boolean | undefined>,
    appends: Promise<[bigint, string] | undefined>[],
  ): Promise<void> {
    if (!(await syncing)) return;
    for (const record of await Promise.all(appends)) if (record) this.#promised.set(...record);
  }

  async #append(journal: TestJournal, length: number): Promise<[bigint, string] | undefined> {
    const payload = payloadOf(this.#attempted.length, 8 + length);
    const key = payload.join();
    this.#attempted.push(key);
    const offset = await this.#attempt(() => journal.append(payload), () => this.#refused.add(key));
    if (offset === undefined) return undefined;
    const acknowledged = this.#options.sync === "group" ? this.#promised : this.#written;
    acknowledged.set(offset, key);
    return [offset, key];
  }

  /** Returns what the call gave, `undefined` where it failed as it may. */
  async #attempt<T>(call: () => Promise<T>, onNoSpace = () => {}): Promise<T | undefined> {
    try {
      return await call();
    } catch (error) {
      assert(error instanceof StoreError, `${error}`);
      if (error.code === "NO_SPACE") onNoSpace();
      if (error.code === "POISONED") this.#isPoisoned = true;
      assert(["IO", "NO_SPACE", "POISONED"].includes(error.code), error.message);
      return undefined;
    }
  }
}

const KINDS: Record<string, Open> = {
  journal: Journal.open,
  "journal that reserves room": ReservingJournal.open,
};

for (const [kind, open] of Object.entries(KINDS)) {
  test(`whenever power or process go, a ${kind} keeps what was acknowledged and opens`, {
    timeout: 600_000,
  }, async () => {
    const property = fc.asyncProperty(fc.integer(), async (seed) => {
      const subject = new Subject(seed, open);
      for (let life = 0; life < 6; life++) await subject.live();
    });
    await fc.assert(property, { numRuns: 200 });
  });
}
