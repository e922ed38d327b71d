/** What a store knows of a directory that nobody can take away, because it has none or writes nothing there.
 *
 * @module
 */

import type { Ownership } from "./ownership.ts";

/** Never finds a loss. */
export const UNWATCHED: Pick<
  Ownership,
  "isLost" | "require" | "requireLately" | "requireUnlost"
> = { isLost: false, require() {}, requireLately() {}, requireUnlost() {} };
