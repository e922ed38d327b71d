/** Remembers up to where a journal is known to be on disk.
 *
 * After a power loss the unsynced end of a segment may hold anything: a later write may have reached
 * the disk when an earlier one did not. So a bad record with valid ones behind it means damage where
 * it had been synced, and an ordinary torn tail where it had not. The mark tells the two apart.
 *
 * The file `.durable` is 12 bytes, little-endian: the offset (u64) and its CRC32C (u32). It is written in
 * place after each sync, and synced itself only after rotations, so it can lag behind but never run
 * ahead. It is on disk, with its name, before the first segment is created, and 12 bytes at the start of
 * a file lie within one sector: no power loss takes it or tears it. Where it is missing (segments
 * copied by hand) or damaged, everything counts as durable, which is the strict reading.
 *
 * @module
 */

import { join } from "@std/path";
import { crc32c } from "./digest.ts";
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
    // A writer may be writing it right now.
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
  /** Whether the latest note is not known to be on disk. */
  #isAhead = true;
  #syncing: Promise<void> | undefined;

  /** Opens the mark of a directory, creating it where there is none. */
  constructor(fileSystem: JournalFileSystem, directory: string) {
    const path = join(directory, NAME);
    const exists = fileSystem.list(directory).includes(NAME);
    this.#file = exists ? fileSystem.open(path, "write") : fileSystem.create(path);
  }

  /** Notes that everything below `offset` is on disk. A mark that cannot be written stays behind. Recovery
   * is then less strict, and nothing is lost, so an error does not fail the caller.
   */
  note(offset: bigint): void {
    this.#isAhead = true;
    try {
      writeFully(this.#file, encode(offset), 0);
    } catch {
      // The next note tries again.
    }
  }

  /** Notes an offset and resolves once the note itself is on disk. */
  async noteDurably(offset: bigint): Promise<void> {
    writeFully(this.#file, encode(offset), 0);
    await this.#file.sync();
    this.#isAhead = false;
  }

  /** Starts to make the last note durable, unless a sync is under way. If that sync fails, the mark stays
   * behind, as after a power loss.
   */
  sync(): void {
    if (!this.#isAhead) return;
    this.#syncing ??= this.#sync();
  }

  /** Makes the last note durable, if the disk can, and closes the file. */
  async close(): Promise<void> {
    await this.#syncing;
    this.sync();
    await this.#syncing;
    closeQuietly(this.#file);
  }

  async #sync(): Promise<void> {
    this.#isAhead = false;
    try {
      await this.#file.sync();
    } catch {
      // The next note is written into the same page.
    } finally {
      this.#syncing = undefined;
    }
  }
}
