/** Delivering the messages of the queue.
 *
 * A message stays in the store until a listener has dealt with it. Which ones are being worked on is known to the
 * process alone: a store is open in one process at a time, so after a crash all of them are delivered again.
 *
 * @module
 */

import { bytesBehind, compareBytes } from "../codec/bytes.ts";
import { StoreError } from "../codec/error.ts";
import { wallClock } from "../runtime/clock.ts";
import { clearTimeout, setTimeout, type Timer } from "../runtime/timers.ts";
import { nextTurn } from "../runtime/turn.ts";
import { describe } from "../store/limits.ts";
import { MESSAGE } from "./layout.ts";
import { decodeMessage, dueOf, type Message, messageKey } from "./message.ts";
import { valueOf } from "./value.ts";

/** The longest time without a look at the clock, which may jump. */
const PAUSE_MS_MAX = 60_000;
/** How long a write that failed waits before it is tried again. */
const RETRY_MS = 1000;
/** How many bytes of messages are read at a time. */
const READ_BYTES = 16 * 1024 * 1024;
const FIRST = new Uint8Array([MESSAGE]);

/** A message as it is kept. */
export interface StoredMessage {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/** Where messages are kept, as the queue sees it. */
export interface MessageStore {
  /** Aborted when the store is closed. */
  readonly closing: AbortSignal;
  /** Yields messages, in the order in which they are due. */
  messages(range: { gte: Uint8Array; lt: Uint8Array }): Iterable<StoredMessage>;
  /** Returns when the first message from a key on is due; Infinity where there is none. */
  firstDue(from: Uint8Array): number;
  /** Removes a message that was dealt with. */
  finish(key: Uint8Array): Promise<void>;
  /** Puts off a message that was not dealt with, or gives it up. Returns the key that it has now; `undefined` where
   * it was given up. */
  fail(key: Uint8Array, message: Message): Promise<Uint8Array | undefined>;
  /** Says that messages are being worked on, for which the store's other users cannot stand. */
  retain(): void;
  /** Says that none is any more. */
  release(): void;
}

/** What a listener does with a message. */
export type Handler = (value: unknown) => unknown;

interface Listener {
  readonly handler: Handler;
  readonly concurrency: number;
  running: number;
  /** Ends it: with the reason, or as it is meant to end. */
  end(error?: unknown): void;
}

/** The queue of a store, or of a part of it. */
export class Queue {
  readonly #store: MessageStore;
  /** Those that wait longest first. */
  #listeners: Listener[] = [];
  /** The messages that are worked on, and those that cannot be read. */
  readonly #taken = new Set<string>();
  /** The messages that were added, and are not acknowledged yet. */
  readonly #held = new Set<string>();
  /** What is being written about messages that were dealt with. */
  readonly #writing = new Set<Promise<unknown>>();
  /** Where to read on: what is before it was looked at. */
  #next: Uint8Array = FIRST;
  #timer: Timer | undefined;
  /** When the timer fires, by the clock. */
  #due = Infinity;
  #isWoken = false;
  #running = 0;
  /** How many writes about messages have failed, and are tried again. */
  #unwritten = 0;

  constructor(store: MessageStore) {
    this.#store = store;
  }

