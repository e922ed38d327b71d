/** Versionstamps: numbers that grow with every commit, and none of which is given twice.
 *
 * A stamp is the time in 2^-20 ms, or one more than the last one where that is later. Before stamps are given, a
 * limit above them is on disk, and an opening begins at the limit that it finds. So a kill, or a power loss that
 * takes the last commits, takes no stamp back. A restored backup has an old limit, and begins at the time of its
 * opening, which is later than the stamps that were given after the backup.
 *
 * @module
 */

import { StoreError } from "../codec/error.ts";
import { wallClock } from "../runtime/clock.ts";
import type { LiveStore } from "../store/live_store.ts";
import { FORMAT, FORMAT_KEY, STAMP_KEY, u64Bytes, u64From } from "./layout.ts";

const BITS_OF_MS = 20n;
/** How far ahead of the time stamps are reserved: 10 s. */
const AHEAD = 10_000n << BITS_OF_MS;
/** How many are reserved at least, where the limit is ahead of the clock already: stamps then grow by one. */
const COUNT_MIN = 1n << 24n;

/** Gives versionstamps. */
export class Stamps {
  readonly #store: LiveStore;
  #last: bigint;
  /** Up to which stamps may be given; it is on disk. */
  #limit: bigint;
  #reserving: Promise<void> | undefined;

  private constructor(store: LiveStore, limit: bigint) {
    this.#store = store;
    this.#last = limit;
    this.#limit = limit;
  }

  /** Begins above all stamps that were given.
   *
   * @throws {StoreError} `UNSUPPORTED`: a later version wrote it; as reads and writes do.
   */
  static async open(store: LiveStore): Promise<Stamps> {
    const format = store.getSync(FORMAT_KEY);
    if (format !== undefined && format[0] !== FORMAT) {
      throw new StoreError(
        "UNSUPPORTED",
        `Cannot open Kv: its format is ${format[0]}, and this version knows ${FORMAT}; use a ` +
          "later version",
      );
    }
    const stored = store.getSync(STAMP_KEY);
    const stamps = new Stamps(store, stored === undefined ? 0n : u64From(stored));
    try {
      await stamps.reserve();
    } catch (error) {
      // Such a store is read, and refuses what would need a stamp.
      if (!(error instanceof StoreError && error.code === "READ_ONLY")) throw error;
    }
    return stamps;
  }

  /** Returns the next stamp, or `undefined` where {@linkcode Stamps.reserve} has to come first. */
  next(): bigint | undefined {
    const time = BigInt(wallClock.now()) << BITS_OF_MS;
    const following = this.#last + 1n;
    if (following > this.#limit) return undefined;
    // Up to the limit at once would use up all that is reserved.
    const stamp = time > following && time <= this.#limit ? time : following;
    this.#last = stamp;
    const isLow = time > this.#limit - AHEAD / 2n || stamp > this.#limit - COUNT_MIN / 2n;
    // Whether it fails, those find out that need it.
    if (isLow && this.#reserving === undefined) this.reserve().catch(() => {});
    return stamp;
  }

  /** Moves the limit. Resolves when it is on disk. */
  reserve(): Promise<void> {
    return this.#reserving ??= this.#reserve().finally(() => this.#reserving = undefined);
  }

  async #reserve(): Promise<void> {
    const ahead = (BigInt(wallClock.now()) << BITS_OF_MS) + AHEAD;
    const least = this.#limit + COUNT_MIN;
    const limit = ahead > least ? ahead : least;
    await this.#store.batch()
      .put(FORMAT_KEY, new Uint8Array([FORMAT]))
      .put(STAMP_KEY, u64Bytes(limit))
      .commit({ durable: true });
    this.#limit = limit;
  }
}
