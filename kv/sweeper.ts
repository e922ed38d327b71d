/** Removing entries that have expired. No reader depends on it: they look at the time themselves.
 *
 * @module
 */

import { StoreError } from "../codec/error.ts";
import { wallClock } from "../runtime/clock.ts";
import { clearTimeout, setTimeout, type Timer } from "../runtime/timers.ts";
import { nextTurn } from "../runtime/turn.ts";
import type { LiveStore } from "../store/live_store.ts";
import type { Transaction } from "../store/write/transaction.ts";
import { expiringKey, EXPIRY, expiryBound, u64From } from "./layout.ts";
import { openEntry } from "./value.ts";

/** How many entries of the index are dealt with at a time, while the event loop waits. */
const STEP_ROWS = 128;
/** The longest time without a look at the clock, which may jump. */
const PAUSE_MS_MAX = 60_000;
/** The shortest pause, so that entries that expire one after the other go together. */
const PAUSE_MS_MIN = 20;

type Drop = (tx: Transaction, entry: Uint8Array) => void;

/** Removes expired entries in the background. */
export class Sweeper {
  readonly #store: LiveStore;
  readonly #drop: Drop;
  #timer: Timer | undefined;
  /** When the timer fires, by the clock. */
  #due = Infinity;
  #isSweeping = false;
  #isStopped = false;

  /**
   * @param drop Told of each entry that is removed.
   */
  constructor(store: LiveStore, drop: Drop = () => {}) {
    this.#store = store;
    this.#drop = drop;
  }

  /** Begins, with what has expired before. */
  start(): void {
    this.#schedule(this.#first());
  }

  /** Notes that an entry expires at a time. */
  note(expiresAt: number): void {
    if (expiresAt < this.#due) this.#schedule(expiresAt);
  }

  /** Ends it. */
  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  /** Removes what has expired by now.
   *
   * @returns How many entries.
   * @throws {StoreError} As writes do.
   */
  async sweep(): Promise<number> {
    let count = 0;
    for (;;) {
      const now = wallClock.now();
      // Nothing depends on when this is on disk.
      const { rows, removed } = await this.#store.transact((tx) => step(tx, now, this.#drop), {
        durable: false,
      });
      count += removed;
      if (rows < STEP_ROWS || this.#isStopped) return count;
      await nextTurn();
    }
  }

  /** Returns the time of the first entry of the index. */
  #first(): number {
    for (const key of this.#store.scanSync({ prefix: new Uint8Array([EXPIRY]), limit: 1 })) {
      return Number(u64From(key.key, 1));
    }
    return Infinity;
  }

  #schedule(due: number): void {
    if (this.#isStopped || this.#isSweeping || due === Infinity) return;
    clearTimeout(this.#timer);
    this.#due = due;
    const pause = Math.max(due - wallClock.now(), PAUSE_MS_MIN);
    this.#timer = setTimeout(() => void this.#run(), Math.min(pause, PAUSE_MS_MAX));
    // A process does not stay for it.
    this.#timer.unref();
  }

  async #run(): Promise<void> {
    this.#isSweeping = true;
    let next = Infinity;
    try {
      await this.sweep();
      next = this.#first();
    } catch (error) {
      // The next attempt may find space, or what else was missing.
      if (!isFinal(error)) next = wallClock.now() + PAUSE_MS_MAX;
    }
    this.#isSweeping = false;
    this.#due = Infinity;
    this.#schedule(next);
  }
}

function isFinal(error: unknown): boolean {
  return error instanceof StoreError &&
    (error.code === "CLOSED" || error.code === "READ_ONLY" || error.code === "POISONED");
}

/** Deals with the first part of the index. */
function step(tx: Transaction, now: number, drop: Drop): { rows: number; removed: number } {
  const range = { gte: new Uint8Array([EXPIRY]), lt: expiryBound(now), limit: STEP_ROWS };
  let removed = 0;
  const keys = [...tx.keys(range)];
  for (const key of keys) {
    const of = expiringKey(key);
    const entry = tx.get(of);
    // Since it was noted, the entry may have been set again, or deleted.
    if (entry !== undefined && hasExpired(entry, now)) {
      tx.delete(of);
      drop(tx, entry);
      removed++;
    }
    tx.delete(key);
  }
  return { rows: keys.length, removed };
}

function hasExpired(entry: Uint8Array, now: number): boolean {
  try {
    return openEntry(entry, now) === undefined;
  } catch {
    // It is for readers to find it damaged.
    return false;
  }
}
