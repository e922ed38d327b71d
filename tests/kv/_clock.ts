/** A clock that a test sets.
 *
 * @module
 */

import { wallClock } from "../../runtime/clock.ts";

/** Runs a function with a clock that stands still until it is set. */
export async function withClock(
  body: (clock: { now: number }) => Promise<void>,
  start = 1_800_000_000_000,
): Promise<void> {
  const { now } = wallClock;
  const clock = { now: start };
  wallClock.now = () => clock.now;
  try {
    await body(clock);
  } finally {
    wallClock.now = now;
  }
}
