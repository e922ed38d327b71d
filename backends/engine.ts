/** What the store asks of an engine: ordered reads, applying sorted writes, views of one moment.
 *
 * @module
 */

import type { StoreError } from "../codec/error.ts";
import type { Copy } from "../runtime/copy.ts";

/** A key with its value. The bytes belong to the caller that gets the entry.
 *
 * @category HybridStore
 */
export interface Entry {
  /** The key, 1 to 2600 bytes. */
  key: Uint8Array;
  /** The value, 0 bytes to 128 MiB. */
  value: Uint8Array;
}

/** A half-open range of keys in byte order: `start <= key < end`. */
export interface KeyRange {
  /** The first key that may be in the range; empty for no bound. It may be longer than a key. */
  readonly start: Uint8Array;
  /** The first key behind the range; `undefined` for no bound. It may be longer than a key. */
  readonly end: Uint8Array | undefined;
  /** Whether rows come in descending order. */
  readonly reverse: boolean;
}

/** One change to an engine: a new value, or `undefined` for a deletion. */
export interface Write {
  /** The key, 1 to `keyBytesMax` bytes. */
  readonly key: Uint8Array;
  /** Its new value, `undefined` where it is deleted. */
  readonly value: Uint8Array | undefined;
}

/** Changes to an engine, sorted by key and each key once, without an object for each of them. */
export interface Writes {
  /** How many there are. */
  readonly length: number;
  /** Returns the bytes that hold a write's key and, right behind it, its value. */
  chunk(index: number): Uint8Array;
  /** Returns where in them the key begins. */
  keyStart(index: number): number;
  /** Returns the bytes of the key, 1 to the engine's `keyBytesMax`. */
  keyLength(index: number): number;
  /** Returns the bytes of the value, -1 where the key is deleted. */
  valueLength(index: number): number;
}

/** Ordered reads of one moment, or of the current entries. */
export interface EngineReader {
  /** Returns the value of a key, as a copy, or `undefined`.
   *
   * @param copy How it is copied, where the engine has a choice; into a buffer of its own by default.
   */
  get(key: Uint8Array, copy?: Copy): Uint8Array | undefined;
  /** Returns whether the engine has a key. */
  has(key: Uint8Array): boolean;
  /** Returns the first entries of a range, in its direction, as copies.
   *
   * Ends with the row that reaches `rows` rows, or `bytes` bytes of keys and values. If it returns fewer of
   * both, the range has no more. Takes memory for `bytes` bytes, one row and `rows` keys, however large
   * the following values are.
   *
   * @param rows The most rows; `Infinity` for no limit.
   * @param bytes Bytes after which no further row is read; `Infinity` by default. The first row is always
   * read.
   * @param copy As that of `get`.
   */
  range(range: KeyRange, rows: number, bytes?: number, copy?: Copy): Entry[];
  /** Returns the first keys of a range, in its direction, as copies; ends as `range` does. */
  keys(range: KeyRange, rows: number, bytes?: number): Uint8Array[];
}

/** An engine as it was at one moment. */
export interface EngineView extends EngineReader {
  /** Releases the moment. A second call does nothing. */
  release(): void;
}

/** How large an engine is. */
export interface EngineStats {
  /** Keys in the engine. */
  keys: number;
  /** Bytes of its files, free pages included. */
  bytes: number;
}

/** What opening an engine needs to know. */
export interface EngineOptions {
  /** Names the store; an engine that was created under another name is refused. */
  readonly identity: string;
  /** Other names that the engine may carry. It then gets the current one, durably. */
  readonly previous?: readonly string[];
  /** Whether the engine is to be created. Without it, missing files are damage. */
  readonly create: boolean;
  /** Given where the engine is only to be read, and no file in its directory changed: a directory for what the
   * library needs, which need not exist. */
  readonly scratch?: string;
  /** Called before the files are created or opened, before each apply and before each new connection, with
   * what is about to be done as the beginning of a message. It throws if the files are no longer those of
   * the store. */
  readonly guard?: (what: string) => void;
}

/** An ordered store of bytes that remembers up to which journal position it has been written.
 *
 * One object owns its files; the store's lock makes sure of that. Every method but `close` throws
 * `CLOSED` after `close`. Errors of the native library arrive as `StoreError`.
 */
export interface Engine extends EngineReader {
  /** Bytes of the longest key that it takes. */
  readonly keyBytesMax: number;
  /** The journal position up to which this engine has everything, durably. */
  readonly position: bigint;
  /** The latest text that came with an apply. The append side keeps none. */
  readonly note?: string | undefined;
  /** Why nothing can be applied until the engine is reopened: a write or a sync of its files failed, and it
   * is not known what is on disk. A full disk is not such a failure. */
  readonly failure: StoreError | undefined;
  /** Whether a write to the files has not ended within its time limit. The library may still continue it at
   * any time, so the files must not be opened again while this process lives. */
  readonly isStuck?: boolean;
  /** Applies writes, sorted by key and each key once, and then notes the journal position.
   *
   * Resolves once all of it is durable. If it fails, any part of the writes may be in the engine, but the
   * position is the old one, and applying the same writes again makes the engine right. If `failure` is
   * set, every later apply rejects with it. The bytes of the writes must not change until the promise
   * settles, nor lie in shared memory. One apply runs at a time: the caller waits for it before the next.
   * It holds the event loop for no longer than about 10 ms at a time, and never for a sync. The promise
   * settles even if the library never answers.
   *
   * @param note A text that is there with the position; the one before stays where it is left out.
   * @throws {StoreError} `NO_SPACE`, `IO`, `CORRUPT`.
   */
  apply(writes: Writes | readonly Write[], position: bigint, note?: string): Promise<void>;
  /** Returns a view of the engine's current moment. Views of one moment share what they hold. While an apply
   * is under way, a view may show any part of it.
   */
  view(): EngineView;
  /** Returns the size. Costs nothing: no keys are counted. */
  stats(): EngineStats;
  /** Looks for damage in the engine's own structures, without code that damage could crash.
   *
   * @param onProgress Told how much is checked, and of how much, where that is known.
   * @returns What is wrong, one sentence each; empty for a healthy engine. A long list may be cut.
   */
  check(onProgress: (done: number, total: number) => void): Promise<string[]>;
  /** Waits for a running `apply`, releases all views and closes the files. The files of an engine with a
   * `failure` are closed as they are; nothing is tried again. */
  close(): Promise<void>;
}
