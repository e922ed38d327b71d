/** Repairs a store, and is killed when a step of the swap is passed for the nth time.
 *
 * Arguments: the store's directory, and n; 0 for the first step.
 */

import process from "node:process";
import { HybridStore } from "../../mod.ts";
import { swapSteps } from "../../store/directory/repair_swap.ts";

const [path, step] = process.argv.slice(2);
let left = Number(step);
swapSteps.passed = () => {
  if (left-- > 0) return;
  process.kill(process.pid, "SIGKILL");
  // The signal may take a moment, in which nothing more may happen.
  for (;;);
};
await HybridStore.repair(path!);
console.log("repaired");
