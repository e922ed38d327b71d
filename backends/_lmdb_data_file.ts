/** An LMDB data file as bytes, and the list of what is wrong with it.
 *
 * @module
 */

import * as fs from "node:fs";

/** One thing that is wrong with a data file. */
export interface LmdbFault {
  /** The page where it shows. */
  page: bigint;
  /** What is wrong, as the rest of a sentence that begins with the page. */
  reason: string;
}

/** Thrown by {@linkcode FaultList.add} to end the check: there are as many faults as were asked for. */
export class EnoughFaults extends Error {
  override readonly name = "EnoughFaults";
}

/** The faults that were found, up to a limit. */
export class FaultList {
  readonly faults: LmdbFault[] = [];
  readonly #max: number;

  constructor(max: number) {
    this.#max = max;
  }

  /** @throws {EnoughFaults} With this one, the list is full. */
  add(page: number | bigint, reason: string): void {
    this.faults.push({ page: BigInt(page), reason });
    if (this.faults.length >= this.#max) throw new EnoughFaults();
  }
}

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

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
