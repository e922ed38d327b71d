/** Running a script in a process of its own, in the runtime of this one. */

import { type ChildProcess, spawn } from "node:child_process";
import process from "node:process";
import { createInterface } from "node:readline";
import { dirname, fromFileUrl, join } from "@std/path";

const HERE = dirname(fromFileUrl(import.meta.url));
const CONFIG = join(HERE, "..", "..", "deno.json");

/** How a process ended. */
export interface Ending {
  /** The exit code, or `null` where a signal ended it. */
  readonly code: number | null;
  readonly signal: string | null;
  /** What it printed, one line each. */
  readonly lines: readonly string[];
  readonly errors: string;
}

/** A running script of this directory, killed when its scope ends. */
export class Child implements Disposable {
  readonly process: ChildProcess;
  readonly ending: Promise<Ending>;
  /** What it has printed so far, one line each. */
  readonly lines: string[] = [];

  constructor(script: string, ...args: string[]) {
    const runtimeArgs = "Deno" in globalThis ? ["run", "-A", "--config", CONFIG] : [];
    const child = spawn(process.execPath, [...runtimeArgs, join(HERE, script), ...args]);
    this.process = child;
    let errors = "";
    child.stderr.on("data", (data) => errors += data);
    createInterface({ input: child.stdout }).on("line", (line) => this.lines.push(line));
    this.ending = new Promise((resolve, reject) => {
      child.on("error", reject);
      child.on("close", (code, signal) => resolve({ code, signal, lines: this.lines, errors }));
    });
  }

  [Symbol.dispose](): void {
    this.process.kill("SIGKILL");
  }
}

/** Runs a script to its end. */
export async function runChild(script: string, ...args: string[]): Promise<Ending> {
  using child = new Child(script, ...args);
  return await child.ending;
}
