/** Moments: a store as it is at a call, pinned for a snapshot, a backup or a verification.
 *
 * @module
 */

import type { Engine } from "../../backends/engine.ts";
import type { EngineName, Router } from "../../codec/route.ts";
import type { SharedLayers } from "../memtable/memtable_stack.ts";
import type { ReadSource } from "./merge.ts";

/** A store at one moment. It keeps the engines' space of what was overwritten since, until it is released. */
export interface Moment {
  readonly source: ReadSource;
  /** Where the journal ended. */
  readonly position: bigint;
  /** What the engines would note with it. */
  readonly note: string | undefined;
  /** Releases the engines. Called once. */
  release(): void;
}

/** Pins both engines under memtables.
 *
 * @param at Where the journal ends, and what the engines would note with that.
 * @throws {StoreError} `TOO_MANY_SNAPSHOTS`, `IO`; nothing stays pinned then.
 */
export function pinMoment(
  memory: SharedLayers,
  engines: Readonly<Record<EngineName, Engine>>,
  router: Router,
  at: Pick<Moment, "position" | "note">,
): Moment {
  const held: { release(): void }[] = [memory];
  const release = () => held.forEach((part) => part.release());
  try {
    const append = engines.append.view();
    held.push(append);
    const btree = engines.btree.view();
    held.push(btree);
    return {
      source: { layers: memory.layers, engines: { append, btree }, router },
      position: at.position,
      note: at.note,
      release,
    };
  } catch (error) {
    release();
    throw error;
  }
}
