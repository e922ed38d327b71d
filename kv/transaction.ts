/** Transactions around `await`, with keys that are lists of parts and values that are structured clones.
 *
 * @module
 */

import { compareBytes } from "../codec/bytes.ts";
import { wallClock } from "../runtime/clock.ts";
import { answer } from "../runtime/turn.ts";
import { isEmpty } from "../store/range.ts";
import { AsyncTransaction } from "../store/write/async_transaction.ts";
import { setMutation } from "./atomic.ts";
import type { KvCore } from "./core.ts";
import { expiryTime } from "./mutation.ts";
import { decodeKey, encodeReadKey, encodeWrittenKey, stampedKey } from "./key.ts";
import { ENTRY, expiryKey } from "./layout.ts";
import { entryOf, requireCount } from "./list.ts";
import { messageKey, type NewMessage, newMessage } from "./message.ts";
import { resolveSelector } from "./selector.ts";
import type {
  KvEnqueueOptions,
  KvEntry,
  KvEntryMaybe,
  KvKey,
  KvListOptions,
  KvListSelector,
} from "./types.ts";
import { changed, requireU64 } from "./u64.ts";
import {
  counterOf,
  encodeCounter,
  expiryOf,
  openEntry,
  seal,
  stampOf,
  stampText,
  valueOf,
} from "./value.ts";

/** That stamps have to be reserved before the transaction is run again. */
export class NoStamp extends Error {
  override readonly name = "NoStamp";
}

/** A set whose key ends with the versionstamp. */
interface StampedSet {
  readonly key: Uint8Array;
  readonly entry: Uint8Array;
}

/** Reads and writes that take effect together: what {@linkcode Kv.transaction} passes to its function.
 *
 * Reads see one moment, that at which the attempt began, and over it the transaction's own writes, whose
 * versionstamp is 20 zeros until they are committed. Sets whose keys end with `commitVersionstamp()` are not seen.
 * Nothing is written before the function has ended. It can be used until then.
 *
 * @category Kv
 */
export class KvTransaction {
  /** Which attempt this is, from 1 on. */
  readonly attempt: number;
  readonly #core: () => KvCore;
  readonly #transaction: AsyncTransaction;
  /** What it sets, by key: sealed when it commits. */
  readonly #sets = new Map<string, StampedSet>();
  readonly #stamped: StampedSet[] = [];
  readonly #messages: NewMessage[] = [];
  readonly #deleted: Uint8Array[] = [];
  readonly #deletedRanges: { gte: Uint8Array; lt: Uint8Array }[] = [];
  #isChanged = false;
  #stamp: bigint | undefined;
  /** What the core is to be told once it is committed. */
  #committed: (() => void) | undefined;
  /** What it is to be told where it is not. */
  #abandoned: (() => void) | undefined;

