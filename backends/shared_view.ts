import { StoreError } from "../codec/error.ts";
import type { EngineReader, EngineView, Entry, KeyRange } from "./engine.ts";

/** What an engine holds open for one moment: a read transaction or its like. */
export interface Moment extends EngineReader {
  /** Ends the transaction. Called once. */
  end(): void;
}

interface Shared {
  readonly moment: Moment;
  users: number;
}

/** Hands out views of an engine. Those taken between two changes of the engine share one
 * transaction, so that ten thousand snapshots of a quiet store cost one reader slot.
 */
export class SharedViews {
  readonly #begin: () => Moment;
  readonly #live = new Set<Shared>();
  #current: Shared | undefined;

  /** @param begin Opens a transaction on the engine as it is. */
  constructor(begin: () => Moment) {
    this.#begin = begin;
  }

  /** Returns a view of the engine as it is. */
  take(): EngineView {
    if (this.#current === undefined) {
      this.#current = { moment: this.#begin(), users: 0 };
      this.#live.add(this.#current);
    }
    const shared = this.#current;
    shared.users++;
    return new View(shared.moment, () => this.#release(shared));
  }

  /** Notes that the engine is about to change: later views need a moment of their own. */
  engineChanges(): void {
    this.#current = undefined;
  }

  /** Ends all moments, whoever still uses them. */
  endAll(): void {
    this.#current = undefined;
    for (const { moment } of this.#live) moment.end();
    this.#live.clear();
  }

  #release(shared: Shared): void {
    shared.users--;
    if (shared.users > 0 || !this.#live.delete(shared)) return;
    if (this.#current === shared) this.#current = undefined;
    shared.moment.end();
  }
}

class View implements EngineView {
  #moment: Moment | undefined;
  readonly #onRelease: () => void;

  constructor(moment: Moment, onRelease: () => void) {
    this.#moment = moment;
    this.#onRelease = onRelease;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#reader().get(key);
  }

  has(key: Uint8Array): boolean {
    return this.#reader().has(key);
  }

  range(range: KeyRange, limit: number): Entry[] {
    return this.#reader().range(range, limit);
  }

  keys(range: KeyRange, limit: number): Uint8Array[] {
    return this.#reader().keys(range, limit);
  }

  release(): void {
    if (this.#moment === undefined) return;
    this.#moment = undefined;
    this.#onRelease();
  }

  #reader(): EngineReader {
    if (this.#moment !== undefined) return this.#moment;
    throw new StoreError("CLOSED", "Cannot read view: it was released");
  }
}
