/** The types of the public surface.
 *
 * @module
 */

import type { Entry } from "../backends/engine.ts";
import type { Route } from "../codec/route.ts";

/** Bytes as they can be given: a string stands for its UTF-8, exactly as if it had been encoded. What comes
 * out of a store is bytes; {@linkcode toText} and {@linkcode toJson} read them. */
export type BytesLike = Uint8Array | string;

/** When a write is acknowledged.
 *
 * - `"hybrid"`: a write that touches the B-tree side, once it is on disk; one to the append side alone,
 *   once the operating system has it, so that it survives the death of the process. It is on disk
 *   after `flush()`, or after the sync that begins at most `syncIntervalMs` later.
 * - `"always"`: once it is on disk.
 * - `"flush"`: once the operating system has it. Only `flush()` promises more.
 */
export type Durability = "hybrid" | "always" | "flush";

/** How a store is opened. */
export interface OpenOptions {
  /** The routes of a new store; the ones for the keys of this package by default. For a store that
   * exists they have to be those it was created with, and are best left out. */
  routes?: readonly Route[];
  /** When a write is acknowledged; `"hybrid"` by default. */
  durability?: Durability;
  /** Milliseconds after which the sync of an acknowledged write begins, with `"hybrid"`; 1 to 2^31 - 1,
   * 1000 by default. It begins when the event loop turns and a sync that is under way has ended. So a power
   * loss can take the writes of this time, of as long as the event loop was held, and of two syncs. */
  syncIntervalMs?: number;
  /** Bytes of journal that a memtable takes before it is applied to the engines; 1 to 2^32, 16 MiB by
   * default. Up to about twice as much is held before writes are acknowledged late. */
  memtableBytes?: number;
  /** Bytes at which a journal segment is rotated; 64 to 2^40, 64 MiB by default. */
  segmentBytes?: number;
  /** Bytes of the cache of values read from the B-tree side; 0 to 2^32, 32 MiB by default. It is
   * taken when something is read. */
  readCacheBytes?: number;
}

/** Which keys a scan reads, in which direction, and how many. All bounds hold at once. */
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
  /** The most rows that are read; `Infinity` by default. */
  limit?: number;
  /** Ends the scan: the next page is not read, and what iterates it gets the signal's reason. */
  signal?: AbortSignal;
}

/** How large the pages of `scanPages` are. A page ends with the row that reaches one of the two, so that it has
 * at least one row, however large that is. */
export interface PageSize {
  /** The most rows of a page, from 1 on; 2048 by default. */
  rows?: number;
  /** Bytes of keys and values at which a page ends, from 1 on; 4 MiB by default. */
  bytes?: number;
}

/** How large one side of a store is. */
export interface EngineSize {
  /** Keys in the engine; what is still in the memtables is not counted. */
  keys: number;
  /** Bytes of its files. */
  bytes: number;
}

/** The state of a store, and what it did since it was opened. */
export interface StoreStats {
  /** The append side (LMDB). */
  append: EngineSize;
  /** The B-tree side (SQLite). */
  btree: EngineSize;
  /** The journal: bytes of records, and segment files. */
  journal: { bytes: number; segments: number };
  /** What waits for the engines: keys, the bytes of journal that hold them, memtables. */
  memtable: { keys: number; bytes: number; memtables: number };
  /** Groups of writes that went into the journal, each in one write call. */
  groups: number;
  /** Syncs of the journal. */
  syncs: number;
  /** Times that memtables were applied to the engines. */
  applies: number;
  /** What opening found in the journal: records it holds, records that an engine lacked, bytes of a
   * torn tail that were cut, and why. */
  recovery: { records: number; replayed: number; truncatedBytes: number; reason?: string };
}

/** What `HybridStore.backup` wrote. */
export interface BackupReport {
  /** The directory of the copy, which opens as a store. */
  path: string;
  /** The journal position of the moment that it shows. */
  position: bigint;
  /** Keys copied. */
  keys: number;
  /** Bytes of keys and values copied. */
  bytes: number;
}

