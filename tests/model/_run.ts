import process from "node:process";
import * as reads from "./_reads.ts";
import type { Session } from "./_session.ts";
import * as writes from "./_writes.ts";

/** What is done, and how often. */
export type Operations<Of extends Session> = readonly (readonly [
  weight: number,
  operation: (session: Of) => Promise<void> | void,
])[];

/** What every ordered store can do. */
export const OPERATIONS: Operations<Session> = [
  [30, writes.put],
  [10, writes.remove],
  [8, writes.fetchAndAdd],
  [5, writes.compareAndSwap],
  [6, writes.burst],
  [6, writes.batch],
  [1, writes.writeMany],
  [3, writes.transaction],
  [1, writes.deleteRange],
  [12, reads.get],
  [3, reads.getMany],
  [6, reads.scan],
  [2, reads.scanPrefix],
  [1, reads.scanWhileWriting],
  [3, reads.takeSnapshot],
  [6, reads.readSnapshot],
  [2, reads.disposeSnapshot],
  [3, (session) => session.settle()],
  [2, (session) => session.flush()],
  [1, (session) => session.reopen()],
];

// A failure names its seed. HYBRIDSTORE_MODEL_SEED=… runs that one alone, and HYBRIDSTORE_MODEL_STEPS
// says for how long.
const { HYBRIDSTORE_MODEL_SEED, HYBRIDSTORE_MODEL_STEPS } = process.env;

/** Returns the seeds to run, and what tests of them are called.
 *
 * @param count How many there are beside a random one.
 */
export function seeds(count: number): { seed: number; title: string }[] {
  if (HYBRIDSTORE_MODEL_SEED !== undefined) {
    return [{ seed: Number(HYBRIDSTORE_MODEL_SEED), title: `seed ${HYBRIDSTORE_MODEL_SEED}` }];
  }
  const fixed = Array.from({ length: count }, (_, i) => ({ seed: i + 1, title: `seed ${i + 1}` }));
  // The name of a test stays the same, however it is drawn.
  return [...fixed, { seed: Math.floor(Math.random() * 2 ** 32), title: "a random seed" }];
}

/** Returns how many operations a seed has. */
export function stepsOr(steps: number): number {
  return Number(HYBRIDSTORE_MODEL_STEPS ?? steps);
}

/** Does the same to a store and to its model.
 *
 * @throws What they did not agree on, with what was done before.
 */
export async function runModel<Of extends Session>(
  session: Of,
  operations: Operations<Of>,
  seed: number,
  steps: number,
): Promise<void> {
  const total = operations.reduce((sum, [weight]) => sum + weight, 0);
  await session.open();
  try {
    for (let done = 0; done < steps; done++) {
      let choice = session.random.below(total);
      const [, operation] = operations.find(([weight]) => (choice -= weight) < 0)!;
      await operation(session);
    }
    await session.end();
  } catch (error) {
    await session.abandon();
    const latest = session.log.slice(-30).join("\n  ");
    throw new Error(
      `HYBRIDSTORE_MODEL_SEED=${seed} failed after ${session.log.length} operations:\n  ${latest}`,
      { cause: error },
    );
  }
}
