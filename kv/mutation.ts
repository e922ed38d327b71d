/** The checks and writes of a commit, and how they are applied.
 *
 * @module
 */

import { wallClock } from "../runtime/clock.ts";
import type { LiveStore } from "../store/live_store.ts";
import { StoreReader } from "../store/read/reader.ts";
import type { WriteOptions } from "../store/types.ts";
import type { Transaction } from "../store/write/transaction.ts";
import type { Blobs } from "./blobs.ts";
import { stampedKey } from "./key.ts";
import { expiryKey } from "./layout.ts";
import type { NewMessage } from "./message.ts";
import type { AtomicCheck } from "./types.ts";
import { changed } from "./u64.ts";
import { counterOf, encodeCounter, openEntry, seal, stampOf, stampText } from "./value.ts";

/** A check, with the bytes of its key. */
export interface Check {
  readonly check: AtomicCheck;
  readonly key: Uint8Array;
  readonly versionstamp: string | null;
}

/** A write of a commit. */
export type Mutation = EntryMutation | {
  readonly type: "enqueue";
  readonly message: NewMessage;
};

/** One of an entry. */
export type EntryMutation =
  | {
    readonly type: "set";
    readonly key: Uint8Array;
    /** Whether the versionstamp is to follow the key, as a last part. */
    readonly isStamped: boolean;
    readonly entry: Uint8Array;
    /** Milliseconds from the commit on. */
    readonly expireIn: number | undefined;
    /** In place of `expireIn`: when it expires, in milliseconds; 0 for never. */
    readonly expiresAt?: number;
  }
  | { readonly type: "delete"; readonly key: Uint8Array }
  | {
    readonly type: "sum" | "min" | "max";
    readonly key: Uint8Array;
    readonly operand: bigint;
  };

/** What a commit reads and writes: a transaction, or where it is one write, the store itself. */
type Target = Pick<Transaction, "get" | "put" | "delete">;

/** One write, which takes effect when it is called, with the reads before it in the same step. A transaction would
 * take longer to make than everything else that a short commit does. */
export class OneWrite implements Target {
  readonly #store: LiveStore;
  readonly #options: WriteOptions | undefined;
  /** Settles when the write is acknowledged. */
  written: Promise<void> | undefined;

  constructor(store: LiveStore, options: WriteOptions | undefined) {
    this.#store = store;
    this.#options = options;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return StoreReader.innerValue(this.#store, key);
  }

  put(key: Uint8Array, value: Uint8Array | string): void {
    this.written = this.#store.put(key, value, this.#options);
  }

  delete(key: Uint8Array): void {
    this.written = this.#store.delete(key, this.#options);
  }
}

/** Returns whether a mutation changes one key of the store: what expires is in an index as well, and so is a blob that
 * loses its entry. */
export function isOneWrite(mutation: Mutation, blobs: Blobs): mutation is EntryMutation {
  if (mutation.type === "enqueue" || blobs.areThere) return false;
  return mutation.type !== "set" || expiryOf(mutation) === 0;
}

/** Returns the checks that do not hold. */
export function failedOf(target: Target, checks: readonly Check[], now: number): AtomicCheck[] {
  return checks.filter((check) => !holds(target, check, now)).map(({ check }) => check);
}

function holds(target: Target, { key, versionstamp }: Check, now: number): boolean {
  const entry = openEntry(target.get(key), now);
  return (entry === undefined ? null : stampOf(entry)) === versionstamp;
}

/** Returns the time of an expiry. */
export function expiryTime(expireIn: number): number {
  return Math.min(wallClock.now() + expireIn, Number.MAX_SAFE_INTEGER);
}

function expiryOf({ expireIn, expiresAt }: EntryMutation & { type: "set" }): number {
  return expiresAt ?? (expireIn === undefined ? 0 : expiryTime(expireIn));
}

/** Applies one write, and returns when it expires. */
export function applyMutation(
  target: Target,
  mutation: EntryMutation,
  stamp: bigint,
  now: number,
  blobs: Blobs,
): number {
  const dropBlob = (key: Uint8Array) => {
    if (blobs.areThere) blobs.drop(target, target.get(key));
  };
  switch (mutation.type) {
    case "delete":
      dropBlob(mutation.key);
      target.delete(mutation.key);
      return Infinity;
    case "set": {
      const { entry } = mutation;
      const key = mutation.isStamped ? stampedKey(mutation.key, stampText(stamp)) : mutation.key;
      const expiresAt = expiryOf(mutation);
      seal(entry, stamp, expiresAt);
      dropBlob(key);
      target.put(key, entry);
      if (expiresAt === 0) return Infinity;
      target.put(expiryKey(expiresAt, key), "");
      return expiresAt;
    }
    default: {
      const { type, key, operand } = mutation;
      const stored = openEntry(target.get(key), now);
      const entry = encodeCounter(
        stored === undefined ? operand : changed(type, counterOf(stored), operand),
      );
      seal(entry, stamp, 0);
      dropBlob(key);
      target.put(key, entry);
      return Infinity;
    }
  }
}
