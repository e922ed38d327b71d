/** What a verification found, and what it looks for in a key.
 *
 * @module
 */

import { compareBytes } from "../../codec/bytes.ts";
import { MAX_KEY_BYTES } from "../../codec/limits.ts";
import type { EngineName, Router } from "../../codec/route.ts";
import { showKey } from "../limits.ts";
import type { VerifyFault, VerifyReport } from "../types.ts";

/** Faults that are named one by one; a store that is damaged throughout has millions. */
const FAULTS_MAX = 100;

/** The faults of a store, the first of them with their words. */
export class FaultLog {
  readonly #faults: VerifyFault[] = [];
  #count = 0;

  /** Whether nothing was found. */
  get isEmpty(): boolean {
    return this.#count === 0;
  }

  /** Notes a fault. */
  add(part: VerifyFault["part"], message: string): void {
    this.#count++;
    if (this.#faults.length < FAULTS_MAX) this.#faults.push({ part, message });
  }

  /** Notes what is wrong with a key of a side: its order behind the last one, its length, its route. */
  addKey(name: EngineName, key: Uint8Array, last: Uint8Array | undefined, router: Router): void {
    if (last !== undefined && compareBytes(last, key) >= 0) {
      this.add(name, `key ${showKey(key)} is out of order`);
    }
    if (key.length < 1 || key.length > MAX_KEY_BYTES) {
      this.add(name, `key ${showKey(key)} has ${key.length} bytes`);
    }
    const route = router.routeOf(key);
    if (route !== name) this.add(name, `key ${showKey(key)} belongs to the ${route} side`);
  }

  /** Returns a report of the faults so far. */
  report(counts: Pick<VerifyReport, "keys" | "journalRecords">): VerifyReport {
    return {
      ok: this.#count === 0,
      faults: this.#faults,
      faultCount: this.#count,
      ...counts,
    };
  }
}
