/** What the `Kv` objects over the same keys of a store share: versionstamps, expiry, commits, the queue.
 *
 * @module
 */

import { wallClock } from "../runtime/clock.ts";
import { describe } from "../store/limits.ts";
import { LiveStore, SubStore } from "../store/live_store.ts";
import type { TransactionOptions } from "../store/write/async_transaction.ts";
import {
  applyMutation,
  type Check,
  failedOf,
  isOneWrite,
  type Mutation,
  OneWrite,
} from "./mutation.ts";
import { MESSAGE, unusedKey } from "./layout.ts";
import {
  dueOf,
  encodeMessage,
  type Message,
  messageKey,
  type NewMessage,
  postponedKey,
} from "./message.ts";
import { Queue } from "./queue.ts";
import { Stamps } from "./stamps.ts";
import { Sweeper } from "./sweeper.ts";
import { KvTransaction, NoStamp } from "./transaction.ts";
import { Blobs, type KvBlobSource } from "./blobs.ts";
import type { KvCommitError, KvCommitResult } from "./types.ts";
import { encodeBlob, stampText } from "./value.ts";

/** How many use a core. */
class Users {
  readonly #onNone: () => void;
  #count = 0;

  constructor(onNone: () => void) {
    this.#onNone = onNone;
  }

  add(): void {
    this.#count++;
  }

  /** Returns whether that was the last one. */
  remove(): boolean {
    if (--this.#count > 0) return false;
    this.#onNone();
    return true;
  }
}

/** A core, and how many use it. */
interface Shared {
  readonly opening: Promise<KvCore>;
  readonly users: Users;
}

const MESSAGES_END = new Uint8Array([MESSAGE + 1]);

/** By store, and within it by prefix. */
const cores = new WeakMap<object, Map<string, Shared>>();

/** The entries of a store, or of a part of it. */
export class KvCore {
  readonly store: LiveStore;
  readonly queue: Queue;
  readonly blobs: Blobs;
  readonly #stamps: Stamps;
  readonly #sweeper: Sweeper;
  readonly #users: Users;

  private constructor(store: LiveStore, stamps: Stamps, users: Users) {
    this.store = store;
    this.#stamps = stamps;
    this.#users = users;
    this.blobs = new Blobs(store);
    this.#sweeper = new Sweeper(store, (tx, entry) => this.blobs.drop(tx, entry));
    this.#sweeper.start();
    this.queue = new Queue({
      closing: LiveStore.closingOf(store),
      messages: (range) => store.scanSync(range),
      firstDue: (from) => {
        const first = { gte: from, lt: MESSAGES_END, limit: 1 };
        for (const { key } of store.scanSync(first)) return dueOf(key);
        return Infinity;
      },
      finish: (key) => store.delete(key),
      fail: (key, message) => this.#fail(key, message),
      retain: () => users.add(),
      release: () => this.release(),
    });
  }

  /** Returns the one of the keys of a store, for one more user.
   *
   * @throws {StoreError} `UNSUPPORTED`; as reads and writes do.
   */
  static async of(store: LiveStore): Promise<KvCore> {
    // The part that one user passes may be closed before the others are done.
    const lasting = LiveStore.lasting("Cannot open Kv", store);
    const identity = LiveStore.identityOf(store);
    const known = cores.get(identity) ?? new Map<string, Shared>();
    cores.set(identity, known);
    const prefix = store instanceof SubStore ? store.prefix.join() : "";
    let shared = known.get(prefix);
    if (shared === undefined) {
      const users: Users = new Users(() => {
        // Another one may have begun meanwhile.
        if (known.get(prefix)?.users === users) known.delete(prefix);
      });
      const opening = Stamps.open(lasting).then((stamps) => new KvCore(lasting, stamps, users));
      shared = { opening, users };
      known.set(prefix, shared);
    }
    shared.users.add();
    try {
      return await shared.opening;
    } catch (error) {
      shared.users.remove();
      throw error;
    }
  }

  /** Ends the use by one of its users. */
  release(): void {
    if (!this.#users.remove()) return;
    this.#sweeper.stop();
    this.blobs.stop();
  }

  /** Sets one entry to a blob.
   *
   * @param set What is to be set, but for the entry.
   * @param closing Ends the reading of the source.
   */
  async setBlob(
    set: Mutation & { type: "set" },
    source: KvBlobSource,
    closing: AbortSignal,
    durable: boolean | undefined,
  ): Promise<KvCommitResult> {
    const id = await this.#withStamp((stamp) => stamp);
    // Until it is known what becomes of the chunks.
    this.#users.add();
    try {
      const reference = await this.blobs.write(id, source, closing);
      const mutations: Mutation[] = [
        { ...set, entry: encodeBlob(reference) },
        { type: "delete", key: unusedKey(id) },
      ];
      return await this.commit([], mutations, durable) as KvCommitResult;
    } finally {
      this.blobs.release(id);
      this.release();
    }
  }

  /** Adds one message to the queue: what a commit would do, for less. */
  async enqueue(message: NewMessage, durable: boolean | undefined): Promise<KvCommitResult> {
    return await this.#withStamp(async (stamp) => {
      const key = messageKey(wallClock.now() + message.delay, stamp, 0);
      this.queue.hold(key);
      try {
        await this.store.put(key, message.bytes, durable === undefined ? undefined : { durable });
      } catch (error) {
        this.queue.forget(key);
        throw error;
      }
      this.queue.note(key);
      return committed(stamp);
    });
  }

