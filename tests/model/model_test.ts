import process from "node:process";
import { test } from "node:test";
import { tempDirectory } from "../support/temp.ts";
import { Random } from "../support/random.ts";
import * as reads from "./_reads.ts";
import { Session } from "./_session.ts";
import * as writes from "./_writes.ts";

// A failure names its seed. HYBRIDSTORE_MODEL_SEED=… runs that one alone, and HYBRIDSTORE_MODEL_STEPS
// says for how long.
const { HYBRIDSTORE_MODEL_SEED, HYBRIDSTORE_MODEL_STEPS } = process.env;
const STEPS = Number(HYBRIDSTORE_MODEL_STEPS ?? 1500);
const SEEDS = HYBRIDSTORE_MODEL_SEED === undefined
  ? [1, 2, 3, 4, 5, Math.floor(Math.random() * 2 ** 32)]
  : [Number(HYBRIDSTORE_MODEL_SEED)];

/** What is done, and how often. */
const OPERATIONS: [weight: number, operation: (session: Session) => Promise<void> | void][] = [
  [30, writes.put],
  [10, writes.remove],
  [8, writes.fetchAndAdd],
  [5, writes.compareAndSwap],
  [6, writes.batch],
  [1, writes.writeMany],
  [6, writes.transact],
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
  [1, (session) => session.checkpoint()],
  [1, (session) => session.reopen()],
  [1, (session) => session.crash()],
];
const TOTAL_WEIGHT = OPERATIONS.reduce((sum, [weight]) => sum + weight, 0);

async function step(session: Session): Promise<void> {
  let choice = session.random.below(TOTAL_WEIGHT);
  const [, operation] = OPERATIONS.find(([weight]) => (choice -= weight) < 0)!;
  await operation(session);
}

for (const [index, seed] of SEEDS.entries()) {
  // The name of a test stays the same, however it is drawn.
  const title = index < 5 ? `seed ${seed}` : "a random seed";
  test(`the store agrees with a map, whatever is done to both, ${title}`, {
    timeout: 600_000 + STEPS * 20,
  }, async () => {
    using temp = tempDirectory();
    const session = new Session(new Random(seed), temp.path);
    await session.open();
    try {
      for (let done = 0; done < STEPS; done++) await step(session);
      await session.end();
    } catch (error) {
      await session.abandon();
      const latest = session.log.slice(-30).join("\n  ");
      throw new Error(
        `HYBRIDSTORE_MODEL_SEED=${seed} failed after ${session.log.length} operations:\n  ${latest}`,
        { cause: error },
      );
    }
  });
}
