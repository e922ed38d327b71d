import { turnClock } from "../../runtime/turn.ts";

/** Runs `body` by a clock that moves by a millisecond whenever it is looked at: what pauses now and then
 * does so many times, and on a fast machine as often as on a slow one.
 */
export async function withLazyClock(body: () => Promise<void>): Promise<void> {
  const { now } = turnClock;
  let time = now();
  turnClock.now = () => time++;
  try {
    await body();
  } finally {
    turnClock.now = now;
  }
}
