import { HybridStore, type Snapshot } from "../../mod.ts";

/** Counts the snapshots that are taken of a store from now on, and those that are held. */
export function watchSnapshots(store: HybridStore): { taken: number; held: number } {
  const counts = { taken: 0, held: 0 };
  store.snapshotSync = function (): Snapshot {
    const snapshot: Snapshot = HybridStore.prototype.snapshotSync.call(store);
    counts.taken++;
    counts.held++;
    let isOver = false;
    snapshot.close = function () {
      if (!isOver) counts.held--;
      isOver = true;
      Object.getPrototypeOf(snapshot).close.call(snapshot);
    };
    return snapshot;
  };
  return counts;
}
