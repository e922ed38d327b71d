/** Loops under a clock, and what is made of their times.
 *
 * @module
 */

/** The clock is read once in so many operations, so that it costs nothing beside them. */
const OPERATIONS_PER_CLOCK_READ = 16;

/** One operation, by its number in the trial. What it returns is awaited where it is a promise, and
 * counted as rows where it is a number. */
export type Operation = (i: number) => unknown;

/** How long a loop runs: until either is reached. */
export interface Limits {
  readonly count: number;
  readonly limitMs: number;
  /** Takes the milliseconds of every operation, in a pass that is for latencies alone. */
  readonly latencies?: number[] | undefined;
  /** Whether some operations return promises and others do not. */
  readonly isMixed?: boolean;
}

/** What a loop did. */
export interface Tally {
  readonly operations: number;
  readonly rows: number;
  readonly ms: number;
}

/** Runs an operation again and again, each when the one before is done.
 *
 * Operations that return no promise are not awaited: a contestant that is synchronous does not pay for
 * a turn of the queue of microtasks. All contestants go through the same loops.
 */
export async function runInTurn(operation: Operation, limits: Limits): Promise<Tally> {
  const start = performance.now();
  const first = operation(0);
  if (!isPromise(first) && limits.isMixed !== true) {
    return loopSync(operation, limits, start, rowsOf(first));
  }
  const rows = rowsOf(await first);
  return await loopAsync(operation, limits, start, rows);
}

/** Runs an operation by some callers at once, each awaiting its own. Callers of a synchronous contestant
 * come one after the other, as they do in an application. */
export async function runByCallers(
  operation: Operation,
  callers: number,
  limits: Limits,
): Promise<Tally> {
  const { count, limitMs, latencies } = limits;
  const start = performance.now();
  const deadline = start + limitMs;
  let next = 0;
  let isOver = false;
  const call = async () => {
    while (next < count && !isOver) {
      const i = next++;
      const began = latencies === undefined ? 0 : performance.now();
      const result = operation(i);
      if (isPromise(result)) await result;
      latencies?.push(performance.now() - began);
      if (i % OPERATIONS_PER_CLOCK_READ === 0) isOver = performance.now() > deadline;
    }
  };
  await Promise.all(Array.from({ length: callers }, call));
  return { operations: next, rows: 0, ms: performance.now() - start };
}

function loopSync(
  operation: Operation,
  { count, limitMs, latencies }: Limits,
  start: number,
  firstRows: number,
): Tally {
  const deadline = start + limitMs;
  let rows = firstRows;
  let i = 1;
  for (; i < count; i++) {
    const began = latencies === undefined ? 0 : performance.now();
    const result = operation(i);
    if (latencies !== undefined) latencies.push(performance.now() - began);
    if (typeof result === "number") rows += result;
    if (i % OPERATIONS_PER_CLOCK_READ === 0 && performance.now() > deadline) {
      i++;
      break;
    }
  }
  return { operations: i, rows, ms: performance.now() - start };
}

async function loopAsync(
  operation: Operation,
  { count, limitMs, latencies }: Limits,
  start: number,
  firstRows: number,
): Promise<Tally> {
  const deadline = start + limitMs;
  let rows = firstRows;
  let i = 1;
  for (; i < count; i++) {
    const began = latencies === undefined ? 0 : performance.now();
    let result = operation(i);
    if (isPromise(result)) result = await result;
    if (latencies !== undefined) latencies.push(performance.now() - began);
    if (typeof result === "number") rows += result;
    if (i % OPERATIONS_PER_CLOCK_READ === 0 && performance.now() > deadline) {
      i++;
      break;
    }
  }
  return { operations: i, rows, ms: performance.now() - start };
}

/** Returns operations per second. */
export function operationsPerSecond({ operations, ms }: Tally): number {
  return operations * 1000 / ms;
}

/** Returns rows per second. */
export function rowsPerSecond({ rows, ms }: Tally): number {
  return rows * 1000 / ms;
}

/** Returns the median; of an even number, the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}

/** Some values in short. */
export interface Distribution {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** Returns the values that half of all values, and 99 % of them, do not exceed (nearest rank). */
export function distributionOf(values: readonly number[]): Distribution {
  const sorted = Float64Array.from(values).sort();
  const at = (part: number) => sorted[Math.max(0, Math.ceil(part * sorted.length) - 1)] ?? 0;
  return { p50: at(0.5), p99: at(0.99), max: at(1) };
}

/** Lets what is left of the trial before go: garbage, timers, closed handles. */
export async function settle(): Promise<void> {
  const { gc, Bun } = globalThis as { gc?: () => void; Bun?: { gc(force: boolean): void } };
  if (Bun !== undefined) Bun.gc(true);
  else gc?.();
  await new Promise((resolve) => setTimeout(resolve, 20));
}

/** Whether a value has to be awaited. */
export function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === "function";
}

function rowsOf(value: unknown): number {
  return typeof value === "number" ? value : 0;
}
