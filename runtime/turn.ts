/** Turns of the event loop: waiting for the next one, and knowing when the current one has lasted long
 * enough.
 *
 * While a program only awaits settled promises, no timer fires and no input arrives. Work that could
 * continue without a pause asks here whether it may, so that all reads and writes together let the loop
 * turn every few milliseconds.
 *
 * @module
 */

import { now, setImmediate } from "./timers.ts";

/** How long work may hold the event loop before it waits for the next turn. */
const TURN_MS_MAX = 4;

/** The clock that measures turns. Tests put their own clock here, so that work pauses as often on a fast
 * machine as on a slow one.
 *
 * @internal
 */
export const turnClock: { now: () => number } = { now };

let isNoted = false;
let turnStart = 0;

/** Resolves in a later turn of the event loop, after timers and I/O had their chance. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}

/** Returns whether this turn has lasted for 4 ms since the first call in it. If so, work should wait for
 * {@linkcode nextTurn} before it continues.
 */
export function isTurnOver(): boolean {
  if (isNoted) return turnClock.now() - turnStart > TURN_MS_MAX;
  isNoted = true;
  turnStart = turnClock.now();
  setImmediate(endTurn);
  return false;
}

/** Short reads that are answered between two looks at the clock. A look costs a good part of such a read. */
const ANSWERS_PER_LOOK = 16;
/** The longest value whose reading is short. */
const SHORT_BYTES_MAX = 16 * 1024;
let shortAnswers = 0;

/** Resolves with a result: at once, or in the next turn if this one is over, so that a loop of awaited reads
 * lets timers fire.
 *
 * @param isShort Whether the read took no longer than that of one short value.
 */
export function answer<T>(value: T, isShort = false): Promise<T> {
  const mayLook = !isShort || ++shortAnswers % ANSWERS_PER_LOOK === 0;
  return mayLook && isTurnOver() ? nextTurn().then(() => value) : Promise.resolve(value);
}

/** Resolves with a value that was read, as {@linkcode answer} does. */
export function answerBytes(value: Uint8Array | undefined): Promise<Uint8Array | undefined> {
  return answer(value, isShort(value));
}

/** Returns whether the reading of a value is short. */
export function isShort(value: Uint8Array | undefined): boolean {
  return value === undefined || value.length <= SHORT_BYTES_MAX;
}

function endTurn(): void {
  isNoted = false;
}
