/** The write surface of a store: every operation that changes it.
 *
 * @module
 */

import type { Router } from "../../codec/route.ts";
import { describe, keyBytes, valueBytes } from "../limits.ts";
import { hashKey } from "../memtable/key_hash.ts";
import { OPERATIONS } from "../operation.ts";
import { viewValue } from "../read/merge.ts";
import { type ReadSurface, StoreReader } from "../read/reader.ts";
import { resolveDeletion } from "../read/scan.ts";
import type { BytesLike, ScanRange } from "../types.ts";
import type { AsyncTransaction, TransactionOptions } from "./async_transaction.ts";
import { Batch } from "./batch.ts";
import { addU64, updateF32 } from "./counter.ts";
import type { RunningFunction } from "./running_function.ts";
import { type Synchronous, Transaction } from "./transaction.ts";
import { type ReadMoment, TransactionRunner } from "./transaction_runner.ts";
import type { WritePath } from "./write_path.ts";
import { WriteSet } from "./write_set.ts";

/** What a writer writes to. */
export interface WriteSurface extends ReadSurface {
  readonly router: Router;
  readonly writes: WritePath;
  /** Which of the caller's functions runs in the midst of a write. */
  readonly running: RunningFunction;
  /** Begins to read the store as it is now, for a transaction.
   *
   * @throws {StoreError} `TOO_MANY_SNAPSHOTS`, `IO`.
   */
  beginReading(): ReadMoment;
  /** @throws {StoreError} `CLOSED`. */
  requireOpen(what: string): void;
}

/** Writes of an ordered store, besides its reads. Each operation first checks that the store is open, then its
 * arguments, and only then begins.
 *
 * @category HybridStore
 */
export abstract class StoreWriter extends StoreReader {
  readonly #surface: WriteSurface;
  readonly #transactions: TransactionRunner;

