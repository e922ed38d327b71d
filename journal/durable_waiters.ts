/** Callers that wait until a journal is on disk beyond an offset.
 *
 * @module
 */

interface Waiter {
  readonly offset: bigint;
  resolve(): void;
  reject(reason: unknown): void;
}

/** Keeps who waits, and nothing of those that were answered or have given up. */
export class DurableWaiters {
  readonly #waiters = new Set<Waiter>();

  /** How many wait. */
  get size(): number {
    return this.#waiters.size;
  }

  /** Waits until the journal is on disk beyond an offset.
   *
   * @param signal Ends the wait.
   * @returns Rejects with what `rejectAll` is told, or with the signal's reason.
   */
  wait(offset: bigint, signal: AbortSignal | undefined): Promise<void> {
    if (signal?.aborted) return Promise.reject(signal.reason);
    return new Promise((resolve, reject) => {
      const leave = () => {
        this.#waiters.delete(waiter);
        signal?.removeEventListener("abort", abort);
      };
      const waiter: Waiter = {
        offset,
        resolve() {
          leave();
          resolve();
        },
        reject(reason) {
          leave();
          reject(reason);
        },
      };
      const abort = () => waiter.reject(signal!.reason);
      signal?.addEventListener("abort", abort);
      this.#waiters.add(waiter);
    });
  }

  /** Answers those that wait for an offset below `durableEnd`. */
  resolveBelow(durableEnd: bigint): void {
    for (const waiter of this.#waiters) {
      if (waiter.offset < durableEnd) waiter.resolve();
    }
  }

  /** Lets every wait fail. */
  rejectAll(reason: unknown): void {
    for (const waiter of this.#waiters) waiter.reject(reason);
  }
}
