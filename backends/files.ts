/** The files of an engine: creating them, and what it means when that fails.
 *
 * @module
 */

import { dirname } from "@std/path";
import * as fs from "node:fs";
import { StoreError } from "../codec/error.ts";

/** A write that did not fit leaves less space than this. */
const PROBE_BYTES = 2 ** 20;

/** Creates an empty file for its owner alone, and its directory. Both libraries take an empty file
 * for an empty database, and keep its mode.
 *
 * @throws {StoreError} `NOT_EMPTY`: the file is there already; `NO_SPACE`, `IO`.
 */
export function createFile(path: string): void {
  try {
    fs.mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    fs.closeSync(fs.openSync(path, "wx", 0o600));
  } catch (error) {
    throw fileError(`Cannot create ${path}`, error);
  }
}

/** Converts an error of a file operation into a `StoreError`.
 *
 * @param what What was asked, as the message's beginning.
 * @param error The error that was met, kept as `cause`.
 */
export function fileError(what: string, error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  const { message } = error as { message?: unknown };
  const code = isCode(error, "EEXIST") ? "NOT_EMPTY" : isSpaceError(error) ? "NO_SPACE" : "IO";
  return new StoreError(code, `${what}: ${message ?? error}`, { cause: error });
}

/** Returns whether there is no space left beside a file, by trying: that also knows of quotas, and asks
 * for no further permission.
 */
export function isFileSystemFull(path: string): boolean {
  const probe = `${path}-probe`;
  try {
    fs.writeFileSync(probe, new Uint8Array(PROBE_BYTES), { mode: 0o600 });
    return false;
  } catch (error) {
    return isSpaceError(error);
  } finally {
    fs.rmSync(probe, { force: true });
  }
}

function isSpaceError(error: unknown): boolean {
  return isCode(error, "ENOSPC") || isCode(error, "EDQUOT");
}

function isCode(error: unknown, code: string): boolean {
  return (error as { code?: unknown }).code === code;
}
