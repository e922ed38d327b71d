import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import {
  assertionKey,
  HybridStore,
  mvKey,
  type OpenOptions,
  quotaKey,
  type Snapshot,
  subjectScanPrefix,
  trustRankKey,
  voteCountKey,
} from "../mod.ts";
import { Random } from "../tests/support/random.ts";
import type { Watch } from "./_soak_watch.ts";

const SUBJECTS = 400;
const KEYS_PER_SUBJECT = 50;
const COUNTERS = 20;
const VALUE_BYTES_MAX = 400;
const BURST_MAX = 16;
const PENDING_MAX = 2000;
const SNAPSHOTS_MAX = 20;
const ERRORS_KEPT = 20;
/** In the middle of what has been done: how often the rarer things come, in bursts. */
const CHECKPOINT_EVERY = 300;
const STATS_EVERY = 1000;
const BACKUP_EVERY = 4000;
const VERIFY_EVERY = 3000;
const REOPEN_EVERY = 2500;

const OPTIONS: OpenOptions = {
  syncIntervalMs: 50,
  memtableBytes: 512 * 1024,
  segmentBytes: 1024 * 1024,
  readCacheBytes: 1024 * 1024,
};

/** The number in each value; `undefined` where there is none. */
type Subject = Map<string, number>;

/** A mixed load on one store, and a model of it. */
export class SoakLoad {
  readonly #directory: string;
  readonly #watch: Watch;
  readonly #random: Random;
  readonly #subjects: Subject[] = Array.from({ length: SUBJECTS }, () => new Map());
  readonly #counters = new Map<number, bigint>();
  #snapshots: { snapshot: Snapshot; subject: number; held: Subject }[] = [];
  readonly #pending = new Set<Promise<unknown>>();
  readonly errors: string[] = [];
  errorCount = 0;
  operations = 0;
  segmentsMost = 0;
  /** How often the rarer things were done. */
  readonly counts = { snapshots: 0, scans: 0, checkpoints: 0, backups: 0, verifies: 0, reopens: 0 };
  #store!: HybridStore;
  #bursts = 0;

  constructor(directory: string, seed: number, watch: Watch) {
    this.#directory = directory;
    this.#random = new Random(seed);
    this.#watch = watch;
  }

