/** Attempts of transactions: their calls in order, and what is held until it is sent.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { StoreError } from "../codec/error.ts";
import type { ChangeOf } from "./changes.ts";
import { ConnectionLost, Refusal, refusalError } from "./failure.ts";
import { copied } from "../runtime/copy.ts";
import type { Leased, Session } from "./session.ts";
import type { Result, Statement } from "./statement.ts";
import type { WriteNumber } from "./tables.ts";
import { type KeyWrite, nameOf, writesOf } from "./write_tasks.ts";

/** Writes are sent before the end where there are so many bytes of them. */
const HELD_BYTES_MAX = 4 * 1024 * 1024;

/** One attempt of a transaction: what its parts share. */
export class Attempt {
  readonly session: Session;
  readonly leased: Leased;
  readonly number: number;
  /** That of its commit. */
  readonly writeNumber: WriteNumber;
  /** The first failure of a statement: nothing can be done with the transaction any more. */
  failure: unknown;
  /** Whether its function has ended, so that no call is taken any more. */
  isOver = false;
  /** Whether its connection may serve others, so that nothing is sent any more. */
  isEnded = false;
  bytes = 0;
  hasWritten = false;
  #held = new Map<string, KeyWrite>();
  #heldBytes = 0;
  #sending: Promise<unknown> = Promise.resolve();
  /** The last call that waits for its turn. Where there is none, calls are sent as they are made. */
  #waiting: Promise<void> | undefined;

  constructor(session: Session, leased: Leased, number: number) {
    this.session = session;
    this.leased = leased;
    this.number = number;
    this.writeNumber = leased.number();
  }

  requireActive(what: string): void {
    this.session.requireOpen(what);
    if (this.isOver) throw new StoreError("CLOSED", `${what}: the transaction is over`);
  }

  /** Adds a write, which is sent with the next read, or at the end. */
  write(what: string, key: Uint8Array, value: Uint8Array | undefined): void {
    const write = this.#take(what, key, value);
    if (this.#waiting === undefined) this.#hold(what, write);
    // Of a transaction that has failed meanwhile, nothing is written.
    else void this.alone(() => Promise.resolve(this.#hold(what, write))).catch(() => {});
  }

  /** Replaces the value of a key by what becomes of it. */
  change<T>(what: string, key: Uint8Array, change: ChangeOf<T>): Promise<T> {
    return this.alone(async () => {
      const [found] = await this.send(what, [this.session.tables.lockMany([key])]);
      const { value, result } = change(key, found!.rows[0]?.[1] as Uint8Array | undefined);
      this.#hold(what, this.#take(what, key, value));
      return result;
    });
  }

  /** Sends statements after all that was called before. */
  inOrder(what: string, statement: Statement): Promise<Result> {
    const send = async () => (await this.send(what, [statement]))[0]!;
    return this.#waiting === undefined ? send() : this.alone(send);
  }

  /** Does something after all that was called before, and lets everything that is called later wait for it. */
  alone<T>(work: () => Promise<T>): Promise<T> {
    const done = (this.#waiting ?? Promise.resolve()).then(work);
    const isOver = () => {
      if (this.#waiting === waiting) this.#waiting = undefined;
    };
    const waiting: Promise<void> = done.then(isOver, isOver);
    this.#waiting = waiting;
    return done;
  }

  /** Counts a write, and copies it. */
  #take(what: string, key: Uint8Array, value: Uint8Array | undefined): KeyWrite {
    const bytes = key.length + (value?.length ?? 0);
    const { batchBytes } = this.session.limits;
    if (this.bytes + bytes > batchBytes) {
      throw new RangeError(
        `${what}: the transaction would write ${
          this.bytes + bytes
        } bytes, more than the limit of ` +
          `${batchBytes}`,
      );
    }
    this.bytes += bytes;
    this.hasWritten = true;
    return { key: copied(key), value: value && copied(value) };
  }

  #hold(what: string, write: KeyWrite): void {
    this.#heldBytes += write.key.length + (write.value?.length ?? 0);
    this.#held.set(nameOf(write.key), write);
    if (this.#heldBytes <= HELD_BYTES_MAX) return;
    // What fails here is found by what comes after it.
    this.#sending = this.send(what, []).catch(() => {});
  }

  /** Sends what is held, and then statements. */
  async send(what: string, statements: readonly Statement[]): Promise<Result[]> {
    if (this.isEnded) throw new StoreError("CLOSED", `${what}: the transaction is over`);
    if (this.failure !== undefined) throw this.#failureError(what);
    const held = [...this.#held.values()].sort((a, b) => Buffer.compare(a.key, b.key));
    this.#held = new Map();
    this.#heldBytes = 0;
    const writes = writesOf(this.session.tables, held, this.writeNumber);
    try {
      const results = await this.leased.client.run([...writes, ...statements]);
      return results.slice(writes.length);
    } catch (error) {
      this.failure ??= error;
      throw this.#failureError(what);
    }
  }

  /** Returns what a call rejects with: why the transaction has failed, and not that it has. */
  #failureError(what: string): unknown {
    const { failure } = this;
    if (failure instanceof Refusal) return refusalError(what, failure);
    return failure instanceof ConnectionLost ? this.session.unreachable(what, failure) : failure;
  }

  /** Waits for what was called without being waited for. */
  async settle(): Promise<void> {
    while (this.#waiting !== undefined) await this.#waiting;
    await this.#sending;
  }
}
