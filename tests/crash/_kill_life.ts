/** One life of a process that is to be killed, as the process that kills it sees it. */

import { type ChildProcess, spawn } from "node:child_process";
import process from "node:process";
import { dirname, fromFileUrl, join } from "@std/path";
import type { OpenOptions } from "../../mod.ts";
import type { StepChoice } from "./_kill_steps.ts";

const HERE = dirname(fromFileUrl(import.meta.url));
const CONFIG = join(HERE, "..", "..", "deno.json");

/** What a process is to do. */
export interface Life {
  readonly directory: string;
  readonly options: OpenOptions;
  /** The seed of the operations, and the number of the first. */
  readonly seed: number;
  readonly from: number;
  /** Whether consumers of the change feed keep views in the store. */
  readonly isFed?: boolean;
  /** Where the process kills itself. */
  readonly step?: StepChoice;
}

/** What a process said until it died. */
export interface Testimony {
  /** The number behind the last operation that may have been issued. */
  readonly end: number;
  /** What was acknowledged, by the number of the operation. */
  readonly outcomes: ReadonlyMap<number, string>;
  readonly hasOpened: boolean;
  readonly hasReachedStep: boolean;
  /** What the change feed has shown, in earlier lives too. */
  readonly shown: Map<string, Map<bigint, string>>;
  /** Up to where each cursor is known to have been moved. */
  readonly moved: Map<string, bigint>;
}

/** Notes what the feed showed.
 *
 * @throws Where it was shown after its cursor was moved past it, or looked otherwise before.
 */
function noteShown(
  shown: Map<string, Map<bigint, string>>,
  cursor: string,
  [at, digest]: readonly string[],
  moved: ReadonlyMap<string, bigint>,
): void {
  const position = BigInt(at!);
  const found = shown.get(cursor) ?? new Map<bigint, string>();
  shown.set(cursor, found);
  if (position <= (moved.get(cursor) ?? -1n)) {
    throw new Error(`Cursor ${cursor} is past ${position}, and was shown it again`);
  }
  if ((found.get(position) ?? digest) !== digest) {
    throw new Error(`Cursor ${cursor} was shown two changes at ${position}`);
  }
  found.set(position, digest!);
}

/** A process that is started ahead of its life, because starting a runtime takes longer than that. */
export class Mortal implements Disposable {
  readonly #process: ChildProcess;
  readonly #closed: Promise<{ signal: string | null }>;
  /** What it has said, and how often each kind of line. */
  readonly #lines: string[] = [];
  readonly #counts = new Map<string, number>();
  /** What follows the last end of a line. */
  #rest = "";
  #errors = "";
  #onLines = () => {};

  constructor() {
    const runtimeArgs = "Deno" in globalThis ? ["run", "-A", "--config", CONFIG] : [];
    const child = spawn(process.execPath, [...runtimeArgs, join(HERE, "_kill_child.ts")]);
    this.#process = child;
    child.stdin.on("error", () => {});
    child.stdout.setEncoding("latin1").on("data", (data) => this.#hear(data));
    child.stderr.setEncoding("utf8").on("data", (data) => this.#errors += data);
    this.#closed = new Promise((resolve, reject) => {
      child.on("error", reject);
      child.on("close", (_, signal) => resolve({ signal }));
    });
    // Nobody may be waiting yet.
    this.#closed.catch(() => {});
  }

  /** Begins the life. */
  begin(life: Life): void {
    this.#process.stdin!.write(`${JSON.stringify(life)}\n`);
  }

  /** Resolves once the process has said a kind of line this often, or is dead. */
  async hasSaid(kind: string, times = 1): Promise<void> {
    const saidIt = new Promise<void>((resolve) => {
      this.#onLines = () => (this.#counts.get(kind) ?? 0) >= times && resolve();
      this.#onLines();
    });
    await Promise.race([this.#closed, saidIt]);
  }

  kill(): void {
    this.#process.kill("SIGKILL");
  }

  /** Resolves once the process is dead.
   *
   * @param before That of the life before it, which this one continues.
   * @throws Where it did not die of a kill, or something failed before.
   */
  async testimony(from: number, before?: Testimony): Promise<Testimony> {
    const { signal } = await this.#closed;
    const outcomes = new Map<number, string>();
    let end = from;
    let hasOpened = false;
    let hasReachedStep = false;
    const shown = before?.shown ?? new Map<string, Map<bigint, string>>();
    const moved = before?.moved ?? new Map<string, bigint>();
    for (const line of this.#lines) {
      const [kind, number, ...outcome] = line.split(" ");
      if (kind === "a") outcomes.set(Number(number), outcome.join(" "));
      else if (kind === "i") end = Number(number) + 1;
      else if (kind === "r") hasOpened = true;
      else if (kind === "s") hasReachedStep = true;
      else if (kind === "v") noteShown(shown, number!, outcome, moved);
      else if (kind === "c") moved.set(number!, BigInt(outcome[0]!));
      else if (kind === "e") throw new Error(`The process failed: ${line.slice(2)}`);
    }
    if (signal !== "SIGKILL") {
      throw new Error(`The process ended by itself (${signal}): ${this.#errors}`);
    }
    return { end, outcomes, hasOpened, hasReachedStep, shown, moved };
  }

  #hear(data: string): void {
    const lines = `${this.#rest}${data}`.split("\n");
    // A line without an end was cut off by the kill: its write never returned.
    this.#rest = lines.pop()!;
    for (const line of lines) {
      const kind = line.slice(0, 1);
      this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + 1);
      this.#lines.push(line);
    }
    this.#onLines();
  }

  [Symbol.dispose](): void {
    this.kill();
  }
}
