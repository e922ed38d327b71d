/** Errors of file operations, as errors of the store.
 *
 * @module
 */

import { StoreError } from "./error.ts";

const NO_SPACE_CODES: ReadonlySet<unknown> = new Set(["ENOSPC", "EDQUOT", "EFBIG"]);

/** Returns whether an error says that the disk, the quota or the file is full. */
export function isSpaceError(error: unknown): boolean {
  return NO_SPACE_CODES.has((error as { code?: unknown } | null)?.code);
}

/** Converts an error of a file operation into a `StoreError`: `NO_SPACE` where the disk, the quota or
 * the file is full, else `IO`. An error that is a `StoreError` already is returned as it is.
 *
 * @param what What was asked, as the message's beginning: `Cannot append record`.
 * @param error The error that was met, kept as `cause`.
 * @returns The error to throw.
 */
export function fileError(what: string, error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new StoreError(isSpaceError(error) ? "NO_SPACE" : "IO", `${what}: ${reason}`, {
    cause: error,
  });
}
