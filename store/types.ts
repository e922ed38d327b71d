/** The types of the public surface.
 *
 * @module
 */

import type { Entry } from "../backends/engine.ts";
import type { EngineName, Route } from "../codec/route.ts";

/** Bytes as an argument: a string stands for its UTF-8, exactly as if it had been encoded. A store returns
 * bytes; {@linkcode toText} and {@linkcode toJson} read them.
 *
 * @category HybridStore
 */
export type BytesLike = Uint8Array | string;

/** When a write is acknowledged.
 *
 * - `"hybrid"`: a write that touches the B-tree side, once it is on disk. A write to the append side alone,
 *   once the operating system has it, so that it survives a killed process. It is on disk after `flush()`,
 *   or after the sync that begins `syncIntervalMs` later.
 * - `"always"`: once it is on disk.
 * - `"flush"`: once the operating system has it. Only `flush()` promises more.
 *
 * @category HybridStore
 */
export type Durability = "hybrid" | "always" | "flush";

/** How the store in a directory is opened.
 *
 * @category HybridStore
 */
export interface OpenOptions extends StoreOptions {
  /** Whether a store is created where there is none; `true` by default. Otherwise that is `NOT_FOUND`. */
  create?: boolean;
  /** Whether a store that is there already is refused, with `NOT_EMPTY`; `false` by default. */
  errorIfExists?: boolean;
  /** Whether the store is only read, and no file in its directory changed: it may be on a read-only disk, and
   * must not be open elsewhere, but for reading. Writes reject with `READ_ONLY`. What the journal has and the
   * engines lack is held in memory. `false` by default. */
  readOnly?: boolean;
}

/** How a store works, wherever it is.
 *
 * @category HybridStore
 */
export interface StoreOptions {
  /** The routes of a new store; {@linkcode DEFAULT_ROUTES} by default. For an existing store they have to be
   * those that it was created with, in any order, and are best left out. */
  routes?: readonly Route[];
  /** The engine of keys that no route is for; `"btree"` by default. For an existing store it has to be the one
   * that it was created with. */
  defaultEngine?: EngineName;
  /** When a write is acknowledged; `"hybrid"` by default. */
  durability?: Durability;
  /** Milliseconds after which the sync of an acknowledged write begins, with `"hybrid"`; 1 to 2^31 - 1,
   * 1000 by default. It begins when the event loop turns and any running sync has ended. So a power loss can
   * take the writes of this time, of the time for which the event loop was held, and of two syncs. */
  syncIntervalMs?: number;
  /** Bytes of journal that a memtable takes before it is applied to the engines; 1 to 2^32, 16 MiB by
   * default. While memory holds more than about twice as much, writes are acknowledged late. */
  memtableBytes?: number;
  /** Bytes at which a journal segment is rotated; 64 to 2^40, 64 MiB by default. */
  segmentBytes?: number;
  /** Bytes of the cache of values read from the B-tree side; 0 to 2^32, 32 MiB by default. The memory is
   * taken when something is read. */
  readCacheBytes?: number;
  /** Bytes of journal that are kept for cursors and readers of the change feed; 0 to 2^53 - 1, 1 GiB by default.
   * Whoever is further behind gets `CURSOR_LOST`. */
  feedBytesMax?: number;
}

/** A group of writes that was committed: whole batches and transactions, and single writes beside them.
 *
 * @category Change feed
 */
export interface Change {
  /** The journal position behind it: where a reader goes on that has dealt with it. */
  position: bigint;
  /** The writes, in their order; the bytes belong to the caller. */
  writes: ChangedKey[];
}

/** What was written to a key.
 *
 * @category Change feed
 */
export interface ChangedKey {
  /** The key. */
  key: Uint8Array;
  /** The new value, `undefined` where the key was deleted. */
  value: Uint8Array | undefined;
}

/** Which changes `changes` yields.
 *
 * @category Change feed
 */
export interface ChangesOptions {
  /** The position to begin after: of a store, a snapshot, a commit or a change. The present one by default. */
  after?: bigint;
  /** The cursor to begin at, in place of `after`. */
  cursor?: string;
  /** Only keys that begin with these bytes. */
  prefix?: BytesLike;
  /** Whether to wait for further changes; `true` by default. Otherwise the feed ends with what was written before
   * the call. */
  live?: boolean;
  /** Ends the feed when it is aborted, which then throws the signal's reason. */
  signal?: AbortSignal;
}

