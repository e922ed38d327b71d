import type { Entry } from "../../backends/engine.ts";
import { StoreError } from "../../codec/error.ts";
import { addU64, updateF32 } from "./counter.ts";
import { checkKey, checkValue } from "../limits.ts";
import { ENTRY_ROWS, hasKey, type ReadSource, readValue } from "../read/merge.ts";
import { RunningFunction } from "./running_function.ts";
import { resolveRange, rows } from "../read/scan.ts";
import type { ScanRange } from "../types.ts";
import type { WriteSet } from "./write_set.ts";

/** What a function may return that must not wait: a type itself, and nothing that can be assigned to
 * where it is a promise. */
export type Synchronous<T> = T extends PromiseLike<unknown>
  ? "not a promise: the function must be synchronous"
  : T;

/** Reads and writes that take effect together: what `HybridStore.transact` hands to its function.
 *
 * Reads see the store and the transaction's own writes. Everything is synchronous, so that nothing
 * else can happen in between; a transaction needs no retry and cannot conflict. It is usable until the
 * function returns.
 */
export class Transaction {
  readonly #source: () => ReadSource;
  readonly #writes: WriteSet;
  readonly #running = new RunningFunction();
  #isOver = false;

  /** @internal */
  constructor(source: () => ReadSource, writes: WriteSet) {
    this.#writes = writes;
    this.#source = () => {
      this.#requireActive("Cannot scan in transaction");
      const below = source();
      return { ...below, overlays: [writes.memtable, ...below.overlays] };
    };
  }

  /** Returns the value of a key, as a copy, or `undefined`.
   *
   * @throws {TypeError | RangeError} The key is not valid.
   * @throws {StoreError} `CLOSED`: the transaction is over.
   */
  get(key: Uint8Array): Uint8Array | undefined {
    this.#check("Cannot get key in transaction", key);
    return readValue(this.#source(), key);
  }

  /** Returns whether a key is there. Throws as {@linkcode Transaction.get} does. */
  has(key: Uint8Array): boolean {
    this.#check("Cannot look for key in transaction", key);
    return hasKey(this.#source(), key);
  }

  /** Sets the value of a key; both are copied.
   *
   * @throws {TypeError | RangeError} Key or value is not valid, or the transaction grows past 512 MiB;
   * or an update function of the transaction is running.
   * @throws {StoreError} `CLOSED`: the transaction is over.
   */
  put(key: Uint8Array, value: Uint8Array): void {
    const what = "Cannot put key in transaction";
    this.#running.requireNone(what);
    this.#check(what, key);
    checkValue(what, value);
    this.#writes.add(what, key, value);
  }

  /** Removes a key; one that is absent is no error. Throws as {@linkcode Transaction.put} does. */
  delete(key: Uint8Array): void {
    const what = "Cannot delete key in transaction";
    this.#running.requireNone(what);
    this.#check(what, key);
    this.#writes.add(what, key, undefined);
  }

  /** Yields the entries of a range, the transaction's own writes among them.
   *
   * @throws {TypeError | RangeError} The range is not valid.
   */
  scan(range?: ScanRange): IterableIterator<Entry> {
    return rows(this.#source, ENTRY_ROWS, resolveRange("Cannot scan in transaction", range));
  }

  /** Adds to a u64 counter and returns the new value; see `HybridStore.fetchAndAddU64`. */
  fetchAndAddU64(key: Uint8Array, delta: bigint): bigint {
    const what = "Cannot add to counter in transaction";
    this.#running.requireNone(what);
    this.#check(what, key);
    const { sum, bytes } = addU64(what, key, readValue(this.#source(), key), delta);
    this.#writes.add(what, key, bytes);
    return sum;
  }

  /** Replaces an f32 and returns the new value; see `HybridStore.compareAndSwapF32`. While `update`
   * runs, the transaction takes no writes. */
  compareAndSwapF32(key: Uint8Array, update: (current: number) => number): number {
    const what = "Cannot update number in transaction";
    this.#running.requireNone(what);
    this.#check(what, key);
    const stored = readValue(this.#source(), key);
    const { next, bytes } = this.#running.run("update", () => updateF32(what, key, stored, update));
    this.#writes.add(what, key, bytes);
    return next;
  }

  /** Ends the transaction.
   *
   * @internal
   */
  end(): void {
    this.#isOver = true;
  }

  #check(what: string, key: Uint8Array): void {
    this.#requireActive(what);
    checkKey(what, key);
  }

  #requireActive(what: string): void {
    if (this.#isOver) throw new StoreError("CLOSED", `${what}: the transaction is over`);
  }
}
