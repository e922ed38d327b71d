import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import process from "node:process";
import { test } from "node:test";
import { assertEquals, assertGreater } from "@std/assert";
import { dirname, fromFileUrl, join } from "@std/path";

// The suite that `abstract-level` has for its implementations. None of its tests is left out; those of
// `createIfMissing` and `errorIfExists` run where the database has a directory of its own.

const HERE = dirname(fromFileUrl(import.meta.url));
const ROOT = join(HERE, "..", "..");
const runtimeArgs = "Deno" in globalThis ? ["run", "-A", "--no-check"] : [];
/** It opens more than a thousand stores, and each open waits for the disk. */
const FAST_DIRECTORY = "/dev/shm";

/** Assertions that the suite makes at least. Over parts and in memory it runs twice: over a database, and over a
 * sublevel of it. */
const ASSERTIONS_MIN: Record<string, number> = {
  "directories": 2580,
  "parts, append side, small memtables": 5160,
  "parts, B-tree side": 5160,
  "memory": 5150,
};

async function runSuite(configuration: string): Promise<string> {
  const parent = existsSync(FAST_DIRECTORY) ? FAST_DIRECTORY : tmpdir();
  const directory = mkdtempSync(join(parent, "hybridstore-level-"));
  try {
    const args = [...runtimeArgs, join(HERE, "_suite_child.ts"), configuration, directory];
    const child = spawn(process.execPath, args, { cwd: ROOT, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => output += text);
    }
    const code = await new Promise((resolve, reject) =>
      child.on("error", reject).on("close", resolve)
    );
    return `${output}# exit ${code}\n`;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Returns the number behind a word in the summary. */
function countOf(output: string, name: string): number {
  return Number(new RegExp(`^# ${name} +(\\d+)$`, "m").exec(output)?.[1] ?? NaN);
}

for (const [configuration, min] of Object.entries(ASSERTIONS_MIN)) {
  test(
    `abstract-level's own suite passes over ${configuration}`,
    { timeout: 600_000 },
    async () => {
      const output = await runSuite(configuration);
      const lines = output.split("\n");
      assertEquals(lines.filter((line) => line.startsWith("not ok")), []);
      assertEquals(lines.filter((line) => /^ok .* # [A-Z]+\b/.test(line)), []);
      assertEquals(/^# exit (.+)$/m.exec(output)?.[1], "0", output.slice(-2000));
      const [tests, passed] = [countOf(output, "tests"), countOf(output, "pass")];
      assertEquals(passed, tests, output.slice(-2000));
      assertGreater(passed, min);
    },
  );
}
