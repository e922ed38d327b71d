/** Whether a directory is still the one that a store opened, and the store its owner.
 *
 * A path can come to mean another directory while a store is open: it is renamed and a backup put in
 * its place, say. And a lock can be lost: POSIX locks go with any descriptor of the file that the
 * process closes. What a store then creates or removes by path is another store's.
 *
 * @module
 */

import { StoreError } from "../../codec/error.ts";
import { fileError } from "../../codec/_file_error.ts";
import { clearTimeout, setTimeout, type Timer } from "../../runtime/timers.ts";
import { fileId } from "./file_id.ts";
import type { OwnerNote } from "./owner_note.ts";

/** A look at the directory stays good enough for this long for a write to the journal, which goes to a
 * file that is open. */
const LOOK_MS_MAX = 1000;

/** What a store knows of its directory. Once it is not the store's own, it stays so. */
export class Ownership {
  readonly #directory: string;
  readonly #note: Pick<OwnerNote, "findChange">;
  readonly #ids = new Map<string, string>();
  #loss: string | undefined;
  /** Runs while the last look is good enough for a write to the journal. */
  #timer: Timer | undefined;

  /** @param directory The real path of the directory. */
  constructor(directory: string, note: Pick<OwnerNote, "findChange">) {
    this.#directory = directory;
    this.#note = note;
    this.watch(directory);
  }

  /** Whether the directory was found not to be the store's own any more. */
  get isLost(): boolean {
    return this.#loss !== undefined;
  }

  /** Expects what is at a path to stay there; a path with nothing there is not watched. */
  watch(path: string): void {
    const id = fileId(path);
    if (id !== undefined) this.#ids.set(path, id);
  }

  /** Makes sure that the directory is the store's own. Costs a few questions to the system, and no
   * descriptor.
   *
   * @param what What is to be done, as the beginning of the message.
   * @throws {StoreError} `POISONED`: it is not; `IO`: the system does not say.
   */
  require(what: string): void {
    this.#require(what, this.#ids);
  }

  /** Makes sure of the directory and the owner's note alone, when the files in it are closed.
   *
   * @throws {StoreError} As {@linkcode Ownership.require} does.
   */
  requireDirectory(what: string): void {
    this.#require(what, [[this.#directory, this.#ids.get(this.#directory)]]);
  }

  /** Makes sure that it was the store's own a second ago. No clock is read for it, so that it can be
   * asked for each group of writes.
   *
   * @throws {StoreError} As {@linkcode Ownership.require} does.
   */
  requireLately(what: string): void {
    if (this.#timer !== undefined) return;
    this.require(what);
    this.#timer = setTimeout(() => this.#timer = undefined, LOOK_MS_MAX);
    this.#timer.unref();
  }

  /** Stops the timer, when nothing is written any more. */
  close(): void {
    clearTimeout(this.#timer);
  }

  /** Refuses where the loss is known already.
   *
   * @throws {StoreError} `POISONED`.
   */
  requireUnlost(what: string): void {
    if (this.#loss === undefined) return;
    throw new StoreError(
      "POISONED",
      `${what}: ${this.#directory} is no longer the directory of this store: ${this.#loss}; ` +
        "close this store and open the directory that you mean",
    );
  }

  #require(what: string, ids: Iterable<[path: string, id: string | undefined]>): void {
    try {
      this.#loss ??= this.#findLoss(ids);
    } catch (error) {
      throw fileError(what, error);
    }
    this.requireUnlost(what);
  }

  #findLoss(ids: Iterable<[path: string, id: string | undefined]>): string | undefined {
    for (const [path, id] of ids) {
      const found = fileId(path);
      if (found !== id) {
        return `${path} was ${found === undefined ? "moved or removed" : "replaced"}`;
      }
    }
    return this.#note.findChange();
  }
}