  /** @internal */
  constructor(surface: WriteSurface) {
    super(surface);
    this.#surface = surface;
    this.#transactions = new TransactionRunner({
      router: surface.router,
      requireOpen: (what) => surface.requireOpen(what),
      beginReading: (what) => idle(what, surface).beginReading(),
      commit: (what, set) => this.#commit(what, set),
    });
  }

  /** Sets the value of a key. Resolves when it is acknowledged: see {@linkcode Durability}.
   *
   * @param key 1 to 1978 bytes.
   * @param value 0 bytes to 128 MiB.
   * @throws {TypeError | RangeError} Key or value is not valid; nothing changed.
   * @throws {StoreError} `NO_SPACE`, `IO`, `POISONED`, `CLOSED`.
   */
  put(key: BytesLike, value: BytesLike): Promise<void> {
    return OPERATIONS.put.promise(this.#surface, key, value, putKey);
  }

  /** Removes a key. Deleting a missing key is not an error. Resolves and throws as `put` does. */
  delete(key: BytesLike): Promise<void> {
    return OPERATIONS.delete.promise(this.#surface, key, undefined, deleteKey);
  }

  /** Returns an empty batch: writes that take effect together, over both engines.
   *
   * @throws {StoreError} `CLOSED`.
   */
  batch(): Batch {
    const surface = this.#surface;
    surface.requireOpen("Cannot begin batch");
    return new Batch(new WriteSet(surface.router), (set) => {
      return OPERATIONS.batch.promise(surface, undefined, undefined, (what) => {
        return this.#commit(what, set);
      });
    });
  }

  /** Runs a function that reads and writes, and commits its writes together, over both engines.
   *
   * The function runs at once and must be synchronous, so that nothing happens in between and nothing
   * has to be tried again. Where it throws, nothing is written and the promise rejects with its error.
   *
   * While it runs, the store itself can be read, but not written: what its own methods wrote would be
   * overwritten by the transaction. They reject with a `TypeError`, and so do `flush`, `checkpoint`,
   * `snapshot`, `backup` and `verify`, which would write what the function has read. `close` is taken,
   * and the transaction is then refused.
   *
   * @param body Gets a {@linkcode Transaction}. A function that returns a promise is refused by the
   * compiler, and when it has run.
   * @returns What the function returned, once its writes are acknowledged.
   * @throws {TypeError} `body` is not a function, or returned a promise; nothing is written.
   * @throws {StoreError} As `put` does.
   *
   * @example
   * ```ts
   * import { HybridStore } from "@hybrid/store";
   * import { assertEquals } from "@std/assert";
   *
   * await using store = await HybridStore.openTemp();
   * await store.fetchAndAddU64("stock/shelf", 10n);
   * const left = await store.transact((tx) => {
   *   tx.fetchAndAddU64("stock/cart", 3n);
   *   return tx.fetchAndAddU64("stock/shelf", -3n);
   * });
   * assertEquals(left, 7n);
   * ```
   */
  transact<T>(body: (transaction: Transaction) => Synchronous<T>): Promise<T> {
    return OPERATIONS.transact.promise(this.#surface, undefined, undefined, async (what) => {
      const surface = idle(what, this.#surface);
      if (typeof body !== "function") {
        throw new TypeError(`${what}: the body is ${describe(body)}, not a function`);
      }
      const set = new WriteSet(surface.router);
      const transaction = new Transaction(() => surface.source(what), set);
      let result: T;
      try {
        // Of what is not a promise, the two types are one.
        result = surface.running.run("transact", () => body(transaction)) as T;
      } finally {
        transaction.end();
      }
      if (typeof (result as { then?: unknown } | null | undefined)?.then === "function") {
        // It may reject later, which must not end the process.
        (result as PromiseLike<unknown>).then(() => {}, () => {});
        throw new TypeError(`${what}: the function returned a promise; it has to be synchronous`);
      }
      await this.#commit(what, set);
      return result;
    });
  }

  /** Runs a function that reads, waits for whatever it likes, and writes, and commits its writes together,
   * over both engines.
   *
   * The function may run more than once: everything it does besides has to bear that. Each attempt reads the
   * store as it was when the attempt began. Its writes are taken if nothing that it has read was written
   * since, by whomever; keys count that were not there, and so do the parts of ranges that were scanned.
   * Otherwise it is run again after a short pause. So what has committed is as if one transaction had run
   * after the other, and one that only reads never conflicts. After eight attempts it is run while other
   * transactions wait, for a second at most; writes do not.
   *
   * What was written since an attempt began is remembered up to four times `memtableBytes`. With more, the
   * attempt fails.
   *
   * @param body Gets an {@linkcode AsyncTransaction}. Where it throws, nothing is written, it is not run again,
   * and the promise rejects with its error.
   * @returns What the function returned, once its writes are acknowledged.
   * @throws {TypeError | RangeError} An argument is not valid.
   * @throws {StoreError} `CONFLICT`: every attempt failed; `TOO_MANY_SNAPSHOTS`; as `put` does.
   *
   * @example
   * ```ts
   * import { HybridStore, toText } from "@hybrid/store";
   * import { assertEquals } from "@std/assert";
   *
   * await using store = await HybridStore.openTemp();
   * await store.put("price/EUR", "100");
   * const rate = () => Promise.resolve(1.1);
   * await store.transaction(async (tx) => {
   *   const euros = Number(toText(await tx.get("price/EUR")));
   *   tx.put("price/USD", `${(euros * await rate()).toFixed()}`);
   * });
   * assertEquals(toText(store.getSync("price/USD")), "110");
   * ```
   */
  transaction<T>(
    body: (transaction: AsyncTransaction) => Promise<T>,
    options?: TransactionOptions,
  ): Promise<T> {
    return OPERATIONS.transaction.promise(this.#surface, undefined, undefined, (what) => {
      return this.#transactions.run(what, body, options);
    });
  }

  /** Adds to a counter: 8 bytes, little-endian; an absent key counts as 0.
   *
   * @param delta What to add; negative to subtract.
   * @returns The new value, once it is acknowledged as a put would be.
   * @throws {TypeError} `delta` is not a bigint.
   * @throws {RangeError} The sum is below 0 or above 2^64 - 1; nothing changed.
   * @throws {StoreError} `INVALID_VALUE`: the stored value is not 8 bytes long; as `put` does.
   */
  fetchAndAddU64(key: BytesLike, delta: bigint): Promise<bigint> {
    return OPERATIONS.fetchAndAddU64.promise(this.#surface, key, undefined, (what) => {
      const surface = idle(what, this.#surface);
      const counter = keyBytes(what, key);
      const hash = hashKey(counter);
      const stored = viewValue(surface.source(what), counter, hash);
      const { sum, bytes } = addU64(what, counter, stored, delta);
      surface.writes.requireWritable(what);
      return surface.writes.write(counter, bytes, hash).then(() => sum);
    });
  }

  /** Replaces a number: f32, 4 bytes, little-endian; an absent key counts as 0.
   *
   * @param update Called once, at once, with the stored number; returns the new one. While it runs, the
   * store is read but not written, as while a function of `transact` runs.
   * @returns The new number, rounded to f32, once it is acknowledged as a put would be.
   * @throws {TypeError} `update` is not a function, or does not return a number.
   * @throws {RangeError} `update` returns NaN; nothing changed.
   * @throws {StoreError} `INVALID_VALUE`: the stored value is not 4 bytes long; as `put` does.
   */
  compareAndSwapF32(key: BytesLike, update: (current: number) => number): Promise<number> {
    return OPERATIONS.compareAndSwapF32.promise(this.#surface, key, undefined, (what) => {
      const surface = idle(what, this.#surface);
      const number = keyBytes(what, key);
      const hash = hashKey(number);
      const stored = viewValue(surface.source(what), number, hash);
      const { next, bytes } = surface.running.run("update", () => {
        return updateF32(what, number, stored, update);
      });
      // The function that was called may have closed the store.
      surface.requireOpen(what);
      surface.writes.requireWritable(what);
      return surface.writes.write(number, bytes, hash).then(() => next);
    });
  }

  /** Deletes the keys of a range together: all of them or none. It takes effect at the call, and the
   * event loop waits while the keys are read. Costs memory for all of the keys, a few hundred bytes
   * each, and none for their values: delete a larger range in parts.
   *
   * @param range The keys; `{}` stands for all of them.
   * @returns How many there were, once that is acknowledged.
   * @throws {TypeError} The range is missing, or a bound in it is `undefined`; nothing is deleted.
   * @throws {RangeError} The range is not valid, or its keys, 7 bytes for each included, exceed the 512 MiB of a
   * batch; nothing is deleted.
   * @throws {StoreError} As `put` does.
   */
  deleteRange(range: ScanRange): Promise<number> {
    return OPERATIONS.deleteRange.promise(this.#surface, undefined, undefined, async (what) => {
      const surface = idle(what, this.#surface);
      const set = new WriteSet(surface.router);
      const source = () => surface.source(what);
      const deleted = set.deleteFound(what, source, [resolveDeletion(what, range)]);
      await this.#commit(what, set);
      return deleted;
    });
  }

  #commit(what: string, set: WriteSet): Promise<void> {
    const surface = idle(what, this.#surface);
    const { writes } = surface;
    set.resolveRanges(what, () => surface.source(what));
    // A transaction that only read succeeds also where the journal takes nothing.
    if (set.bytes > 0) writes.requireWritable(what);
    set.isCommitted = true;
    return writes.writeAll(set);
  }
}

function putKey(
  what: string,
  surface: WriteSurface,
  key: BytesLike,
  value: BytesLike,
): Promise<void> {
  const { writes } = idle(what, surface);
  const bytes = keyBytes(what, key);
  const written = valueBytes(what, value);
  writes.requireWritable(what);
  return writes.write(bytes, written, hashKey(bytes));
}

function deleteKey(what: string, surface: WriteSurface, key: BytesLike): Promise<void> {
  const { writes } = idle(what, surface);
  const bytes = keyBytes(what, key);
  writes.requireWritable(what);
  return writes.write(bytes, undefined, hashKey(bytes));
}

/** Returns the surface, unless the store is closed or a function runs that has read from it. */
function idle(what: string, surface: WriteSurface): WriteSurface {
  surface.requireOpen(what);
  surface.running.requireNone(what);
  return surface;
}
