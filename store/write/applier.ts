/** The applier: moves sealed memtables into the engines, in the background.
 *
 * @module
 */

import type { Engine, Write, Writes } from "../../backends/engine.ts";
import { StoreError } from "../../codec/error.ts";
import type { EngineName } from "../../codec/route.ts";
import type { JournalWriter } from "../../journal/writer.ts";
import { clearTimeout, setTimeout, type Timer } from "../../runtime/timers.ts";
import { nextTurn } from "../../runtime/turn.ts";
import type { Cursors } from "../feed/cursors.ts";
import type { Memtable } from "../memtable/memtable.ts";
import { writesByEngine } from "../memtable/memtable_writes.ts";
import type { MemtableStack, SealedMemtable } from "../memtable/memtable_stack.ts";
import type { CachedReader } from "../read/read_cache.ts";

/** Writes are acknowledged late once the memtables hold this many times their limit. */
const BYTES_BEFORE_WAITING = 2;
/** While the engines take nothing, writes are refused once this many times the limit is held. */
const BYTES_BEFORE_REFUSING = 4;
/** Memtables are applied together as long as they are no larger than this, nor than a full one. More would not
 * be faster: one is put in order while the engines write the one before. */
const TOGETHER_BYTES_MAX = 2 * 1024 * 1024;
const RETRY_MS = 1000;

/** Applies what is sealed, oldest first, and removes what the journal no longer needs.
 *
 * A failed apply changes nothing for readers: the memtables stay. After a full disk it is tried again,
 * when more is sealed, every second, and when it is asked to. After any other failure it is not known
 * what is on disk: nothing more is applied, and nothing of the journal removed, until the store is
 * reopened.
 *
 * The journal keeps what one apply has brought to the engines until the next one is durable in both, so
 * that a replay repairs an engine that lost the latest.
 */
export class Applier {
  readonly #journal: JournalWriter;
  readonly #memtables: MemtableStack;
  readonly #engines: Readonly<Record<EngineName, Engine>>;
  readonly #cache: CachedReader;
  readonly #cursors: Pick<Cursors, "floor" | "nextFloor">;
  readonly #memtableBytes: number;
  #running: Promise<void> | undefined;
  #failure: StoreError | undefined;
  #retryTimer: Timer | undefined;
  #applies = 0;
  /** Up to where the apply before the latest one has brought both engines. */
  #confirmedEnd: bigint;

  constructor(parts: {
    journal: JournalWriter;
    memtables: MemtableStack;
    engines: Readonly<Record<EngineName, Engine>>;
    cache: CachedReader;
    cursors: Pick<Cursors, "floor" | "nextFloor">;
    memtableBytes: number;
  }) {
    this.#journal = parts.journal;
    this.#memtables = parts.memtables;
    this.#engines = parts.engines;
    this.#cache = parts.cache;
    this.#cursors = parts.cursors;
    this.#memtableBytes = parts.memtableBytes;
    this.#confirmedEnd = this.#appliedEnd;
  }

  /** Why nothing is applied until the store is reopened, if so. */
  get stopped(): StoreError | undefined {
    const { append, btree } = this.#engines;
    return append.failure ?? btree.failure;
  }

  /** Times that sealed memtables were applied. */
  get applies(): number {
    return this.#applies;
  }

  get isApplying(): boolean {
    return this.#running !== undefined;
  }

