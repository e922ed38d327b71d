/** Deno KV's API over a store.
 *
 * @module
 */

import { wallClock } from "../runtime/clock.ts";
import { answer, isShort } from "../runtime/turn.ts";
import { requireSignal } from "../store/limits.ts";
import type { LiveStore } from "../store/live_store.ts";
import { StoreReader } from "../store/read/reader.ts";
import type { WriteOptions } from "../store/types.ts";
import type { TransactionOptions } from "../store/write/async_transaction.ts";
import { AtomicOperation, COMMIT_VERSIONSTAMP, setMutation } from "./atomic.ts";
import type { KvBlobSource } from "./blobs.ts";
import type { KvCore } from "./core.ts";
import { encodeReadKey, encodeWrittenKey, viewReadKey } from "./key.ts";
import { ENTRY } from "./layout.ts";
import { entryOf, KvListIterator } from "./list.ts";
import { newMessage } from "./message.ts";
import { resolveSelector } from "./selector.ts";
import type { KvTransaction } from "./transaction.ts";
import type {
  KvBlobEntry,
  KvCommitResult,
  KvConsistencyLevel,
  KvEnqueueOptions,
  KvEntryMaybe,
  KvKey,
  KvListenOptions,
  KvListOptions,
  KvListSelector,
  KvSetOptions,
} from "./types.ts";
import { openEntry, referenceOf, stampOf, valueOf } from "./value.ts";
import { watchStream } from "./watch.ts";

/** Keys that are lists of parts, values that are structured clones, with Deno KV's methods, errors and order.
 * {@linkcode openKv} returns it.
 *
 * Calls take effect in the order in which they are made, and a read sees every earlier write. Every write has
 * a versionstamp, which grows with each of them. What has expired is not returned by any read.
 *
 * Writes reject as `put` of a store does: with a `StoreError` `NO_SPACE`, `IO`, `POISONED` or `READ_ONLY`.
 * After {@linkcode Kv.close} every method throws a `BadResource`, which is `Deno.errors.BadResource` in Deno.
 *
 * @category Kv
 * @example
 * ```ts
 * import { openKv } from "@hybrid/store/kv";
 * import { assertEquals } from "@std/assert";
 *
 * using kv = await openKv(":memory:");
 * await kv.set(["user", "ada"], { born: new Date("1815-12-10") });
 * await kv.set(["user", "alan"], { born: new Date("1912-06-23") });
 * const { value } = await kv.get<{ born: Date }>(["user", "ada"]);
 * assertEquals(value?.born.getUTCFullYear(), 1815);
 *
 * const names = [];
 * for await (const { key } of kv.list({ prefix: ["user"] }, { reverse: true })) names.push(key[1]);
 * assertEquals(names, ["alan", "ada"]);
 * ```
 */
export class Kv implements Disposable, AsyncDisposable {
  readonly #core: KvCore;
  readonly #closing = new AbortController();
  readonly #closeStore: () => Promise<void>;
  #closed: Promise<void> | undefined;

  /**
   * @param closeStore Closes the store, where it is the Kv's own.
   * @internal
   */
  constructor(core: KvCore, closeStore: () => Promise<void>) {
    this.#core = core;
    this.#closeStore = closeStore;
  }

  /** Returns what a Kv works on.
   *
   * @throws {Error} `BadResource`: it is closed.
   * @internal
   */
  static coreOf(kv: Kv): KvCore {
    return kv.#open();
  }