  /** Commits checks and writes: all of them or nothing.
   *
   * @throws {TypeError} A counter is none.
   * @throws {StoreError} As `put` of a store does.
   */
  async commit(
    checks: readonly Check[],
    mutations: readonly Mutation[],
    durable: boolean | undefined,
  ): Promise<KvCommitResult | KvCommitError> {
    return await this.#withStamp((stamp) => this.#commit(stamp, checks, mutations, durable));
  }

  /** Takes a versionstamp and uses it, with nothing in between: stamps grow in the order of the commits. */
  async #withStamp<T>(use: (stamp: bigint) => T | Promise<T>): Promise<T> {
    let stamp: bigint | undefined;
    while ((stamp = this.#stamps.next()) === undefined) await this.#stamps.reserve();
    return await use(stamp);
  }

  async #commit(
    stamp: bigint,
    checks: readonly Check[],
    mutations: readonly Mutation[],
    durable: boolean | undefined,
  ): Promise<KvCommitResult | KvCommitError> {
    const options = durable === undefined ? undefined : { durable };
    const [only] = mutations;
    if (mutations.length === 1 && isOneWrite(only!, this.blobs)) {
      const target = new OneWrite(this.store, options);
      const now = wallClock.now();
      const failed = failedOf(target, checks, now);
      if (failed.length > 0) return { ok: false, failed };
      applyMutation(target, only!, stamp, now, this.blobs);
      await target.written;
      return committed(stamp);
    }
    let expiresFirst = Infinity;
    const messages: Uint8Array[] = [];
    const failed = await this.store.transact((tx) => {
      const now = wallClock.now();
      const failed = failedOf(tx, checks, now);
      if (failed.length > 0) return failed;
      for (const mutation of mutations) {
        if (mutation.type === "enqueue") {
          const { delay, bytes } = mutation.message;
          const key = messageKey(now + delay, stamp, messages.length);
          tx.put(key, bytes);
          messages.push(key);
          this.queue.hold(key);
        } else {
          expiresFirst = Math.min(
            expiresFirst,
            applyMutation(tx, mutation, stamp, now, this.blobs),
          );
        }
      }
      return failed;
    }, options).catch((error) => {
      for (const key of messages) this.queue.forget(key);
      throw error;
    });
    if (failed.length > 0) return { ok: false, failed };
    this.note(expiresFirst, messages);
    return committed(stamp);
  }

  /** Runs a transaction; see {@linkcode Kv.transaction}.
   *
   * @param open Returns this, or throws where the user is closed.
   */
  async transaction<T>(
    open: () => KvCore,
    body: (transaction: KvTransaction) => Promise<T>,
    options: TransactionOptions | undefined,
  ): Promise<T> {
    if (typeof body !== "function") {
      throw new TypeError(`Cannot run transaction: the body is ${describe(body)}, not a function`);
    }
    for (;;) {
      let last: KvTransaction | undefined;
      try {
        const result = await this.store.transaction(
          (transaction) => {
            if (last !== undefined) KvTransaction.abandon(last);
            return body(last = new KvTransaction(open, transaction));
          },
          options,
        );
        KvTransaction.announce(last!);
        return result;
      } catch (error) {
        if (last !== undefined) KvTransaction.abandon(last);
        if (!(error instanceof NoStamp)) throw error;
        await this.#stamps.reserve();
      }
    }
  }

  /** Returns the next versionstamp; `undefined` where some have to be reserved before. */
  nextStamp(): bigint | undefined {
    return this.#stamps.next();
  }

  /** Notes what a commit has added for others to care for.
   *
   * @param expiresFirst When the first of what it has set expires.
   * @param messages The keys of its messages.
   */
  note(expiresFirst: number, messages: readonly Uint8Array[]): void {
    this.#sweeper.note(expiresFirst);
    for (const key of messages) this.queue.note(key);
  }

  /** Puts off a message that was not dealt with, or after its last attempt sets the keys that it is for. Returns the
   * key that it has now; `undefined` where it was given up. */
  async #fail(
    key: Uint8Array,
    { pauses, keys, entry }: Message,
  ): Promise<Uint8Array | undefined> {
    const [pause, ...later] = pauses;
    if (pause === undefined) {
      const sets = keys.map((each): Mutation => (
        { type: "set", key: each, isStamped: false, entry, expireIn: undefined }
      ));
      await this.commit([], [{ type: "delete", key }, ...sets], undefined);
      return undefined;
    }
    const next = postponedKey(key, wallClock.now() + pause);
    const bytes = encodeMessage({ pauses: later, keys, entry });
    await this.store.batch().delete(key).put(next, bytes).commit();
    return next;
  }
}

function committed(stamp: bigint): KvCommitResult {
  return { ok: true, versionstamp: stampText(stamp) };
}
