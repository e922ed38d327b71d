/** Temporary directories, which go with the process at the latest.
 *
 * @module
 */

import { mkdtempSync, rmSync } from "node:fs";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";

const present = new Set<string>();

/** Creates an empty directory. */
export function makeTemp(): string {
  const directory = mkdtempSync(join(tmpdir(), "hybridstore-bench-"));
  present.add(directory);
  return directory;
}

/** Removes a directory with all that is in it. */
export function removeTemp(directory: string): void {
  rmSync(directory, { recursive: true, force: true });
  present.delete(directory);
}

/** A run takes minutes and gigabytes, and is interrupted more often than not. */
process.on("exit", () => {
  for (const directory of present) removeTemp(directory);
});
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => process.exit(128 + constants.signals[signal]));
}
