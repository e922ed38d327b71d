/** What a store and its parts share besides reads and writes: snapshots, flushing, positions, and parts of their
 * own.
 *
 * @module
 */

import { StoreError } from "../codec/error.ts";
import type { EngineName, Router } from "../codec/route.ts";
import { answer } from "../runtime/turn.ts";
import type { Entry } from "../backends/engine.ts";
import { prepareChanges } from "./feed/changes.ts";
import { prepareWatch } from "./feed/watch.ts";
import { requireOptions } from "./limits.ts";
import type { KeySpace } from "./key_space.ts";
import type { OpenStore } from "./open.ts";
import { OPERATIONS } from "./operation.ts";
import type { OrderedStore } from "./ordered_store.ts";
import type { ReadSource } from "./read/merge.ts";
import { Snapshot } from "./read/snapshot.ts";
import type { BytesLike, Change, ChangesOptions, CursorState, WatchOptions } from "./types.ts";
import { idle } from "./write/commit.ts";
import type { RunningFunction } from "./write/running_function.ts";
import type { TransactionRunner } from "./write/transaction_runner.ts";
import type { WritePath } from "./write/write_path.ts";
import { StoreWriter, type WriteSurface } from "./write/writer.ts";

/** What a store, or a part of it, is worked on. */
export interface LiveSurface extends WriteSurface {
  /** Aborted when it is closed. */
  readonly closing: AbortSignal;
}

/** What {@linkcode HybridStore} and {@linkcode SubStore} share besides reads and writes.
 *
 * @category HybridStore
 */
export abstract class LiveStore extends StoreWriter {
  readonly #open: OpenStore;
  readonly #surface: LiveSurface;

  /** @internal */
  constructor(open: OpenStore, surface: LiveSurface) {
    super(surface);
    this.#open = open;
    this.#surface = surface;
  }

  /** Returns what a store and its parts have in common, and no other store has.
   *
   * @internal
   */
  static identityOf(store: LiveStore): object {
    return store.#open;
  }

  /** Returns the same keys of the same store, for as long as the store is open: a part may be closed before.
   *
   * @throws {StoreError} `CLOSED`.
   * @internal
   */
  static lasting(what: string, store: LiveStore): LiveStore {
    const surface = store.#surface;
    surface.requireOpen(what);
    return surface instanceof SubSurface
      ? new SubStore(store.#open, surface.root, surface.keys)
      : store;
  }

  /** Returns the signal that is aborted when a store is closed.
   *
   * @internal
   */
  static closingOf(store: LiveStore): AbortSignal {
    return store.#surface.closing;
  }

  /** Where the journal ends: behind every write that was called before. It only grows, also over a reopening,
   * and a backup continues it. Only a repair of a store that has lost its journal may go back, to what its
   * engines have.
   *
   * @throws {StoreError} `CLOSED`.
   */
  get position(): bigint {
    this.#surface.requireOpen("Cannot read position");
    return this.#open.position;
  }

  /** Yields what is committed, in order: whole groups of writes, in which a batch or a transaction is never split.
   *
   * It reads the journal's files, so that a slow reader costs no memory, and shows only what is on disk: no crash
   * takes back what was shown. Writes that are acknowledged before they are on disk are shown when they are
   * (see {@linkcode Durability}). While it is iterated, the journal is kept from where it has come to, up to
   * `feedBytesMax`. A live feed ends when the store is closed.
   *
   * With a `prefix`, groups without such keys are left out; with a `cursor` as well, one without writes comes
   * after each 1 MiB of them, for the cursor to follow.
   *
   * @throws {TypeError | RangeError} An option is not valid.
   * @throws {StoreError} `NOT_FOUND`: there is no such cursor; `CURSOR_LOST`, also while it is iterated;
   * `CLOSED`, `CORRUPT`, `IO`, `POISONED`.
   *
   * @example
   * ```ts
   * import { HybridStore, toText } from "@hybrid/store";
   * import { assertEquals } from "@std/assert";
   *
   * await using store = await HybridStore.openTemp();
   * const { position: after } = store;
   * await store.put("a", "1");
   * await store.batch().put("b", "2").delete("a").commit();
   * const seen = [];
   * for await (const { writes } of store.changes({ after, live: false })) {
   *   seen.push(writes.map(({ key, value }) => `${toText(key)} ${value ? toText(value) : "deleted"}`));
   * }
   * assertEquals(seen, [["a 1"], ["b 2", "a deleted"]]);
   * ```
   */
  changes(options?: ChangesOptions): AsyncIterableIterator<Change> {
    return OPERATIONS.changes.rowsAsync(this.#surface, (what) => {
      this.#surface.requireOpen(what);
      const { keys, closing } = this.#surface;
      return prepareChanges(what, this.#open, keys, closing, options);
    });
  }

  /** Yields the entries of some keys, or of all keys below a prefix: first as they are now, then the newest state
   * after each change. States in between are left out where the reader is slow, and the last one never is. Each
   * shows one moment over all of its keys. Keys that are not there are left out.
   *
   * It shows what reads show, which may not be on disk yet. Ends when the store is closed. While it is not ended, by
   * leaving the loop or by the signal, each write costs a look whether it concerns it.
   *
   * @param keys The keys, or `{ prefix }`.
   * @throws {TypeError | RangeError} An argument is not valid.
   * @throws {StoreError} `CLOSED`; as a read does, while it is iterated; `TOO_MANY_SNAPSHOTS` with a prefix.
   *
   * @example
   * ```ts
   * import { HybridStore, toText } from "@hybrid/store";
   * import { assertEquals } from "@std/assert";
   *
   * await using store = await HybridStore.openTemp();
   * const seen: string[] = [];
   * for await (const [entry] of store.watch(["status"])) {
   *   seen.push(entry ? toText(entry.value) : "none");
   *   if (seen.at(-1) === "done") break;
   *   await store.put("status", seen.length === 1 ? "begun" : "done");
   * }
   * assertEquals(seen, ["none", "begun", "done"]);
   * ```
   */
  watch(
    keys: readonly BytesLike[] | { prefix: BytesLike },
    options?: WatchOptions,
  ): AsyncIterableIterator<Entry[]> {
    return OPERATIONS.watch.rowsAsync(this.#surface, (what) => {
      this.#surface.requireOpen(what);
      const { keys: space, closing } = this.#surface;
      return prepareWatch(what, this.#open, space, closing, keys, options);
    });
  }

  /** Creates a cursor of the change feed: a name for how far a consumer has come, for whom the journal is kept from
   * there on, up to `feedBytesMax`. It is moved by `advance` of a batch or a transaction, and belongs to all of
   * the store. One that is there already stays where it is, unless it is lost.
   *
   * To make a view of what is there already, or anew after `CURSOR_LOST`: create a cursor of another name, which
   * keeps the journal meanwhile; take a snapshot; make the view of it; create the view's own cursor `after` the
   * snapshot's `position`; and remove the other one.
   *
   * @param name 1 to 255 bytes.
   * @param options `after`: the position to begin after; the present one by default.
   * @returns The position of the cursor, once it is on disk.
   * @throws {TypeError | RangeError} An argument is not valid.
   * @throws {StoreError} `CURSOR_LOST`: the journal does not reach back to `after`; as `put` does.
   *
   * @example A view that has each change exactly once, over any crash
   * ```ts
   * import { HybridStore, toText } from "@hybrid/store";
   * import { assertEquals } from "@std/assert";
   *
   * await using store = await HybridStore.openTemp();
   * await store.createCursor("lengths");
   * await store.put("word/ox", "");
   * await store.put("word/hare", "");
   *
   * const words = store.changes({ cursor: "lengths", prefix: "word/", live: false });
   * for await (const { position, writes } of words) {
   *   const batch = store.batch().advance("lengths", position);
   *   for (const { key } of writes) batch.put(`length/${toText(key)}`, `${key.length - 5}`);
   *   await batch.commit();
   * }
   * assertEquals(toText(store.getSync("length/word/hare")), "4");
   * ```
   */
  createCursor(name: string, options: { after?: bigint } = {}): Promise<bigint> {
    return OPERATIONS.createCursor.promise(this.#surface, undefined, undefined, async (what) => {
      this.#surface.requireOpen(what);
      requireOptions(what, options, ["after"]);
      return await this.#open.createCursor(what, name, options.after);
    });
  }

