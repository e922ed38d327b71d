/** How late the event loop is: what a request that arrives meanwhile has to wait.
 *
 * A chain of timers of 1 ms, each late by what the loop was busy with. A chain of `setImmediate` would
 * sample every turn, and so fill the sample with thousands of idle turns; it would also keep a core busy
 * that a writer thread could use.
 *
 * @module
 */

import { distributionOf } from "./_measure.ts";

const TIMER_MS = 1;

/** Milliseconds by which timers were late. */
export interface Stall {
  p99: number;
  max: number;
}

/** Samples until it is stopped. */
export class LoopDelay {
  readonly #samplesMs: number[] = [];
  #timer: ReturnType<typeof setTimeout>;
  #dueMs: number;

  constructor() {
    this.#dueMs = performance.now() + TIMER_MS;
    this.#timer = setTimeout(this.#sample, TIMER_MS);
  }

  /** Waits for the sample under way, which may be the longest, and returns what was found. */
  async stop(): Promise<Stall> {
    const taken = this.#samplesMs.length;
    while (this.#samplesMs.length === taken) await new Promise((done) => setTimeout(done, 1));
    clearTimeout(this.#timer);
    const { p99, max } = distributionOf(this.#samplesMs);
    return { p99, max };
  }

  readonly #sample = () => {
    const nowMs = performance.now();
    this.#samplesMs.push(Math.max(0, nowMs - this.#dueMs));
    this.#dueMs = nowMs + TIMER_MS;
    this.#timer = setTimeout(this.#sample, TIMER_MS);
  };
}
