/** What the contestants take up on disk and in memory, each in a process of its own.
 *
 * @module
 */

import { execFileSync } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { NO_STORE, RESOURCES } from "./_contestants.ts";
import { runtimeArguments, today } from "./_machine.ts";
import type { ResourceLine } from "./_results.ts";
import { makeTemp, removeTemp } from "./_temp.ts";
import { OPENERS } from "./peers/mod.ts";

const CHILD = fileURLToPath(new URL("./_resource_child.ts", import.meta.url));

/** Those that the runtime has. */
const FOUND = RESOURCES.filter(({ id, contestant }) =>
  id === NO_STORE.id || OPENERS[contestant] !== undefined
);

/** How many processes {@linkcode measureResources} starts. */
export const RESOURCE_STEPS = FOUND.length;

/** Measures all contestants, one after the other. */
export function measureResources(keys: number, onStep: (name: string) => void): ResourceLine[] {
  return FOUND.map(({ id, contestant, side, name }) => {
    onStep(name);
    const directory = makeTemp();
    try {
      const args = [...runtimeArguments(), CHILD, contestant, side, directory, String(keys)];
      const output = execFileSync(process.execPath, args, { encoding: "utf8" });
      return { resources: id, date: today(), ...JSON.parse(output) };
    } finally {
      removeTemp(directory);
    }
  });
}
