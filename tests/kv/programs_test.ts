import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import process from "node:process";
import { test } from "node:test";
import { assertEquals } from "@std/assert";
import { dirname, fromFileUrl, join, toFileUrl } from "@std/path";
import { tempDirectory } from "../support/temp.ts";

// Programs that were written for Deno's own KV: what they print there, they print here, in each runtime.

const HERE = dirname(fromFileUrl(import.meta.url));
const ROOT = join(HERE, "..", "..");
const IS_DENO = "Deno" in globalThis;
const EXPECTED: Record<string, string[]> = {
  counter: [
    "visits: 60",
    "/: 30",
    "/about: 10",
    "/shop: 20",
    "from 2026-03-01 to 2026-03-08",
    "2026-03-08: 6",
    "2026-03-07: 8",
    "2026-03-06: 8",
    "old days removed",
    "4 days left",
    "true false true",
    "visits: 62",
    "TypeError",
  ],
  sessions: [
    "ada: s1, s2",
    "bob: s3",
    "eve: ",
    "ada admin+user 2026-03-01T08:00:00.000Z",
    "true",
    "lamp 2",
    "false",
    "1",
    "s1 null",
    "ada bob null null",
  ],
  todo: [
    "true",
    "true,true,true,true,true",
    "2 2026-03-01,2026-03-02",
    "2 2026-03-02,2026-03-05",
    "1 2026-04-01",
    "true false",
    "2026-02-28 write the report, 2026-03-02 water the plants",
    "2026-02-28",
    "2026-03-02",
    "2 finished",
  ],
};

/** Runs a program with a line in front that says what `openKv` is. */
function run(name: string, line: string, flags: string[]): string {
  using directory = tempDirectory();
  const path = join(directory.path, `${name}.ts`);
  const source = readFileSync(join(HERE, "programs", `_${name}.ts`), "utf8");
  // Only Deno has its own name for the arguments of a program.
  const args = IS_DENO ? "" : "const Deno = { args: process.argv.slice(2) };\n";
  writeFileSync(path, line + args + source);
  const options = IS_DENO
    ? ["run", "-A", "--no-check", "--config", join(ROOT, "deno.json"), ...flags]
    : [];
  const { stdout, stderr, status } = spawnSync(
    process.execPath,
    [...options, path, join(directory.path, "kv")],
    { cwd: ROOT, encoding: "utf8", env: { ...process.env, NO_COLOR: "1" } },
  );
  assertEquals([status, stderr], [0, ""]);
  return stdout;
}

const OURS = `import { openKv } from ${
  JSON.stringify(toFileUrl(join(ROOT, "kv", "mod.ts")).href)
};\n`;
const NATIVE = "const { openKv } = Deno;\n";

for (const [name, lines] of Object.entries(EXPECTED)) {
  test(`the program ${name} runs as with Deno's own KV`, { timeout: 600_000 }, () => {
    const output = run(name, OURS, []);
    if (IS_DENO) assertEquals(output, run(name, NATIVE, ["--unstable-kv"]));
    assertEquals(output.trimEnd().split("\n"), lines);
  });
}
