/** What the run ran on: runtime, versions, machine.
 *
 * @module
 */

import * as fs from "node:fs";
import * as os from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { median } from "./_measure.ts";
import { packageVersions } from "./_packages.ts";
import type { Head, MachineInfo } from "./_results.ts";
import { makeTemp, removeTemp } from "./_temp.ts";
import { sqliteVersion } from "./peers/sqlite.ts";

const SYNCS = 30;
const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** The runtime and its version. */
export function runtimeInfo(): Head["runtime"] {
  const { bun, deno, node } = process.versions as Record<
    string,
    string | undefined
  >;
  if (bun !== undefined) return { name: "bun", version: bun };
  return deno !== undefined
    ? { name: "deno", version: deno }
    : { name: "node", version: node ?? "unknown" };
}

/** What has to stand before the name of a script that a child process runs. */
export function runtimeArguments(): string[] {
  return runtimeInfo().name === "deno"
    ? ["run", "-A", "--quiet", "--unstable-kv", "--v8-flags=--expose-gc"]
    : [];
}

/** The day of a measurement. */
export function today(): string {
  return new Date().toISOString().slice(0, 10);
}

/** The versions of the contestants. Dependencies are exact, so that each package.json knows them.
 *
 * @param openers What opens those that the runtime has, by id.
 */
export function versions(openers: Readonly<Record<string, unknown>>): Head["versions"] {
  const config = JSON.parse(fs.readFileSync(join(ROOT, "package.json"), "utf8"));
  const ofBench = packageVersions();
  return {
    hybridstore: config.version,
    lmdb: config.dependencies.lmdb,
    sqlite: sqliteVersion(),
    "classic-level": ofBench["classic-level"]!,
    ...(openers.rocksdb !== undefined && { rocksdb: ofBench["@nxtedition/rocksdb"]! }),
    // Deno's own has no version but Deno's.
    ...(openers.deno_kv !== undefined && runtimeInfo().name !== "deno" &&
      { "deno-kv": ofBench["@deno/kv"]! }),
  };
}

/** The machine, and how long its disk takes for a sync. */
export function machineInfo(): MachineInfo {
  const cpus = os.cpus();
  return {
    platform: os.platform(),
    arch: os.arch(),
    cpu: cpus[0]?.model ?? "unknown",
    cores: cpus.length,
    memoryMiB: Math.round(os.totalmem() / 2 ** 20),
    fsyncMs: fsyncMs(),
  };
}

function fsyncMs(): number {
  const directory = makeTemp();
  const file = fs.openSync(join(directory, "sync"), "w");
  try {
    const bytes = new Uint8Array(131);
    const times = Array.from({ length: SYNCS }, () => {
      fs.writeSync(file, bytes);
      const start = performance.now();
      fs.fsyncSync(file);
      return performance.now() - start;
    });
    return median(times);
  } finally {
    fs.closeSync(file);
    removeTemp(directory);
  }
}
