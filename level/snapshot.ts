/** Explicit snapshots of Level.
 *
 * @module
 */

import { AbstractSnapshot } from "abstract-level";
import type { Snapshot } from "../store/read/snapshot.ts";

/** A snapshot of a store, held until it is closed, or the database is. */
export class LevelSnapshot extends AbstractSnapshot {
  /** The database that it is of. */
  readonly db: object;
  /** What it reads. */
  readonly moment: Snapshot;

  /** @param options What Level hands over: the database that closes it, which may be a sublevel. */
  constructor(options: object, db: object, moment: Snapshot) {
    // The types leave out what a database passes on.
    super(...([options] as unknown as []));
    this.db = db;
    this.moment = moment;
  }

  /** @internal */
  // deno-lint-ignore require-await
  async _close(): Promise<void> {
    this.moment.close();
  }
}