/** How `watch` watches.
 *
 * @category Change feed
 */
export interface WatchOptions {
  /** Ends it when it is aborted; it then throws the signal's reason. */
  signal?: AbortSignal;
}

/** A cursor of the change feed.
 *
 * @category Change feed
 */
export interface CursorState {
  /** Its name. */
  name: string;
  /** The journal position up to which its consumer has everything. */
  position: bigint;
  /** Whether the journal no longer reaches back to it: it has to start again. */
  isLost: boolean;
}

/** How one write is acknowledged.
 *
 * @category HybridStore
 */
export interface WriteOptions {
  /** Whether it is acknowledged once it is on disk, or once the operating system has it. Without it, what the
   * store's {@linkcode Durability} says. */
  durable?: boolean;
}

/** Which keys a scan reads, in which direction, and how many. A key has to be within all bounds.
 *
 * @category HybridStore
 */
export interface ScanRange {
  /** Only keys that begin with these bytes. */
  prefix?: BytesLike;
  /** Only keys above this one. */
  gt?: BytesLike;
  /** Only this key and those above. */
  gte?: BytesLike;
  /** Only keys below this one. */
  lt?: BytesLike;
  /** Only this key and those below. */
  lte?: BytesLike;
  /** Whether keys come in descending order; `false` by default. */
  reverse?: boolean;
  /** The most rows that are read, an integer from 0 on; `Infinity` by default. */
  limit?: number;
  /** Ends the scan when it is aborted: no further page is read, and the scan throws the signal's reason. */
  signal?: AbortSignal;
}

/** How large the pages of `scanPages` are. A page ends with the row that reaches one of the two limits, so it
 * has at least one row, however large that is.
 *
 * @category HybridStore
 */
export interface PageSize {
  /** The most rows of a page, an integer from 1 on; 2048 by default. */
  rows?: number;
  /** Bytes of keys and values at which a page ends, an integer from 1 on; 4 MiB by default. */
  bytes?: number;
}

/** How large one side of a store is.
 *
 * @category HybridStore
 */
export interface EngineSize {
  /** Keys in the engine, without the writes that are still in the memtables. */
  keys: number;
  /** Bytes of its files. */
  bytes: number;
}

/** The state of a store, and what it did since it was opened.
 *
 * @category HybridStore
 */
export interface StoreStats {
  /** The append side (LMDB). */
  append: EngineSize;
  /** The B-tree side (SQLite). */
  btree: EngineSize;
  /** The journal: bytes of records, and segment files. */
  journal: { bytes: number; segments: number };
  /** What waits for the engines: keys, the bytes of journal that hold them, and memtables. */
  memtable: { keys: number; bytes: number; memtables: number };
  /** Transactions around `await` that are open, and the bytes of journal whose writes are remembered for
   * them. */
  transactions: { open: number; bytes: number };
  /** The change feed: cursors, feeds that are being read, watches, and the bytes of journal that are kept for
   * cursors and readers. */
  feed: { cursors: number; readers: number; watches: number; bytes: number };
  /** Groups that were written to the journal, each in one write call. */
  groups: number;
  /** Syncs of journal segments. */
  syncs: number;
  /** Times that memtables were applied to the engines. */
  applies: number;
  /** Whether memtables are being applied now. */
  isApplying: boolean;
  /** What opening found in the journal: the records in it, how many of them an engine lacked, the bytes of
   * a torn tail that were cut, and why. */
  recovery: { records: number; replayed: number; truncatedBytes: number; reason?: string };
}

/** What `HybridStore.backup` wrote.
 *
 * @category HybridStore
 */
export interface BackupReport {
  /** The directory of the copy, which opens as a store. */
  path: string;
  /** The journal position of the moment that the copy shows. */
  position: bigint;
  /** Keys copied. */
  keys: number;
  /** Bytes of keys and values copied. */
  bytes: number;
}

/** How `HybridStore.backup` runs.
 *
 * @category HybridStore
 */
