/** What a store and its parts share besides reads and writes: snapshots, flushing, positions, and parts of their
 * own.
 *
 * @module
 */

import { StoreError } from "../codec/error.ts";
import type { EngineName, Router } from "../codec/route.ts";
import { answer } from "../runtime/turn.ts";
import type { KeySpace } from "./key_space.ts";
import type { OpenStore } from "./open.ts";
import { OPERATIONS } from "./operation.ts";
import type { ReadSource } from "./read/merge.ts";
import { Snapshot } from "./read/snapshot.ts";
import type { BytesLike, KVStore } from "./types.ts";
import { idle } from "./write/commit.ts";
import type { RunningFunction } from "./write/running_function.ts";
import type { TransactionRunner } from "./write/transaction_runner.ts";
import type { WritePath } from "./write/write_path.ts";
import { StoreWriter, type WriteSurface } from "./write/writer.ts";

/** What {@linkcode HybridStore} and {@linkcode SubStore} share besides reads and writes.
 *
 * @category HybridStore
 */
export abstract class LiveStore extends StoreWriter {
  readonly #open: OpenStore;
  readonly #surface: WriteSurface;

  /** @internal */
  constructor(open: OpenStore, surface: WriteSurface) {
    super(surface);
    this.#open = open;
    this.#surface = surface;
  }

  /** Where the journal ends: behind every write that was called before. It only grows, also over a reopening,
   * and a backup continues it.
   *
   * @throws {StoreError} `CLOSED`.
   */
  get position(): bigint {
    this.#surface.requireOpen("Cannot read position");
    return this.#open.position;
  }

  /** Returns the keys below a prefix as a store of their own, whose keys are given and returned without it.
   *
   * @param prefix At least 1 byte. One part should not begin with the prefix of another one, unless it is
   * meant to see it: end prefixes with the same separator.
   * @throws {TypeError | RangeError} The prefix is not valid.
   * @throws {StoreError} `CLOSED`.
   *
   * @example
   * ```ts
   * import { HybridStore, toText } from "@hybrid/store";
   * import { assertEquals } from "@std/assert";
   *
   * await using store = await HybridStore.openTemp();
   * const users = store.sub("user/");
   * await users.put("1", "Ada");
   * assertEquals(toText(store.getSync("user/1")), "Ada");
   * assertEquals((await users.scanPrefix("")).map(({ key }) => toText(key)), ["1"]);
   * ```
   */
  sub(prefix: BytesLike): SubStore {
    const what = "Cannot open part of store";
    this.#surface.requireOpen(what);
    return new SubStore(this.#open, this.#surface, this.#surface.keys.sub(what, prefix));
  }

  /** Returns the store as it is now, over both engines, readable while writes go on. Snapshots between
   * which nothing was applied to the engines share a moment of them, of which 1024 can be held.
   *
   * @throws {StoreError} `TOO_MANY_SNAPSHOTS`: dispose of those that are done with; `CLOSED`, `IO`.
   */
  snapshot(): Promise<Snapshot> {
    return OPERATIONS.snapshot.promise(this.#surface, undefined, undefined, (what) => {
      return answer(this.#takeSnapshot(what));
    });
  }

  /** Returns the store as it is now, at once. Throws as `snapshot` does. */
  snapshotSync(): Snapshot {
    return OPERATIONS.snapshotSync.sync(this.#surface, undefined, (what) => {
      return this.#takeSnapshot(what);
    });
  }

  /** Resolves once every write called before is on disk.
   *
   * A write that was not awaited may have failed. The first `flush` that is called after it rejects
   * with that failure (the first one, where there are several), once everything else is on disk; later
   * ones do not. Writes that were awaited count as well: which ones were cannot be known.
   *
   * @throws {StoreError} `NO_SPACE` or `IO`: a write since the last flush failed and left nothing
   * behind; `POISONED`: the sync failed; `CLOSED`.
   * @throws {TypeError} A function of `transact` or `compareAndSwapF32` is running.
   */
  flush(): Promise<void> {
    return OPERATIONS.flush.promise(this.#surface, undefined, undefined, (what) => {
      return idle(what, this.#surface).writes.flush(what);
    });
  }

  /** Returns the engine that a key lives in, whether it is there or not. Bytes that are too few or too
   * many for a key are routed as well, by the same rule.
   *
   * @throws {TypeError} The key is neither bytes nor a string.
   * @throws {StoreError} `CLOSED`.
   */
  routeOf(key: BytesLike): EngineName {
    return OPERATIONS.routeOf.sync(this.#surface, key, (what) => {
      const { keys, router } = this.#surface;
      this.#surface.requireOpen(what);
      return router.routeOf(keys.bound(what, "the key", key));
    });
  }

  #takeSnapshot(what: string): Snapshot {
    const surface = idle(what, this.#surface);
    return new Snapshot(this.#open.pin(), surface.keys, (asked) => surface.requireOpen(asked));
  }
}

/** What the keys below a prefix are read from and written to: those of the store, named without the prefix. */
class SubSurface implements WriteSurface {
  readonly where = "";
  readonly isTraced = true;
  readonly keys: KeySpace;
  readonly #store: WriteSurface;
  isClosed = false;

  constructor(store: WriteSurface, keys: KeySpace) {
    this.#store = store;
    this.keys = keys;
  }

  get router(): Router {
    return this.#store.router;
  }

  get writes(): WritePath {
    return this.#store.writes;
  }

  get running(): RunningFunction {
    return this.#store.running;
  }

  get transactions(): TransactionRunner {
    return this.#store.transactions;
  }

  source(what: string): ReadSource {
    this.requireOpen(what);
    return this.#store.source(what);
  }

  routeOf(key: BytesLike): EngineName | undefined {
    try {
      return this.router.routeOf(this.keys.key("Cannot trace", key));
    } catch {
      return undefined;
    }
  }

  requireOpen(what: string): void {
    this.#store.requireOpen(what);
    if (!this.isClosed) return;
    throw new StoreError("CLOSED", `${what}: this part of the store is closed`);
  }
}

/** The keys of a store below a prefix, as a store of their own. `HybridStore.sub()` returns it.
 *
 * It holds nothing of its own: everything is a read or a write of the store, with the prefix before the key.
 * The empty key is allowed in it. A key and the prefixes before it have the length of a key of the store
 * together. To write to several parts together, use the store's own batches and transactions:
 * `batch.sub(prefix)`, `transaction.sub(prefix)`.
 *
 * @category HybridStore
 */
export class SubStore extends LiveStore implements KVStore {
  readonly #surface: SubSurface;

  /** @internal */
  constructor(open: OpenStore, store: WriteSurface, keys: KeySpace) {
    const surface = new SubSurface(store, keys);
    super(open, surface);
    this.#surface = surface;
  }

  /** What its keys begin with in the store, with the prefixes of the parts that it is a part of. A copy. */
  get prefix(): Uint8Array {
    return this.#surface.keys.prefix.slice();
  }

  /** Ends this view: it refuses further calls, and so do its parts and snapshots. The store stays open. */
  // deno-lint-ignore require-await
  async close(): Promise<void> {
    this.#surface.isClosed = true;
  }

  /** Ends this view: `await using` calls it. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