  /**
   * @param core Returns what it is a transaction of, or throws where that is closed.
   * @internal
   */
  constructor(core: () => KvCore, transaction: AsyncTransaction) {
    this.#core = core;
    this.#transaction = transaction;
    this.attempt = transaction.attempt;
    AsyncTransaction.atCommit(transaction, () => this.#seal());
  }

  /** The versionstamp of its writes, once they are acknowledged; `undefined` until then, and where it has none. */
  get versionstamp(): string | undefined {
    if (this.#stamp === undefined || this.#transaction.position === undefined) return undefined;
    return stampText(this.#stamp);
  }

  /** Returns the entry of a key; value and versionstamp are `null` where there is none.
   *
   * @throws {TypeError} The key is not valid.
   * @throws {StoreError} `CLOSED`: the transaction is over; `CORRUPT`, as {@linkcode Kv.get} says.
   */
  async get<T = unknown>(key: KvKey): Promise<KvEntryMaybe<T>> {
    const bytes = await this.#open().get(encodeReadKey(ENTRY, key));
    return entryOf<T>(key, bytes, wallClock.now()) as KvEntryMaybe<T>;
  }

  /** Returns the entries of some keys, in their order. Throws as {@linkcode KvTransaction.get} does. */
  async getMany<T extends readonly unknown[]>(
    keys: readonly [...{ [K in keyof T]: KvKey }],
  ): Promise<{ [K in keyof T]: KvEntryMaybe<T[K]> }> {
    const wanted = keys as readonly KvKey[];
    const found = await this.#open().getMany(wanted.map((key) => encodeReadKey(ENTRY, key)));
    const now = wallClock.now();
    const entries = wanted.map((key, i) => entryOf(key, found[i], now));
    return entries as { [K in keyof T]: KvEntryMaybe<T[K]> };
  }

  /** Yields entries in the order of their keys. What is not iterated counts as not read, but for the rest of a
   * page.
   *
   * @throws {TypeError | Error} The selector or an option is not valid; as {@linkcode KvTransaction.get} does.
   */
  async *list<T = unknown>(
    selector: KvListSelector,
    options: Pick<KvListOptions, "limit" | "reverse" | "keysOnly"> = {},
  ): AsyncIterableIterator<KvEntry<T>> {
    const { limit, reverse = false, keysOnly = false } = options;
    requireCount("Limit", limit);
    let left = limit ?? Infinity;
    for await (const { key, entry } of this.#rows(selector, reverse)) {
      const value = (keysOnly ? undefined : valueOf(entry)) as T;
      yield { key: decodeKey(key, 1), value, versionstamp: stampOf(entry) };
      // Not after the next one, which would count as read.
      if (--left === 0) return;
    }
  }

  /** Counts entries, reading all of them. Throws as {@linkcode KvTransaction.list} does. */
  async count(selector: KvListSelector): Promise<number> {
    let count = 0;
    for await (const _ of this.#rows(selector, false)) count++;
    return count;
  }

  /** Sets the value of a key, which is copied.
   *
   * @param options `expireIn`: milliseconds after which it is gone.
   * @throws {TypeError} Key, value or option is not valid.
   * @throws {StoreError} `CLOSED`: the transaction is over.
   */
  set(key: KvKey, value: unknown, options: { expireIn?: number } = {}): this {
    const transaction = this.#open();
    const { key: bytes, isStamped, entry, expireIn } = setMutation(key, value, options);
    const expiresAt = expireIn === undefined ? 0 : expiryTime(expireIn);
    seal(entry, 0n, expiresAt);
    if (isStamped) {
      this.#stamped.push({ key: bytes, entry });
      this.#isChanged = true;
    } else this.#put(transaction, bytes, entry);
    return this;
  }

  /** Deletes a key. Throws as {@linkcode KvTransaction.set} does. */
  delete(key: KvKey): this {
    const bytes = encodeWrittenKey(ENTRY, key);
    this.#open().delete(bytes);
    this.#sets.delete(bytes.join());
    this.#deleted.push(bytes);
    this.#isChanged = true;
    return this;
  }

  /** Deletes entries.
   *
   * @returns How many there were.
   * @throws {TypeError} The selector is not valid; as {@linkcode KvTransaction.get} does.
   */
  async deleteRange(selector: KvListSelector): Promise<number> {
    const { start, end } = resolveSelector(selector);
    const steps = AsyncTransaction.stepsOf(this.#open());
    if (isEmpty({ start, end })) return 0;
    const range = { gte: start, lt: end };
    // Without a pause in between: what is set while this is awaited is not to go along.
    const now = wallClock.now();
    let count = 0;
    for (const { value } of steps.scan(range)) if (openEntry(value, now) !== undefined) count++;
    steps.deleteRange(range);
    this.#deletedRanges.push(range);
    for (const [id, { key }] of this.#sets) {
      if (compareBytes(key, start) >= 0 && compareBytes(key, end) < 0) this.#sets.delete(id);
    }
    this.#isChanged = true;
    return await answer(count);
  }

  /** Adds to a counter, modulo 2^64, and returns the new number; sets it where there is none.
   *
   * @throws {TypeError | RangeError} An argument is not valid, or the value is not a counter.
   * @throws {StoreError} As {@linkcode KvTransaction.get} does.
   */
  sum(key: KvKey, n: bigint): Promise<bigint> {
    return this.#count("sum", key, n);
  }

  /** Sets a counter to the smaller one of its number and another one, and returns it; sets it where there is none.
   * Throws as {@linkcode KvTransaction.sum} does. */
  min(key: KvKey, n: bigint): Promise<bigint> {
    return this.#count("min", key, n);
  }

  /** Sets a counter to the greater one of its number and another one, and returns it; sets it where there is none.
   * Throws as {@linkcode KvTransaction.sum} does. */
  max(key: KvKey, n: bigint): Promise<bigint> {
    return this.#count("max", key, n);
  }

  /** Puts a message into the queue, once it commits; see {@linkcode Kv.enqueue}.
   *
   * @throws {TypeError} Value or option is not valid.
   * @throws {StoreError} `CLOSED`: the transaction is over.
   */
  enqueue(value: unknown, options: Omit<KvEnqueueOptions, "durable"> = {}): this {
    this.#open();
    this.#messages.push(newMessage(value, options));
    this.#isChanged = true;
    return this;
  }

  /** Tells the others of what it has written, once that is acknowledged.
   *
   * @internal
   */
  static announce(transaction: KvTransaction): void {
    transaction.#committed?.();
  }

  /** Tells the others that what it would have written is not.
   *
   * @internal
   */
  static abandon(transaction: KvTransaction): void {
    transaction.#abandoned?.();
  }

  #open(): AsyncTransaction {
    this.#core();
    return this.#transaction;
  }

  async *#rows(
    selector: KvListSelector,
    reverse: boolean,
  ): AsyncIterableIterator<{ key: Uint8Array; entry: Uint8Array }> {
    const { start, end } = resolveSelector(selector);
    // A range whose end is not above its start is empty, and no range of the store.
    if (isEmpty({ start, end })) return;
    const now = wallClock.now();
    for await (const { key, value } of this.#open().scan({ gte: start, lt: end, reverse })) {
      const entry = openEntry(value, now);
      if (entry !== undefined) yield { key, entry };
    }
  }

  #put(transaction: AsyncTransaction, key: Uint8Array, entry: Uint8Array): void {
    transaction.put(key, entry);
    const expiresAt = expiryOf(entry);
    if (expiresAt > 0) transaction.put(expiryKey(expiresAt, key), "");
    this.#sets.set(key.join(), { key, entry });
    this.#isChanged = true;
  }

  async #count(type: "sum" | "min" | "max", key: KvKey, operand: bigint): Promise<bigint> {
    requireU64(operand);
    const bytes = encodeWrittenKey(ENTRY, key);
    const transaction = this.#open();
    // Read and written without a pause in between: two that are awaited together are both counted.
    const stored = openEntry(AsyncTransaction.stepsOf(transaction).get(bytes), wallClock.now());
    const number = stored === undefined ? operand : changed(type, counterOf(stored), operand);
    const entry = encodeCounter(number);
    seal(entry, 0n, 0);
    this.#put(transaction, bytes, entry);
    return await answer(number, true);
  }

  /** Gives everything its versionstamp, in one step with the commit: stamps grow in the order of the commits.
   *
   * @throws {NoStamp} None is left.
   */
  #seal(): void {
    if (!this.#isChanged) return;
    const core = this.#core();
    const stamp = core.nextStamp();
    if (stamp === undefined) throw new NoStamp();
    const transaction = this.#transaction;
    this.#dropBlobs(core);
    let expiresFirst = Infinity;
    const put = (key: Uint8Array, entry: Uint8Array) => {
      const expiresAt = expiryOf(entry);
      if (expiresAt > 0) expiresFirst = Math.min(expiresFirst, expiresAt);
      seal(entry, stamp, expiresAt);
      transaction.put(key, entry);
      return expiresAt;
    };
    for (const { key, entry } of this.#sets.values()) put(key, entry);
    for (const { key: without, entry } of this.#stamped) {
      const key = stampedKey(without, stampText(stamp));
      const expiresAt = put(key, entry);
      if (expiresAt > 0) transaction.put(expiryKey(expiresAt, key), "");
    }
    const now = wallClock.now();
    const messages = this.#messages.map(({ delay, bytes }, index) => {
      const key = messageKey(now + delay, stamp, index);
      transaction.put(key, bytes);
      return key;
    });
    for (const key of messages) core.queue.hold(key);
    this.#stamp = stamp;
    this.#committed = () => core.note(expiresFirst, messages);
    this.#abandoned = () => messages.forEach((key) => core.queue.forget(key));
  }

  /** Notes the blobs that it takes away. As nothing comes between this and the commit, those of now are the ones. */
  #dropBlobs({ blobs, store }: KvCore): void {
    if (!blobs.areThere) return;
    const keys = [...this.#sets.values()].map(({ key }) => key).concat(this.#deleted);
    for (const key of keys) blobs.drop(this.#transaction, store.getSync(key));
    for (const range of this.#deletedRanges) {
      for (const { value } of store.scanSync(range)) blobs.drop(this.#transaction, value);
    }
  }
}
