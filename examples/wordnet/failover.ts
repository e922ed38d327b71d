/** What a job in a cluster has beside one in a store of its own: servers that go away.
 *
 * @module
 */

import { StoreError } from "@hybrid/store";
import { fillStore, type JobParts } from "./fill.ts";
import type { PhaseReport } from "./job.ts";
import type { Progress } from "./progress.ts";

const ATTEMPTS_MAX = 10;

/** Fills a store, and goes on when it was away for longer than it waits for its server.
 *
 * Where it is not known whether a write has taken place, either is fine: each write says how far the job
 * is, and the next attempt begins there.
 *
 * @param onFailure Is told what an attempt ended with, before the next one.
 */
export async function fillPatiently(
  parts: JobParts,
  onFailure: (error: StoreError) => void,
): Promise<PhaseReport[]> {
  for (let attempt = 1;; attempt++) {
    try {
      return await fillStore(parts);
    } catch (error) {
      parts.signal.throwIfAborted();
      if (!isAway(error) || attempt === ATTEMPTS_MAX) throw error;
      onFailure(error);
    }
  }
}

function isAway(error: unknown): error is StoreError {
  return error instanceof StoreError &&
    (error.code === "UNREACHABLE" || error.code === "UNKNOWN_RESULT");
}

/** Returns a progress that calls a function once, when half of a phase is done.
 *
 * The phase goes on meanwhile: its next write is under way when the function is called.
 *
 * @param run Gets the percentage.
 */
export function atHalf(
  progress: Progress,
  phase: string,
  run: (percent: number) => void,
): Progress {
  let total = Infinity;
  let isOver = false;
  return {
    begin: (name, amount, unit, done) => {
      total = name === phase ? amount : Infinity;
      progress.begin(name, amount, unit, done);
    },
    update: (done) => {
      progress.update(done);
      if (isOver || done < total / 2) return;
      isOver = true;
      setImmediate(() => run(Math.floor(done / total * 100)));
    },
    end: (done) => progress.end(done),
  };
}
