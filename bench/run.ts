/**
 * Runs the comparison in both runtimes, one after the other, with the same arguments; a runtime that is
 * not installed is left out.
 *
 *     npm run bench
 *     npm run bench -- --quick --only put,get
 *     deno task bench
 *
 * @module
 */

import { spawnSync } from "node:child_process";
import { delimiter, join } from "node:path";
import process from "node:process";
import { DENO, ROOT } from "../scripts/_run.ts";
import { requirePackages } from "./_packages.ts";

requirePackages();

const RUNTIMES = [
  ["bun"],
  // Garbage of one contestant is collected before the next one begins.
  [DENO, "run", "-A", "--unstable-kv", "--v8-flags=--expose-gc"],
];

const PATH = join(ROOT, "node_modules", ".bin") + delimiter + (process.env.PATH ?? "");
for (const [file, ...args] of RUNTIMES) {
  const { error, status } = spawnSync(
    file!,
    [...args, join(ROOT, "bench", "compare.ts"), ...process.argv.slice(2)],
    { stdio: "inherit", env: { ...process.env, PATH } },
  );
  if (error !== undefined) {
    console.log(`${file} is left out: ${error.message}`);
  } else if (status !== 0) {
    process.exit(status ?? 1);
  }
}