/** How `HybridStore.backup` runs. */
export interface BackupOptions {
  /** Told how many keys are copied, from time to time. What it throws ends the backup, with nothing
   * left behind, and is what `backup` rejects with. */
  onProgress?: (progress: { keys: number }) => void;
}

/** One thing that is wrong with a store. */
export interface VerifyFault {
  /** Where it was found. */
  part: "manifest" | "append" | "btree" | "journal";
  /** What is wrong, naming file and place where they are known. */
  message: string;
}

/** What `HybridStore.verify` found. */
export interface VerifyReport {
  /** Whether nothing is wrong. */
  ok: boolean;
  /** What is wrong, in the order in which it was found: the first 100. */
  faults: VerifyFault[];
  /** How much is wrong. */
  faultCount: number;
  /** Keys that were read in each engine; what is still in the memtables is in the journal. */
  keys: { append: number; btree: number };
  /** Records of the journal whose digests were compared. */
  journalRecords: number;
}

/** How `HybridStore.verify` runs. */
export interface VerifyOptions {
  /** Told how far a step has come, from time to time: pages for an engine's own check, keys for the
   * walk over it, bytes for the journal. What it throws ends the verification, and is what `verify`
   * rejects with. */
  onProgress?: (progress: {
    part: "append" | "btree" | "journal";
    step: "check" | "walk";
    done: number;
    total?: number;
  }) => void;
}

/** How `HybridStore.repair` runs. */
export interface RepairOptions {
  /** The routes that the store was created with, needed where its manifest is lost and they were not the
   * default ones. */
  routes?: readonly Route[];
  /** Told what is being done, from time to time: pages, keys or bytes that are checked, keys and records
   * that are copied. What it throws ends the repair, which has then changed nothing. */
  onProgress?: (progress: {
    part: "append" | "btree" | "journal";
    step: "check" | "walk" | "copy";
    done: number;
    total?: number;
  }) => void;
}

/** What `HybridStore.repair` found, kept and lost. */
export interface RepairReport {
  /** The directory of the store, which opens now. */
  path: string;
  /** Where the damaged directory is now, untouched; absent where the store was healthy and nothing was done. */
  setAside?: string;
  /** Whether nothing is known to be lost. */
  ok: boolean;
  /** What was wrong, the first 100. */
  faults: VerifyFault[];
  /** What could not be kept, as far as it is known: the first 100 for each part. */
  lost: VerifyFault[];
  /** Keys in each engine. */
  kept: { append: number; btree: number };
  /** Records of the journal that were applied to what the engines had. */
  records: number;
  /** Valid records of the journal behind a gap, which were not applied: from one offset to before the next.
   * They are in the journal of `setAside`. */
  unapplied: { from: bigint; to: bigint; records: number }[];
}

/** The contract of a key-value store, as the origin states it.
 *
 * Keys and values are copied on the way in and belong to the caller on the way out. Calls take effect
 * in the order in which they are made, and a read sees every write called before it.
 */
export interface KVStore extends AsyncDisposable {
  /** Returns the value of a key, `undefined` where there is none. */
  get(key: BytesLike): Promise<Uint8Array | undefined>;
  /** Sets the value of a key. */
  put(key: BytesLike, value: BytesLike): Promise<void>;
  /** Removes a key. Deleting a missing key is not an error. */
  delete(key: BytesLike): Promise<void>;
  /** Returns all entries whose key begins with a prefix, ascending by byte. */
  scanPrefix(prefix: BytesLike): Promise<Entry[]>;
  /** Resolves once all writes called before are on disk, and rejects where one of them failed. */
  flush(): Promise<void>;
  /** Adds to a u64 counter and returns the new value. */
  fetchAndAddU64(key: BytesLike, delta: bigint): Promise<bigint>;
  /** Replaces an f32 by what `update` makes of it and returns the new value. */
  compareAndSwapF32(key: BytesLike, update: (current: number) => number): Promise<number>;
  /** Closes the store. */
  close(): Promise<void>;
}
