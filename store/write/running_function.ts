/** Keeping a store's writes out of the functions that it calls in the midst of one.
 *
 * @module
 */

/** Which of the caller's own functions are run in the midst of a write, and what to do instead. */
const INSTEAD = {
  transact:
    "the function of transact is running; use its transaction, or wait until it has returned",
  update: "the update function of compareAndSwapF32 is running; wait until it has returned",
};

/** Notes that one of the caller's functions runs in the midst of a write.
 *
 * What is to be written has been read already, or will be computed from what was. A write that came in
 * between would be overwritten although it was acknowledged; and a group that failed in between would
 * take away what was read.
 */
export class RunningFunction {
  #kind: keyof typeof INSTEAD | undefined;

  get isRunning(): boolean {
    return this.#kind !== undefined;
  }

  /** Runs a function, and returns what it returns. */
  run<T>(kind: keyof typeof INSTEAD, body: () => T): T {
    this.#kind = kind;
    try {
      return body();
    } finally {
      this.#kind = undefined;
    }
  }

  /** Refuses what would write while a function runs.
   *
   * @throws {TypeError} One is running.
   */
  requireNone(what: string): void {
    if (this.#kind !== undefined) throw new TypeError(`${what}: ${INSTEAD[this.#kind]}`);
  }
}
