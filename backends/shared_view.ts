/** Views of one moment of an engine, which share what it takes to hold it.
 *
 * @module
 */

import { StoreError } from "../codec/error.ts";
import type { EngineReader, EngineView, Entry, KeyRange } from "./engine.ts";

/** What an engine holds open for one moment: a read transaction or its like. */
export interface Moment extends EngineReader {
  /** Ends the transaction. Called once; reading afterwards is not allowed. */
  end(): void;
}

/** Moments that the views of one engine can hold at the same time: each takes a reader slot of LMDB, or
 * a connection of SQLite with its file descriptors. */
export const MOMENTS_MAX = 1024;

/** Returns the refusal of one moment more.
 *
 * @param side What messages call the engine.
 * @param reason Why there can be no more.
 */
export function tooManyMoments(side: string, reason: string): StoreError {
  return new StoreError(
    "TOO_MANY_SNAPSHOTS",
    `Cannot take snapshot of the ${side}: ${reason}; dispose of snapshots that are done with`,
  );
}

/** The collector does not see what a moment takes: a read transaction, a connection. Where there are more of
 * them than these, many may belong to views that were forgotten, … */
const MOMENTS_BEFORE_PRESSURE = 256;
/** … and memory of this size, which is never touched, makes it look for them. */
const PRESSURE_BYTES = 256 * 1024;

interface Shared {
  readonly moment: Moment;
  users: number;
  readonly pressure: ArrayBuffer | undefined;
}

/** Hands out views of an engine. Those taken between two changes of the engine share one
 * transaction, so that ten thousand snapshots of a quiet store cost one reader slot.
 */
export class SharedViews {
  readonly #begin: () => Moment;
  readonly #mayRest: () => boolean;
  readonly #live = new Set<Shared>();
  #current: Shared | undefined;

  /**
   * @param begin Opens a transaction on the engine as it is.
   * @param mayRest Returns whether a transaction that no view needs any more may stay open for the next view.
   */
  constructor(begin: () => Moment, mayRest: () => boolean = () => false) {
    this.#begin = begin;
    this.#mayRest = mayRest;
  }

  /** The moments that views hold, and the one that rests. */
  get moments(): number {
    return this.#live.size;
  }

  /** Returns a view of the engine as it is. */
  take(): EngineView {
    if (this.#current === undefined) {
      const isMany = this.#live.size >= MOMENTS_BEFORE_PRESSURE;
      const pressure = isMany ? new ArrayBuffer(PRESSURE_BYTES) : undefined;
      this.#current = { moment: this.#begin(), users: 0, pressure };
      this.#live.add(this.#current);
    }
    this.#current.users++;
    return new View(this, this.#current);
  }

  /** Ends the moment that no view needs, before the engine changes. */
  endResting(): void {
    if (this.#current?.users === 0) this.#end(this.#current);
  }

  /** Notes that the engine has changed: later views need a moment of their own. */
  engineChanges(): void {
    this.#current = undefined;
  }

  /** Ends all moments, also those in use. */
  endAll(): void {
    const ended = [...this.#live];
    this.#live.clear();
    this.#current = undefined;
    for (const { moment } of ended) moment.end();
  }

  /** Returns the moment of a view, for as long as it can be read: a transaction that has ended may
   * crash the process.
   */
  read(shared: Shared | undefined): EngineReader {
    if (shared !== undefined && this.#live.has(shared)) return shared.moment;
    const reason = shared === undefined
      ? "it was released"
      : "its engine is closed, or a write to it failed";
    throw new StoreError("CLOSED", `Cannot read view: ${reason}`);
  }

  /** Notes that a view no longer needs its moment. */
  release(shared: Shared): void {
    shared.users--;
    if (shared.users > 0 || !this.#live.has(shared)) return;
    if (this.#current !== shared || !this.#mayRest()) this.#end(shared);
  }

  #end(shared: Shared): void {
    this.#live.delete(shared);
    if (this.#current === shared) this.#current = undefined;
    shared.moment.end();
  }
}

class View implements EngineView {
  readonly #views: SharedViews;
  #shared: Shared | undefined;

  constructor(views: SharedViews, shared: Shared) {
    this.#views = views;
    this.#shared = shared;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#views.read(this.#shared).get(key);
  }

  has(key: Uint8Array): boolean {
    return this.#views.read(this.#shared).has(key);
  }

  range(range: KeyRange, rows: number, bytes?: number): Entry[] {
    return this.#views.read(this.#shared).range(range, rows, bytes);
  }

  keys(range: KeyRange, rows: number, bytes?: number): Uint8Array[] {
    return this.#views.read(this.#shared).keys(range, rows, bytes);
  }

  release(): void {
    const shared = this.#shared;
    this.#shared = undefined;
    if (shared !== undefined) this.#views.release(shared);
  }
}
