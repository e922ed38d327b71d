/** Brings to the disk what a recovery has found.
 *
 * The system takes a page whose write-back has failed for written: it reads as before, no sync writes it,
 * and a power loss takes it. So reading it proves nothing about the disk. Everything that was not known to
 * be on disk is written again, in place, which makes its pages dirty, and is then synced.
 *
 * @module
 */

import {
  closeQuietly,
  type JournalFile,
  type JournalFileSystem,
  readFully,
  writeFully,
} from "./file_system.ts";
import type { Recovered } from "./recovery.ts";
import { SEGMENT_HEADER_BYTES } from "./segment.ts";

const COPY_BYTES = 1024 * 1024;

/** Writes again what a recovered journal holds from its proven end on, and syncs it.
 *
 * @returns The last segment, open for writing, `undefined` where there is none.
 */
export async function rewriteUnproven(
  fileSystem: JournalFileSystem,
  { segments, end, provenEnd }: Recovered,
): Promise<JournalFile | undefined> {
  for (const [index, segment] of segments.entries()) {
    const next = segments[index + 1];
    if (next !== undefined && next.base <= provenEnd) continue;
    const file = fileSystem.open(segment.path, "write");
    try {
      const positionOf = (offset: bigint) => Number(offset - segment.base) + SEGMENT_HEADER_BYTES;
      // A segment of which nothing is proven may lack its header, too.
      const start = provenEnd > segment.base ? positionOf(provenEnd) : 0;
      rewrite(file, start, positionOf(next?.base ?? end));
      await file.sync();
    } catch (error) {
      closeQuietly(file);
      throw error;
    }
    if (next === undefined) return file;
    closeQuietly(file);
  }
  return undefined;
}

function rewrite(file: JournalFile, start: number, end: number): void {
  if (start >= end) return;
  const buffer = new Uint8Array(Math.min(COPY_BYTES, end - start));
  for (let at = start; at < end;) {
    const bytes = buffer.subarray(0, Math.min(buffer.length, end - at));
    const count = readFully(file, bytes, at);
    if (count === 0) return;
    writeFully(file, bytes.subarray(0, count), at);
    at += count;
  }
}
