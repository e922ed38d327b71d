/** Telling one file or directory from another that has its name.
 *
 * @module
 */

import * as fs from "node:fs";

/** Returns device and inode of what is at a path, `undefined` where nothing is.
 *
 * Of a file or directory that is open, or holds a file that is open, the system gives them to no other.
 *
 * @throws The system's error, where it does not say.
 */
export function fileId(path: string): string | undefined {
  try {
    const { dev, ino } = fs.statSync(path, { bigint: true });
    return `${dev}:${ino}`;
  } catch (error) {
    const { code } = error as { code?: unknown };
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw error;
  }
}
