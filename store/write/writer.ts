/** The write surface of a store: every operation that changes it.
 *
 * @module
 */

import type { Router } from "../../codec/route.ts";
import { resolveDurable } from "../call_options.ts";
import { describe, valueBytes } from "../limits.ts";
import { hashKey } from "../memtable/key_hash.ts";
import { OPERATIONS } from "../operation.ts";
import { viewValue } from "../read/merge.ts";
import { type ReadSurface, StoreReader } from "../read/reader.ts";
import { resolveDeletion } from "../range.ts";
import type { BytesLike, ScanRange, WriteOptions } from "../types.ts";
import type { AsyncTransaction, TransactionOptions } from "./async_transaction.ts";
import { Batch } from "./batch.ts";
import { commitSet, type CommitSurface, idle } from "./commit.ts";
import { addU64, updateF32 } from "./counter.ts";
import { type Synchronous, Transaction } from "./transaction.ts";
import type { TransactionRunner } from "./transaction_runner.ts";
import { WriteSet } from "./write_set.ts";

/** What a writer writes to. */
export interface WriteSurface extends ReadSurface, CommitSurface {
  readonly router: Router;
  /** Runs the transactions around `await` of the store. */
  readonly transactions: TransactionRunner;
}

/** Writes of an ordered store, besides its reads. Each operation first checks that the store is open, then its
 * arguments, and only then begins.
 *
 * @category HybridStore
 */
export abstract class StoreWriter extends StoreReader {
  readonly #surface: WriteSurface;

  /** @internal */
  constructor(surface: WriteSurface) {
    super(surface);
    this.#surface = surface;
  }

  /** Sets the value of a key. Resolves when it is acknowledged: see {@linkcode Durability}.
   *
   * @param key 1 to 2600 bytes; 1978 in a store that was created with that limit.
   * @param value 0 bytes to 128 MiB.
   * @throws {TypeError | RangeError} An argument is not valid; nothing changed.
   * @throws {StoreError} `NO_SPACE`, `IO`, `POISONED`, `CLOSED`.
   */
  put(key: BytesLike, value: BytesLike, options?: WriteOptions): Promise<void> {
    if (options === undefined) return OPERATIONS.put.promise(this.#surface, key, value, putKey);
    return OPERATIONS.put.promise(this.#surface, key, value, (what, surface, key, value) => {
      return putKey(what, surface, key, value, resolveDurable(what, options));
    });
  }

  /** Removes a key. Deleting a missing key is not an error. Resolves and throws as `put` does. */
  delete(key: BytesLike, options?: WriteOptions): Promise<void> {
    if (options === undefined) {
      return OPERATIONS.delete.promise(this.#surface, key, undefined, deleteKey);
    }
    return OPERATIONS.delete.promise(this.#surface, key, undefined, (what, surface, key, value) => {
      return deleteKey(what, surface, key, value, resolveDurable(what, options));
    });
  }

  /** Returns an empty batch: writes that take effect together, over both engines.
   *
   * @throws {StoreError} `CLOSED`.
   */
  batch(): Batch {
    const surface = this.#surface;
    surface.requireOpen("Cannot begin batch");
    return new Batch(surface.keys, new WriteSet(surface.router), (set, options) => {
      return OPERATIONS.batch.promise(surface, undefined, undefined, (what) => {
        return commitSet(what, surface, set, resolveDurable(what, options));
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
   * @returns What the function returned, once its writes are acknowledged. Where they end in the journal is then
   * the transaction's `position`.
   * @throws {TypeError} `body` is not a function, or returned a promise, or an option is not valid; nothing is
   * written.
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
  transact<T>(
    body: (transaction: Transaction) => Synchronous<T>,
    options?: WriteOptions,
  ): Promise<T> {
    return OPERATIONS.transact.promise(this.#surface, undefined, undefined, async (what) => {
      const surface = idle(what, this.#surface);
      if (typeof body !== "function") {
        throw new TypeError(`${what}: the body is ${describe(body)}, not a function`);
      }
      const durable = resolveDurable(what, options);
      const set = new WriteSet(surface.router);
      const transaction = new Transaction(surface.keys, () => surface.source(what), set);
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
      transaction.committed(await commitSet(what, surface, set, durable));
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
      const { transactions, keys } = idle(what, this.#surface);
      return transactions.run(what, keys, body, options);
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
  fetchAndAddU64(key: BytesLike, delta: bigint, options?: WriteOptions): Promise<bigint> {
    return OPERATIONS.fetchAndAddU64.promise(this.#surface, key, undefined, (what) => {
      const surface = idle(what, this.#surface);
      const counter = surface.keys.key(what, key);
      const durable = resolveDurable(what, options);
      const hash = hashKey(counter);
      const stored = viewValue(surface.source(what), counter, hash);
      const { sum, bytes } = addU64(what, counter, stored, delta);
      surface.writes.requireWritable(what);
      return surface.writes.write(counter, bytes, hash, durable).then(() => sum);
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
  compareAndSwapF32(
    key: BytesLike,
    update: (current: number) => number,
    options?: WriteOptions,
  ): Promise<number> {
    return OPERATIONS.compareAndSwapF32.promise(this.#surface, key, undefined, (what) => {
      const surface = idle(what, this.#surface);
      const number = surface.keys.key(what, key);
      const durable = resolveDurable(what, options);
      const hash = hashKey(number);
      const stored = viewValue(surface.source(what), number, hash);
      const { next, bytes } = surface.running.run("update", () => {
        return updateF32(what, number, stored, update);
      });
      // The function that was called may have closed the store.
      surface.requireOpen(what);
      surface.writes.requireWritable(what);
      return surface.writes.write(number, bytes, hash, durable).then(() => next);
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
  deleteRange(range: ScanRange, options?: WriteOptions): Promise<number> {
    return OPERATIONS.deleteRange.promise(this.#surface, undefined, undefined, async (what) => {
      const surface = idle(what, this.#surface);
      const scan = resolveDeletion(what, surface.keys, range);
      const durable = resolveDurable(what, options);
      const set = new WriteSet(surface.router);
      const deleted = set.deleteFound(what, () => surface.source(what), [scan]);
      await commitSet(what, surface, set, durable);
      return deleted;
    });
  }
}

function putKey(
  what: string,
  surface: WriteSurface,
  key: BytesLike,
  value: BytesLike,
  durable?: boolean,
): Promise<void> {
  const { writes, keys } = idle(what, surface);
  const bytes = keys.key(what, key);
  const written = valueBytes(what, value);
  writes.requireWritable(what);
  return writes.write(bytes, written, hashKey(bytes), durable);
}

function deleteKey(
  what: string,
  surface: WriteSurface,
  key: BytesLike,
  _value?: undefined,
  durable?: boolean,
): Promise<void> {
  const { writes, keys } = idle(what, surface);
  const bytes = keys.key(what, key);
  writes.requireWritable(what);
  return writes.write(bytes, undefined, hashKey(bytes), durable);
}
