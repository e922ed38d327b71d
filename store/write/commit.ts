/** Committing what was collected, and what every write asks before it begins.
 *
 * @module
 */

import type { ReadSource } from "../read/merge.ts";
import type { RunningFunction } from "./running_function.ts";
import type { WritePath } from "./write_path.ts";
import type { WriteSet } from "./write_set.ts";

/** What takes writes. */
export interface CommitSurface {
  readonly writes: WritePath;
  /** Which of the caller's functions runs in the midst of a write. */
  readonly running: RunningFunction;
  /** Returns the current entries. */
  source(what: string): ReadSource;
  /** @throws {StoreError} `CLOSED`. */
  requireOpen(what: string): void;
}

/** Returns the surface, unless the store is closed or a function runs that has read from it. */
export function idle<S extends CommitSurface>(what: string, surface: S): S {
  surface.requireOpen(what);
  surface.running.requireNone(what);
  return surface;
}

/** Commits a batch or a transaction, once.
 *
 * @param durable Whether it waits for the disk; the store's durability says so where it is left out.
 * @returns Where it ends in the journal, once it is acknowledged.
 * @throws {TypeError} A function of the caller's is running.
 * @throws {RangeError} It would exceed the limit of a batch with the keys of its ranges; or move a cursor to where
 * it does not go.
 * @throws {StoreError} As `WritePath.requireWritable` does; `CLOSED`.
 */
export function commitSet(
  what: string,
  surface: CommitSurface,
  set: WriteSet,
  durable: boolean | undefined,
): Promise<bigint> {
  const { writes } = idle(what, surface);
  writes.requireAdvances(what, set);
  set.resolveRanges(what, () => surface.source(what));
  // A transaction that only read succeeds also where the journal takes nothing.
  if (set.bytes > 0) writes.requireWritable(what);
  set.isCommitted = true;
  return writes.writeAll(set, durable);
}
