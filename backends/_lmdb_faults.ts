/** The list of what is wrong with an LMDB data file.
 *
 * @module
 */

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
