/** The options of a journal, and its statistics.
 *
 * @module
 */

import type { JournalFileSystem } from "./file_system.ts";

/** How `Journal.open` opens a journal.
 *
 * @category Journal
 */
export interface JournalOptions {
  /** Bytes at which a segment is rotated, 64 to 2^40; 64 MiB by default. A longer record gets a segment
   * of its own. */
  segmentBytes?: number;
  /** Milliseconds after which the next append goes into a new segment, 1 to 2^31-1; no limit by default. They
   * count from the segment's first record, or, for one that has records already, from when the journal was
   * opened. */
  segmentMs?: number;
  /** `"group"`, the default: an append resolves once a sync covers it. `"manual"`: an append resolves once
   * the operating system has it, or, while eight full segments wait for the disk, once a sync covers it;
   * call `sync` to make it durable. */
  sync?: "group" | "manual";
  /** Whether to keep what precedes damage and set the rest aside in a file, instead of refusing to open;
   * `false` by default. */
  salvage?: boolean;
  /** Other file access, for tests. */
  fileSystem?: JournalFileSystem;
}

/** What a journal has done since it was opened, and how large it is.
 *
 * @category Journal
 */
export interface JournalStats {
  /** Records appended. */
  appends: number;
  /** Write calls, each of which carried a group of records. */
  groups: number;
  /** Syncs of a segment. */
  syncs: number;
  /** Bytes of records in all segments. */
  bytes: number;
  /** Segment files. */
  segments: number;
}