  async open(): Promise<void> {
    this.#store = await HybridStore.open(this.#directory, {
      ...OPTIONS,
      durability: this.#random.pick(["hybrid", "hybrid", "always", "flush"] as const),
    });
  }

  async close(): Promise<void> {
    await Promise.all(this.#pending);
    this.#snapshots = [];
    await this.#watch.during("close", () => this.#store.close());
  }

  /** Issues some operations and does now and then what else there is. */
  async burst(): Promise<void> {
    this.#bursts++;
    for (let i = this.#random.below(BURST_MAX); i >= 0; i--) this.#operate();
    if (this.#pending.size > PENDING_MAX) await Promise.all(this.#pending);
    if (this.#random.once(4)) await Promise.all(this.#pending);
    else await nextTurn();
    await this.#readSnapshots();
    await this.#rarely();
  }

  /** Compares everything with the model. */
  async compareAll(): Promise<void> {
    await Promise.all(this.#pending);
    for (let subject = 0; subject < SUBJECTS; subject++) {
      await this.#scan(subject);
      await nextTurn();
    }
  }

  #operate(): void {
    this.operations++;
    const random = this.#random;
    const subject = random.below(SUBJECTS);
    const kind = random.below(100);
    if (kind < 30) this.#put(subject);
    else if (kind < 40) this.#watchOver(this.#delete(subject));
    else if (kind < 52) this.#watchOver(this.#batch());
    else if (kind < 62) this.#watchOver(this.#add());
    else if (kind < 70) this.#watchOver(this.#transact(subject));
    else if (kind < 72) this.#watchOver(this.#swap());
    else if (kind < 94) this.#get(subject);
    else if (kind < 98) this.#watchOver(this.#scan(subject));
    else if (kind < 99) this.#abandonScan();
    else if (random.once(10)) this.#watchOver(this.#deleteRange(subject));
  }

  #put(subject: number): void {
    const name = this.#name();
    this.#subjects[subject]!.set(name, this.operations);
    this.#watchOver(this.#store.put(keyOf(subject, name), this.#value(this.operations)));
  }

  #delete(subject: number): Promise<void> {
    const name = this.#name();
    this.#subjects[subject]!.delete(name);
    return this.#store.delete(keyOf(subject, name));
  }

  #batch(): Promise<unknown> {
    const batch = this.#store.batch();
    for (let i = this.#random.below(20); i >= 0; i--) {
      const subject = this.#random.below(SUBJECTS);
      const name = this.#name();
      if (this.#random.once(6)) {
        this.#subjects[subject]!.delete(name);
        batch.delete(keyOf(subject, name));
      } else {
        this.#subjects[subject]!.set(name, this.operations);
        batch.put(keyOf(subject, name), this.#value(this.operations));
      }
    }
    return batch.commit();
  }

  async #add(): Promise<void> {
    const number = this.#random.below(COUNTERS);
    const sum = (this.#counters.get(number) ?? 0n) + 3n;
    this.#counters.set(number, sum);
    const found = await this.#store.fetchAndAddU64(counterOf(number), 3n);
    if (found !== sum) this.#fail(`counter ${number} is ${found}, not ${sum}`);
  }

  async #transact(subject: number): Promise<void> {
    const name = this.#name();
    const model = this.#subjects[subject]!;
    const before = model.get(name);
    const stamp = this.operations;
    const found = this.#store.transact((tx) => {
      const value = tx.get(keyOf(subject, name));
      tx.put(keyOf(subject, name), this.#value(stamp));
      return numberIn(value);
    });
    model.set(name, stamp);
    const number = await found;
    if (number !== before) this.#fail(`transaction read ${number}, not ${before}`);
  }

  async #swap(): Promise<void> {
    await this.#store.compareAndSwapF32(trustRankKey("agent"), (n) => n * 0.5 + 1);
  }

  #get(subject: number): void {
    const name = this.#name();
    const found = numberIn(this.#store.getSync(keyOf(subject, name)));
    const expected = this.#subjects[subject]!.get(name);
    if (found !== expected) this.#fail(`get ${subject} ${name}: ${found}, not ${expected}`);
  }

  async #scan(subject: number): Promise<void> {
    this.counts.scans++;
    const expected = new Map(this.#subjects[subject]);
    const rows = await this.#store.scanPrefix(subjectScanPrefix(`s${subject}`));
    this.#compare("scan", expected, rows);
  }

  /** An iterator that nobody takes to its end. */
  #abandonScan(): void {
    this.#store.scanSync({ reverse: this.#random.once(2) }).next();
  }

  async #deleteRange(subject: number): Promise<void> {
    const model = this.#subjects[subject]!;
    const expected = model.size;
    model.clear();
    const count = await this.#store.deleteRange({ prefix: subjectScanPrefix(`s${subject}`) });
    if (count !== expected) this.#fail(`deleteRange took ${count} keys, not ${expected}`);
  }

  async #readSnapshots(): Promise<void> {
    const random = this.#random;
    if (random.once(20)) {
      const subject = random.below(SUBJECTS);
      const held = new Map(this.#subjects[subject]);
      this.counts.snapshots++;
      this.#snapshots.push({ snapshot: await this.#store.snapshot(), subject, held });
    }
    if (this.#snapshots.length === 0 || !random.once(10)) return;
    const { snapshot, subject, held } = random.pick(this.#snapshots);
    const rows = [...snapshot.scanSync({ prefix: subjectScanPrefix(`s${subject}`) })];
    this.#compare("snapshot", held, rows);
    if (this.#snapshots.length < SNAPSHOTS_MAX) return;
    const [oldest] = this.#snapshots.splice(0, 1);
    // One in four is forgotten, and goes when it is collected.
    if (!random.once(4)) await oldest!.snapshot[Symbol.asyncDispose]();
  }

  async #rarely(): Promise<void> {
    const at = (every: number) => this.#bursts % every === 0;
    if (at(20)) this.segmentsMost = Math.max(this.segmentsMost, this.#segments());
    if (at(STATS_EVERY)) await this.#watch.during("stats", () => this.#stats());
    if (at(CHECKPOINT_EVERY)) {
      this.counts.checkpoints++;
      this.#watchOver(this.#watch.during("checkpoint", () => this.#store.checkpoint()));
    }
    if (at(BACKUP_EVERY)) this.#watchOver(this.#watch.during("backup", () => this.#backUp()));
    if (at(VERIFY_EVERY)) this.#watchOver(this.#watch.during("verify", () => this.#verify()));
    if (at(REOPEN_EVERY)) {
      this.counts.reopens++;
      await this.close();
      await this.#watch.during("open", () => this.open());
    }
  }

  /** The store's own statistics would count the keys of the B-tree side as well. */
  #segments(): number {
    const names = readdirSync(join(this.#directory, "journal"));
    return names.filter((name) => name.endsWith(".seg")).length;
  }

  // deno-lint-ignore require-await
  async #stats(): Promise<void> {
    this.#store.stats();
  }

  async #backUp(): Promise<void> {
    this.counts.backups++;
    const target = `${this.#directory}-backup-${this.counts.backups}`;
    try {
      const { keys } = await this.#store.backup(target);
      const copy = await HybridStore.open(target, OPTIONS);
      const count = await copy.count();
      const { ok, faults } = await copy.verify();
      await copy.close();
      if (!ok) this.#fail(`backup: ${JSON.stringify(faults)}`);
      if (count !== keys) this.#fail(`backup holds ${count} keys, not ${keys}`);
    } finally {
      rmSync(target, { recursive: true, force: true });
    }
  }

  async #verify(): Promise<void> {
    this.counts.verifies++;
    const { ok, faults } = await this.#store.verify();
    if (!ok) this.#fail(`verify: ${JSON.stringify(faults)}`);
  }

  #compare(
    what: string,
    expected: Subject,
    rows: readonly { key: Uint8Array; value: Uint8Array }[],
  ): void {
    const isSame = rows.length === expected.size &&
      rows.every(({ key, value }) => expected.get(nameOf(key)) === numberIn(value));
    if (!isSame) this.#fail(`${what}: ${rows.length} rows differ from ${expected.size} expected`);
  }

  #watchOver(promise: Promise<unknown>): void {
    const watched = promise
      .catch((error) => this.#fail(String(error)))
      .finally(() => this.#pending.delete(watched));
    this.#pending.add(watched);
  }

  #fail(message: string): void {
    this.errorCount++;
    if (this.errors.length < ERRORS_KEPT) this.errors.push(message);
  }

  #name(): string {
    return `${this.#random.below(KEYS_PER_SUBJECT)}`;
  }

  #value(stamp: number): Uint8Array {
    const value = new Uint8Array(8 + this.#random.below(VALUE_BYTES_MAX)).fill(stamp);
    new DataView(value.buffer).setFloat64(0, stamp);
    return value;
  }
}

/** Keys with odd and even names are on different sides. */
function keyOf(subject: number, name: string): Uint8Array {
  return Number(name) % 2 === 0 ? assertionKey(`s${subject}`, name) : mvKey(`s${subject}`, name);
}

function nameOf(key: Uint8Array): string {
  const text = new TextDecoder().decode(key);
  return text.slice(text.indexOf(":") + 1);
}

function numberIn(value: Uint8Array | undefined): number | undefined {
  return value && new DataView(value.buffer, value.byteOffset).getFloat64(0);
}

function counterOf(number: number): Uint8Array {
  return number % 2 === 0 ? voteCountKey("counter", `${number}`) : quotaKey("agent", number);
}
