/** What the engines with files share.
 *
 * @module
 */

import { StoreError } from "../codec/error.ts";
import { MAX_KEY_BYTES } from "../codec/limits.ts";
import type {
  Engine,
  EngineReader,
  EngineStats,
  EngineView,
  Entry,
  KeyRange,
  Write,
  Writes,
} from "./engine.ts";
import type { Copy } from "../runtime/copy.ts";
import { packWrites } from "./writes.ts";
import { type Moment, MOMENTS_MAX, SharedViews, tooManyMoments } from "./shared_view.ts";

/** What the engines over files share: one apply at a time, views, and the refusal of everything after
 * `close`. What differs is left to the protected methods, which are only called on an open engine.
 */
export abstract class FileEngine implements Engine {
  protected readonly views: SharedViews = new SharedViews(
    () => this.#begin(),
    () => this.mayRest(),
  );
  /** Reads the engine as it is. */
  protected now: EngineReader;
  readonly #side: string;
  readonly #guard: (what: string) => void;
  #position: bigint;
  #failure: StoreError | undefined;
  #applying: Promise<void> | undefined;
  #closing: Promise<void> | undefined;

  /**
   * @param side What messages call the engine.
   * @param now Reads the engine as it is.
   * @param position The journal position that it was opened at.
   * @param guard See {@linkcode EngineOptions}.
   */
  constructor(
    side: string,
    now: EngineReader,
    position: bigint,
    guard: (what: string) => void = () => {},
  ) {
    this.#side = side;
    this.now = now;
    this.#position = position;
    this.#guard = guard;
  }

  get failure(): StoreError | undefined {
    return this.#failure;
  }

  get position(): bigint {
    return this.#position;
  }

  get isStuck(): boolean {
    return false;
  }

  get keyBytesMax(): number {
    return MAX_KEY_BYTES;
  }

  get(key: Uint8Array, copy?: Copy): Uint8Array | undefined {
    this.#requireOpen();
    return this.now.get(key, copy);
  }

  has(key: Uint8Array): boolean {
    this.#requireOpen();
    return this.now.has(key);
  }

  range(range: KeyRange, rows: number, bytes?: number, copy?: Copy): Entry[] {
    this.#requireOpen();
    return this.now.range(range, rows, bytes, copy);
  }

  keys(range: KeyRange, rows: number, bytes?: number): Uint8Array[] {
    this.#requireOpen();
    return this.now.keys(range, rows, bytes);
  }

  async apply(writes: Writes | readonly Write[], position: bigint, note?: string): Promise<void> {
    this.#requireOpen();
    if (this.#failure !== undefined) throw this.#failure;
    this.#guard(`Cannot write to the ${this.#side}`);
    this.views.endResting();
    this.#applying = this.write(packWrites(writes), position, note);
    try {
      await this.#applying;
      this.#position = position;
    } catch (error) {
      // Errors of the library and the disk are of this kind; others are of who made the writes.
      const isOfDisk = error instanceof StoreError;
      if (this.#failure !== undefined) throw this.#failure;
      throw isOfDisk && !this.mayRetry(error) ? this.fail(error) : error;
    } finally {
      this.#applying = undefined;
      this.views.engineChanges();
    }
  }

  view(): EngineView {
    this.#requireOpen();
    return this.views.take();
  }

  stats(): EngineStats {
    this.#requireOpen();
    return this.size();
  }

  async check(onProgress: (done: number, total: number) => void): Promise<string[]> {
    this.#requireOpen();
    while (this.#applying !== undefined) await this.#applying.catch(() => {});
    this.#requireOpen();
    return await this.findDamage(onProgress);
  }

  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  /** Returns whether an apply that failed so left nothing unknown on disk, and can be tried again. */
  protected mayRetry(error: StoreError): boolean {
    return error.code === "NO_SPACE";
  }
  /** Writes and makes durable what `apply` is given. */
  protected abstract write(writes: Writes, position: bigint, note?: string): Promise<void>;
  /** Holds on to the engine as it is. */
  protected abstract beginMoment(): Moment;
  /** Returns whether a moment that no view needs any more may stay open for the next view. */
  protected mayRest(): boolean {
    return false;
  }
  protected abstract size(): EngineStats;
  /** Looks for damage. No apply runs before it first gives up control. */
  protected abstract findDamage(
    onProgress: (done: number, total: number) => void,
  ): Promise<string[]>;
  /** Closes the files. No apply runs and no moment is held. */
  protected abstract closeFiles(): Promise<void>;

  /** Notes that what is on disk is unknown: nothing is applied any more. A failed sync is reported once,
   * and the system then takes for written what is not, so that trying again proves nothing.
   *
   * @returns The reason, which all later applies reject with.
   */
  protected fail(error: unknown): StoreError {
    if (this.#failure === undefined) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#failure = new StoreError(
        error instanceof StoreError && error.code === "CORRUPT" ? "CORRUPT" : "IO",
        `${reason}; the ${this.#side} takes nothing more until the store is reopened, and the journal ` +
          "keeps what it lacks",
        { cause: error },
      );
    }
    return this.#failure;
  }

  protected get isApplying(): boolean {
    return this.#applying !== undefined;
  }

  protected get isClosing(): boolean {
    return this.#closing !== undefined;
  }

  #begin(): Moment {
    if (this.views.moments < MOMENTS_MAX) return this.beginMoment();
    throw tooManyMoments(this.#side, `${MOMENTS_MAX} moments are held already`);
  }

  async #close(): Promise<void> {
    await this.#applying?.catch(() => {});
    this.views.endAll();
    await this.closeFiles();
  }

  #requireOpen(): void {
    if (this.#closing === undefined) return;
    throw new StoreError("CLOSED", `Cannot use engine: the ${this.#side} is closed`);
  }
}
