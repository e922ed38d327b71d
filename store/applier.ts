/** The applier: moves sealed memtables into the engines, in the background.
 *
 * @module
 */

import type { Engine } from "../backends/engine.ts";
import { StoreError } from "../codec/error.ts";
import type { EngineName } from "../codec/route.ts";
import type { JournalWriter } from "../journal/writer.ts";
import { clearTimeout, setTimeout, type Timer } from "../runtime/timers.ts";
import { nextTurn } from "../runtime/turn.ts";
import { latestWrites, type Memtable, type MemtableEntry } from "./memtable.ts";
import type { MemtableStack, SealedMemtable } from "./memtable_stack.ts";
import type { CachedReader } from "./read_cache.ts";

/** Writes are acknowledged late once the memtables hold this many times their limit, … */
const BYTES_BEFORE_WAITING = 2;
/** … or once this many are sealed: each is one more place to look for every read. */
const SEALED_BEFORE_WAITING = 8;
/** While the engines take nothing, writes are refused once this many times the limit is held. */
const BYTES_BEFORE_REFUSING = 4;
/** Memtables are applied together as long as they are no larger than this, nor than a full one: they are
 * put in order in one go. */
const TOGETHER_BYTES_MAX = 2 * 1024 * 1024;
/** Entries are handed out to the engines so many in a turn of the event loop. */
const ENTRIES_PER_TURN = 16384;
const RETRY_MS = 1000;

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
  #retryTimer: Timer | undefined;
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
    const oldest = this.#oldestSealed();
    const { end } = oldest.at(-1)!;
    // The engines must never hold what the journal can lose.
    const synced = this.#journal.sync();
    // It may fail before anyone waits for it.
    synced.catch(() => {});
    const newestFirst = oldest.map(({ memtable }) => memtable).reverse();
    for (const memtable of newestFirst) await putInOrder(memtable);
    const writes = await writesByEngine(latestWrites(newestFirst));
    await synced;
    // While the engines write, the memtable that follows is put in order.
    const following = this.#memtables.sealed[oldest.length]?.memtable;
    const isFollowingOrdered = following && putInOrder(following);
    const outcomes = await Promise.allSettled(
      (["append", "btree"] as const).map((name) => {
        const engine = this.#engines[name];
        // While a journal is replayed, one engine may be ahead of what the other one is given.
        const position = engine.position > end ? engine.position : end;
        return engine.apply(writes[name], position);
      }),
    );
    await isFollowingOrdered;
    for (const outcome of outcomes) {
      if (outcome.status === "rejected") throw outcome.reason;
    }
    this.#applies++;
    this.#cache.forget(writes.btree);
    this.#memtables.drop(oldest.length);
    await this.#journal.removeBefore(end);
  }

  /** The oldest memtable, and those behind it as long as all of them are small. */
  #oldestSealed(): readonly SealedMemtable[] {
    const { sealed } = this.#memtables;
    let count = 1;
    const bytesMax = Math.min(this.#memtableBytes, TOGETHER_BYTES_MAX);
    let bytes = sealed[0]!.memtable.bytes;
    while (count < sealed.length) {
      bytes += sealed[count]!.memtable.bytes;
      if (bytes > bytesMax) break;
      count++;
    }
    return sealed.slice(0, count);
  }

  #retryLater(): void {
    clearTimeout(this.#retryTimer);
    this.#retryTimer = setTimeout(() => this.wake(), RETRY_MS);
    this.#retryTimer.unref();
  }
}

/** Puts the entries of a memtable in order, and lets the event loop turn meanwhile. */
async function putInOrder(memtable: Memtable): Promise<void> {
  for (const _ of memtable.ordering()) await nextTurn();
}

/** Returns the writes that each engine has to take. */
async function writesByEngine(
  writes: readonly MemtableEntry[],
): Promise<Record<EngineName, MemtableEntry[]>> {
  const byEngine: Record<EngineName, MemtableEntry[]> = { append: [], btree: [] };
  for (let i = 0; i < writes.length; i++) {
    const write = writes[i]!;
    byEngine[write.engine].push(write);
    if (i % ENTRIES_PER_TURN === ENTRIES_PER_TURN - 1) await nextTurn();
  }
  return byEngine;
}