  /** Returns the entry of a key; value and versionstamp are `null` where there is none.
   *
   * @throws {TypeError} The key is not valid.
   * @throws {StoreError} `CORRUPT`: its bytes are not what was written; as `get` of a store does.
   */
  get<T = unknown>(
    key: KvKey,
    options?: { consistency?: KvConsistencyLevel },
  ): Promise<KvEntryMaybe<T>> {
    try {
      requireConsistency(options);
      const bytes = StoreReader.innerValue(this.#store(), viewReadKey(ENTRY, key));
      const entry = entryOf<T>(key, bytes, wallClock.now()) as KvEntryMaybe<T>;
      // As `get` of the store does, and with no other promise in between.
      return answer(entry, isShort(bytes));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Returns the entries of some keys, in their order and all of one moment. Throws as {@linkcode Kv.get} does. */
  async getMany<T extends readonly unknown[]>(
    keys: readonly [...{ [K in keyof T]: KvKey }],
    options?: { consistency?: KvConsistencyLevel },
  ): Promise<{ [K in keyof T]: KvEntryMaybe<T[K]> }> {
    requireConsistency(options);
    const store = this.#store();
    const wanted = keys as readonly KvKey[];
    const bytes = wanted.map((key) => encodeReadKey(ENTRY, key));
    const now = wallClock.now();
    const entries = wanted.map((key, i) => {
      return entryOf(key, StoreReader.innerValue(store, bytes[i]!), now);
    });
    return await answer(entries) as { [K in keyof T]: KvEntryMaybe<T[K]> };
  }

  /** Sets the value of a key, which is copied. Resolves when it is acknowledged: see {@linkcode openKv}.
   *
   * @param options `expireIn`: milliseconds after which it is gone. `durable`: whether to wait for the disk.
   * @returns Its versionstamp.
   * @throws {TypeError} Key, value or option is not valid; nothing changed.
   * @throws {RangeError} The value has more than 1,000 levels of objects.
   */
  async set(key: KvKey, value: unknown, options: KvSetOptions = {}): Promise<KvCommitResult> {
    const core = this.#open();
    const mutation = setMutation(key, value, options);
    return await core.commit([], [mutation], options.durable) as KvCommitResult;
  }

  /** Deletes a key. One that is not there is not an error.
   *
   * @param options `durable`: whether to wait for the disk.
   * @throws {TypeError} The key is not valid.
   */
  async delete(key: KvKey, options?: WriteOptions): Promise<void> {
    const core = this.#open();
    const bytes = encodeWrittenKey(ENTRY, key);
    await core.commit([], [{ type: "delete", key: bytes }], options?.durable);
  }

  /** Lists entries in the order of their keys.
   *
   * @throws {TypeError | Error} Selector or option is not valid.
   */
  list<T = unknown>(selector: KvListSelector, options: KvListOptions = {}): KvListIterator<T> {
    requireConsistency(options);
    this.#open();
    return new KvListIterator<T>(() => this.#store(), selector, options);
  }

  /** Counts entries, reading all of them. Not in Deno KV.
   *
   * @throws {TypeError} The selector is not valid.
   *
   * @example
   * ```ts
   * import { openKv } from "@hybrid/store/kv";
   * import { assertEquals } from "@std/assert";
   *
   * using kv = await openKv(":memory:");
   * for (let i = 0; i < 10; i++) await kv.set(["log", i], `line ${i}`);
   * assertEquals(await kv.count({ prefix: ["log"] }), 10);
   * assertEquals(await kv.deleteRange({ prefix: ["log"], end: ["log", 4] }), 4);
   * assertEquals(await kv.count({ prefix: ["log"] }), 6);
   * ```
   */
  async count(selector: KvListSelector): Promise<number> {
    const store = this.#store();
    const { start, end } = resolveSelector(selector);
    let count = 0;
    for await (const page of store.scanPages({ gte: start, lt: end })) {
      const now = wallClock.now();
      for (const { value } of page) if (openEntry(value, now) !== undefined) count++;
    }
    return count;
  }

  /** Deletes entries together: all of them or none. Not in Deno KV.
   *
   * @param options `durable`: whether to wait for the disk.
   * @returns How many there were.
   * @throws {TypeError} The selector is not valid.
   */
  async deleteRange(selector: KvListSelector, options?: WriteOptions): Promise<number> {
    const { blobs, store } = this.#open();
    const { start, end } = resolveSelector(selector);
    const range = { gte: start, lt: end };
    return await store.transact((tx) => {
      const now = wallClock.now();
      let count = 0;
      for (const { value } of tx.scan(range)) {
        if (openEntry(value, now) !== undefined) count++;
        if (blobs.areThere) blobs.drop(tx, value);
      }
      tx.deleteRange(range);
      return count;
    }, options);
  }

  /** Returns an empty atomic operation: checks and writes that take effect together. */
  atomic(): AtomicOperation {
    return new AtomicOperation(() => this.#open());
  }

  /** Runs a function around `await` whose reads and writes take effect together. Not in Deno KV.
   *
   * It is optimistic, as `transaction` of a store is: if something that it has read was written by others before it
   * commits, it is run again, after a short pause. What it throws leaves nothing behind.
   *
   * @param body Gets the transaction, and may be called several times.
   * @param options `attempts`: how often it is run at most, 16 by default. `signal`: ends it when it is aborted.
   * `durable`: whether to wait for the disk.
   * @returns What the function returned, once its writes are acknowledged.
   * @throws {TypeError | RangeError} An argument is not valid.
   * @throws {StoreError} `CONFLICT`: it was in vain as often as it was to be tried; as {@linkcode Kv.set} does.
   * @throws What the function throws; the signal's reason.
   *
   * @example
   * ```ts
   * import { openKv } from "@hybrid/store/kv";
   * import { assertEquals } from "@std/assert";
   *
   * using kv = await openKv(":memory:");
   * await kv.set(["stock", "lamp"], 3);
   * const order = await kv.transaction(async (tx) => {
   *   const { value: left } = await tx.get<number>(["stock", "lamp"]);
   *   if (!left) throw new Error("sold out");
   *   tx.set(["stock", "lamp"], left - 1);
   *   const number = await tx.sum(["orders"], 1n);
   *   tx.set(["order", number], "lamp").enqueue({ order: number });
   *   return number;
   * });
   * assertEquals((await kv.get(["order", order])).value, "lamp");
   * assertEquals((await kv.get(["stock", "lamp"])).value, 2);
   * ```
   */
  async transaction<T>(
    body: (transaction: KvTransaction) => Promise<T>,
    options?: TransactionOptions,
  ): Promise<T> {
    return await this.#open().transaction(() => this.#open(), body, options);
  }

  /** Returns a stream of the entries of some keys: first as they are, then after each change of one of them.
   * States in between are left out where the reader is slow, and the last one never is. It ends when the Kv is
   * closed.
   *
   * @param options `raw`: whether states are also given in which no versionstamp has changed.
   * @throws {TypeError} A key is not valid.
   */
  watch<T extends readonly unknown[]>(
    keys: readonly [...{ [K in keyof T]: KvKey }],
    options: { raw?: boolean } = {},
  ): ReadableStream<{ [K in keyof T]: KvEntryMaybe<T[K]> }> {
    const { signal } = this.#closing;
    const stream = watchStream(
      this.#store(),
      keys as readonly KvKey[],
      options.raw === true,
      signal,
    );
    return stream as ReadableStream<unknown> as ReadableStream<
      { [K in keyof T]: KvEntryMaybe<T[K]> }
    >;
  }

  /** Returns what stands for the versionstamp of the commit, as the last part of a key that is set: the key then
   * ends with the versionstamp as a string.
   *
   * @example
   * ```ts
   * import { openKv } from "@hybrid/store/kv";
   * import { assertEquals } from "@std/assert";
   *
   * using kv = await openKv(":memory:");
   * const { versionstamp } = await kv.set(["event", kv.commitVersionstamp()], "opened");
   * assertEquals((await kv.get(["event", versionstamp])).value, "opened");
   * ```
   */
  commitVersionstamp(): symbol {
    return COMMIT_VERSIONSTAMP;
  }

  /** Sets the value of a key to bytes of any length, which are streamed: they are in chunks, and never all in memory.
   * The key has its old value until all of them are there; where the source fails, or the process ends, it keeps
   * it. Not in Deno KV.
   *
   * @param source A stream, an async iterable, a `Blob`, or bytes.
   * @param options Those of {@linkcode Kv.set}. `signal`: ends it before it is committed.
   * @returns Its versionstamp, once it is acknowledged.
   * @throws {TypeError} Key, option or source is not valid, or the source gives something else than bytes.
   * @throws {StoreError} As {@linkcode Kv.set} does.
   * @throws What the source throws; the signal's reason.
   *
   * @example
   * ```ts
   * import { openKv } from "@hybrid/store/kv";
   * import { assertEquals } from "@std/assert";
   *
   * using kv = await openKv(":memory:");
   * await kv.setBlob(["picture"], new Blob(["pixels, ", "and more of them"]));
   * const { value, size } = await kv.getBlob(["picture"]);
   * assertEquals([size, await new Response(value).text()], [24, "pixels, and more of them"]);
   * ```
   */
  async setBlob(
    key: KvKey,
    source: KvBlobSource,
    options: KvSetOptions & { signal?: AbortSignal } = {},
  ): Promise<KvCommitResult> {
    this.#open();
    const { signal, durable } = options;
    return await this.#setBlob(setMutation(key, undefined, options), source, signal, durable);
  }

  /** Sets a blob that expires at a time.
   *
   * @param expiresAt In milliseconds; 0 for never.
   * @internal
   */
  static async setBlobUntil(
    kv: Kv,
    key: KvKey,
    source: KvBlobSource,
    expiresAt: number,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const set = { ...setMutation(key, undefined, {}), expiresAt };
    await kv.#setBlob(set, source, signal, undefined);
  }

  async #setBlob(
    set: ReturnType<typeof setMutation>,
    source: KvBlobSource,
    signal: AbortSignal | undefined,
    durable: boolean | undefined,
  ): Promise<KvCommitResult> {
    const core = this.#open();
    requireSignal("Cannot set blob", signal);
    const closing = signal === undefined
      ? this.#closing.signal
      : AbortSignal.any([this.#closing.signal, signal]);
    closing.throwIfAborted();
    return await core.setBlob(set, source, closing, durable);
  }

  /** Returns the bytes of a blob, or of a value that is a `Uint8Array`, as a stream; `null` where there is no entry.
   *
   * The stream shows the blob as it is now, also where it is overwritten or deleted meanwhile: its bytes stay until
   * the stream has ended, or is cancelled, or the Kv is closed, which ends it with an error. Not in Deno KV.
   *
   * @throws {TypeError} The key is not valid, or the value is neither.
   * @throws {StoreError} `CORRUPT`, also while it is read; as {@linkcode Kv.get} does.
   */
  // deno-lint-ignore require-await -- What it throws is to reject.
  async getBlob(key: KvKey): Promise<KvBlobEntry> {
    const { blobs, store } = this.#open();
    // Without a pause in between, so that its chunks cannot go.
    const entry = openEntry(store.getSync(encodeReadKey(ENTRY, key)), wallClock.now());
    if (entry === undefined) return { key, value: null, size: null, versionstamp: null };
    const reference = referenceOf(entry);
    const versionstamp = stampOf(entry);
    if (reference !== undefined) {
      const value = blobs.read(reference, this.#closing.signal);
      return { key, value, size: reference.size, versionstamp };
    }
    const bytes = valueOf(entry);
    if (!(bytes instanceof Uint8Array)) {
      throw new TypeError(
        "Cannot get blob: the value is neither a blob nor a Uint8Array; use get()",
      );
    }
    const value = new ReadableStream<Uint8Array>({
      start(controller) {
        controller.enqueue(bytes);
        controller.close();
      },
    });
    return { key, value, size: bytes.length, versionstamp };
  }

  /** Puts a message into the queue: a value, which is copied. It is delivered to a handler of
   * {@linkcode Kv.listenQueue}, at least once, also after a crash.
   *
   * @param options `delay`: milliseconds before it is delivered. `backoffSchedule`: the pauses before further
   * attempts, where the handler fails. `keysIfUndelivered`: keys that are set to it where none succeeds. `durable`:
   * whether to wait for the disk.
   * @returns The versionstamp of the commit.
   * @throws {TypeError} Value or option is not valid; nothing changed.
   *
   * @example
   * ```ts
   * import { openKv } from "@hybrid/store/kv";
   * import { assertEquals } from "@std/assert";
   *
   * const kv = await openKv(":memory:");
   * const done: unknown[] = [];
   * const listening = kv.listenQueue((message) => {
   *   done.push(message);
   *   if (message === "goodbye") void kv.close();
   * });
   * await kv.enqueue("hello");
   * await kv.enqueue("goodbye", { delay: 20 });
   * await listening;
   * await kv.close();
   * assertEquals(done, ["hello", "goodbye"]);
   * ```
   */
  async enqueue(value: unknown, options: KvEnqueueOptions = {}): Promise<KvCommitResult> {
    const core = this.#open();
    return await core.enqueue(newMessage(value, options), options.durable);
  }

  /** Delivers the messages of the queue to a handler, in the order in which they are due, until the Kv is closed.
   *
   * The handler works on several messages at a time. A message is removed once it returns, or its promise
   * resolves. Where it fails, that is shown on the console, and it is called again after a pause (see
   * `backoffSchedule` of {@linkcode Kv.enqueue}). Of several listeners of the same store each message goes to one.
   * After a crash, and where the Kv is closed while a handler works, the message is delivered again: a handler
   * should do no harm when it is called twice. A message that cannot be read is shown on the console, and stays.
   *
   * @param options `concurrency`: how many messages it works on at a time.
   * @returns When the Kv is closed. The process stays until then.
   * @throws {TypeError | RangeError} An argument is not valid.
   * @throws {Error} The Kv is closed.
   * @throws {StoreError} As `scan` of a store does.
   */
  async listenQueue(
    // deno-lint-ignore no-explicit-any -- Deno's type: the caller knows what was put in.
    handler: (value: any) => Promise<void> | void,
    options: KvListenOptions = {},
  ): Promise<void> {
    if (this.#closed !== undefined) throw new Error("Queue already closed");
    await this.#core.queue.listen(handler, options.concurrency ?? 100, this.#closing.signal);
  }

  /** Ends it, and closes the store where {@linkcode openKv} has opened it. A second call returns the same promise.
   *
   * Handlers of the queue are not waited for, but for those that end at once: so a handler may close the Kv and
   * return. It should not wait for that: it would end after the store, and its message come again.
   *
   * @returns When all is closed. Deno KV's returns nothing, and need not be waited for.
   * @throws {StoreError} As `close` of a store does.
   */
  close(): Promise<void> {
    if (this.#closed === undefined) {
      this.#closing.abort(badResource());
      this.#core.release();
      this.#closed = this.#core.queue.settle().then(this.#closeStore);
    }
    return this.#closed;
  }

  /** Closes it: `using` calls it. */
  [Symbol.dispose](): void {
    // Not waited for. A failure is not hidden either: it is an unhandled rejection.
    void this.close();
  }

  /** Closes it, and waits for that: `await using` calls it. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #open(): KvCore {
    if (this.#closed !== undefined) throw badResource();
    return this.#core;
  }

  #store(): LiveStore {
    return this.#open().store;
  }
}

/** What is thrown where Deno has no class of its own. */
class BadResource extends Error {
  override readonly name = "BadResource";
}

function badResource(): Error {
  const { Deno } = globalThis as { Deno?: { errors?: { BadResource?: typeof BadResource } } };
  return new (Deno?.errors?.BadResource ?? BadResource)("Bad resource ID");
}

/** @throws {TypeError} There is no such level. */
function requireConsistency(options: { consistency?: KvConsistencyLevel } | undefined): void {
  const consistency = options?.consistency;
  if (consistency === undefined || consistency === "strong" || consistency === "eventual") return;
  throw new TypeError(`unknown variant \`${consistency}\`, expected \`strong\` or \`eventual\``);
}
