/** Poison: why a journal takes no more writes.
 *
 * @module
 */

import { StoreError } from "../codec/error.ts";
import { fileError } from "../codec/_file_error.ts";

/** Holds the first failure after which a journal must not be written. */
export class Poison {
  #error: StoreError | undefined;
  /** Called with the failure, once there is one. */
  onSet: (error: StoreError) => void = () => {};

  /** The failure, if there was one. */
  get error(): StoreError | undefined {
    return this.#error;
  }

  /** Poisons the journal, unless it is poisoned already.
   *
   * @param what What was asked, as the message's beginning.
   * @param cause The error that was met.
   * @param why The consequence, for the message.
   * @returns The error that every later call gets.
   */
  set(
    what: string,
    cause: unknown,
    why = "what is on disk is unknown, so writes are refused",
  ): StoreError {
    if (this.#error !== undefined) return this.#error;
    const { message } = fileError(what, cause);
    this.#error = new StoreError("POISONED", `${message}; ${why} until the journal is reopened`, {
      cause,
    });
    this.onSet(this.#error);
    return this.#error;
  }

  /** Throws where the journal is poisoned.
   *
   * @throws {StoreError} `POISONED`.
   */
  requireNone(what: string): void {
    if (this.#error === undefined) return;
    throw new StoreError("POISONED", `${what}: ${this.#error.message}`, {
      cause: this.#error.cause,
    });
  }
}
