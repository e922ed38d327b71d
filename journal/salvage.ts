/** Salvage: cuts a journal where it is damaged, and keeps the rest in a file.
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
import { encodeSegmentHeader, type Segment, SEGMENT_HEADER_BYTES } from "./segment.ts";

const COPY_BYTES = 1024 * 1024;

/** Ends a journal at an offset: removes the segments behind the one that holds it, and cuts that one. The
 * segment has to be synced before it is written.
 *
 * The segment stays even where nothing is left in it, with a header as if it were new: a power loss
 * between a removal and a creation would leave a journal without segments.
 *
 * @param index The segment that holds the offset.
 */
export function cutJournal(
  fileSystem: JournalFileSystem,
  directory: string,
  segments: readonly Segment[],
  index: number,
  offset: bigint,
): void {
  // From the back and one by one, so that a crash in between cannot leave segments behind the fault
  // without the fault.
  for (const segment of segments.slice(index + 1).toReversed()) {
    fileSystem.remove(segment.path);
    fileSystem.syncDirectory(directory);
  }
  const segment = segments[index]!;
  const file = fileSystem.open(segment.path, "write");
  try {
    file.truncate(Number(offset - segment.base) + SEGMENT_HEADER_BYTES);
    if (offset === segment.base) writeFully(file, encodeSegmentHeader(offset), 0);
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
  cutJournal(fileSystem, directory, segments, index, offset);
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
