/** What the contestants take up on disk and in memory, each in a process of its own.
 *
 * @module
 */

import { execFileSync } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { runtimeArguments } from "./_machine.ts";
import type { ResourceResult } from "./_results.ts";
import { makeTemp, removeTemp } from "./_temp.ts";
import { CONTESTANTS } from "./peers/mod.ts";

const CHILD = fileURLToPath(new URL("./_resource_child.ts", import.meta.url));

const MEASURED = [
  { id: "none", contestant: "none", side: "append", name: "the runtime and the data" },
  { id: "hybrid_append", contestant: "hybrid", side: "append", name: "HybridStore, append side" },
  { id: "hybrid_btree", contestant: "hybrid", side: "btree", name: "HybridStore, B-tree side" },
  ...["lmdb_safe", "lmdb_default", "sqlite_normal", "level", "deno_kv"].map((id) => ({
    id,
    contestant: id,
    side: "append",
    name: CONTESTANTS.get(id)?.name,
  })),
];

/** How many processes {@linkcode measureResources} starts. */
export const RESOURCE_STEPS = MEASURED.filter(({ name }) => name !== undefined).length;

/** Measures all contestants, one after the other. */
export function measureResources(keys: number, onStep: (name: string) => void): ResourceResult[] {
  return MEASURED.flatMap(({ id, contestant, side, name }) => {
    if (name === undefined) return [];
    onStep(name);
    const directory = makeTemp();
    try {
      const args = [...runtimeArguments(), CHILD, contestant, side, directory, String(keys)];
      const output = execFileSync(process.execPath, args, { encoding: "utf8" });
      return [{ id, name, ...JSON.parse(output) } as ResourceResult];
    } finally {
      removeTemp(directory);
    }
  });
}
