/** The contract of an ordered store: what code can rely on that is to run on one file, in memory or on a cluster.
 *
 * @module
 */

import type { Entry } from "../backends/engine.ts";
import type { TransactionOptions } from "./write/async_transaction.ts";
import type { BytesLike, KVStore, PageSize, ScanRange, WriteOptions } from "./types.ts";

/** Reads of an ordered store, or of one moment of it. The bytes that they return belong to the caller.
 *
 * @category Contract
 */
export interface OrderedReader {
  /** Returns the value of a key, `undefined` if there is none. */
  get(key: BytesLike): Promise<Uint8Array | undefined>;
  /** Returns whether there is a key. */
  has(key: BytesLike): Promise<boolean>;
  /** Returns the values of some keys, in the order of the keys, all at one moment. */
  getMany(keys: readonly BytesLike[]): Promise<(Uint8Array | undefined)[]>;
  /** Yields the entries of a range, in byte order or in reverse, in pages each of which shows one moment. */
  scan(range?: ScanRange): AsyncIterableIterator<Entry>;
  /** Yields the entries of a range in pages. */
  scanPages(range?: ScanRange, size?: PageSize): AsyncIterableIterator<Entry[]>;
  /** Yields the keys of a range. */
  keys(range?: ScanRange): AsyncIterableIterator<Uint8Array>;
  /** Returns all entries whose key begins with a prefix, ascending, at one moment. */
  scanPrefix(prefix: BytesLike): Promise<Entry[]>;
  /** Counts the keys of a range. */
  count(range?: ScanRange): Promise<number>;
}

/** One moment of an ordered store, until it is closed.
 *
 * @category Contract
 */
export interface OrderedSnapshot extends OrderedReader, AsyncDisposable {
  /** Releases the moment. A second call does nothing. */
  close(): void | Promise<void>;
}

/** Writes that take effect together, when they are committed.
 *
 * @category Contract
 */
export interface OrderedBatch {
  /** The number of keys that are written, without those that only ranges delete. */
  readonly size: number;
  /** Adds a put; both are copied. */
  put(key: BytesLike, value: BytesLike): this;
  /** Adds a deletion. */
  delete(key: BytesLike): this;
  /** Adds the deletion of a range: of what the batch has put there so far, and of what the store has when it is
   * committed. */
  deleteRange(range: Omit<ScanRange, "limit">): this;
  /** Returns this batch as it looks to the keys below a prefix. */
  sub(prefix: BytesLike): OrderedBatch;
  /** Commits the batch, once: all of it or nothing. */
  commit(options?: WriteOptions): Promise<unknown>;
}

/** Reads and writes that take effect together, as if nothing happened in between.
 *
 * @category Contract
 */
export interface OrderedTransaction {
  /** Which attempt this is, from 1 on. */
  readonly attempt: number;
  /** Returns the value of a key, the transaction's own write before that of the store. */
  get(key: BytesLike): Promise<Uint8Array | undefined>;
  /** Returns whether there is a key. */
  has(key: BytesLike): Promise<boolean>;
  /** Returns the values of some keys, in their order. */
  getMany(keys: readonly BytesLike[]): Promise<(Uint8Array | undefined)[]>;
  /** Yields the entries of a range, with the transaction's own writes. */
  scan(range?: ScanRange): AsyncIterableIterator<Entry>;
  /** Yields the keys of a range. */
  keys(range?: ScanRange): AsyncIterableIterator<Uint8Array>;
  /** Counts the keys of a range. */
  count(range?: ScanRange): Promise<number>;
  /** Sets the value of a key; both are copied. */
  put(key: BytesLike, value: BytesLike): void;
  /** Removes a key. */
  delete(key: BytesLike): void;
  /** Deletes the keys of a range, and returns how many there were. */
  deleteRange(range: ScanRange): Promise<number>;
  /** Adds to a u64 counter and returns the new value. */
  fetchAndAddU64(key: BytesLike, delta: bigint): Promise<bigint>;
  /** Replaces an f32 and returns the new value. */
  compareAndSwapF32(key: BytesLike, update: (current: number) => number): Promise<number>;
  /** Returns this transaction as it looks to the keys below a prefix. */
  sub(prefix: BytesLike): OrderedTransaction;
}

/** An ordered store of bytes, whatever it is made of. {@linkcode HybridStore} is one, in a directory and in memory,
 * and so is each {@linkcode SubStore}.
 *
 * Calls take effect in the order in which they are made, and a read sees every earlier write of the same store
 * object. Keys and values are copied before a call returns; a string stands for its UTF-8. Keys have at least 1
 * byte, unless they are below a prefix, and at most {@linkcode MAX_KEY_BYTES}. Arguments that are not valid are a
 * `TypeError` or a `RangeError`, everything else that fails a `StoreError`, after which nothing has changed.
 *
 * @category Contract
 * @example Code that does not know what it runs on
 * ```ts
 * import { HybridStore, type OrderedStore } from "@hybrid/store";
 * import { assertEquals } from "@std/assert";
 *
 * async function addUser(store: OrderedStore, name: string): Promise<bigint> {
 *   return await store.transaction(async (tx) => {
 *     const id = await tx.fetchAndAddU64("users", 1n);
 *     tx.sub("user/").put(`${id}`, name);
 *     return id;
 *   });
 * }
 *
 * await using memory = await HybridStore.openMemory();
 * await using file = await HybridStore.openTemp();
 * for (const store of [memory, file, file.sub("tenant/")]) {
 *   assertEquals(await addUser(store, "Ada"), 1n);
 * }
 * ```
 */
export interface OrderedStore extends OrderedReader, KVStore {
  /** Sets the value of a key. */
  put(key: BytesLike, value: BytesLike, options?: WriteOptions): Promise<void>;
  /** Removes a key. Deleting a missing key is not an error. */
  delete(key: BytesLike, options?: WriteOptions): Promise<void>;
  /** Deletes the keys of a range together, and returns how many there were. */
  deleteRange(range: ScanRange, options?: WriteOptions): Promise<number>;
  /** Adds to a u64 counter and returns the new value. */
  fetchAndAddU64(key: BytesLike, delta: bigint, options?: WriteOptions): Promise<bigint>;
  /** Replaces an f32 by what `update` returns for it, and returns the new value. */
  compareAndSwapF32(
    key: BytesLike,
    update: (current: number) => number,
    options?: WriteOptions,
  ): Promise<number>;
  /** Returns an empty batch. */
  batch(): OrderedBatch;
  /** Runs a function that reads, waits and writes, and commits its writes together; again, if what it has read was
   * written by others meanwhile. `CONFLICT` where every attempt failed. */
  transaction<T>(
    body: (transaction: OrderedTransaction) => Promise<T>,
    options?: TransactionOptions,
  ): Promise<T>;
  /** Returns the store as it is now, readable while writes go on. */
  snapshot(): Promise<OrderedSnapshot>;
  /** Returns the keys below a prefix as a store of their own. */
  sub(prefix: BytesLike): OrderedStore;
}
