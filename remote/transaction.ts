/** Transactions: functions whose reads and writes take effect together, in a serializable transaction of the server.
 *
 * @module
 */

import { StoreError } from "../codec/error.ts";
import { abortable, pauseUpTo } from "../runtime/abortable.ts";
import type { KeySpace } from "../store/key_space.ts";
import { resolveTransactionOptions } from "../store/call_options.ts";
import { describe } from "../store/limits.ts";
import type { OrderedTransaction } from "../store/ordered_store.ts";
import { isEmpty, resolveDeletion } from "../store/range.ts";
import type { BytesLike, ScanRange } from "../store/types.ts";
import type { TransactionOptions } from "../store/write/async_transaction.ts";
import { Attempt } from "./attempt.ts";
import { addition, type ChangeOf, replacement } from "./changes.ts";
import { ConnectionLost, Refusal, refusalError, WRITER_LOST } from "./failure.ts";
import { copied } from "../runtime/copy.ts";
import { type ReadSource, RemoteReader } from "./reader.ts";
import type { Session } from "./session.ts";
import type { Statement } from "./statement.ts";
import { valueBytesOf } from "./options.ts";

const PAUSE_MS_MAX = 64;

/** Reads and writes that take effect together, as if nothing happened in between: what `RemoteStore.transaction`
 * passes to its function. Calls take effect in their order, awaited or not.
 *
 * @category RemoteStore
 */
export class RemoteTransaction extends RemoteReader implements OrderedTransaction {
  readonly #keys: KeySpace;
  readonly #attempt: Attempt;

  /** @internal */
  constructor(keys: KeySpace, attempt: Attempt) {
    super(keys);
    this.#keys = keys;
    this.#attempt = attempt;
  }

  /** Which attempt this is, from 1 on. */
  get attempt(): number {
    return this.#attempt.number;
  }

