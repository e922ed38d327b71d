/** The files of an engine: creating them, and what it means when that fails.
 *
 * @module
 */

import { dirname } from "@std/path";
import * as fs from "node:fs";
import { StoreError } from "../codec/error.ts";

/** A write that did not fit leaves less than this: a file system with as little is full. */
const FREE_BYTES_MIN = 2 ** 20;

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
  const { code, message } = error as { code?: unknown; message?: unknown };
  const storeCode = code === "EEXIST"
    ? "NOT_EMPTY"
    : code === "ENOSPC" || code === "EDQUOT"
    ? "NO_SPACE"
    : "IO";
  return new StoreError(storeCode, `${what}: ${message ?? error}`, { cause: error });
}

/** Returns whether the file system that holds a path has no space left. */
export function isFileSystemFull(path: string): boolean {
  try {
    const { bavail, bsize } = fs.statfsSync(path);
    return bavail * bsize < FREE_BYTES_MIN;
  } catch {
    // Not every platform tells.
    return false;
  }
}
