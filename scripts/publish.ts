/**
 * Publishes to JSR from a copy of the sources: `deno run -A scripts/publish.ts [--dry-run]`, further
 * arguments go to `deno publish`.
 *
 * The copy is needed because of `links`: JSR refuses a package whose modules lie in a folder that is
 * not published, and would publish the stand-ins where they were. A dry run has the links beside the
 * copy and works offline; publishing has none, so it checks against the real packages.
 *
 * @module
 */
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { DENO, ROOT } from "./_run.ts";
import { refusalOf } from "./require_metadata.ts";

const args = process.argv.slice(2);
const isDryRun = args.includes("--dry-run");
const config = JSON.parse(readFileSync(join(ROOT, "deno.json"), "utf8"));
const refusal = refusalOf(JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")));
if (!isDryRun && refusal !== undefined) {
  console.error(refusal);
  process.exit(1);
}

const stage = mkdtempSync(join(tmpdir(), "hybridstore-publish-"));
try {
  const copy = join(stage, "package");
  const names = config.publish.include.map((glob: string) => glob.split("/")[0]);
  for (const name of new Set<string>([...names, "package.json"])) {
    cpSync(join(ROOT, name), join(copy, name), { recursive: true });
  }
  symlinkSync(join(ROOT, "node_modules"), join(copy, "node_modules"), "junction");

  const links: string[] = config.links;
  if (isDryRun) {
    for (const link of links) cpSync(join(ROOT, link), join(copy, "..", link), { recursive: true });
    config.links = links.map((link) => link.replace(/^\./, ".."));
  } else {
    delete config.links;
  }
  writeFileSync(join(copy, "deno.json"), JSON.stringify(config, undefined, 2));

  // `--allow-dirty`: the copy is no repository. Publishing asks its questions on the terminal.
  const { status } = spawnSync(DENO, ["publish", "--allow-dirty", ...args], {
    cwd: copy,
    stdio: "inherit",
  });
  process.exitCode = status ?? 1;
} finally {
  rmSync(stage, { recursive: true, force: true });
}