  /** Delivers messages to a handler until a signal is aborted, or the store is closed.
   *
   * @throws {TypeError | RangeError} An argument is not valid.
   * @throws {StoreError} As reads do.
   */
  async listen(handler: Handler, concurrency: number, signal: AbortSignal): Promise<void> {
    requireListener(handler, concurrency);
    const ended = Promise.withResolvers<void>();
    const listener: Listener = {
      handler,
      concurrency,
      running: 0,
      end: (error) => error === undefined ? ended.resolve() : ended.reject(error),
    };
    const end = () => {
      // At once: it is to get no message any more.
      this.#remove(listener);
      ended.resolve();
    };
    const signals = [signal, this.#store.closing];
    for (const each of signals) each.addEventListener("abort", end);
    this.#listeners.push(listener);
    this.#wake();
    try {
      if (signals.some(({ aborted }) => aborted)) return;
      await ended.promise;
    } finally {
      for (const each of signals) each.removeEventListener("abort", end);
      this.#remove(listener);
    }
  }

  #remove(listener: Listener): void {
    this.#listeners = this.#listeners.filter((other) => other !== listener);
    if (this.#listeners.length > 0) return;
    clearTimeout(this.#timer);
    this.#due = Infinity;
  }

  /** Notes that a message is being added, and is not to be delivered before that is acknowledged: it is read before,
   * and its write may fail, or be lost with the power. */
  hold(key: Uint8Array): void {
    this.#held.add(key.join());
  }

  /** Notes that a message was not added. */
  forget(key: Uint8Array): void {
    this.#held.delete(key.join());
  }

  /** Notes that a message was added. */
  note(key: Uint8Array): void {
    const id = key.join();
    this.#held.delete(id);
    if (compareBytes(key, this.#next) < 0 && !this.#taken.has(id)) this.#next = key;
    if (this.#listeners.length === 0) return;
    const due = dueOf(key);
    if (due <= wallClock.now()) this.#wake();
    else if (due < this.#due) this.#arm(due);
  }

  /** Waits for the handlers that end in this turn of the event loop, and for what is being written about those that
   * have ended. Others may never end. */
  async settle(): Promise<void> {
    if (this.#running > 0) await nextTurn();
    await Promise.allSettled(this.#writing);
  }

  /** Delivers in the next turn what is due: once for all that happens until then. */
  #wake(): void {
    if (this.#isWoken) return;
    this.#isWoken = true;
    void nextTurn().then(() => {
      this.#isWoken = false;
      this.#deliver();
    });
  }

  #deliver(): void {
    const found: StoredMessage[] = [];
    try {
      this.#take(found);
    } catch (error) {
      // Nobody works on what was found before it failed.
      for (const { key } of found) this.#taken.delete(key.join());
      this.#next = FIRST;
      const reason = error instanceof StoreError && error.code === "CLOSED" ? undefined : error;
      for (const listener of this.#listeners) listener.end(reason);
      return;
    }
    for (const { key, value } of found) {
      const listener = this.#listeners.find(({ running, concurrency }) => running < concurrency);
      if (listener === undefined) {
        // A handler that was called just now has closed its Kv.
        this.#taken.delete(key.join());
        this.#next = FIRST;
        continue;
      }
      // The next one is for another listener.
      this.#listeners.push(...this.#listeners.splice(this.#listeners.indexOf(listener), 1));
      void this.#run(listener, key, value);
    }
  }

  /** Takes as many due messages as listeners have room for, and sees to it that the others are not forgotten. */
  #take(found: StoredMessage[]): void {
    let room = 0;
    for (const { running, concurrency } of this.#listeners) room += concurrency - running;
    // A handler that ends will wake it; so will a write that is tried again: without it what is delivered now would
    // come again after a crash, all of it.
    if (room === 0 || this.#unwritten > 0) return this.#arm(Infinity);
    let bytes = 0;
    const range = { gte: this.#next, lt: messageKey(wallClock.now() + 1, 0n, 0) };
    if (compareBytes(range.gte, range.lt) < 0) {
      for (const row of this.#store.messages(range)) {
        if (found.length === room || bytes > READ_BYTES) return this.#wake();
        this.#next = bytesBehind(row.key);
        const id = row.key.join();
        if (this.#taken.has(id) || this.#held.has(id)) continue;
        this.#taken.add(id);
        found.push(row);
        bytes += row.value.length;
      }
    }
    this.#arm(this.#store.firstDue(this.#next));
  }

  /** Wakes it at a time. As long as somebody listens there is a timer, so that the process stays. */
  #arm(due: number): void {
    clearTimeout(this.#timer);
    if (this.#listeners.length === 0) return;
    this.#due = due;
    const pause = Math.min(Math.max(due - wallClock.now(), 0), PAUSE_MS_MAX);
    this.#timer = setTimeout(() => {
      this.#due = Infinity;
      this.#wake();
    }, pause);
  }

  async #run(listener: Listener, key: Uint8Array, bytes: Uint8Array): Promise<void> {
    let message: Message;
    let value: unknown;
    try {
      message = decodeMessage(bytes);
      value = valueOf(message.entry);
    } catch (error) {
      // It stays where it is, and taken: the others are not to wait for it.
      console.error("Cannot deliver message:", error);
      return;
    }
    listener.running++;
    if (this.#running++ === 0) this.#store.retain();
    let isDone = true;
    try {
      await listener.handler(value);
    } catch (error) {
      isDone = false;
      console.error("Exception in queue handler", error);
    }
    listener.running--;
    if (this.#listeners.length > 0) this.#wake();
    await this.#finish(key, isDone ? undefined : message);
    if (--this.#running === 0) this.#store.release();
  }

  /** Writes what became of a message. A write that fails is tried again: the message is not to be delivered
   * meanwhile. */
  async #finish(key: Uint8Array, failed: Message | undefined): Promise<void> {
    for (let isAgain = false;; isAgain = true) {
      const writing: Promise<Uint8Array | void> = failed === undefined
        ? this.#store.finish(key)
        : this.#store.fail(key, failed);
      this.#writing.add(writing);
      try {
        const later = await writing;
        this.#taken.delete(key.join());
        if (isAgain && --this.#unwritten === 0) this.#wake();
        // Not before that: put off by no time, it has the key that it had.
        if (later !== undefined) this.note(later);
        return;
      } catch {
        if (this.#store.closing.aborted) return;
        if (!isAgain) this.#unwritten++;
        await new Promise<void>((resolve) => void setTimeout(resolve, RETRY_MS).unref());
      } finally {
        this.#writing.delete(writing);
      }
    }
  }
}

function requireListener(handler: unknown, concurrency: number): void {
  if (typeof handler !== "function") {
    throw new TypeError(`Cannot listen: the handler is ${describe(handler)}, not a function`);
  }
  if (typeof concurrency !== "number") {
    throw new TypeError(`Cannot listen: concurrency is ${describe(concurrency)}, not a number`);
  }
  if (!(Number.isSafeInteger(concurrency) && concurrency > 0)) {
    throw new RangeError(`Cannot listen: concurrency is ${concurrency}, not an integer from 1 on`);
  }
}
