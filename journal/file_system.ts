/** The few file operations that a journal needs, so that tests can refuse, shorten and lose them.
 *
 * @module
 */

import * as fs from "node:fs";
import { dirname } from "@std/path";

/** One open file of a journal. Positions and lengths are bytes from the start of the file. */
export interface JournalFile {
  /** Returns the length of the file. */
  size(): number;
  /** Reads into `target` from `position` on and returns how many bytes there were, 0 at the end. */
  read(target: Uint8Array, position: number): number;
  /** Writes `bytes` at `position` and returns how many were taken; fewer than all is not an error. */
  write(bytes: Uint8Array, position: number): number;
  /** Cuts or extends the file to `size`. */
  truncate(size: number): void;
  /** Resolves once all that was written so far is on disk. */
  sync(): Promise<void>;
  /** Returns once all that was written so far is on disk. */
  syncNow(): void;
  /** Closes the file; afterwards the operations above are errors. */
  close(): void;
}

/** The file access of a journal. {@linkcode nodeFileSystem} is the real one. */
export interface JournalFileSystem {
  /** Creates the directory and those above it, for the owner alone, and makes their names durable. */
  makeDirectory(path: string): void;
  /** Returns the names in a directory, in any order. */
  list(path: string): string[];
  /** Opens an existing file for reading, or for reading and writing. */
  open(path: string, access: "read" | "write"): JournalFile;
  /** Creates a file that is not there yet, readable and writable by its owner alone. */
  create(path: string): JournalFile;
  /** Removes a file. */
  remove(path: string): void;
  /** Makes the names in a directory durable. */
  syncDirectory(path: string): void;
  /** Resolves once the names in a directory are durable, while the event loop turns. Without it,
   * `syncDirectory` is called. */
  syncDirectoryAsync?(path: string): Promise<void>;
}

class NodeFile implements JournalFile {
  readonly #descriptor: number;

  constructor(descriptor: number) {
    this.#descriptor = descriptor;
  }

  size(): number {
    return fs.fstatSync(this.#descriptor).size;
  }

  read(target: Uint8Array, position: number): number {
    return fs.readSync(this.#descriptor, target, 0, target.length, position);
  }

  write(bytes: Uint8Array, position: number): number {
    return fs.writeSync(this.#descriptor, bytes, 0, bytes.length, position);
  }

  truncate(size: number): void {
    fs.ftruncateSync(this.#descriptor, size);
  }

  sync(): Promise<void> {
    return new Promise((resolve, reject) => {
      fs.fdatasync(this.#descriptor, (error) => error ? reject(error) : resolve());
    });
  }

  syncNow(): void {
    fs.fdatasyncSync(this.#descriptor);
  }

  close(): void {
    fs.closeSync(this.#descriptor);
  }
}

/** The file access over `node:fs`, which Bun, Deno and Node share. */
export const nodeFileSystem: JournalFileSystem = {
  makeDirectory(path) {
    if (fs.existsSync(path)) return;
    const parent = dirname(path);
    // The root of a drive that is not there is its own parent.
    if (parent !== path) nodeFileSystem.makeDirectory(parent);
    fs.mkdirSync(path, { recursive: true, mode: 0o700 });
    // A file that is synced is of no use in a directory that a power loss takes away.
    nodeFileSystem.syncDirectory(parent);
  },
  list(path) {
    return fs.readdirSync(path);
  },
  open(path, access) {
    return new NodeFile(fs.openSync(path, access === "read" ? "r" : "r+"));
  },
  create(path) {
    return new NodeFile(fs.openSync(path, "wx+", 0o600));
  },
  remove(path) {
    fs.unlinkSync(path);
  },
  syncDirectory(path) {
    // Windows has no way to sync a directory, and keeps its names durable without being asked.
    if (process.platform === "win32") return;
    const descriptor = fs.openSync(path, "r");
    try {
      fs.fsyncSync(descriptor);
    } finally {
      fs.closeSync(descriptor);
    }
  },
  syncDirectoryAsync(path) {
    if (process.platform === "win32") return Promise.resolve();
    return new Promise((resolve, reject) => {
      fs.open(path, "r", (error, descriptor) => {
        if (error) return reject(error);
        fs.fsync(descriptor, (failure) => {
          fs.close(descriptor, () => failure ? reject(failure) : resolve());
        });
      });
    });
  },
};

/** Makes the names in a directory durable, and lets the event loop turn meanwhile where the file access
 * can.
 */
export async function syncDirectory(fileSystem: JournalFileSystem, path: string): Promise<void> {
  if (fileSystem.syncDirectoryAsync === undefined) fileSystem.syncDirectory(path);
  else await fileSystem.syncDirectoryAsync(path);
}

/** Reads into `target` from `position` on, until it is full or the file ends.
 *
 * @returns How many bytes there were.
 */
export function readFully(file: JournalFile, target: Uint8Array, position: number): number {
  let length = 0;
  while (length < target.length) {
    const count = file.read(target.subarray(length), position + length);
    if (count === 0) break;
    length += count;
  }
  return length;
}

/** Writes all of `bytes` at `position`, however few the file takes at a time. */
export function writeFully(file: JournalFile, bytes: Uint8Array, position: number): void {
  let written = 0;
  while (written < bytes.length) {
    const count = file.write(bytes.subarray(written), position + written);
    if (count === 0) throw new Error("the file took no bytes");
    written += count;
  }
}

/** Closes a file whose content no longer depends on it: it was only read, is synced already, or is
 * given up. That the close itself fails changes nothing then.
 */
export function closeQuietly(file: JournalFile | undefined): void {
  try {
    file?.close();
  } catch {
    // The descriptor is gone in any case.
  }
}
