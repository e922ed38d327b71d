/** What a process used, as Linux counts it.
 *
 * @module
 */

import * as fs from "node:fs";
import { join } from "node:path";

/** Returns the bytes that this process caused to be written to disk; `undefined` off Linux. */
export function writtenBytes(): number | undefined {
  return field("/proc/self/io", /^write_bytes: (\d+)$/m);
}

/** Returns the most memory that this process had at once; `undefined` off Linux. */
export function peakRssBytes(): number | undefined {
  return kibibytes(/^VmHWM:\s+(\d+) kB$/m);
}

/** Lets {@linkcode peakRssBytes} begin anew.
 *
 * @returns The memory that this process has now; `undefined` where that cannot be done.
 */
export function resetPeakRss(): number | undefined {
  try {
    // 5 is the peak alone, by proc(5).
    fs.writeFileSync("/proc/self/clear_refs", "5");
  } catch {
    return undefined;
  }
  return kibibytes(/^VmRSS:\s+(\d+) kB$/m);
}

/** Returns the bytes of the blocks that files of a directory occupy: holes are not counted. */
export function diskBytes(directory: string): number {
  let bytes = 0;
  for (const name of fs.readdirSync(directory, { recursive: true, encoding: "utf8" })) {
    const { blocks, size } = fs.lstatSync(join(directory, name));
    // Not every system counts blocks.
    bytes += Number.isFinite(blocks) ? blocks * 512 : size;
  }
  return bytes;
}

function kibibytes(pattern: RegExp): number | undefined {
  const found = field("/proc/self/status", pattern);
  return found === undefined ? undefined : found * 1024;
}

function field(path: string, pattern: RegExp): number | undefined {
  try {
    const found = pattern.exec(fs.readFileSync(path, "utf8"));
    return found === null ? undefined : Number(found[1]);
  } catch {
    return undefined;
  }
}
