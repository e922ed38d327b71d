/**
 * Refuses to publish a package that does not say where it comes from: `npm publish` and `publish.ts` run
 * it first. CONTRIBUTING.md (*Release*) says what to fill in.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { ROOT } from "./_run.ts";

/** The fields of package.json that point to the outside. */
const FIELDS = ["repository", "homepage", "bugs"];

/** Returns the fields that a package leaves empty. */
export function missingMetadata(config: Record<string, unknown>): string[] {
  return FIELDS.filter((name) => {
    const value = config[name];
    const address = typeof value === "string" ? value : (value as { url?: unknown } | null)?.url;
    return typeof address !== "string" || address === "";
  });
}

/** Returns why package.json cannot be published as it is, `undefined` where it can. */
export function refusalOf(config: Record<string, unknown>): string | undefined {
  const missing = missingMetadata(config);
  if (missing.length === 0) return undefined;
  return `Cannot publish: package.json has no ${
    missing.join(", no ")
  }; see CONTRIBUTING.md, Release`;
}

if (import.meta.main) {
  const refusal = refusalOf(JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")));
  if (refusal !== undefined) {
    console.error(refusal);
    process.exitCode = 1;
  }
}
