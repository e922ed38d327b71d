/** Errors with the codes that users of Level branch on.
 *
 * @module
 */

import { StoreError, type StoreErrorCode } from "../codec/error.ts";

/** What Level calls a reason of the store. One that is not here has no counterpart: its error is passed on as it
 * is. */
const CODES: Readonly<Partial<Record<StoreErrorCode, string>>> = {
  CLOSED: "LEVEL_DATABASE_NOT_OPEN",
  LOCKED: "LEVEL_LOCKED",
  CORRUPT: "LEVEL_CORRUPTION",
  IO: "LEVEL_IO_ERROR",
  NO_SPACE: "LEVEL_IO_ERROR",
  POISONED: "LEVEL_IO_ERROR",
  READ_ONLY: "LEVEL_READONLY",
  UNSUPPORTED: "LEVEL_NOT_SUPPORTED",
};

/** A failure with a code of Level, and the error of the store as its cause. */
export class LevelError extends Error {
  override readonly name: string = "LevelError";

  constructor(readonly code: string, message: string, cause?: unknown) {
    super(message, { cause });
  }
}

/** What a read that its caller has aborted rejects with, with the signal's reason as its cause. */
export class LevelAbortError extends LevelError {
  // What those look for who know it from elsewhere.
  override readonly name: string = "AbortError";

  constructor(reason: unknown) {
    super("LEVEL_ABORTED", "Operation has been aborted", reason);
  }
}

/** Returns an error of the store as users of Level know it. */
export function levelError(error: unknown): unknown {
  if (!(error instanceof StoreError)) return error;
  const code = CODES[error.code];
  return code === undefined ? error : new LevelError(code, error.message, error);
}

/** What the store refuses for its length, by how its messages name it. */
const TOO_LONG: readonly [RegExp, string][] = [
  [/: the key is /, "LEVEL_INVALID_KEY"],
  [/: the value is /, "LEVEL_INVALID_VALUE"],
];

/** Returns the error of a read or write of a key as users of Level know it: one that is too long is not valid. */
export function keyError(error: unknown): unknown {
  if (!(error instanceof RangeError)) return levelError(error);
  const { message } = error;
  const code = TOO_LONG.find(([words]) => words.test(message))?.[1];
  return code === undefined ? error : new LevelError(code, message, error);
}

/** Rejects with an error of the store as users of Level know it. */
export function failed(error: unknown): never {
  throw levelError(error);
}

/** Rejects with the error of a read or write of a key as users of Level know it. */
export function keyFailed(error: unknown): never {
  throw keyError(error);
}
