/** Advisory locks of open files, as `flock(2)` has them: they belong to the open file, not to the process.
 * So a program that opens and closes the same file elsewhere does not lose them, as it loses the locks
 * that SQLite takes. When the process ends, however it ends, the system releases them.
 *
 * @module
 */

import * as fs from "node:fs";
import { loadLibc } from "./libc.ts";

const LOCK_EXCLUSIVE = 2;
const LOCK_NO_WAIT = 4;
const UNLOCK = 8;
const INTERRUPTED = 4;
/** The error that says that the lock is held already. */
const WOULD_BLOCK = process.platform === "darwin" ? 35 : 11;

/** The outcome of taking a lock; `"unsupported"` where the runtime, the platform or the file system has
 * none. */
export type FileLockOutcome = "taken" | "held" | "unsupported";

/** Takes the exclusive lock of an open file, without waiting for it.
 *
 * @param descriptor The open file. Closing it releases the lock.
 * @param path Its path.
 */
export function lockFile(descriptor: number, path: string): FileLockOutcome {
  const outcome = tryLock(descriptor);
  if (outcome !== "taken") return outcome;
  // Check that the lock excludes another: the runtime's descriptors may not be those of the system, and the
  // file system may accept a lock without keeping it.
  const other = fs.openSync(path, "r");
  try {
    return tryLock(other) === "held" ? "taken" : "unsupported";
  } finally {
    fs.closeSync(other);
  }
}

/** Releases the lock of an open file. Closing the file would do the same, unless a process that is just
 * being started still has a copy of the descriptor.
 */
export function unlockFile(descriptor: number): void {
  loadLibc()?.flock(descriptor, UNLOCK);
}

/** Returns whether the lock of a file is held; `false` where there are no such locks, or no file. */
export function isFileLocked(path: string): boolean {
  let descriptor: number;
  try {
    descriptor = fs.openSync(path, "r");
  } catch {
    return false;
  }
  try {
    return tryLock(descriptor) === "held";
  } finally {
    fs.closeSync(descriptor);
  }
}

function tryLock(descriptor: number): FileLockOutcome {
  const libc = loadLibc();
  if (libc === undefined) return "unsupported";
  for (;;) {
    if (libc.flock(descriptor, LOCK_EXCLUSIVE | LOCK_NO_WAIT) === 0) return "taken";
    const errno = libc.errno();
    if (errno !== INTERRUPTED) return errno === WOULD_BLOCK ? "held" : "unsupported";
  }
}
