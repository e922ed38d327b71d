/** Whether the packages that only the bench needs are installed. An install at the root leaves them out, so
 * that whoever mends a bug does not wait for them.
 *
 * @module
 */

import { existsSync, readFileSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";

const here = (name: string) => fileURLToPath(new URL(name, import.meta.url));

/** What to do where they are missing. */
export const NOT_INSTALLED = "The bench's packages are not installed: run npm ci --prefix bench";

/** Whether all packages of `bench/package.json` are in `bench/node_modules`. */
export function hasPackages(): boolean {
  return Object.keys(packageVersions())
    .every((name) => existsSync(here(`node_modules/${name}/package.json`)));
}

/** The versions of these packages, by name. They are exact. */
export function packageVersions(): Record<string, string> {
  return JSON.parse(readFileSync(here("package.json"), "utf8")).dependencies;
}

/** Ends the process with a line on what to run where they are missing. */
export function requirePackages(): void {
  if (hasPackages()) return;
  console.error(NOT_INSTALLED);
  process.exit(1);
}
