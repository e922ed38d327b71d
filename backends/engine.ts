/** What the store asks of an engine: ordered reads, the application of sorted batches, snapshots.
 *
 * @module
 */

import type { StoreError } from "../codec/error.ts";

/** A key with its value. The bytes belong to the receiver of the entry. */
export interface Entry {
  /** The key, 1 to 1978 bytes. */
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
  /** The key, 1 to 1978 bytes. */
  readonly key: Uint8Array;
  /** Its new value, `undefined` where it is deleted. */
  readonly value: Uint8Array | undefined;
}

/** Ordered reads at one moment, or of what is there now. */
export interface EngineReader {
  /** Returns the value of a key, as a copy, or `undefined`. */
  get(key: Uint8Array): Uint8Array | undefined;
  /** Returns whether a key is there. */
  has(key: Uint8Array): boolean;
  /** Returns the first entries of a range, in its direction, as copies.
   *
   * Ends with the row that makes it `rows` rows, or `bytes` bytes of keys and values: where both are
   * fewer, the range has no more. Takes memory for `bytes` bytes, one row and `rows` keys, however
   * large the values behind them are.
   *
   * @param rows Most rows; `Infinity` for no limit.
   * @param bytes Bytes after which no further row is read, `Infinity` without it; the first row always is.
   */
  range(range: KeyRange, rows: number, bytes?: number): Entry[];
  /** Returns the first keys of a range, in its direction, as copies; ends as `range` does. */
  keys(range: KeyRange, rows: number, bytes?: number): Uint8Array[];
}

/** An engine as it was at one moment. */
export interface EngineView extends EngineReader {
  /** Lets go of the moment. A second call does nothing. */
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
  /** Names that the engine may carry as well. It gets the present one then, durably. */
  readonly previous?: readonly string[];
  /** Whether the engine is to be created. Without it, missing files are damage. */
  readonly create: boolean;
  /** Called before the files are created or opened, before each apply and before each new connection, with
   * what is to be done as the beginning of a message. It throws where the files are no longer those of the
   * store. */
  readonly guard?: (what: string) => void;
}

/** An ordered store of bytes that remembers up to which journal position it has been written.
 *
 * One object owns its files; the store's lock sees to that. Every method but `close` throws
 * `CLOSED` after `close`. Errors of the native library arrive as `StoreError`.
 */
export interface Engine extends EngineReader {
  /** The journal position up to which this engine has everything, durably. */
  readonly position: bigint;
  /** Why nothing can be applied until the engine is opened anew: a write or a sync of its files failed,
   * and what is on disk is unknown. A full disk is not such a failure. */
  readonly failure: StoreError | undefined;
  /** Whether a write to the files has not come to an end although it was waited for long enough: the
   * library may go on with it at any time, so that nobody else may open them in this process's life. */
  readonly isStuck?: boolean;
  /** Applies writes, sorted by key and each key once, and then notes the journal position.
   *
   * Resolves once all of it is durable. Where it fails, any part of the writes may be in the engine,
   * but the position is the old one, and applying the same writes again makes it right; unless
   * `failure` is set: then every later apply rejects with it. The bytes of the writes must not change
   * until the promise settles, nor lie in shared memory. One apply runs at a time: the caller waits for
   * it before the next. The event loop is not held for longer than about 10 ms at a time, and never
   * for a sync. The promise settles even where the library never answers.
   *
   * @throws {StoreError} `NO_SPACE`, `IO`, `CORRUPT`.
   */
  apply(writes: readonly Write[], position: bigint): Promise<void>;
  /** Returns the engine as it is now. Views of one moment share what they hold, and while an apply is
   * under way, a view may hold any part of it.
   */
  view(): EngineView;
  /** Returns the size, which is known: nothing is counted. */
  stats(): EngineStats;
  /** Looks for damage in the engine's own structures, without going through what damage could crash.
   *
   * @param onProgress Told how much of how much is checked, where that is known.
   * @returns What is wrong, a sentence each; empty for a healthy engine. A long list may be cut.
   */
  check(onProgress: (done: number, total: number) => void): Promise<string[]>;
  /** Waits for a running `apply`, releases all views and closes the files. The files of an engine with
   * a `failure` are closed as they are, so that nothing is tried again unseen. */
  close(): Promise<void>;
}
