/** The types of Deno KV's API, under Deno's names without `Deno.`.
 *
 * @module
 */

import type { WriteOptions } from "../store/types.ts";
import type { KvU64 } from "./u64.ts";

/** A part of a key. A symbol is only that of {@linkcode Kv.commitVersionstamp}, as the last part of a key that
 * is set.
 *
 * @category Kv
 */
export type KvKeyPart = Uint8Array | string | number | bigint | boolean | symbol;

/** A key: a list of parts. Keys are ordered by their first parts, then by the second ones, and so on: bytes before
 * strings before bigints before numbers before booleans.
 *
 * @category Kv
 */
export type KvKey = readonly KvKeyPart[];

/** How current a read is to be. Deno's two levels are accepted, and every read is `"strong"`.
 *
 * @category Kv
 */
export type KvConsistencyLevel = "strong" | "eventual";

/** An entry, with the versionstamp of the commit that wrote it.
 *
 * @category Kv
 */
export interface KvEntry<T> {
  /** The key. */
  key: KvKey;
  /** The value. */
  value: T;
  /** The versionstamp: 20 hexadecimal digits. */
  versionstamp: string;
}

/** An entry, or that there is none: then value and versionstamp are `null`.
 *
 * @category Kv
 */
export type KvEntryMaybe<T> = KvEntry<T> | {
  /** The key. */
  key: KvKey;
  /** Nothing. */
  value: null;
  /** Nothing. */
  versionstamp: null;
};

/** The bytes of a value as a stream, or that there is no entry: then all but the key is `null`.
 *
 * @category Kv
 */
export type KvBlobEntry = {
  /** The key. */
  key: KvKey;
  /** The bytes. */
  value: ReadableStream<Uint8Array>;
  /** How many there are. */
  size: number;
  /** The versionstamp: 20 hexadecimal digits. */
  versionstamp: string;
} | {
  /** The key. */
  key: KvKey;
  /** Nothing. */
  value: null;
  /** Nothing. */
  size: null;
  /** Nothing. */
  versionstamp: null;
};

/** Which entries are listed: those whose keys begin with the parts of a prefix, without the prefix itself, those
 * of a range, or those of a part of a prefix.
 *
 * @category Kv
 */
export type KvListSelector =
  | { prefix: KvKey }
  | { prefix: KvKey; start: KvKey }
  | { prefix: KvKey; end: KvKey }
  | { start: KvKey; end: KvKey };

/** How entries are listed.
 *
 * @category Kv
 */
export interface KvListOptions {
  /** The most entries, an integer from 1 on; all by default. */
  limit?: number;
  /** The cursor of an earlier listing with the same selector, to go on behind it. */
  cursor?: string;
  /** Whether they come in descending order; `false` by default. */
  reverse?: boolean;
  /** Accepted; every read is strong. */
  consistency?: KvConsistencyLevel;
  /** The most entries that are read at a time, and so of one moment, an integer from 1 on; 500 by default. */
  batchSize?: number;
  /** Whether the values are left out, as `undefined`; `false` by default. Not in Deno KV. */
  keysOnly?: boolean;
}

/** That a commit was made.
 *
 * @category Kv
 */
export interface KvCommitResult {
  /** Tells it from {@linkcode KvCommitError}. */
  ok: true;
  /** The versionstamp of everything that it wrote. */
  versionstamp: string;
}

/** That a check failed, so that nothing was written.
 *
 * @category Kv
 */
export interface KvCommitError {
  /** Tells it from {@linkcode KvCommitResult}. */
  ok: false;
  /** The checks that failed, in the order in which they were added. Not in Deno KV. */
  failed: AtomicCheck[];
}

/** That an entry is as it was: its versionstamp, `null` where there was none.
 *
 * @category Kv
 */
export interface AtomicCheck {
  /** The key. */
  key: KvKey;
  /** The versionstamp that it has to have. */
  versionstamp: string | null;
}

/** What {@linkcode AtomicOperation.mutate} does to a key.
 *
 * @category Kv
 */
export type KvMutation =
  & {
    /** The key. */
    key: KvKey;
  }
  & (
    | { type: "set"; value: unknown; expireIn?: number }
    | { type: "delete" }
    | { type: "sum"; value: Pick<KvU64, "value"> }
    | { type: "max"; value: Pick<KvU64, "value"> }
    | { type: "min"; value: Pick<KvU64, "value"> }
  );

/** How a value is set.
 *
 * @category Kv
 */
export interface KvSetOptions extends WriteOptions {
  /** Milliseconds after which it is gone, an integer from 0 on. Never, by default. */
  expireIn?: number;
}

/** How a message is put into the queue.
 *
 * @category Kv
 */
export interface KvEnqueueOptions extends WriteOptions {
  /** Milliseconds before it is delivered, 0 to 30 days; 0 by default. */
  delay?: number;
  /** Keys that are set to the message where no attempt to deliver it succeeds. None by default: it is then dropped. */
  keysIfUndelivered?: readonly KvKey[];
  /** Milliseconds before each further attempt, after one has failed: at most 5, each at most an hour; by default
   * 100, 1,000, 5,000, 30,000 and 60,000. */
  backoffSchedule?: readonly number[];
}

/** How a listener is called.
 *
 * @category Kv
 */
export interface KvListenOptions {
  /** How many messages it works on at a time, an integer from 1 on; 100 by default. Not in Deno KV, which has 100.
   */
  concurrency?: number;
}