  /** Starts applying, if enough is sealed, and unless that is under way. */
  wake(): void {
    if (this.#memtables.isDue) this.#run().catch(() => {});
  }

  /** Resolves once everything that is sealed is in both engines, durably.
   *
   * @throws {StoreError} Why an engine or the journal did not take it.
   */
  async drain(): Promise<void> {
    const end = this.#memtables.sealed.at(-1)?.end;
    this.#requireRunning();
    // By its end: a memtable that waits may become part of a larger one.
    while (end !== undefined && this.#memtables.droppedEnd < end) await this.#run();
  }

  /** Removes the journal's segments that both engines hold all of. They are asked to confirm it first by
   * one more commit, where the latest apply is all there is.
   *
   * @throws {StoreError} Why an engine or the journal did not do it.
   */
  async trim(): Promise<void> {
    const { segments } = this.#journal;
    const end = this.#appliedEnd;
    if (segments.length < 2 || segments[1]!.base > end) return;
    // While others write there may be an apply after the other, and no time for one of its own.
    while (this.#running !== undefined && this.#confirmedEnd < end) {
      await this.#running.catch(() => {});
    }
    if (this.#confirmedEnd < end) {
      this.#requireRunning();
      await this.#start(() => this.#applyToBoth({ append: [], btree: [] }, this.#appliedEnd));
    }
    await this.#removeBefore();
  }

  /** Removes what only the feed has held so far, if a cursor was moved past it. */
  cursorMoved(): void {
    const { segments, end } = this.#journal;
    const next = segments[1]?.base;
    if (next === undefined || next > this.#confirmedEnd) return;
    if (next > this.#cursors.nextFloor(end)) return;
    this.#journal.sync().then(() => this.#removeConfirmed(), () => {
      // The next write says why.
    });
  }

  /** Returns a promise for when the memtables are small enough again, `undefined` if they are. */
  room(): Promise<void> | undefined {
    if (this.#failure !== undefined || !this.#isCrowded()) return undefined;
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
    throw new StoreError(
      failure.code,
      `${what}: memory is full, and stays so until what waits can be applied (${failure.message})`,
      {
        cause: failure,
      },
    );
  }

  /** Stops trying again, and waits for what is under way. */
  async close(): Promise<void> {
    clearTimeout(this.#retryTimer);
    await this.#running?.catch(() => {});
    clearTimeout(this.#retryTimer);
  }

  #isCrowded(): boolean {
    return this.#memtables.bytes > BYTES_BEFORE_WAITING * this.#memtableBytes;
  }

  async #waitForRoom(): Promise<void> {
    while (this.#isCrowded() && this.#memtables.sealed.length > 0) {
      try {
        await this.#run();
      } catch {
        // What waits here is in the journal: it is kept, and may be acknowledged.
        return;
      }
    }
  }

  get #appliedEnd(): bigint {
    const { append, btree } = this.#engines;
    return append.position < btree.position ? append.position : btree.position;
  }

  #requireRunning(): void {
    if (this.stopped !== undefined) throw this.stopped;
  }

  /** Applies the oldest of what is sealed, if anything is; what is sealed behind it follows by itself. */
  #run(): Promise<void> {
    return this.#running ?? this.#start(async () => {
      if (this.#memtables.sealed.length > 0) await this.#applySealed();
    });
  }

  #start(apply: () => Promise<void>): Promise<void> {
    return this.#running = this.#attempt(apply);
  }

  async #attempt(apply: () => Promise<void>): Promise<void> {
    // Never within the turn that sealed: a burst of writes goes first.
    await nextTurn();
    try {
      this.#requireRunning();
      await apply();
      this.#failure = undefined;
    } catch (error) {
      this.#failure = error instanceof StoreError
        ? error
        : new StoreError("IO", `Cannot apply memtable: ${error}`, { cause: error });
      if (this.stopped === undefined && this.#failure.code !== "POISONED") this.#retryLater();
      throw this.#failure;
    } finally {
      // In one go with the last look at what is sealed: what is sealed after it starts anew.
      this.#running = undefined;
      if (this.#failure === undefined) this.wake();
    }
  }

  async #applySealed(): Promise<void> {
    const oldest = this.#memtables.claim(Math.min(this.#memtableBytes, TOGETHER_BYTES_MAX));
    try {
      await this.#applyClaimed(oldest);
      this.#memtables.drop();
    } finally {
      this.#memtables.release();
    }
    await this.#removeConfirmed();
  }

  /** Writes memtables into the engines, durably. */
  async #applyClaimed(oldest: readonly SealedMemtable[]): Promise<void> {
    const { end, note } = oldest.at(-1)!;
    // The engines must never hold what the journal can lose.
    const synced = this.#journal.sync();
    // It may fail before anyone waits for it.
    synced.catch(() => {});
    const memtable = await this.#together(oldest);
    await putInOrder(memtable);
    const writes = writesByEngine(memtable);
    await synced;
    // While the engines write, the memtable that follows is put in order.
    const following = this.#memtables.sealed[oldest.length]?.memtable;
    const isFollowingOrdered = following && putInOrder(following);
    try {
      await this.#applyToBoth(writes, end, note);
    } finally {
      await isFollowingOrdered;
    }
    this.#applies++;
    // Until the memtables go, they hide what the cache still has.
    for (const _ of this.#cache.forgetting(writes.btree)) await nextTurn();
  }

  /** Returns a memtable that has the latest write of every key in some, and lets the event loop turn. */
  async #together(oldestFirst: readonly SealedMemtable[]): Promise<Memtable> {
    if (oldestFirst.length === 1) return oldestFirst[0]!.memtable;
    const together = this.#memtables.empty();
    for (const _ of together.setAll(oldestFirst.map(({ memtable }) => memtable))) await nextTurn();
    return together;
  }

  /** Writes to both engines, and notes that what the one before has written is confirmed by that. */
  async #applyToBoth(
    writes: Record<EngineName, Writes | readonly Write[]>,
    end: bigint,
    note?: string,
  ): Promise<void> {
    const confirmed = this.#appliedEnd;
    const outcomes = await Promise.allSettled(
      (["append", "btree"] as const).map((name) => {
        const engine = this.#engines[name];
        // While a journal is replayed, one engine may be ahead of what the other one is given.
        const position = engine.position > end ? engine.position : end;
        return engine.apply(writes[name], position, note);
      }),
    );
    for (const outcome of outcomes) {
      if (outcome.status === "rejected") throw outcome.reason;
    }
    this.#confirmedEnd = confirmed;
  }

  /** Removes the segments that neither a replay needs nor anyone who reads the feed. */
  async #removeBefore(): Promise<void> {
    const floor = this.#cursors.floor(this.#journal);
    await this.#journal.removeBefore(floor < this.#confirmedEnd ? floor : this.#confirmedEnd);
  }

  async #removeConfirmed(): Promise<void> {
    try {
      await this.#removeBefore();
    } catch {
      // The engines have what was to go, and the next apply tries again. Where the journal is poisoned
      // by it, the next write says so.
    }
  }

  #retryLater(): void {
    clearTimeout(this.#retryTimer);
    this.#retryTimer = setTimeout(() => this.#run().catch(() => {}), RETRY_MS);
    this.#retryTimer.unref();
  }
}

/** Puts the entries of a memtable in order, and lets the event loop turn meanwhile. */
async function putInOrder(memtable: Memtable): Promise<void> {
  for (const _ of memtable.ordering()) await nextTurn();
}
