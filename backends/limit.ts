/** Waiting for a library that may never answer.
 *
 * @module
 */

import { clearTimeout, setTimeout, type Timer } from "../runtime/timers.ts";

/** Waits for promises to settle, however they do, but no longer than `limitMs`.
 *
 * @returns Whether all of them did.
 */
export async function settleWithin(
  promises: readonly Promise<unknown>[],
  limitMs: number,
): Promise<boolean> {
  let timer: Timer | undefined;
  const limit = new Promise<false>((resolve) => timer = setTimeout(() => resolve(false), limitMs));
  try {
    return await Promise.race([Promise.allSettled(promises).then(() => true), limit]);
  } finally {
    clearTimeout(timer);
  }
}
