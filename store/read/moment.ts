/** Moments: a store as it is at a call, pinned for a snapshot, a backup or a verification.
 *
 * @module
 */

import type { Engine, EngineView } from "../../backends/engine.ts";
import type { EngineName, Router } from "../../codec/route.ts";
import type { Memtable } from "../memtable/memtable.ts";
import type { ReadSource } from "./merge.ts";

/** A store at one moment. It keeps the engines' space of what was overwritten since, until it is released. */
export interface Moment {
  readonly source: ReadSource;
  /** Where the journal ended. */
  readonly position: bigint;
  /** Releases the engines. Called once. */
  release(): void;
}

/** Pins both engines under memtables that take no more writes.
 *
 * @param layers Sealed memtables, newest first.
 * @param position Where the journal ends.
 * @throws {StoreError} `TOO_MANY_SNAPSHOTS`, `IO`; nothing stays pinned then.
 */
export function pinMoment(
  layers: readonly Memtable[],
  engines: Readonly<Record<EngineName, Engine>>,
  router: Router,
  position: bigint,
): Moment {
  const append = engines.append.view();
  let btree: EngineView;
  try {
    btree = engines.btree.view();
  } catch (error) {
    append.release();
    throw error;
  }
  return {
    source: { layers, engines: { append, btree }, router },
    position,
    release() {
      append.release();
      btree.release();
    },
  };
}
