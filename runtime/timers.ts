/** The timers of the runtime, as they were when this module was loaded.
 *
 * Test runners can replace the global timers by ones that do not run. With such a timer a put, a checkpoint
 * or a close would wait for ever, because a store works on real files, which take real time. So the library
 * takes its timers from here, and only from here.
 *
 * @module
 */

import * as timers from "node:timers";

/** A timer of {@linkcode setTimeout}. */
export type Timer = ReturnType<typeof timers.setTimeout>;

/** Calls a function after some milliseconds. */
export const setTimeout: typeof timers.setTimeout = timers.setTimeout;
/** Stops a timer; one that has fired, or none, is not an error. */
export const clearTimeout: typeof timers.clearTimeout = timers.clearTimeout;
/** Calls a function when the event loop turns, after timers and I/O had their chance. */
export const setImmediate: typeof timers.setImmediate = timers.setImmediate;
/** Calls a function as soon as the running code has finished. */
export const queueMicrotask: (callback: () => void) => void = globalThis.queueMicrotask;
/** Returns the milliseconds since the process began, with fractions. */
export const now: () => number = performance.now.bind(performance);
