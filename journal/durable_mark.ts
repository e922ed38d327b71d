/** Remembers up to where a journal is known to be on disk.
 *
 * After a power loss the unsynced end of a segment may hold anything: a later write may have reached
 * the disk when an earlier one did not. So a bad record with valid ones behind it means damage where
 * it had been synced, and an ordinary torn tail where it had not. The mark tells the two apart.
 *
 * The file `.durable` is 12 bytes, little-endian: the offset (u64) and its CRC32C (u32). It is written
 * after each sync and not synced itself, so it can lag behind but never run ahead. Where it is missing
 * (segments copied by hand) or damaged, everything counts as durable, which is the strict reading.
 *
 * @module
 */

import { crc32c } from "@node-rs/crc32";
import { join } from "@std/path";
import {
  closeQuietly,
  type JournalFile,
  type JournalFileSystem,
  readFully,
  writeFully,
} from "./file_system.ts";

const NAME = ".durable";
const MARK_BYTES = 12;
const READ_TRIES_MAX = 5;

function encode(offset: bigint): Uint8Array {
  const bytes = new Uint8Array(MARK_BYTES);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, offset, true);
  view.setUint32(8, crc32c(bytes.subarray(0, 8)), true);
  return bytes;
}

function decode(bytes: Uint8Array): bigint | undefined {
  const view = new DataView(bytes.buffer);
  if (view.getUint32(8, true) !== crc32c(bytes.subarray(0, 8))) return undefined;
  return view.getBigUint64(0, true);
}

/** Returns the offset below which a journal is known to be durable, `undefined` where there is no mark
 * or a damaged one.
 */
export function readDurableMark(
  fileSystem: JournalFileSystem,
  directory: string,
): bigint | undefined {
  if (!fileSystem.list(directory).includes(NAME)) return undefined;
  const file = fileSystem.open(join(directory, NAME), "read");
  try {
    const bytes = new Uint8Array(MARK_BYTES);
    // A writer may be in the midst of it.
    for (let tries = 0; tries < READ_TRIES_MAX; tries++) {
      if (readFully(file, bytes, 0) < MARK_BYTES) return undefined;
      const offset = decode(bytes);
      if (offset !== undefined) return offset;
    }
    return undefined;
  } finally {
    closeQuietly(file);
  }
}

/** The open mark of a journal that is being written. */
export class DurableMark {
  readonly #file: JournalFile;

  /** Opens the mark of a directory, creating it where there is none. */
  constructor(fileSystem: JournalFileSystem, directory: string) {
    const path = join(directory, NAME);
    const exists = fileSystem.list(directory).includes(NAME);
    this.#file = exists ? fileSystem.open(path, "write") : fileSystem.create(path);
  }

  /** Notes that everything below `offset` is on disk. A mark that cannot be written stays behind,
   * which costs nothing but strictness, so an error is no reason to fail the caller.
   */
  note(offset: bigint): void {
    try {
      writeFully(this.#file, encode(offset), 0);
    } catch {
      // The next note tries again.
    }
  }

  /** Notes an offset and returns once the note itself is on disk. */
  noteDurably(offset: bigint): void {
    writeFully(this.#file, encode(offset), 0);
    this.#file.syncNow();
  }

  /** Makes the last note durable, as far as the disk lets it, and closes the file. */
  close(): void {
    try {
      this.#file.syncNow();
    } catch {
      // The mark may then lag behind, as after a power loss.
    }
    closeQuietly(this.#file);
  }
}
