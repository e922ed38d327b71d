/** Processes that are killed once they have said enough.
 *
 * @module
 */

import { spawn } from "node:child_process";
import process from "node:process";
import { dirname, fromFileUrl, join } from "@std/path";

const HERE = dirname(fromFileUrl(import.meta.url));

/** Runs a script of this folder, kills it once it has printed so many lines, and returns those that are whole. */
export function linesUntilKilled(
  script: string,
  args: readonly string[],
  lines: number,
): Promise<string[]> {
  const config = join(HERE, "..", "..", "deno.json");
  const runtimeArgs = "Deno" in globalThis ? ["run", "-A", "--no-check", "--config", config] : [];
  const child = spawn(process.execPath, [...runtimeArgs, join(HERE, script), ...args], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text) => {
    output += text;
    if (output.split("\n").length > lines) child.kill("SIGKILL");
  });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", () => resolve(output.split("\n").slice(0, -1)));
  });
}
