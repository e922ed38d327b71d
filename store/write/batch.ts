/** Batches: writes that are collected before they are committed.
 *
 * @module
 */

import { StoreError } from "../../codec/error.ts";
import type { KeySpace } from "../key_space.ts";
import { valueBytes } from "../limits.ts";
import { resolveBatchDeletion } from "../range.ts";
import type { BytesLike, ScanRange, WriteOptions } from "../types.ts";
import type { WriteSet } from "./write_set.ts";

/** Commits what a batch has collected. */
type Commit = (writes: WriteSet, options: WriteOptions | undefined) => Promise<bigint>;

/** Writes that take effect together, over both engines: all of them or none.
 *
 * `HybridStore.batch()` returns it. Nothing is read or changed before `commit`. If a key is written more than
 * once, the last write wins. Each call copies its key and value; together they may take 512 MiB, 7 bytes a
 * write included.
 *
 * @category HybridStore
 * @example
 * ```ts
 * import { assertionKey, HybridStore, subjectIndexKey } from "@hybrid/store";
 * import { assertEquals } from "@std/assert";
 *
 * await using store = await HybridStore.openTemp();
 * const bytes = new TextEncoder();
 * await store.batch()
 *   .put(assertionKey("Tesla", "h1"), bytes.encode("{}"))
 *   .put(subjectIndexKey("Tesla"), bytes.encode("h1"))
 *   .commit();
 * assertEquals(await store.count(), 2);
 * ```
 */
export class Batch {
  readonly #keys: KeySpace;
  readonly #writes: WriteSet;
  readonly #commit: Commit;

  /** @internal */
  constructor(keys: KeySpace, writes: WriteSet, commit: Commit) {
    this.#keys = keys;
    this.#writes = writes;
    this.#commit = commit;
  }

  /** Returns this batch as it looks to the keys below a prefix, which are given without it: what is put into
   * either is committed with both.
   *
   * @param prefix At least 1 byte: as a rule, the `prefix` of a {@linkcode SubStore}.
   * @throws {TypeError | RangeError} The prefix is not valid.
   *
   * @example
   * ```ts
   * import { HybridStore } from "@hybrid/store";
   * import { assertEquals } from "@std/assert";
   *
   * await using store = await HybridStore.openTemp();
   * const users = store.sub("user/");
   * const batch = store.batch().put("users", "1");
   * batch.sub(users.prefix).put("1", "Ada");
   * await batch.commit();
   * assertEquals([users.hasSync("1"), store.hasSync("user/1")], [true, true]);
   * ```
   */
  sub(prefix: BytesLike): Batch {
    return new Batch(
      this.#keys.sub("Cannot begin part of batch", prefix),
      this.#writes,
      this.#commit,
    );
  }

  /** The number of keys that the batch writes, without those that only its ranges delete. */
  get size(): number {
    return this.#writes.memtable.size;
  }

  /** Adds a put.
   *
   * @param key 1 to 2600 bytes.
   * @param value 0 bytes to 128 MiB.
   * @returns The batch.
   * @throws {TypeError} Key or value is not valid bytes and not a valid string.
   * @throws {RangeError} A limit is exceeded; the batch is unchanged.
   * @throws {StoreError} `CLOSED`: the batch was committed.
   */
  put(key: BytesLike, value: BytesLike): this {
    const what = "Cannot put key into batch";
    this.#requireOpen(what);
    this.#writes.add(what, this.#keys.key(what, key), valueBytes(what, value));
    return this;
  }

  /** Adds a deletion.
   *
   * @param key 1 to 2600 bytes.
   * @returns The batch.
   * @throws As {@linkcode Batch.put} does.
   */
  delete(key: BytesLike): this {
    const what = "Cannot delete key in batch";
    this.#requireOpen(what);
    this.#writes.add(what, this.#keys.key(what, key), undefined);
    return this;
  }

  /** Adds the deletion of a range: of the keys that the batch has put into it so far, and of those that the
   * store has in it when the batch is committed. The commit reads these keys and takes memory for them.
   *
   * @param range The keys; `{}` stands for all of them.
   * @returns The batch.
   * @throws {TypeError} The range is missing, or a bound in it is `undefined`.
   * @throws {RangeError} The range is not valid, or has a limit.
   * @throws {StoreError} `CLOSED`: the batch was committed.
   */
  deleteRange(range: Omit<ScanRange, "limit">): this {
    const what = "Cannot delete range in batch";
    this.#requireOpen(what);
    this.#writes.addRange(what, resolveBatchDeletion(what, this.#keys, range));
    return this;
  }

  /** Moves a cursor of the change feed: together with what the batch writes, and not without it. So a view that
   * is kept in the same store has each change exactly once, over any crash.
   *
   * @param name A cursor that `createCursor` made.
   * @param position The `position` of the last change that the batch is made of.
   * @returns The batch.
   * @throws {TypeError | RangeError} Name or position is not valid; the batch is unchanged.
   * @throws {StoreError} `CLOSED`: the batch was committed.
   */
  advance(name: string, position: bigint): this {
    const what = "Cannot advance cursor in batch";
    this.#requireOpen(what);
    this.#writes.advance(what, name, position);
    return this;
  }

  /** Commits the batch, once. It takes effect at the call and resolves when it is acknowledged, as the
   * strictest of its writes would be. An empty batch resolves at once. A commit that is refused before
   * it begins leaves the batch unchanged, and can be tried again.
   *
   * @returns The journal position behind it: a snapshot whose `position` is at or above this one shows it.
   * @throws {TypeError} An option is not valid; a function of `transact` or `compareAndSwapF32` is running.
   * @throws {RangeError} With the keys of its ranges the batch would exceed 512 MiB; or a cursor is at the position
   * that it is to be advanced to, or behind it, or no change ends there.
   * @throws {StoreError} `NO_SPACE` or `IO`: nothing of the batch is written; `POISONED`; `NOT_FOUND` or
   * `CURSOR_LOST`: a cursor that is to be advanced is not there, or no longer; `CLOSED`: the
   * store is closed, or the batch was committed before.
   */
  commit(options?: WriteOptions): Promise<bigint> {
    try {
      this.#requireOpen("Cannot commit batch");
    } catch (error) {
      return Promise.reject(error);
    }
    return this.#commit(this.#writes, options);
  }

  #requireOpen(what: string): void {
    if (this.#writes.isCommitted) {
      throw new StoreError("CLOSED", `${what}: it was committed already; begin another one`);
    }
  }
}
