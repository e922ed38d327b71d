import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";

const TICK_MS = 5;
const SAMPLE_MS = 500;

/** How long the event loop did not turn, at most. */
export interface Delay {
  readonly ms: number;
  /** The most that all threads of the process computed between two turns. Where it is much less, the
   * process waited: for the disk, or for a processor that others had. */
  readonly cpuMs: number;
}

/** Watches a process while it works: its memory, and for how long its event loop does not turn. */
export class Watch implements Disposable {
  /** Resident memory in bytes, in the order in which it was looked at. */
  readonly memory: number[] = [];
  /** The largest delay of the event loop, by what went on just then. */
  readonly delays = new Map<string, Delay>();
  readonly #running = new Map<string, number>();
  readonly #timers: ReturnType<typeof setInterval>[];
  #lastTick = performance.now();
  #lastCpu = process.cpuUsage();
  /** What ended since the last tick may be what held it up. */
  #ended = new Set<string>();

  constructor() {
    this.#timers = [
      setInterval(() => this.#tick(), TICK_MS),
      setInterval(() => this.memory.push(process.memoryUsage().rss), SAMPLE_MS),
    ];
  }

  /** The largest delay of the event loop so far, in ms. */
  get largestDelay(): number {
    return Math.max(0, ...[...this.delays.values()].map(({ ms }) => ms));
  }

  /** Runs what may hold the event loop, under a name. */
  async during<T>(name: string, action: () => Promise<T>): Promise<T> {
    this.#running.set(name, (this.#running.get(name) ?? 0) + 1);
    try {
      return await action();
    } finally {
      this.#running.set(name, this.#running.get(name)! - 1);
      this.#ended.add(name);
    }
  }

  [Symbol.dispose](): void {
    for (const timer of this.#timers) clearInterval(timer);
  }

  #tick(): void {
    const now = performance.now();
    const delay = now - this.#lastTick - TICK_MS;
    this.#lastTick = now;
    const { user, system } = process.cpuUsage(this.#lastCpu);
    this.#lastCpu = process.cpuUsage();
    const running = [...this.#running].filter(([, count]) => count > 0).map(([name]) => name);
    const name = [...new Set([...running, ...this.#ended])].sort().join(" + ") || "nothing else";
    this.#ended.clear();
    const { ms = 0, cpuMs = 0 } = this.delays.get(name) ?? {};
    this.delays.set(name, {
      ms: Math.max(ms, delay),
      cpuMs: Math.max(cpuMs, (user + system) / 1000),
    });
  }
}

/** Returns the middle one of some numbers. */
export function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? 0;
}

/** Returns how many files a directory holds, at any depth, and their bytes. */
export function filesIn(directory: string): { files: number; bytes: number } {
  let files = 0;
  let bytes = 0;
  for (const name of readdirSync(directory, { recursive: true, encoding: "utf8" })) {
    // What is removed meanwhile is not there.
    const stat = statSync(join(directory, name), { throwIfNoEntry: false });
    if (!stat?.isFile()) continue;
    files++;
    bytes += stat.size;
  }
  return { files, bytes };
}
