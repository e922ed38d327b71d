/** The journal, usable alone: an append-only log with checksummed records, group commit, segment
 * rotation, recovery of torn tails and cleanup by cursor.
 *
 * @module
 */

export { StoreError, type StoreErrorCode } from "../codec/error.ts";
export { type JournalFile, type JournalFileSystem, nodeFileSystem } from "./file_system.ts";
export { DEFAULT_SEGMENT_BYTES, Journal } from "./journal.ts";
export type { JournalOptions, JournalStats } from "./options.ts";
export { type JournalEntry, JournalReader, type JournalRecord } from "./reader.ts";
export { MAX_PAYLOAD_BYTES, RECORD_HEADER_BYTES } from "./record.ts";
export type { JournalRecovery } from "./recovery.ts";
export { FORMAT_VERSION, SEGMENT_HEADER_BYTES } from "./segment.ts";
