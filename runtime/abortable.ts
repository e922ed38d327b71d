/** Waiting that a signal ends.
 *
 * @module
 */

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
