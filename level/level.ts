/** Level's interface over a store.
 *
 * @module
 */

import {
  type AbstractBatchOperation,
  type AbstractBatchOptions,
  type AbstractChainedBatch,
  type AbstractDatabaseHooks,
  type AbstractDelOptions,
  type AbstractIterator,
  type AbstractKeyIterator,
  AbstractLevel,
  type AbstractPutOptions,
  type AbstractSnapshot,
  type AbstractValueIterator,
} from "abstract-level";
import { describe } from "../store/limits.ts";
import type { HybridStore } from "../store/hybrid_store.ts";
import { LiveStore, SubStore } from "../store/live_store.ts";
import type { Snapshot } from "../store/read/snapshot.ts";
import { beginBatch, deleteIn, LevelBatch, putInto } from "./chained_batch.ts";
import { clearRange, clearSeen } from "./clear.ts";
import { failed, keyError, keyFailed, LevelError, levelError } from "./error.ts";
import { EntryIterator, type IteratorForms, KeyIterator, ValueIterator } from "./iterators.ts";
import { type KeyNames, SAME_NAMES, WHOLE_STORE_NAMES } from "./keys.ts";
import {
  durableOf,
  type HybridLevelOptions,
  type LevelWriteOptions,
  openDirectory,
  type OpenForms,
  openMemory,
} from "./options.ts";
import { limitOf, type RangeForms, rangeOf } from "./range.ts";
import { LevelSnapshot } from "./snapshot.ts";
import { copiedBytes, type Form, passingKey, passingValue, textOfFound } from "./text.ts";

/** The location of a database that has no directory. */
const MEMORY = ":memory:";

interface ReadForms {
  keyEncoding: string;
  valueEncoding: string;
  snapshot?: AbstractSnapshot;
}

type Operation = { type: "put"; key: Form; value: Form } | { type: "del"; key: Form };

/** A chained batch of a {@linkcode HybridLevel}: writes that are collected, and take effect together.
 *
 * @category Level
 */
export interface HybridLevelBatch<TDatabase, KDefault, VDefault>
  extends AbstractChainedBatch<TDatabase, KDefault, VDefault> {
  /** Commits the batch. */
  write(options?: LevelWriteOptions): Promise<void>;
}

/** The writes, with the option that Level leaves to its implementations. */
export interface HybridLevel<KDefault = string, VDefault = string> {
  /** The hooks. If they were typed as those of this class, it would not be an `AbstractLevel` to the compiler. */
  // deno-lint-ignore no-explicit-any
  hooks: AbstractDatabaseHooks<any>;
  /** Sets the value of a key. */
  put(key: KDefault, value: VDefault): Promise<void>;
  /** Sets the value of a key. */
  put<K = KDefault, V = VDefault>(
    key: K,
    value: V,
    options: AbstractPutOptions<K, V> & LevelWriteOptions,
  ): Promise<void>;
  /** Removes a key. Deleting a missing key is not an error. */
  del(key: KDefault): Promise<void>;
  /** Removes a key. Deleting a missing key is not an error. */
  del<K = KDefault>(key: K, options: AbstractDelOptions<K> & LevelWriteOptions): Promise<void>;
  /** Makes some writes together: all of them or none, also after a crash. */
  batch(operations: AbstractBatchOperation<this, KDefault, VDefault>[]): Promise<void>;
  /** Makes some writes together: all of them or none, also after a crash. */
  batch<K = KDefault, V = VDefault>(
    operations: AbstractBatchOperation<this, K, V>[],
    options: AbstractBatchOptions<K, V> & LevelWriteOptions,
  ): Promise<void>;
  /** Returns an empty chained batch. */
  batch(): HybridLevelBatch<this, KDefault, VDefault>;
}

