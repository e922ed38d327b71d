/** The owner's note in a store's directory, the file `lock.pid`: who has the store open.
 *
 * | line | meaning |
 * |---:|---|
 * | 1 | the process id, for the message that others get |
 * | 2 | a nonce, which no other opening shares |
 *
 * The owner keeps the file open. So no other file gets its inode, and the note can be read back
 * without a further descriptor. Where there are locks of open files (`runtime/file_lock.ts`), it holds
 * the one of the note.
 *
 * @module
 */

import { join } from "@std/path";
import * as fs from "node:fs";
import { lockFile, unlockFile } from "../../runtime/file_lock.ts";
import { fileId } from "./file_id.ts";

/** The name of the note. */
export const NOTE_FILE = "lock.pid";

/** How often a note is opened that its last owner removes meanwhile. */
const TRIES_MAX = 10;

/** Says that the owner of a note is alive. */
export class NoteHeldError extends Error {}

/** The note of an owner, which is this process. */
export class OwnerNote {
  /** Whether a note was there already: its owner has died, or has lost its lock. */
  readonly hasPredecessor: boolean;
  readonly #path: string;
  readonly #text: string;
  readonly #descriptor: number;
  readonly #id: string | undefined;

  /** Writes the note of a directory in place of one that is not held, and holds it.
   *
   * @throws {NoteHeldError} Another owner holds it.
   * @throws The system's error.
   */
  constructor(directory: string) {
    this.#path = join(directory, NOTE_FILE);
    this.#text = `${process.pid}\n${crypto.randomUUID()}\n`;
    this.hasPredecessor = fs.existsSync(this.#path);
    this.#descriptor = openHeld(this.#path);
    try {
      fs.ftruncateSync(this.#descriptor, 0);
      fs.writeFileSync(this.#descriptor, this.#text);
      this.#id = fileId(this.#path);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Returns what has become of the note, `undefined` while it is as it was written.
   *
   * @throws The system's error, where it does not say.
   */
  findChange(): string | undefined {
    const id = fileId(this.#path);
    if (id === undefined) return `${this.#path} was removed`;
    const bytes = new Uint8Array(this.#text.length + 1);
    const length = fs.readSync(this.#descriptor, bytes, 0, bytes.length, 0);
    const text = new TextDecoder().decode(bytes.subarray(0, length));
    if (id === this.#id && text === this.#text) return undefined;
    const owner = readOwner(this.#path);
    return `${owner === undefined ? "another process" : `process ${owner}`} has opened it since`;
  }

  /** Removes the note. */
  remove(): void {
    fs.rmSync(this.#path, { force: true });
  }

  /** Releases the note. */
  close(): void {
    unlockFile(this.#descriptor);
    fs.closeSync(this.#descriptor);
  }
}

/** Opens a note and takes its lock, where there are such locks. */
function openHeld(path: string): number {
  for (let tries = 1;; tries++) {
    const descriptor = fs.openSync(path, "a+", 0o600);
    try {
      if (lockFile(descriptor, path) === "held") {
        throw new NoteHeldError(`${path} is held by another process`);
      }
      // The last owner may have removed the file after it was opened here, and it is not a note then.
      const { dev, ino } = fs.fstatSync(descriptor, { bigint: true });
      if (tries === TRIES_MAX || fileId(path) === `${dev}:${ino}`) return descriptor;
    } catch (error) {
      fs.closeSync(descriptor);
      throw error;
    }
    fs.closeSync(descriptor);
  }
}

/** Returns the process id in a note, `undefined` where there is none. */
export function readOwner(path: string): string | undefined {
  try {
    return /^\d+(?=\n)/.exec(fs.readFileSync(path, "utf8"))?.[0];
  } catch {
    // The owner may be between taking the lock and writing its note.
    return undefined;
  }
}
