/** Runs processes, and records their system calls with strace. */

import { spawn, spawnSync } from "node:child_process";
import process from "node:process";
import type { Life } from "./_life.ts";
import { commandOf, type Runtime } from "./_runtime.ts";
import { RECORDED_CALLS } from "./_trace.ts";

/** A life that ends neither by itself nor by a fault of its own is ended after this. */
const LIFE_MS_MAX = 120_000;
/** Nothing that is written in one call is longer; strace would cut it. */
const STRING_BYTES_MAX = 2 ** 24;

const LIBRARY_DEATHS: ReadonlySet<unknown> = new Set(["SIGABRT", "SIGSEGV", 134, 139]);

/** Follows threads, stops only calls that are recorded, and shows the paths of descriptors. */
const STRACE = "-f --seccomp-bpf -y -xx -e signal=none".split(" ");

/** What strace does to a process: lets the n-th call of a name fail in each thread, or kills the
 * process at it.
 */
export interface Injection {
  readonly call: string;
  readonly when: number;
  readonly effect: "EIO" | "kill";
}

/** Returns why nothing can be recorded here, `undefined` where it can. */
export function whyNoTrace(): string | undefined {
  if (process.platform !== "linux") return "strace records on Linux alone";
  const { error, status } = spawnSync("strace", [...STRACE, "--output=/dev/null", "true"]);
  if (error !== undefined) return "strace is not installed";
  return status === 0 ? undefined : "strace may not trace here";
}

/** Lives a life without recording it. */
export async function live(runtime: Runtime, life: Life): Promise<void> {
  const command = commandOf(runtime, "_child.ts");
  const { status, errors } = await ended([...command, JSON.stringify(life)]);
  if (status !== 0) throw new Error(`The life ended with ${status}: ${errors}`);
}

/** Lives a life and records it.
 *
 * @param trace The file that the record goes to.
 * @returns Why the process did not end as it should; `undefined` where it did, or was killed on purpose.
 */
export async function record(
  runtime: Runtime,
  life: Life,
  trace: string,
  injection?: Injection,
): Promise<string | undefined> {
  const command = commandOf(runtime, "_child.ts");
  const { status, errors } = await ended([
    "strace",
    ...STRACE,
    `--string-limit=${STRING_BYTES_MAX}`,
    `--trace=${RECORDED_CALLS.join()}`,
    ...(injection === undefined ? [] : ["-e", show(injection)]),
    `--output=${trace}`,
    ...command,
    JSON.stringify(life),
  ]);
  const isKilled = injection?.effect === "kill" && status === "SIGKILL";
  // LMDB's library says so of a page that it could not write, and then writes a longer message into 100
  // bytes, which ends some processes. What is on disk is good all the same.
  const isOverflow = injection?.effect === "EIO" && LIBRARY_DEATHS.has(status) &&
    errors.includes("Write error: ");
  return status === 0 || isKilled || isOverflow ? undefined : `it ended with ${status}: ${errors}`;
}

function show({ call, when, effect }: Injection): string {
  return `inject=${call}:${effect === "kill" ? "signal=KILL" : `error=${effect}`}:when=${when}`;
}

function ended(
  [file, ...args]: readonly string[],
): Promise<{ status: number | string | null; errors: string }> {
  return new Promise((resolve, reject) => {
    // In a group of its own: a tracer that is killed alone would leave what it traces.
    const child = spawn(file!, args, { stdio: ["ignore", "ignore", "pipe"], detached: true });
    let errors = "";
    child.stderr.setEncoding("utf8").on("data", (data) => {
      errors = (errors + data.replaceAll(/^MARK .*\n/gm, "")).slice(-8000);
    });
    const timer = setTimeout(() => process.kill(-child.pid!, "SIGKILL"), LIFE_MS_MAX);
    child.on("error", reject);
    child.on("close", (status, signal) => {
      clearTimeout(timer);
      resolve({ status: status ?? signal, errors: errors.trim() });
    });
  });
}
