/** How scripts are run in a runtime that need not be this one. */

import process from "node:process";
import { dirname, fromFileUrl, join } from "@std/path";

/** A runtime that the project comes with. */
export type Runtime = "bun" | "deno";

const ROOT = join(dirname(fromFileUrl(import.meta.url)), "..", "..");

/** The runtime that runs this. */
export const THIS_RUNTIME: Runtime = "bun" in process.versions ? "bun" : "deno";

/** Returns the command that runs a script of this directory. */
export function commandOf(runtime: Runtime, script: string): [file: string, ...args: string[]] {
  const file = runtime === THIS_RUNTIME
    ? process.execPath
    : join(ROOT, "node_modules", ".bin", runtime);
  const path = join(dirname(fromFileUrl(import.meta.url)), script);
  return runtime === "bun" ? [file, path] : [
    file,
    "run",
    "-A",
    "--no-check",
    "--no-code-cache",
    "--quiet",
    "--config",
    join(ROOT, "deno.json"),
    path,
  ];
}
