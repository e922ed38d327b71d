/** A store in a database that speaks the PostgreSQL wire.
 *
 * @module
 */

import type { Entry } from "../backends/engine.ts";
import { StoreError } from "../codec/error.ts";
import { resolveDurable } from "../store/call_options.ts";
import { KeySpace } from "../store/key_space.ts";
import { describe, requireOptions } from "../store/limits.ts";
import type { OrderedStore } from "../store/ordered_store.ts";
import { isEmpty, resolveDeletion } from "../store/range.ts";
import type { BytesLike, Change, ScanRange, WatchOptions, WriteOptions } from "../store/types.ts";
import type { TransactionOptions } from "../store/write/async_transaction.ts";
import { RemoteBatch } from "./batch.ts";
import { addition, type ChangeOf, replacement } from "./changes.ts";
import type { Connection } from "./connection.ts";
import type { DialectName } from "./dialect.ts";
import { FedTables } from "./fed_tables.ts";
import { prepareChanges, prepareWatch, type RemoteChangesOptions, trimChanges } from "./feed.ts";
import {
  REMOTE_KEY_BYTES_MAX,
  type RemoteOptions,
  resolveRemoteOptions,
  valueBytesOf,
} from "./options.ts";
import { copied } from "../runtime/copy.ts";
import { type ReadSource, RemoteReader, type StaleOptions } from "./reader.ts";
import { Session } from "./session.ts";
import { RemoteSnapshot } from "./snapshot.ts";
import { connectOnce } from "./setup.ts";
import type { Statement } from "./statement.ts";
import { type RemoteTransaction, runTransaction } from "./transaction.ts";
import type { BatchPart } from "./write_tasks.ts";

/** What a remote store and its parts share.
 *
 * @category RemoteStore
 */
export abstract class RemoteView extends RemoteReader implements OrderedStore {
  readonly #session: Session;
  readonly #keys: KeySpace;

  /** @internal */
  constructor(session: Session, keys: KeySpace) {
    super(keys);
    this.#session = session;
    this.#keys = keys;
  }

  /** @throws {StoreError} `CLOSED`.
   *
   * @internal
   */
  protected requireOpen(what: string): void {
    this.#session.requireOpen(what);
  }

