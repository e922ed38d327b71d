/** Processes that look at images, started again when what they look at ends them. */

import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Assignment, Finding } from "./_check.ts";
import { commandOf, type Runtime } from "./_runtime.ts";

/** Looking at an image takes well below a second. */
const CHECK_MS_MAX = 60_000;

/** One process. */
class Checker {
  readonly #process: ChildProcess;
  #answer: (line: string | undefined) => void = () => {};
  #errors = "";
  isDead = false;

  constructor(runtime: Runtime) {
    const [file, ...args] = commandOf(runtime, "_check_child.ts");
    this.#process = spawn(file, args);
    this.#process.stdin!.on("error", () => {});
    this.#process.stderr!.setEncoding("utf8").on("data", (data) => {
      this.#errors = (this.#errors + data).slice(-500);
    });
    createInterface({ input: this.#process.stdout! }).on("line", (line) => {
      if (line.startsWith("{")) this.#answer(line);
    });
    const end = () => {
      this.isDead = true;
      this.#answer(undefined);
    };
    this.#process.on("error", end).on("close", end);
  }

  async check(assignment: Assignment): Promise<Finding> {
    const answered = new Promise<string | undefined>((resolve) => this.#answer = resolve);
    if (this.isDead) this.#answer(undefined);
    this.#process.stdin!.write(`${JSON.stringify(assignment)}\n`);
    const timer = setTimeout(() => this.kill(), CHECK_MS_MAX);
    const line = await answered;
    clearTimeout(timer);
    if (line !== undefined) return JSON.parse(line);
    const { exitCode, signalCode } = this.#process;
    const reason = `${signalCode ?? exitCode}: ${this.#errors.trim()}`;
    return { verdict: "died", reason };
  }

  kill(): void {
    this.#process.kill("SIGKILL");
  }
}

/** Some processes that look at images at the same time. */
export class Checkers implements Disposable {
  readonly #runtime: Runtime;
  readonly #idle: Checker[];
  readonly #waiting: (() => void)[] = [];

  constructor(runtime: Runtime, count: number) {
    this.#runtime = runtime;
    this.#idle = Array.from({ length: count }, () => new Checker(runtime));
  }

  /** Resolves once one of them has time; the next call of `check` gets it. */
  async whenIdle(): Promise<void> {
    while (this.#idle.length === 0) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  /** Looks at an image. */
  async check(assignment: Assignment): Promise<Finding> {
    await this.whenIdle();
    const checker = this.#idle.pop()!;
    try {
      return await checker.check(assignment);
    } finally {
      this.#idle.push(checker.isDead ? new Checker(this.#runtime) : checker);
      this.#waiting.shift()?.();
    }
  }

  [Symbol.dispose](): void {
    for (const checker of this.#idle) checker.kill();
  }
}
