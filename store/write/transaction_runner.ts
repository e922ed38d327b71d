/** Running transactions around `await`: attempts, conflicts, pauses, and turns alone.
 *
 * @module
 */

import { StoreError } from "../../codec/error.ts";
import type { Router } from "../../codec/route.ts";
import { abortable, pauseUpTo } from "../../runtime/abortable.ts";
import { clearTimeout, setTimeout } from "../../runtime/timers.ts";
import type { KeySpace } from "../key_space.ts";
import { resolveTransactionOptions } from "../call_options.ts";
import { describe, showKey } from "../limits.ts";
import type { Conflict } from "../memtable/recent_writes.ts";
import type { ReadSource } from "../read/merge.ts";
import { AsyncTransaction, type TransactionOptions } from "./async_transaction.ts";
import { ReadSet } from "./read_set.ts";
import { Transaction } from "./transaction.ts";
import { WriteSet } from "./write_set.ts";

/** The moment that an attempt reads. */
export interface ReadMoment {
  readonly source: ReadSource;
  /** Where the journal ended. */
  readonly position: bigint;
  /** Returns what was written since that is among what was read. */
  findConflict(reads: ReadSet): Conflict | undefined;
  /** Ends it. A second call does nothing. */
  release(): void;
}

/** What transactions are run on. */
export interface TransactionSurface {
  readonly router: Router;
  /** @throws {StoreError} `CLOSED`. */
  requireOpen(what: string): void;
  /** Begins to read the store as it is now.
   *
   * @throws {StoreError} `CLOSED`, `TOO_MANY_SNAPSHOTS`, `IO`.
   */
  beginReading(what: string): ReadMoment;
  /** Writes what was not in the way of anything, and returns where it ends in the journal. */
  commit(what: string, writes: WriteSet, durable: boolean | undefined): Promise<bigint>;
}

/** A transaction that has failed so often gets a turn alone. */
const ATTEMPTS_TOGETHER = 8;
/** How long others wait for one that runs alone: its function may wait for them, or for ever. */
const ALONE_MS_MAX = 1000;
/** The longest pause before an attempt. */
const PAUSE_MS_MAX = 32;

/** The time in which one transaction runs alone. */
interface Turn {
  readonly over: Promise<void>;
  /** A second call does nothing. */
  end(): void;
}

type Body<T> = (transaction: AsyncTransaction) => Promise<T>;

/** Runs the transactions of a store.
 *
 * They are optimistic: an attempt reads a moment of the store, and its writes are taken if nothing that it has
 * read was written since. Else it is run again. The commit is one step with the look for conflicts, so that
 * what has committed is as if one had run after the other.
 */
export class TransactionRunner {
  readonly #surface: TransactionSurface;
  /** The turn of the transaction that runs alone. */
  #alone: Turn | undefined;

  constructor(surface: TransactionSurface) {
    this.#surface = surface;
  }

  /** Runs a function until its writes are taken, and returns what it returned then.
   *
   * @throws {TypeError | RangeError} An argument is not valid.
   * @throws {StoreError} `CONFLICT`.
   * @throws What the function throws; the signal's reason.
   */
  async run<T>(
    what: string,
    keys: KeySpace,
    body: Body<T>,
    options: TransactionOptions = {},
  ): Promise<T> {
    const { attempts, signal, durable } = resolveTransactionOptions(what, options);
    if (typeof body !== "function") {
      throw new TypeError(`${what}: the body is ${describe(body)}, not a function`);
    }
    let turn: Turn | undefined;
    try {
      for (let attempt = 1;; attempt++) {
        signal?.throwIfAborted();
        // Else it begins at the call, as every operation does.
        while (this.#alone !== undefined && this.#alone !== turn) {
          await abortable(this.#alone.over, signal);
        }
        if (attempt > ATTEMPTS_TOGETHER && this.#alone === undefined) turn = this.#beginTurn();
        const outcome = await this.#attempt(what, { keys, body, attempt, signal, durable });
        if ("result" in outcome) return outcome.result;
        if (attempt >= attempts) throw conflictError(what, keys, attempts, outcome.conflict);
        // Another one each time, so that those that were in each other's way part.
        await pauseUpTo(Math.min(2 ** attempt, PAUSE_MS_MAX), signal);
      }
    } finally {
      turn?.end();
    }
  }

  async #attempt<T>(
    what: string,
    { keys, body, attempt, signal, durable }: {
      keys: KeySpace;
      body: Body<T>;
      attempt: number;
      signal: AbortSignal | undefined;
      durable: boolean | undefined;
    },
  ): Promise<{ result: T } | { conflict: Conflict }> {
    const surface = this.#surface;
    const writes = new WriteSet(surface.router);
    const reads = new ReadSet(surface.router);
    const moment = surface.beginReading(what);
    const transaction = new Transaction(
      keys,
      () => {
        surface.requireOpen(what);
        return moment.source;
      },
      writes,
      reads,
    );
    try {
      const around = new AsyncTransaction(transaction, attempt);
      const result = await abortable(body(around), signal);
      AsyncTransaction.finish(around);
      transaction.end();
      signal?.throwIfAborted();
      surface.requireOpen(what);
      // What has only read is as if it had run when it began.
      if (writes.bytes === 0) {
        transaction.committed(moment.position);
        return { result };
      }
      const conflict = moment.findConflict(reads);
      if (conflict !== undefined) return { conflict };
      // While the moment is held, a write would have to seal what it shares.
      moment.release();
      transaction.committed(await surface.commit(what, writes, durable));
      return { result };
    } finally {
      transaction.end();
      moment.release();
    }
  }

  /** Keeps others from beginning an attempt, until the turn is ended or a second has passed. It lasts over the
   * attempts of one transaction: what was under way before can then be in its way once, and no more. */
  #beginTurn(): Turn {
    const { promise, resolve } = Promise.withResolvers<void>();
    const end = () => {
      clearTimeout(timer);
      if (this.#alone === turn) this.#alone = undefined;
      resolve();
    };
    const turn = { over: promise, end };
    const timer = setTimeout(end, ALONE_MS_MAX);
    timer.unref();
    return this.#alone = turn;
  }
}

function conflictError(
  what: string,
  keys: KeySpace,
  attempts: number,
  conflict: Conflict,
): StoreError {
  const key = conflict.key && keys.outside(conflict.key);
  const reason = key === undefined
    ? "more was written meanwhile than is remembered"
    : `the key ${showKey(key)}, which it had read, was written by others before it could commit`;
  const times = attempts === 1 ? "in its only attempt" : `in the last of ${attempts} attempts`;
  return new StoreError(
    "CONFLICT",
    `${what}: ${times}, ${reason}; nothing of it is written: run it again later`,
    key === undefined ? {} : { key },
  );
}
