/** Batches: writes that are collected before they are committed.
 *
 * @module
 */

import { StoreError } from "../../codec/error.ts";
import { keyBytes, valueBytes } from "../limits.ts";
import { resolveDeletion } from "../read/scan.ts";
import type { BytesLike, ScanRange } from "../types.ts";
import type { WriteSet } from "./write_set.ts";

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
  readonly #writes: WriteSet;
  readonly #commit: (writes: WriteSet) => Promise<void>;

  /** @internal */
  constructor(writes: WriteSet, commit: (writes: WriteSet) => Promise<void>) {
    this.#writes = writes;
    this.#commit = commit;
  }

  /** The number of keys that the batch writes, without those that only its ranges delete. */
  get size(): number {
    return this.#writes.memtable.size;
  }

  /** Adds a put.
   *
   * @param key 1 to 1978 bytes.
   * @param value 0 bytes to 128 MiB.
   * @returns The batch.
   * @throws {TypeError} Key or value is not valid bytes and not a valid string.
   * @throws {RangeError} A limit is exceeded; the batch is unchanged.
   * @throws {StoreError} `CLOSED`: the batch was committed.
   */
  put(key: BytesLike, value: BytesLike): this {
    const what = "Cannot put key into batch";
    this.#requireOpen(what);
    this.#writes.add(what, keyBytes(what, key), valueBytes(what, value));
    return this;
  }

  /** Adds a deletion.
   *
   * @param key 1 to 1978 bytes.
   * @returns The batch.
   * @throws As {@linkcode Batch.put} does.
   */
  delete(key: BytesLike): this {
    const what = "Cannot delete key in batch";
    this.#requireOpen(what);
    this.#writes.add(what, keyBytes(what, key), undefined);
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
    const scan = resolveDeletion(what, range);
    if (scan.limit !== Infinity) {
      throw new RangeError(`${what}: it has a limit; which keys come first is not known yet`);
    }
    this.#writes.addRange(what, scan);
    return this;
  }

  /** Commits the batch, once. It takes effect at the call and resolves when it is acknowledged, as the
   * strictest of its writes would be. An empty batch resolves at once. A commit that is refused before
   * it begins leaves the batch unchanged, and can be tried again.
   *
   * @throws {TypeError} A function of `transact` or `compareAndSwapF32` is running.
   * @throws {RangeError} With the keys of its ranges the batch would exceed 512 MiB.
   * @throws {StoreError} `NO_SPACE` or `IO`: nothing of the batch is written; `POISONED`; `CLOSED`: the
   * store is closed, or the batch was committed before.
   */
  commit(): Promise<void> {
    try {
      this.#requireOpen("Cannot commit batch");
    } catch (error) {
      return Promise.reject(error);
    }
    return this.#commit(this.#writes);
  }

  #requireOpen(what: string): void {
    if (this.#writes.isCommitted) {
      throw new StoreError("CLOSED", `${what}: it was committed already; begin another one`);
    }
  }
}