/** A database of Level (the npm package `abstract-level`) over a store: what was written for Level runs on it.
 *
 * It has all of Level's interface: get, put, del, batches, clear, iterators, snapshots, sublevels, encodings, hooks
 * and events. Calls take effect in the order in which they are made, and a read sees every earlier write.
 *
 * - A batch is atomic over both engines. So is `clear` of up to 10,000 keys; more are deleted as many at a time.
 * - An iterator shows the database as it was when it was made, and so does an explicit snapshot. Close those that
 *   are not read to their end: the engines keep what was overwritten since.
 * - A key has at most 2600 bytes, and may be empty; a value has at most 128 MiB. Longer ones reject with
 *   `LEVEL_INVALID_KEY` and `LEVEL_INVALID_VALUE`, and nothing changed.
 * - A store in a directory is created with `routes: []` and `defaultEngine: "append"`, where the options do not say
 *   otherwise. By default a write is then acknowledged once the operating system has it: it survives a killed
 *   process, and a power loss can take the last second of writes. With `durability: "always"`, or `sync` for a
 *   single write, it is acknowledged once it is on disk.
 *
 * Failures have Level's codes, and the `StoreError` as their `cause`: `LEVEL_DATABASE_NOT_OPEN`, `LEVEL_LOCKED`,
 * `LEVEL_CORRUPTION`, `LEVEL_IO_ERROR`, `LEVEL_READONLY`, `LEVEL_NOT_SUPPORTED`. Where Level has no such code, the
 * `StoreError` itself is thrown.
 *
 * @category Level
 * @example
 * ```ts
 * import { HybridLevel } from "@hybrid/store/level";
 * import { assertEquals } from "@std/assert";
 *
 * await using db = new HybridLevel<string, { born: number }>(":memory:", { valueEncoding: "json" });
 * await db.put("ada", { born: 1815 });
 * await db.batch([
 *   { type: "put", key: "alan", value: { born: 1912 } },
 *   { type: "put", key: "grace", value: { born: 1906 } },
 * ], { sync: true });
 * assertEquals(await db.get("ada"), { born: 1815 });
 * assertEquals(await db.keys({ gte: "al", limit: 2 }).all(), ["alan", "grace"]);
 * ```
 */
