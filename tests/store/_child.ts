import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import process from "node:process";
import { createInterface } from "node:readline";
import { dirname, fromFileUrl, join } from "@std/path";

const HERE = dirname(fromFileUrl(import.meta.url));
const IS_BUN = "bun" in process.versions;

/** The runtimes that a child can run in: this one, and the other one where it is installed. */
export const RUNTIMES: [name: string, command: string[]][] = [];
for (const [name, args] of [["bun", []], ["deno", ["run", "-A", "--no-check"]]] as const) {
  const installed = join(HERE, "..", "..", "node_modules", ".bin", name);
  const isThis = (name === "bun") === IS_BUN;
  if (isThis) RUNTIMES.unshift([name, [process.execPath, ...args]]);
  else if (existsSync(installed)) RUNTIMES.push([name, [installed, ...args]]);
}

/** A process that runs a script beside this file, for the time of a test. */
export class Child implements AsyncDisposable {
  readonly #process: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly #exited: Promise<unknown>;

  constructor(command: readonly string[], script: string, args: readonly string[]) {
    const [file, ...rest] = [...command, join(HERE, script), ...args];
    // Errors of the child go where those of the test go.
    this.#process = spawn(file!, rest, { stdio: ["pipe", "pipe", "inherit"] });
    this.#exited = new Promise((resolve) => this.#process.once("close", resolve));
    const lines = createInterface({ input: this.#process.stdout! });
    this.#lines = lines[Symbol.asyncIterator]();
  }

  /** Returns the next line that the child prints. */
  async line(): Promise<string> {
    const step = await this.#lines.next();
    if (step.done) throw new Error("The child has ended");
    return step.value;
  }

  /** Kills the child, by the id that it knows itself by: what was started may be a script that starts
   * the runtime. Resolves when it is gone. */
  async kill(pid: number): Promise<void> {
    process.kill(pid, "SIGKILL");
    await this.#exited;
  }

  /** Ends the child's input, at which it ends itself. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.stdin!.end();
    await this.#exited;
  }
}
