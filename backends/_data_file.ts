/** A data file of an engine as bytes.
 *
 * @module
 */

import * as fs from "node:fs";

/** A data file that is read at positions. It is never mapped: a page that the disk cannot give is then
 * an error, where a mapped one would end the process. */
export class DataFile {
  readonly #descriptor: number;

  /** @throws {Error} That of the file system. */
  constructor(path: string) {
    this.#descriptor = fs.openSync(path, "r");
  }

  /** Its size now. */
  get size(): number {
    return fs.fstatSync(this.#descriptor).size;
  }

  /** Fills all of `bytes` from a position.
   *
   * @returns Why it could not, or `undefined`.
   */
  read(bytes: Uint8Array, position: number): string | undefined {
    try {
      const count = fs.readSync(this.#descriptor, bytes, 0, bytes.length, position);
      return count === bytes.length ? undefined : "is cut off by the end of the file";
    } catch (error) {
      return `cannot be read: ${messageOf(error)}`;
    }
  }

  close(): void {
    fs.closeSync(this.#descriptor);
  }
}

/** Returns what an error says. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