export interface BackupOptions {
  /** Told from time to time how many keys are copied. If it throws, the backup ends, leaves nothing behind,
   * and rejects with that error. */
  onProgress?: (progress: { keys: number }) => void;
}

/** One thing that is wrong with a store.
 *
 * @category HybridStore
 */
export interface VerifyFault {
  /** Where it was found. */
  part: "manifest" | "append" | "btree" | "journal";
  /** What is wrong, naming file and place where they are known. */
  message: string;
}

/** What `HybridStore.verify` found.
 *
 * @category HybridStore
 */
export interface VerifyReport {
  /** Whether nothing is wrong. */
  ok: boolean;
  /** What is wrong, in the order in which it was found; at most the first 100. */
  faults: VerifyFault[];
  /** The number of all faults. */
  faultCount: number;
  /** Keys that were read in each engine. Writes that are still in the memtables are checked in the journal. */
  keys: { append: number; btree: number };
  /** Records of the journal whose digests were compared. */
  journalRecords: number;
}

/** How `HybridStore.verify` runs.
 *
 * @category HybridStore
 */
export interface VerifyOptions {
  /** Told from time to time how far a step has come: pages for an engine's own check, keys for the walk over
   * it, bytes for the journal. If it throws, the verification ends and rejects with that error. */
  onProgress?: (progress: {
    part: "append" | "btree" | "journal";
    step: "check" | "walk";
    done: number;
    total?: number;
  }) => void;
}

/** How `HybridStore.repair` runs.
 *
 * @category HybridStore
 */
export interface RepairOptions {
  /** The routes that the store was created with. Needed if its manifest is lost and they were not the
   * default ones. */
  routes?: readonly Route[];
  /** The engine of keys that no route was for, likewise. */
  defaultEngine?: EngineName;
  /** Told from time to time what is being done: pages, keys or bytes that are checked, keys and records that
   * are copied. If it throws, the repair ends, has changed nothing, and rejects with that error. */
  onProgress?: (progress: {
    part: "append" | "btree" | "journal";
    step: "check" | "walk" | "copy";
    done: number;
    total?: number;
  }) => void;
}

/** What `HybridStore.repair` found, kept and lost.
 *
 * @category HybridStore
 */
export interface RepairReport {
  /** The directory of the store, which can be opened now. */
  path: string;
  /** Where the damaged directory is now, unchanged. Absent if the store was healthy and nothing was done. */
  setAside?: string;
  /** Whether nothing is known to be lost. */
  ok: boolean;
  /** What was wrong; at most the first 100. */
  faults: VerifyFault[];
  /** What is known to be lost; at most the first 100 for each part. */
  lost: VerifyFault[];
  /** Keys in each engine. */
  kept: { append: number; btree: number };
  /** Records of the journal that were applied to what the engines had. */
  records: number;
  /** Valid records of the journal behind a gap, which were not applied: from offset `from` to before `to`. They
   * are in the journal of `setAside`. */
  unapplied: { from: bigint; to: bigint; records: number }[];
}

/** The contract of a key-value store, as the origin states it.
 *
 * A store copies the keys and values that it gets; those that it returns belong to the caller. Calls take
 * effect in the order in which they are made, and a read sees every earlier write.
 *
 * @category HybridStore
 */
export interface KVStore extends AsyncDisposable {
  /** Returns the value of a key, `undefined` if there is none. */
  get(key: BytesLike): Promise<Uint8Array | undefined>;
  /** Sets the value of a key. */
  put(key: BytesLike, value: BytesLike): Promise<void>;
  /** Removes a key. Deleting a missing key is not an error. */
  delete(key: BytesLike): Promise<void>;
  /** Returns all entries whose key begins with a prefix, ascending by byte. */
  scanPrefix(prefix: BytesLike): Promise<Entry[]>;
  /** Resolves once all earlier writes are on disk, and rejects if one of them has failed. */
  flush(): Promise<void>;
  /** Adds to a u64 counter and returns the new value. */
  fetchAndAddU64(key: BytesLike, delta: bigint): Promise<bigint>;
  /** Replaces an f32 by what `update` returns for it, and returns the new value. */
  compareAndSwapF32(key: BytesLike, update: (current: number) => number): Promise<number>;
  /** Closes the store. */
  close(): Promise<void>;
}