  /** Sets the value of a key. Resolves when the server has committed it.
   *
   * Writes that are called while others are on their way go together, in one statement. They take effect in the order
   * of the calls, and one that is refused does not take others with it.
   *
   * @throws {TypeError | RangeError} An argument is not valid.
   * @throws {StoreError} `UNREACHABLE`, `NO_SPACE`, `READ_ONLY`, `SCHEMA`, `CLOSED`: nothing has changed.
   * `UNKNOWN_RESULT`: it is not known.
   */
  async put(key: BytesLike, value: BytesLike, options?: WriteOptions): Promise<void> {
    const what = "Cannot put key";
    this.requireOpen(what);
    const bytes = copied(this.#keys.key(what, key));
    const valueCopy = copied(valueBytesOf(what, value, this.#session.limits));
    resolveDurable(what, options);
    await this.#session.noted(this.#session.queue.write(what, [{ key: bytes, value: valueCopy }]));
  }

  /** Removes a key. Deleting a missing key is not an error. Throws as {@linkcode RemoteView.put} does. */
  async delete(key: BytesLike, options?: WriteOptions): Promise<void> {
    const what = "Cannot delete key";
    this.requireOpen(what);
    const bytes = copied(this.#keys.key(what, key));
    resolveDurable(what, options);
    await this.#session.noted(this.#session.queue.write(what, [{ key: bytes, value: undefined }]));
  }

  /** Deletes the keys of a range together, and returns how many there were. Throws as {@linkcode RemoteView.put} does.
   */
  async deleteRange(range: ScanRange, options?: WriteOptions): Promise<number> {
    const what = "Cannot delete range";
    this.requireOpen(what);
    const { range: bounds, limit } = resolveDeletion(what, this.#keys, range);
    resolveDurable(what, options);
    if (isEmpty(bounds) || limit === 0) return 0;
    return await this.#session.noted(this.#session.queue.deleteRange(what, bounds, limit));
  }

  /** Adds to a u64 counter and returns the new value. Throws as {@linkcode RemoteView.put} does.
   *
   * Counts that are called while others are on their way go together, in one transaction.
   *
   * @throws {StoreError} `INVALID_VALUE`: the value is not 8 bytes long.
   */
  async fetchAndAddU64(key: BytesLike, delta: bigint, options?: WriteOptions): Promise<bigint> {
    const what = "Cannot add to counter";
    return await this.#change(what, key, options, addition(what, delta));
  }

  /** Replaces an f32 by what `update` returns for it, and returns the new value. Throws as {@linkcode RemoteView.put}
   * does.
   *
   * @param update May be called again, where the number was in use by others.
   * @throws {StoreError} `INVALID_VALUE`: the value is not 4 bytes long.
   */
  async compareAndSwapF32(
    key: BytesLike,
    update: (current: number) => number,
    options?: WriteOptions,
  ): Promise<number> {
    const what = "Cannot update number";
    return await this.#change(what, key, options, replacement(what, update));
  }

  /** Returns an empty batch.
   *
   * @throws {StoreError} `CLOSED`.
   */
  batch(): RemoteBatch {
    this.requireOpen("Cannot begin batch");
    const { limits } = this.#session;
    return new RemoteBatch(this.#keys, {
      batchBytesMax: limits.batchBytes,
      valueBytes: (what, value) => valueBytesOf(what, value, limits),
      commit: (what, parts, options) => this.#commit(what, parts, options),
    });
  }

  /** Runs a function in a serializable transaction of the server; again, where it was in the way of others.
   *
   * @throws {TypeError | RangeError} An argument is not valid.
   * @throws {StoreError} `CONFLICT`: each attempt was in vain; as {@linkcode RemoteView.put} does.
   * @throws What the function throws; the signal's reason.
   */
  async transaction<T>(
    body: (transaction: RemoteTransaction) => Promise<T>,
    options?: TransactionOptions,
  ): Promise<T> {
    const what = "Cannot run transaction";
    this.requireOpen(what);
    return await runTransaction(what, this.#session, this.#keys, body, options);
  }

  /** Returns the store as it is now, readable while writes go on. It takes a connection of the pool until it is closed.
   *
   * @throws {StoreError} As {@linkcode RemoteReader.get} does.
   */
  async snapshot(): Promise<RemoteSnapshot> {
    const what = "Cannot take snapshot";
    this.requireOpen(what);
    const session = this.#session;
    await session.queue.settle();
    return await session.reconnector.until(what, async () => {
      const leased = await session.lease(what);
      const fed = session.tables instanceof FedTables ? session.tables : undefined;
      let position: bigint | undefined;
      try {
        const [, first] = await leased.client.run([
          { text: "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY" },
          // The moment is that of the first read.
          fed?.position() ?? session.tables.has(new Uint8Array(1)),
        ]);
        position = fed && BigInt(first!.rows[0]![0] as string);
      } catch (error) {
        leased.release(false);
        throw error;
      }
      const requireOpen = (asked: string) => this.requireOpen(asked);
      return new RemoteSnapshot(session, this.#keys, leased, position, requireOpen);
    });
  }

  /** Yields the changes of a store that was set up with `changes`: each write of one call, a batch or a transaction, in
   * the order in which they were committed, without gaps. Writes that went together to the server come together.
   *
   * What it shows is committed, and as durable as the server keeps it. It asks the server: a live feed waits for up to a
   * quarter of a second between two questions, and ends when the store is closed.
   *
   * @throws {TypeError | RangeError} An option is not valid.
   * @throws {StoreError} `UNSUPPORTED`: the store has no feed. While it is iterated: `CURSOR_LOST`: `after` lies before
   * what {@linkcode RemoteView.trimChanges} has left; as a read does.
   */
  changes(options?: RemoteChangesOptions): AsyncIterableIterator<Change> {
    const what = "Cannot read changes";
    this.requireOpen(what);
    return prepareChanges(what, this.#session, this.#keys, this.ending, options);
  }

  /** Yields the entries of some keys, or of all keys below a prefix: first as they are now, then the newest state after
   * each change, as `watch` of a store in a directory does. It needs the change feed, and asks as that does.
   *
   * @param watched The keys, or `{ prefix }`.
   * @throws {TypeError | RangeError} An argument is not valid.
   * @throws {StoreError} `UNSUPPORTED`: the store has no feed; while it is iterated, as a read does.
   */
  watch(
    watched: readonly BytesLike[] | { prefix: BytesLike },
    options?: WatchOptions,
  ): AsyncIterableIterator<Entry[]> {
    const what = "Cannot watch keys";
    this.requireOpen(what);
    return prepareWatch(
      what,
      this.#session,
      this.#keys,
      () => this.snapshot(),
      this.ending,
      watched,
      options,
    );
  }

  /** Removes changes from the feed, which grows until then. Readers that have not come so far get `CURSOR_LOST`.
   *
   * @param upTo The position up to which they are removed: of a change, or of a snapshot.
   * @throws {TypeError | RangeError} It is not a position of the feed.
   * @throws {StoreError} `UNSUPPORTED`: the store has no feed; as {@linkcode RemoteView.put} does.
   */
  async trimChanges(upTo: bigint): Promise<void> {
    const what = "Cannot trim changes";
    this.requireOpen(what);
    await trimChanges(what, this.#session, upTo);
  }

  /** Aborted when it is closed.
   *
   * @internal
   */
  protected get ending(): AbortSignal {
    return this.#session.ending;
  }

  /** Returns the keys below a prefix as a store of their own.
   *
   * @throws {TypeError | RangeError} The prefix is not valid.
   * @throws {StoreError} `CLOSED`.
   */
  sub(prefix: BytesLike): RemotePart {
    const what = "Cannot open part of store";
    this.requireOpen(what);
    return new RemotePart(
      this.#session,
      this.#keys.sub(what, prefix),
      (asked) => this.requireOpen(asked),
    );
  }

  /** Waits for all earlier writes, and rejects if one of them has failed since the last call. */
  async flush(): Promise<void> {
    const what = "Cannot flush";
    this.requireOpen(what);
    await this.#session.flush(what);
  }

  /** Closes it. A second call does nothing more. */
  abstract close(): Promise<void>;

  /** Closes it: `await using` calls it. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** @internal */
  protected source(what: string, options: StaleOptions = {}): ReadSource {
    this.requireOpen(what);
    const session = this.#session;
    const stale = this.#staleBegin(what, options);
    const requireOpen = (asked: string) => this.requireOpen(asked);
    const { tables } = session;
    if (stale !== undefined) {
      const read = (asked: string, statement: Statement) =>
        session.runPooled(asked, [...stale, statement, { text: "COMMIT" }], stale.length);
      return {
        tables,
        requireOpen,
        readKeys: (asked, _, statement) => read(asked, statement),
        readRange: read,
      };
    }
    return {
      tables,
      requireOpen,
      readKeys: (asked, keys, statement) => session.readKeys(asked, keys, statement),
      readRange: async (asked, statement) => {
        await session.queue.settle();
        return await session.runPooled(asked, [statement], 0);
      },
    };
  }

  #staleBegin(what: string, options: StaleOptions): Statement[] | undefined {
    requireOptions(what, options, ["staleMs"]);
    const { staleMs } = options;
    if (staleMs === undefined) return undefined;
    if (typeof staleMs !== "number") {
      throw new TypeError(`${what}: staleMs is ${describe(staleMs)}, not a number`);
    }
    if (!Number.isSafeInteger(staleMs) || staleMs < 1) {
      throw new RangeError(`${what}: staleMs is ${staleMs}, not an integer from 1 on`);
    }
    const { dialect } = this.#session;
    const begin = dialect.beginStale(staleMs);
    if (begin === undefined) {
      throw new StoreError(
        "UNSUPPORTED",
        `${what}: ${dialect.name} has no stale reads; leave staleMs out, or open a store on a standby`,
      );
    }
    return begin.map((text) => ({ text }));
  }

  async #commit(what: string, parts: readonly BatchPart[], options?: WriteOptions): Promise<void> {
    this.requireOpen(what);
    resolveDurable(what, options);
    const { queue } = this.#session;
    const [first] = parts;
    if (first === undefined) return;
    const isAlone = parts.length === 1 && "writes" in first;
    await this.#session.noted(
      isAlone ? queue.write(what, first.writes) : queue.writeBatch(what, parts),
    );
  }

  async #change<T>(
    what: string,
    key: BytesLike,
    options: WriteOptions | undefined,
    change: ChangeOf<T>,
  ): Promise<T> {
    this.requireOpen(what);
    const bytes = copied(this.#keys.key(what, key));
    resolveDurable(what, options);
    let result: { of: T } | undefined;
    await this.#session.noted(this.#session.queue.change(what, bytes, (stored) => {
      const changed = change(bytes, stored);
      result = { of: changed.result };
      return changed.value;
    }));
    return result!.of;
  }
}

/** The keys of a remote store below a prefix, as a store of their own: `sub` returns it.
 *
 * @category RemoteStore
 */
export class RemotePart extends RemoteView {
  readonly #requireOpen: (what: string) => void;
  readonly #ending = new AbortController();

  /** @internal */
  constructor(session: Session, keys: KeySpace, requireOpen: (what: string) => void) {
    super(session, keys);
    this.#requireOpen = requireOpen;
  }

  /** Ends this view. The store stays open. */
  // deno-lint-ignore require-await
  async close(): Promise<void> {
    this.#ending.abort();
  }

  /** @internal */
  protected override get ending(): AbortSignal {
    return AbortSignal.any([super.ending, this.#ending.signal]);
  }

  /** @internal */
  protected override requireOpen(what: string): void {
    this.#requireOpen(what);
    if (this.#ending.signal.aborted) {
      throw new StoreError("CLOSED", `${what}: this part of the store is closed`);
    }
  }
}

/** An ordered store in PostgreSQL, CockroachDB or YugabyteDB, with the contract of the one in a directory: code that
 * takes an {@linkcode OrderedStore} runs on both.
 *
 * Calls of the same object for single keys, batches and counters take effect in the order in which they are made.
 * A range is read after every earlier write; what is written after the call and before the answer may be seen.
 *
 * What the server has acknowledged is as durable as the server is set up to keep it. After a lost connection it is
 * asked what has become of a write: no write is made twice, and where it cannot be asked, the error is
 * `UNKNOWN_RESULT`.
 *
 * @category RemoteStore
 */
export class RemoteStore extends RemoteView {
  readonly #session: Session;

  private constructor(session: Session) {
    super(session, new KeySpace(REMOTE_KEY_BYTES_MAX));
    this.#session = session;
  }

  /** Which database it is in. */
  get dialect(): DialectName {
    return this.#session.dialect.name;
  }

  /** Creates the tables of a store, where they are not there: once, by a role that may do so.
   *
   * @param connection A URL, `postgres://USER:PASSWORD@HOST/DATABASE`, or the options of a client of `pg`.
   * @throws {TypeError | RangeError} An argument is not valid.
   * @throws {StoreError} `UNREACHABLE`; `SCHEMA`: the role may not, or there are other tables of these names;
   * `UNSUPPORTED`: the database is none of those that are known.
   */
  static async setup(connection: Connection, options?: RemoteOptions): Promise<void> {
    const what = "Cannot set up remote store";
    await connectOnce(what, connection, resolveRemoteOptions(what, options), true);
  }

  /** Opens the store in a database.
   *
   * @param connection A URL, or the options of a client of `pg`.
   * @throws {TypeError | RangeError} An argument is not valid.
   * @throws {StoreError} `UNREACHABLE`; `SCHEMA`: {@linkcode RemoteStore.setup} was not called; `UNSUPPORTED`.
   */
  static async open(connection: Connection, options?: RemoteOptions): Promise<RemoteStore> {
    const what = "Cannot open remote store";
    const settings = resolveRemoteOptions(what, options);
    const { connector, dialect, tables } = await connectOnce(what, connection, settings, false);
    return new RemoteStore(new Session(connector, dialect, tables, settings));
  }

  /** Waits for the calls that are under way, and ends the connections. A second call returns the same promise. */
  close(): Promise<void> {
    return this.#session.close();
  }
}
