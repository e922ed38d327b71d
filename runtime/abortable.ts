/** Waiting that a signal ends.
 *
 * @module
 */

import { setTimeout } from "./timers.ts";

/** Returns what a promise returns, unless the signal is aborted before.
 *
 * @throws What the promise rejects with; the reason of the signal.
 */
export async function abortable<T>(
  promise: Promise<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  if (signal === undefined) return await promise;
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = () => reject(signal.reason);
  signal.addEventListener("abort", abort);
  try {
    signal.throwIfAborted();
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", abort);
    // Nobody may be left to hear of it.
    Promise.resolve(promise).catch(() => {});
  }
}

/** Waits for some milliseconds.
 *
 * @throws The reason of the signal.
 */
export async function pauseFor(ms: number, signal?: AbortSignal): Promise<void> {
  await abortable(new Promise<void>((resolve) => void setTimeout(resolve, ms)), signal);
}

/** Waits for a random time.
 *
 * @param ms The longest one, in milliseconds.
 * @throws The reason of the signal.
 */
export async function pauseUpTo(ms: number, signal?: AbortSignal): Promise<void> {
  await pauseFor(Math.random() * ms, signal);
}
