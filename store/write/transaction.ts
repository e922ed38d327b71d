/** Transactions: a function that reads and writes, with nothing in between.
 *
 * @module
 */

import type { Entry } from "../../backends/engine.ts";
import { StoreError } from "../../codec/error.ts";
import { addU64, updateF32 } from "./counter.ts";
import type { KeySpace } from "../key_space.ts";
import { valueBytes } from "../limits.ts";
import { hashKey } from "../memtable/key_hash.ts";
import {
  ENTRY_ROWS,
  hasKey,
  KEY_ROWS,
  type ReadSource,
  readValue,
  type RowKind,
} from "../read/merge.ts";
import { requireKeys } from "../read/reader.ts";
import { RunningFunction } from "./running_function.ts";
import { resolveDeletion, resolveRange, type Scan } from "../range.ts";
import { pages, type Paging, rowsOf } from "../read/scan.ts";
import type { BytesLike, ScanRange } from "../types.ts";
import type { ReadSet } from "./read_set.ts";
import type { WriteSet } from "./write_set.ts";

/** What a synchronous function may return: any type but a promise. For a promise it is a type that says why the
 * compiler refuses the function.
 *
 * @category HybridStore
 */
export type Synchronous<T> = T extends PromiseLike<unknown>
  ? "not a promise: the function must be synchronous"
  : T;

/** What a transaction and its parts share. */
interface TransactionState {
  isOver: boolean;
  position: bigint | undefined;
}

/** Reads and writes that take effect together: what `HybridStore.transact` passes to its function.
 *
 * Reads see the store and the transaction's own writes. Everything is synchronous, so nothing else can
 * happen in between: a transaction cannot conflict and needs no retry. It can be used until the function
 * returns.
 *
 * @category HybridStore
 */
export class Transaction {
  readonly #keys: KeySpace;
  readonly #source: () => ReadSource;
  readonly #writes: WriteSet;
  readonly #reads: ReadSet | undefined;
  readonly #running: RunningFunction;
  readonly #state: TransactionState;