export class HybridLevel<KDefault = string, VDefault = string>
  extends AbstractLevel<string | Uint8Array, KDefault, VDefault> {
  readonly #location: string | URL | HybridStore | SubStore;
  readonly #names: KeyNames;
  #store: LiveStore | undefined;
  /** What is in memory alone stays there until nobody has the database any more. */
  #memory: HybridStore | undefined;

  /** Creates a database, which opens itself: calls that come before it is open wait for that.
   *
   * @param location The directory of a store, or `":memory:"`; or an open store or a part of one, which stays open
   * when the database is closed.
   * @param options Those of the store count for a directory and in memory, where the store is opened.
   * @throws {TypeError} The location is not valid.
   *
   * @example Beside other data
   * ```ts
   * import { HybridStore } from "@hybrid/store";
   * import { HybridLevel } from "@hybrid/store/level";
   * import { assertEquals } from "@std/assert";
   *
   * await using store = await HybridStore.openTemp();
   * await using db = new HybridLevel(store.sub("sessions/"));
   * await db.put("ada", "token");
   * assertEquals(await store.has("sessions/ada"), true);
   * ```
   */
  constructor(
    location: string | URL | HybridStore | SubStore,
    options?: HybridLevelOptions<KDefault, VDefault>,
  ) {
    const isStore = location instanceof LiveStore;
    if (
      !isStore && !(location instanceof URL) && (typeof location !== "string" || location === "")
    ) {
      const given = location === "" ? "empty" : describe(location);
      throw new TypeError(
        `Cannot open database: the location is ${given}, neither a path, ":memory:", nor a store`,
      );
    }
    const isDirectory = !isStore && location !== MEMORY;
    super({
      // Text is not left to Level's own conversion, which drops a byte order mark and is slower.
      encodings: { utf8: true, view: true },
      has: true,
      // The types do not have it yet.
      ...{ getSync: true },
      seek: true,
      implicitSnapshots: true,
      explicitSnapshots: true,
      createIfMissing: isDirectory,
      errorIfExists: isDirectory,
      permanence: location !== MEMORY && (location as { path?: string }).path !== MEMORY,
      signals: { iterators: true },
    }, options);
    this.#location = location;
    this.#names = location instanceof SubStore ? SAME_NAMES : WHOLE_STORE_NAMES;
  }

  /** The directory of the store, `":memory:"`, or what the store that was given has as its path. Empty for a part of
   * a store. */
  get location(): string {
    const location = this.#location;
    if (location instanceof SubStore) return "";
    return location instanceof LiveStore ? location.path : String(location);
  }

  /** The store behind it, for what Level does not have: `flush`, backups, the change feed, transactions. Its keys are
   * those of Level; of a whole store, keys of zeros alone have one zero more there.
   *
   * @throws {Error} `LEVEL_DATABASE_NOT_OPEN`.
   */
  get store(): LiveStore {
    if (this.#store !== undefined) return this.#store;
    throw new LevelError("LEVEL_DATABASE_NOT_OPEN", "Cannot use database: it is not open");
  }

  /** @internal */
  async _open(options: OpenForms): Promise<void> {
    const location = this.#location;
    try {
      if (location instanceof LiveStore) {
        // Throws where it is closed.
        location.cursors();
        this.#store = location;
      } else if (location === MEMORY) {
        this.#store = this.#memory ??= await openMemory(options);
      } else {
        this.#store = await openDirectory(location, options);
      }
    } catch (error) {
      throw levelError(error);
    }
  }

  /** @internal */
  async _close(): Promise<void> {
    const store = this.#store as HybridStore | undefined;
    // Also where closing fails: the files are closed then, and a second call has nothing left to close.
    this.#store = undefined;
    if (store === this.#location || store === this.#memory) return;
    await store?.close().catch(failed);
  }

  /** @internal */
  _get(key: Form, { valueEncoding, snapshot }: ReadForms): Promise<Form | undefined> {
    const found = this.#reader(snapshot).get(this.#passing(key));
    return valueEncoding === "utf8" ? found.then(textOfFound, keyFailed) : found.catch(keyFailed);
  }

  /** @internal */
  _getSync(key: Form, { valueEncoding, snapshot }: ReadForms): Form | undefined {
    try {
      const found = this.#reader(snapshot).getSync(this.#passing(key));
      return valueEncoding === "utf8" ? textOfFound(found) : found;
    } catch (error) {
      throw keyError(error);
    }
  }

  /** @internal */
  _getMany(keys: Form[], { valueEncoding, snapshot }: ReadForms): Promise<(Form | undefined)[]> {
    const found = this.#reader(snapshot).getMany(this.#lasting(keys));
    return valueEncoding === "utf8"
      ? found.then((values) => values.map(textOfFound), keyFailed)
      : found.catch(keyFailed);
  }

  /** @internal */
  _has(key: Form, { snapshot }: ReadForms): Promise<boolean> {
    return this.#reader(snapshot).has(this.#passing(key)).catch(keyFailed);
  }

  /** @internal */
  // deno-lint-ignore require-await
  async _hasMany(keys: Form[], { snapshot }: ReadForms): Promise<boolean[]> {
    const reader = this.#reader(snapshot);
    try {
      return keys.map((key) => reader.hasSync(this.#passing(key)));
    } catch (error) {
      throw keyError(error);
    }
  }

  /** @internal */
  _put(key: Form, value: Form, options: LevelWriteOptions): Promise<void> {
    return this.store.put(this.#passing(key), passingValue(value), durableOf(options))
      .catch(keyFailed);
  }

  /** @internal */
  _del(key: Form, options: LevelWriteOptions): Promise<void> {
    return this.store.delete(this.#passing(key), durableOf(options)).catch(keyFailed);
  }

  /** @internal */
  async _batch(operations: Operation[], options: LevelWriteOptions): Promise<void> {
    const batch = beginBatch(this.store);
    for (const operation of operations) {
      if (operation.type === "put") putInto(batch, this.#names, operation.key, operation.value);
      else deleteIn(batch, this.#names, operation.key);
    }
    await batch.commit(durableOf(options)).catch(failed);
  }

  /** @internal */
  _chainedBatch(): AbstractChainedBatch<this, KDefault, VDefault> {
    return new LevelBatch(this, this.store, this.#names);
  }

  /** @internal */
  async _clear(options: RangeForms & ReadForms & LevelWriteOptions): Promise<void> {
    const range = rangeOf(options, this.#names);
    const limit = limitOf(options);
    const durable = durableOf(options);
    const cleared = options.snapshot === undefined
      ? clearRange(this.store, range, limit, durable)
      : clearSeen(this.store, this.#moment(options.snapshot), range, limit, durable);
    await cleared.catch(failed);
  }

  /** @internal */
  _iterator(options: IteratorForms & ReadForms): AbstractIterator<this, KDefault, VDefault> {
    return new EntryIterator(this, options, this.#source(options));
  }

  /** @internal */
  _keys(options: IteratorForms & ReadForms): AbstractKeyIterator<this, KDefault> {
    return new KeyIterator(this, options, this.#source(options));
  }

  /** @internal */
  _values(options: IteratorForms & ReadForms): AbstractValueIterator<this, KDefault, VDefault> {
    return new ValueIterator(this, options, this.#source(options));
  }

  /** @internal */
  _snapshot(options: object): AbstractSnapshot {
    try {
      return new LevelSnapshot(options, this, this.store.snapshotSync());
    } catch (error) {
      throw levelError(error);
    }
  }

  #source({ snapshot }: ReadForms): { of: LiveStore | Snapshot; names: KeyNames } {
    return { of: this.#reader(snapshot), names: this.#names };
  }

  #reader(snapshot: AbstractSnapshot | undefined): LiveStore | Snapshot {
    return snapshot === undefined ? this.store : this.#moment(snapshot);
  }

  /** @throws {TypeError} The snapshot is not one of this database. */
  #moment(snapshot: AbstractSnapshot): Snapshot {
    if (snapshot instanceof LevelSnapshot && snapshot.db === this) return snapshot.moment;
    throw new TypeError("Cannot read snapshot: it is not one of this database");
  }

  /** Returns the bytes of a key that are used at once. */
  #passing(key: Form): Uint8Array {
    return this.#names.stored(passingKey(key));
  }

  #lasting(keys: Form[]): Uint8Array[] {
    return keys.map((key) => this.#names.stored(copiedBytes(key)));
  }
}
