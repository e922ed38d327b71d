/** Salvage: cuts a journal where it is damaged, and sets what was cut aside in a file.
 *
 * @module
 */

import { join } from "@std/path";
import {
  closeQuietly,
  type JournalFile,
  type JournalFileSystem,
  readFully,
  writeFully,
} from "./file_system.ts";
import { type Segment, SEGMENT_HEADER_BYTES } from "./segment.ts";

const COPY_BYTES = 1024 * 1024;

/** Cuts a segment at an offset. Whoever writes the segment from then on has to sync it first.
 *
 * @returns How many bytes were cut.
 */
export function cutSegment(
  fileSystem: JournalFileSystem,
  segment: Segment,
  offset: bigint,
): number {
  const file = fileSystem.open(segment.path, "write");
  try {
    const size = Number(offset - segment.base) + SEGMENT_HEADER_BYTES;
    const truncatedBytes = file.size() - size;
    file.truncate(size);
    return truncatedBytes;
  } finally {
    closeQuietly(file);
  }
}

/** Copies the record bytes from an offset on into one file, makes that durable, and only then cuts
 * them off.
 *
 * @param index The segment that holds the offset.
 * @param offset Where the damage begins.
 * @returns How many bytes were set aside, and where.
 */
export function setAside(
  fileSystem: JournalFileSystem,
  directory: string,
  segments: readonly Segment[],
  index: number,
  offset: bigint,
): { truncatedBytes: number; salvageFile: string } {
  const salvageFile = join(directory, unusedName(fileSystem, directory, offset));
  const damaged = segments.slice(index);
  let truncatedBytes = 0;
  const target = fileSystem.create(salvageFile);
  try {
    for (const segment of damaged) {
      const from = segment === damaged[0] ? offset : segment.base;
      truncatedBytes += copyRecords(fileSystem, segment, from, target, truncatedBytes);
    }
    target.syncNow();
  } catch (error) {
    closeQuietly(target);
    // Half a copy is of no use, and may be what fills the disk.
    fileSystem.remove(salvageFile);
    throw error;
  }
  closeQuietly(target);
  fileSystem.syncDirectory(directory);
  // From the back and one by one, so that a crash in between cannot leave segments behind the damage
  // without the damage.
  for (const segment of damaged.toReversed()) {
    if (segment === damaged[0] && segment.base < offset) {
      cutSegment(fileSystem, segment, offset);
    } else {
      fileSystem.remove(segment.path);
      fileSystem.syncDirectory(directory);
    }
  }
  return { truncatedBytes, salvageFile };
}

function unusedName(fileSystem: JournalFileSystem, directory: string, offset: bigint): string {
  const names = new Set(fileSystem.list(directory));
  let name = `${offset}.salvage`;
  for (let copy = 2; names.has(name); copy++) name = `${offset}-${copy}.salvage`;
  return name;
}

function copyRecords(
  fileSystem: JournalFileSystem,
  segment: Segment,
  from: bigint,
  target: JournalFile,
  targetPosition: number,
): number {
  const start = Number(from - segment.base) + SEGMENT_HEADER_BYTES;
  const buffer = new Uint8Array(COPY_BYTES);
  const source = fileSystem.open(segment.path, "read");
  try {
    for (let copied = 0;;) {
      const count = readFully(source, buffer, start + copied);
      if (count === 0) return copied;
      writeFully(target, buffer.subarray(0, count), targetPosition + copied);
      copied += count;
    }
  } finally {
    closeQuietly(source);
  }
}
