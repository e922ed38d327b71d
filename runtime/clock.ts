/** The time of day, as it was read when this module was loaded: test runners can replace `Date`.
 *
 * @module
 */

/** The clock. Tests put their own here.
 *
 * @internal
 */
export const wallClock: { now: () => number } = { now: Date.now.bind(Date) };