  /** Returns the cursors of the store.
   *
   * @throws {StoreError} `CLOSED`.
   */
  cursors(): CursorState[] {
    this.#surface.requireOpen("Cannot list cursors");
    return this.#open.cursorStates();
  }

  /** Removes a cursor, for which the journal is then no longer kept.
   *
   * @returns Whether there was one, once that is on disk.
   * @throws {TypeError | RangeError} The name is not valid.
   * @throws {StoreError} As `put` does.
   */
  deleteCursor(name: string): Promise<boolean> {
    return OPERATIONS.deleteCursor.promise(this.#surface, undefined, undefined, async (what) => {
      this.#surface.requireOpen(what);
      return await this.#open.deleteCursor(what, name);
    });
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
    return new Snapshot(
      this.#open.pin(),
      surface.keys,
      (asked) => surface.requireOpen(asked),
    );
  }
}

/** What the keys below a prefix are read from and written to: those of the store, named without the prefix. */
class SubSurface implements LiveSurface {
  readonly where = "";
  readonly isTraced = true;
  readonly keys: KeySpace;
  readonly #store: LiveSurface;
  /** Made when it is asked for: a part may be opened for a single read. */
  #closed: AbortController | undefined;
  #closing: AbortSignal | undefined;
  #isClosed = false;

  constructor(store: LiveSurface, keys: KeySpace) {
    this.#store = store;
    this.keys = keys;
  }

  /** That of the whole store. */
  get root(): LiveSurface {
    return this.#store instanceof SubSurface ? this.#store.root : this.#store;
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
    if (this.#isClosed) throw closedPart(what);
  }

  get closing(): AbortSignal {
    this.#closed ??= new AbortController();
    return this.#closing ??= AbortSignal.any([this.#store.closing, this.#closed.signal]);
  }

  close(): void {
    this.#isClosed = true;
    this.#closed?.abort(closedPart("Cannot go on"));
  }
}

function closedPart(what: string): StoreError {
  return new StoreError("CLOSED", `${what}: this part of the store is closed`);
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
export class SubStore extends LiveStore implements OrderedStore {
  readonly #surface: SubSurface;

  /** @internal */
  constructor(open: OpenStore, store: LiveSurface, keys: KeySpace) {
    const surface = new SubSurface(store, keys);
    super(open, surface);
    this.#surface = surface;
  }

  /** What its keys begin with in the store, with the prefixes of the parts that it is a part of. A copy. */
  get prefix(): Uint8Array {
    return this.#surface.keys.prefix.slice();
  }

  /** Ends this view: it refuses further calls, and so do its parts and snapshots, and its feeds and watches end. The
   * store stays open. */
  // deno-lint-ignore require-await
  async close(): Promise<void> {
    this.#surface.close();
  }

  /** Ends this view: `await using` calls it. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
