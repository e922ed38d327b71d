/** What both engines refuse when a store opens them.
 *
 * @module
 */

import { REPAIR } from "../codec/_advice.ts";
import { StoreError } from "../codec/error.ts";
import type { EngineOptions } from "./engine.ts";

/** Returns the refusal of a data file that is not the store's, or not whole.
 *
 * @param path The data file.
 */
export function refusal(path: string, reason: string): StoreError {
  return new StoreError("CORRUPT", `Cannot open ${path}: ${reason}; ${REPAIR}`);
}

/** Returns the refusal of a data file that no engine of this package wrote. */
export function foreign(path: string): StoreError {
  return refusal(path, "it is not part of a store");
}

/** Makes sure that an engine belongs to the store that opens it, by its present name or a previous one.
 *
 * @param found The name that the engine carries; `undefined` where it carries none.
 * @throws {StoreError} `CORRUPT`.
 */
export function requireIdentity(
  path: string,
  found: string | undefined,
  { identity, previous = [] }: Pick<EngineOptions, "identity" | "previous">,
): asserts found is string {
  if (found === undefined) throw foreign(path);
  if (found === identity || previous.includes(found)) return;
  throw refusal(path, "it belongs to another store");
}

/** Makes sure that the journal position of an engine was readable.
 *
 * @throws {StoreError} `CORRUPT`.
 */
export function requireReadable(path: string, position: bigint | undefined): bigint {
  if (position === undefined) throw refusal(path, "its journal position is not readable");
  return position;
}