  /** Returns this transaction as it looks to the keys below a prefix. */
  sub(prefix: BytesLike): RemoteTransaction {
    const keys = this.#keys.sub("Cannot begin part of transaction", prefix);
    return new RemoteTransaction(keys, this.#attempt);
  }

  /** Sets the value of a key; both are copied.
   *
   * @throws {TypeError | RangeError} An argument is not valid, or a limit is exceeded.
   * @throws {StoreError} `CLOSED`: the transaction is over.
   */
  put(key: BytesLike, value: BytesLike): void {
    const what = "Cannot put key in transaction";
    this.#attempt.requireActive(what);
    const bytes = this.#keys.key(what, key);
    this.#attempt.write(what, bytes, valueBytesOf(what, value, this.#attempt.session.limits));
  }

  /** Removes a key. Throws as {@linkcode RemoteTransaction.put} does. */
  delete(key: BytesLike): void {
    const what = "Cannot delete key in transaction";
    this.#attempt.requireActive(what);
    this.#attempt.write(what, this.#keys.key(what, key), undefined);
  }

  /** Deletes the keys of a range, and returns how many there were. */
  async deleteRange(range: ScanRange): Promise<number> {
    const what = "Cannot delete range in transaction";
    const attempt = this.#attempt;
    attempt.requireActive(what);
    const { range: bounds, limit } = resolveDeletion(what, this.#keys, range);
    if (isEmpty(bounds) || limit === 0) return 0;
    attempt.hasWritten = true;
    const statement = attempt.session.tables.deleteRange(bounds, limit, attempt.writeNumber);
    return (await attempt.inOrder(what, statement)).rowCount ?? 0;
  }

  /** Adds to a u64 counter and returns the new value. */
  async fetchAndAddU64(key: BytesLike, delta: bigint): Promise<bigint> {
    const what = "Cannot add to counter in transaction";
    return await this.#change(what, key, addition(what, delta));
  }

  /** Replaces an f32 and returns the new value. */
  async compareAndSwapF32(key: BytesLike, update: (current: number) => number): Promise<number> {
    const what = "Cannot update number in transaction";
    return await this.#change(what, key, replacement(what, update));
  }

  async #change<T>(what: string, key: BytesLike, change: ChangeOf<T>): Promise<T> {
    const bytes = copied(this.#keys.key(what, key));
    const attempt = this.#attempt;
    attempt.requireActive(what);
    return await attempt.change(what, bytes, change);
  }

  /** @internal */
  protected source(asked: string, options?: object): ReadSource {
    const what = `${asked} in transaction`;
    const attempt = this.#attempt;
    if (options !== undefined) {
      throw new TypeError(`${what}: it takes no options: it reads one moment`);
    }
    attempt.requireActive(what);
    const read = async (statement: Statement) => {
      attempt.requireActive(what);
      return await attempt.inOrder(what, statement);
    };
    return {
      tables: attempt.session.tables,
      requireOpen: () => attempt.requireActive(what),
      readKeys: (_what, _keys, statement) => read(statement),
      readRange: (_what, statement) => read(statement),
    };
  }
}

/** Runs a function until its writes are taken, and returns what it returned then.
 *
 * @param keys Those that the transaction names.
 */
export async function runTransaction<T>(
  what: string,
  session: Session,
  keys: KeySpace,
  body: (transaction: RemoteTransaction) => Promise<T>,
  options: TransactionOptions = {},
): Promise<T> {
  const { attempts, signal } = resolveTransactionOptions(what, options);
  if (typeof body !== "function") {
    throw new TypeError(`${what}: the body is ${describe(body)}, not a function`);
  }
  for (let number = 1;; number++) {
    signal?.throwIfAborted();
    // A transaction sees every earlier write.
    await session.queue.settle();
    session.requireOpen(what);
    const leased = await session.reconnector.until(what, () => session.lease(what));
    const outcome = await attemptOnce(
      what,
      new Attempt(session, leased, number),
      keys,
      body,
      signal,
    );
    if ("result" in outcome) return outcome.result;
    if (number >= attempts) throw lastError(what, session, outcome.failure, attempts);
    await pauseUpTo(Math.min(2 ** number, PAUSE_MS_MAX), signal);
  }
}

async function attemptOnce<T>(
  what: string,
  attempt: Attempt,
  keys: KeySpace,
  body: (transaction: RemoteTransaction) => Promise<T>,
  signal: AbortSignal | undefined,
): Promise<{ result: T } | { failure: Refusal | ConnectionLost }> {
  const { session, leased } = attempt;
  let isClean = false;
  try {
    // Sent with the first statement: a failure is found by that, or at the end.
    const beginning = leased.client.run([
      ...leased.preparation,
      { text: "BEGIN ISOLATION LEVEL SERIALIZABLE" },
    ]).catch((error) => void (attempt.failure ??= error));
    const result = await abortable(body(new RemoteTransaction(keys, attempt)), signal);
    attempt.isOver = true;
    signal?.throwIfAborted();
    session.requireOpen(what);
    await Promise.all([beginning, attempt.settle()]);
    if (attempt.failure !== undefined) throw attempt.failure;
    try {
      await attempt.send(
        what,
        attempt.hasWritten
          ? [...session.tables.number(attempt.writeNumber), { text: "COMMIT" }]
          : [{ text: "COMMIT" }],
      );
      isClean = true;
    } catch {
      const failure: unknown = attempt.failure;
      if (!(failure instanceof ConnectionLost) || !attempt.hasWritten) throw failure;
      if (!(await session.hasTakenPlace(what, attempt.writeNumber, failure))) return { failure };
    }
    return { result };
  } catch (error) {
    const failure: unknown = attempt.failure;
    if (failure instanceof ConnectionLost) {
      // The next attempt would wait for its locks.
      await session.endBackend(failure);
      return { failure };
    }
    if (failure instanceof Refusal && (failure.isConflict || failure.state === WRITER_LOST)) {
      return { failure };
    }
    throw failure instanceof Refusal && error === failure ? refusalError(what, failure) : error;
  } finally {
    attempt.isOver = true;
    attempt.isEnded = true;
    if (isClean) leased.release(true);
    else {
      void leased.client.run([{ text: "ROLLBACK" }]).then(
        () => leased.release(true),
        () => leased.release(false),
      );
    }
  }
}

function lastError(
  what: string,
  session: Session,
  failure: Refusal | ConnectionLost,
  attempts: number,
): StoreError {
  if (failure instanceof ConnectionLost) return session.unreachable(what, failure);
  const times = attempts === 1 ? "in its only attempt" : `in the last of ${attempts} attempts`;
  return new StoreError(
    "CONFLICT",
    `${what}: ${times}, it was in the way of others; nothing of it is written: run it again later`,
    { cause: failure },
  );
}
