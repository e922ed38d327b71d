import { cpSync } from "node:fs";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { HybridStore } from "../../mod.ts";

/** Resolves once nothing is being applied to the engines. */
export async function idle(store: HybridStore): Promise<void> {
  while (store.stats().isApplying) await nextTurn();
}

/** Copies the files of an open store, as they would be found after its process died. */
export async function crashImage(store: HybridStore, target: string): Promise<string> {
  // A file that LMDB is writing cannot be copied.
  await idle(store);
  cpSync(store.path, target, { recursive: true });
  return target;
}
