/** The applier: moves sealed memtables into the engines, in the background.
 *
 * @module
 */

import type { Engine, Write } from "../backends/engine.ts";
import { nextTurn } from "../backends/turn.ts";
import { StoreError } from "../codec/error.ts";
import type { EngineName } from "../codec/route.ts";
import type { JournalWriter } from "../journal/writer.ts";
import type { Memtable } from "./memtable.ts";
import type { MemtableStack } from "./memtable_stack.ts";
import { latestWrites } from "./merge.ts";
import type { CachedReader } from "./read_cache.ts";

/** Writes are acknowledged late once the memtables hold this many times their limit, … */
const BYTES_BEFORE_WAITING = 2;
/** … or once this many are sealed: each is one more place to look for every read. */
const SEALED_BEFORE_WAITING = 8;
/** While the engines take nothing, writes are refused once this many times the limit is held. */
const BYTES_BEFORE_REFUSING = 4;
const RETRY_MS = 1000;
/** Memtables that are applied together, at most: merging looks at each of them for every key. */
const MEMTABLES_PER_APPLY = 16;
/** Merging lets the event loop turn after this long. */
const SLICE_MS_MAX = 5;
/** Looking at the clock costs as much as merging a key. */
const KEYS_PER_CLOCK_READ = 64;

/** Applies what is sealed, oldest first, and lets go of what the journal no longer needs.
 *
 * A failed apply changes nothing for readers: the memtables stay, and it is tried again when more is
 * sealed, every second, and when someone asks for it.
 */
export class Applier {
  readonly #journal: JournalWriter;
  readonly #memtables: MemtableStack;
  readonly #engines: Readonly<Record<EngineName, Engine>>;
  readonly #cache: CachedReader;
  readonly #memtableBytes: number;
  #running: Promise<void> | undefined;
  #failure: StoreError | undefined;
  #retryTimer: ReturnType<typeof setTimeout> | undefined;
  #applies = 0;

  constructor(parts: {
    journal: JournalWriter;
    memtables: MemtableStack;
    engines: Readonly<Record<EngineName, Engine>>;
    cache: CachedReader;
    memtableBytes: number;
  }) {
    this.#journal = parts.journal;
    this.#memtables = parts.memtables;
    this.#engines = parts.engines;
    this.#cache = parts.cache;
    this.#memtableBytes = parts.memtableBytes;
  }

  /** Times that sealed memtables were applied. */
  get applies(): number {
    return this.#applies;
  }

  /** Starts applying, unless that is under way. */
  wake(): void {
    this.#run().catch(() => {});
  }

  /** Resolves once everything that is sealed is in both engines, durably.
   *
   * @throws {StoreError} Why an engine or the journal did not take it.
   */
  async drain(): Promise<void> {
    const { sealed } = this.#memtables;
    const last = sealed.at(-1);
    while (last !== undefined && this.#memtables.sealed.includes(last)) await this.#run();
  }

  /** Returns a promise for when the memtables are small enough again, `undefined` if they are. */
  room(): Promise<void> | undefined {
    if (this.#failure !== undefined || !this.#isCrowded(BYTES_BEFORE_WAITING)) return undefined;
    return this.#waitForRoom();
  }

  /** Throws where the engines take nothing and the memtables are full.
   *
   * @throws {StoreError} What keeps the engines from it.
   */
  requireRoom(what: string): void {
    const failure = this.#failure;
    if (failure === undefined) return;
    if (this.#memtables.bytes < BYTES_BEFORE_REFUSING * this.#memtableBytes) return;
    throw new StoreError(failure.code, `${what}: memory is full and ${failure.message}`, {
      cause: failure,
    });
  }

  /** Stops trying again, and waits for what is under way. */
  async close(): Promise<void> {
    clearTimeout(this.#retryTimer);
    await this.#running?.catch(() => {});
    clearTimeout(this.#retryTimer);
  }

  #isCrowded(factor: number): boolean {
    const { sealed, bytes } = this.#memtables;
    return sealed.length > SEALED_BEFORE_WAITING || bytes > factor * this.#memtableBytes;
  }

  async #waitForRoom(): Promise<void> {
    while (this.#isCrowded(BYTES_BEFORE_WAITING) && this.#memtables.sealed.length > 0) {
      try {
        await this.#run();
      } catch {
        // What waits here is in the journal: it is kept, and may be acknowledged.
        return;
      }
    }
  }

  #run(): Promise<void> {
    return this.#running ??= this.#applyAll();
  }

  async #applyAll(): Promise<void> {
    // Never within the turn that sealed: a burst of writes goes first.
    await nextTurn();
    try {
      while (this.#memtables.sealed.length > 0) await this.#applySealed();
      this.#failure = undefined;
    } catch (error) {
      this.#failure = error instanceof StoreError
        ? error
        : new StoreError("IO", `Cannot apply memtable: ${error}`, { cause: error });
      this.#retryLater();
      throw this.#failure;
    } finally {
      // In one go with the last look at what is sealed: whoever seals after it starts anew.
      this.#running = undefined;
    }
  }

  async #applySealed(): Promise<void> {
    const oldest = this.#memtables.sealed.slice(0, MEMTABLES_PER_APPLY);
    const { end } = oldest.at(-1)!;
    // The engines must never hold what the journal can lose.
    await this.#journal.sync();
    const newestFirst = oldest.map(({ memtable }) => memtable).reverse();
    const writes = await writesByEngine(newestFirst);
    const outcomes = await Promise.allSettled(
      (["append", "btree"] as const).map((name) => {
        const engine = this.#engines[name];
        // While a journal is replayed, one engine may be ahead of what the other one is given.
        const position = engine.position > end ? engine.position : end;
        return engine.apply(writes[name], position);
      }),
    );
    for (const outcome of outcomes) {
      if (outcome.status === "rejected") throw outcome.reason;
    }
    this.#applies++;
    for (const memtable of newestFirst) this.#cache.forget(memtable);
    this.#memtables.drop(oldest.length);
    this.#journal.removeBefore(end);
  }

  #retryLater(): void {
    clearTimeout(this.#retryTimer);
    this.#retryTimer = setTimeout(() => this.wake(), RETRY_MS);
    (this.#retryTimer as { unref?: () => void }).unref?.();
  }
}

/** Returns the latest writes of some memtables, in key order, as each engine has to take them. */
async function writesByEngine(
  newestFirst: readonly Memtable[],
): Promise<Record<EngineName, Write[]>> {
  const writes: Record<EngineName, Write[]> = { append: [], btree: [] };
  let keys = 0;
  let turnStart = performance.now();
  for (const entry of latestWrites(newestFirst)) {
    writes[entry.engine].push(entry);
    if (++keys % KEYS_PER_CLOCK_READ !== 0) continue;
    if (performance.now() - turnStart < SLICE_MS_MAX) continue;
    await nextTurn();
    turnStart = performance.now();
  }
  return writes;
}