  /**
   * @param reads Notes what is read, where that may change before the transaction commits.
   * @param whole The transaction that this one is a part of.
   * @internal
   */
  constructor(
    keys: KeySpace,
    source: () => ReadSource,
    writes: WriteSet,
    reads?: ReadSet,
    whole?: Transaction,
  ) {
    this.#keys = keys;
    this.#writes = writes;
    this.#reads = reads;
    this.#running = whole === undefined ? new RunningFunction() : whole.#running;
    this.#state = whole === undefined ? { isOver: false, position: undefined } : whole.#state;
    if (whole !== undefined) {
      this.#source = whole.#source;
      return;
    }
    this.#source = () => {
      this.#requireActive("Cannot scan in transaction");
      const below = source();
      return { ...below, layers: [writes.memtable, ...below.layers] };
    };
  }

  /** The journal position behind its writes, once they are acknowledged; `undefined` until then. */
  get position(): bigint | undefined {
    return this.#state.position;
  }

  /** Returns this transaction as it looks to the keys below a prefix, which are given and returned without it.
   *
   * @param prefix At least 1 byte: as a rule, the `prefix` of a {@linkcode SubStore}.
   * @throws {TypeError | RangeError} The prefix is not valid.
   */
  sub(prefix: BytesLike): Transaction {
    const keys = this.#keys.sub("Cannot begin part of transaction", prefix);
    return new Transaction(keys, this.#source, this.#writes, this.#reads, this);
  }

  /** Returns the value of a key, as a copy, or `undefined`.
   *
   * @throws {TypeError | RangeError} The key is not valid.
   * @throws {StoreError} `CLOSED`: the transaction is over.
   */
  get(key: BytesLike): Uint8Array | undefined {
    return this.#read(this.#keyBytes("Cannot get key in transaction", key));
  }

  /** Returns whether there is a key. Throws as {@linkcode Transaction.get} does. */
  has(key: BytesLike): boolean {
    const bytes = this.#keyBytes("Cannot look for key in transaction", key);
    this.#note(bytes);
    return hasKey(this.#source(), bytes);
  }

  /** Sets the value of a key; both are copied.
   *
   * @throws {TypeError} Key or value is not valid, or a function of `compareAndSwapF32` is running.
   * @throws {RangeError} A limit is exceeded, or the transaction would grow past 512 MiB.
   * @throws {StoreError} `CLOSED`: the transaction is over.
   */
  put(key: BytesLike, value: BytesLike): void {
    const what = "Cannot put key in transaction";
    this.#running.requireNone(what);
    this.#writes.add(what, this.#keyBytes(what, key), valueBytes(what, value));
  }

  /** Removes a key. Deleting a missing key is not an error. Throws as {@linkcode Transaction.put} does. */
  delete(key: BytesLike): void {
    const what = "Cannot delete key in transaction";
    this.#running.requireNone(what);
    this.#writes.add(what, this.#keyBytes(what, key), undefined);
  }

  /** Moves a cursor of the change feed together with the transaction's writes; see {@linkcode Batch.advance}.
   *
   * @throws {TypeError | RangeError} Name or position is not valid.
   * @throws {StoreError} `CLOSED`: the transaction is over.
   */
  advance(name: string, position: bigint): void {
    const what = "Cannot advance cursor in transaction";
    this.#running.requireNone(what);
    this.#requireActive(what);
    this.#writes.advance(what, name, position);
  }

  /** Yields the entries of a range, including the transaction's own writes.
   *
   * @throws {TypeError | RangeError} The range is not valid.
   * @throws {StoreError} `CLOSED`: the transaction is over.
   */
  scan(range?: ScanRange): IterableIterator<Entry> {
    return rowsOf(this.entryPages(range));
  }

  /** Yields the keys of a range, without reading their values. Otherwise as `scan`. */
  keys(range?: ScanRange): IterableIterator<Uint8Array> {
    return rowsOf(this.keyPages(range));
  }

  /** Counts the keys of a range. Reads all of them. */
  count(range?: ScanRange): number {
    const scan = resolveRange("Cannot count keys in transaction", this.#keys, range);
    let count = 0;
    for (const keys of this.#pages(KEY_ROWS, scan, "large")) count += keys.length;
    return count;
  }

  /** Returns the values of some keys, in their order. Throws as {@linkcode Transaction.get} does. */
  getMany(keys: readonly BytesLike[]): (Uint8Array | undefined)[] {
    const what = "Cannot get keys in transaction";
    this.#requireActive(what);
    return requireKeys(what, this.#keys, keys).map((key) => this.#read(key));
  }

  /** Deletes the keys of a range, including the transaction's own.
   *
   * @param range The keys; `{}` stands for all of them.
   * @returns How many there were.
   * @throws {TypeError} The range is missing, or a bound in it is `undefined`.
   * @throws {RangeError} The range is not valid; or as {@linkcode Transaction.put} does, and then nothing of
   * the range is deleted.
   */
  deleteRange(range: ScanRange): number {
    const what = "Cannot delete range in transaction";
    this.#running.requireNone(what);
    this.#requireActive(what);
    const scan = resolveDeletion(what, this.#keys, range);
    this.#reads?.addRange(scan.range);
    return this.#writes.deleteFound(what, this.#source, [scan]);
  }

  /** Adds to a u64 counter and returns the new value; see `HybridStore.fetchAndAddU64`. */
  fetchAndAddU64(key: BytesLike, delta: bigint): bigint {
    const what = "Cannot add to counter in transaction";
    this.#running.requireNone(what);
    const counter = this.#keyBytes(what, key);
    const { sum, bytes } = addU64(what, counter, this.#read(counter), delta);
    this.#writes.add(what, counter, bytes);
    return sum;
  }

  /** Replaces an f32 and returns the new value; see `HybridStore.compareAndSwapF32`. While `update`
   * runs, the transaction takes no writes. */
  compareAndSwapF32(key: BytesLike, update: (current: number) => number): number {
    const what = "Cannot update number in transaction";
    this.#running.requireNone(what);
    const number = this.#keyBytes(what, key);
    const stored = this.#read(number);
    const { next, bytes } = this.#running.run("update", () => {
      return updateF32(what, number, stored, update);
    });
    this.#writes.add(what, number, bytes);
    return next;
  }

  /** Returns the pages of `scan`.
   *
   * @internal
   */
  entryPages(range?: ScanRange): Generator<Entry[]> {
    const scan = resolveRange("Cannot scan in transaction", this.#keys, range);
    return this.#pages(ENTRY_ROWS, scan, "small first");
  }

  /** Returns the pages of `keys`.
   *
   * @internal
   */
  keyPages(range?: ScanRange): Generator<Uint8Array[]> {
    const scan = resolveRange("Cannot scan keys in transaction", this.#keys, range);
    return this.#pages(KEY_ROWS, scan, "small first");
  }

  /** Ends the transaction.
   *
   * @internal
   */
  end(): void {
    this.#state.isOver = true;
  }

  /** Notes that its writes are acknowledged.
   *
   * @internal
   */
  committed(position: bigint): void {
    this.#state.position = position;
  }

  #read(key: Uint8Array): Uint8Array | undefined {
    this.#note(key);
    return readValue(this.#source(), key);
  }

  /** Notes that a key is read, unless it is one that the transaction has written. */
  #note(key: Uint8Array): void {
    if (this.#reads === undefined) return;
    const hash = hashKey(key);
    if (this.#writes.memtable.find(key, hash) < 0) this.#reads.addKey(key, hash);
  }

  #pages<Row>(kind: RowKind<Row>, scan: Scan, paging: Paging): Generator<Row[]> {
    const found = pages(this.#source, kind, scan, paging);
    const noted = this.#reads === undefined ? found : this.#reads.noting(found, kind, scan);
    return this.#keys.pages(noted, kind);
  }

  #keyBytes(what: string, key: BytesLike): Uint8Array {
    this.#requireActive(what);
    return this.#keys.key(what, key);
  }

  #requireActive(what: string): void {
    if (this.#state.isOver) throw new StoreError("CLOSED", `${what}: the transaction is over`);
  }
}
