/** Transactions around `await`: what their functions get.
 *
 * @module
 */

import type { Entry } from "../../backends/engine.ts";
import { answer, answerBytes } from "../../runtime/turn.ts";
import { rowsOfAsync } from "../read/scan.ts";
import type { BytesLike, ScanRange, WriteOptions } from "../types.ts";
import type { Transaction } from "./transaction.ts";

/** How a transaction around `await` is run.
 *
 * @category HybridStore
 */
export interface TransactionOptions extends WriteOptions {
  /** How often its function is run at most, an integer from 1 on; 16 by default. */
  attempts?: number;
  /** Ends the transaction when it is aborted: nothing is written, and the promise rejects with the signal's
   * reason. A commit that has begun is not undone. */
  signal?: AbortSignal;
}

/** Reads and writes that take effect together: what `HybridStore.transaction` passes to its function.
 *
 * Reads see one moment, that at which the attempt began, and over it the transaction's own writes. Nothing
 * is written before the function has ended. It can be used until then.
 *
 * @category HybridStore
 */
export class AsyncTransaction {
  /** Which attempt this is, from 1 on. */
  readonly attempt: number;
  readonly #transaction: Transaction;
  #atCommit: (() => void) | undefined;

  /** @internal */
  constructor(transaction: Transaction, attempt: number) {
    this.#transaction = transaction;
    this.attempt = attempt;
  }

  /** Sets what is called when the function has ended, in one step with the commit: what it writes is part of the
   * transaction, and what it throws ends it.
   *
   * @internal
   */
  static atCommit(transaction: AsyncTransaction, action: () => void): void {
    transaction.#atCommit = action;
  }

  /** Returns what it reads and writes: for several steps of it with nothing in between.
   *
   * @internal
   */
  static stepsOf(transaction: AsyncTransaction): Transaction {
    return transaction.#transaction;
  }

  /** Does what is to be done at the commit.
   *
   * @internal
   */
  static finish(transaction: AsyncTransaction): void {
    transaction.#atCommit?.();
  }

  /** The journal position behind its writes, once they are acknowledged; `undefined` until then. */
  get position(): bigint | undefined {
    return this.#transaction.position;
  }

  /** Returns this transaction as it looks to the keys below a prefix, which are given and returned without it.
   * Throws as {@linkcode Transaction.sub} does. */
  sub(prefix: BytesLike): AsyncTransaction {
    return new AsyncTransaction(this.#transaction.sub(prefix), this.attempt);
  }

  /** Returns the value of a key, as a copy, or `undefined`.
   *
   * @throws {TypeError | RangeError} The key is not valid.
   * @throws {StoreError} `CLOSED`: the transaction is over, or the store is closed.
   */
  get(key: BytesLike): Promise<Uint8Array | undefined> {
    return promised(() => answerBytes(this.#transaction.get(key)));
  }

  /** Returns whether there is a key. Throws as {@linkcode AsyncTransaction.get} does. */
  has(key: BytesLike): Promise<boolean> {
    return promised(() => answer(this.#transaction.has(key), true));
  }

  /** Returns the values of some keys, in their order. Throws as {@linkcode AsyncTransaction.get} does. */
  getMany(keys: readonly BytesLike[]): Promise<(Uint8Array | undefined)[]> {
    return promised(() => answer(this.#transaction.getMany(keys)));
  }

  /** Yields the entries of a range, including the transaction's own writes. What is not iterated counts as
   * not read, but for the rest of a page.
   *
   * @throws {TypeError | RangeError} The range is not valid.
   * @throws {StoreError} `CLOSED`: the transaction is over, or the store is closed.
   */
  scan(range?: ScanRange): AsyncIterableIterator<Entry> {
    return rowsOfAsync(this.#transaction.entryPages(range));
  }

  /** Yields the keys of a range, without reading their values. Otherwise as `scan`. */
  keys(range?: ScanRange): AsyncIterableIterator<Uint8Array> {
    return rowsOfAsync(this.#transaction.keyPages(range));
  }

  /** Counts the keys of a range. Reads all of them. */
  count(range?: ScanRange): Promise<number> {
    return promised(() => answer(this.#transaction.count(range)));
  }

  /** Sets the value of a key; both are copied.
   *
   * @throws {TypeError} Key or value is not valid.
   * @throws {RangeError} A limit is exceeded, or the transaction would grow past 512 MiB.
   * @throws {StoreError} `CLOSED`: the transaction is over.
   */
  put(key: BytesLike, value: BytesLike): void {
    this.#transaction.put(key, value);
  }

  /** Removes a key. Deleting a missing key is not an error. Throws as {@linkcode AsyncTransaction.put} does. */
  delete(key: BytesLike): void {
    this.#transaction.delete(key);
  }

  /** Moves a cursor of the change feed together with the transaction's writes; see {@linkcode Batch.advance}.
   * Throws as {@linkcode Transaction.advance} does. */
  advance(name: string, position: bigint): void {
    this.#transaction.advance(name, position);
  }

  /** Deletes the keys of a range, including the transaction's own, and counts as a read of all of it.
   *
   * @param range The keys; `{}` stands for all of them.
   * @returns How many there were.
   * @throws As `Transaction.deleteRange` does.
   */
  deleteRange(range: ScanRange): Promise<number> {
    return promised(() => answer(this.#transaction.deleteRange(range)));
  }

  /** Adds to a u64 counter and returns the new value; see `HybridStore.fetchAndAddU64`. */
  fetchAndAddU64(key: BytesLike, delta: bigint): Promise<bigint> {
    return promised(() => answer(this.#transaction.fetchAndAddU64(key, delta), true));
  }

  /** Replaces an f32 and returns the new value; see `HybridStore.compareAndSwapF32`. */
  compareAndSwapF32(key: BytesLike, update: (current: number) => number): Promise<number> {
    return promised(() => answer(this.#transaction.compareAndSwapF32(key, update), true));
  }
}

/** Returns the promise of a function, rejected with what the function throws. */
function promised<T>(read: () => Promise<T>): Promise<T> {
  try {
    return read();
  } catch (error) {
    return Promise.reject(error);
  }
}
