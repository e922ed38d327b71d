/**
 * What a process pays before its first write: importing the store, and opening a new one. And what it
 * takes on disk.
 *
 *     bun bench/cold_start.ts
 *
 * @module
 */

import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { Progress } from "../scripts/_progress.ts";
import { DENO, ROOT } from "../scripts/_run.ts";
import { median } from "./_measure.ts";

const ROUNDS = 15;
const STORE = JSON.stringify(pathToFileURL(join(ROOT, "mod.ts")).href);
const STEPS: Record<string, string> = {
  "nothing": "",
  "import": `await import(${STORE});`,
  "import, open a new store, put": `const { HybridStore } = await import(${STORE});
    const store = await HybridStore.openTemp();
    await store.put("key", "value");
    await store.close();`,
};
const RUNTIMES: Record<string, string[]> = {
  Bun: ["bun"],
  Deno: [DENO, "run", "-A", "--no-check"],
};
/** What is installed for one platform; the last two are optional. */
const PACKAGES = ["lmdb", "@lmdb", "hash-wasm", "@napi-rs", "@node-rs"];

const directory = mkdtempSync(join(ROOT, "bench", "cold-start-"));
const progress = new Progress("processes", ROUNDS * 6);
const times = new Map<string, number[]>();
try {
  let done = 0;
  for (let round = 0; round < ROUNDS; round++) {
    for (const [step, code] of Object.entries(STEPS)) {
      const script = join(directory, "main.ts");
      writeFileSync(script, code);
      for (const [name, command] of Object.entries(RUNTIMES)) {
        const start = performance.now();
        const { status, stderr } = spawnSync(command[0]!, [...command.slice(1), script], {
          env: { ...process.env, TMPDIR: tmpdir() },
          encoding: "utf8",
        });
        if (status !== 0) throw new Error(`${name} failed: ${stderr}`);
        const key = `${step}, ${name}`;
        times.set(key, [...times.get(key) ?? [], performance.now() - start]);
        progress.update(++done, key);
      }
    }
  }
} finally {
  progress.stop();
  rmSync(directory, { recursive: true });
}

console.log(`ms of a whole process, medians of ${ROUNDS}`);
for (const [key, found] of times) console.log(`  ${key.padEnd(40)}${median(found).toFixed(0)}`);
console.log("installed, MiB");
for (const name of PACKAGES) {
  const path = join(ROOT, "node_modules", name);
  if (existsSync(path)) console.log(`  ${name.padEnd(40)}${(sizeOf(path) / 2 ** 20).toFixed(1)}`);
}

function sizeOf(path: string): number {
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, { parentPath, name }) => sum + statSync(join(parentPath, name)).size, 0);
}
