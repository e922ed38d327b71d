/** Committing to LMDB, and finding out why that failed.
 *
 * @module
 */

import type { RootDatabase } from "lmdb";
import { setImmediate } from "../runtime/timers.ts";
import { nextTurn } from "../runtime/turn.ts";

type Environment = RootDatabase<Uint8Array, Uint8Array>;

/** Commits what `body` puts and removes as one transaction, on the library's writer thread.
 *
 * @throws The native error; `lmdbError` converts it.
 */
export async function commitBatch(environment: Environment, body: () => void): Promise<void> {
  const batch = environment.batch(body);
  // By the end of this turn the library may have made a second promise for the same commit. No caller gets
  // it, and without a handler its rejection would end the process.
  setImmediate(() => handleCommitted(environment));
  try {
    await batch;
  } catch (error) {
    throw await commitError(error);
  }
}

function handleCommitted(environment: Environment): void {
  const ignore = () => {};
  // Its type says that it is a promise; it has the method alone, for the commit that is under way.
  const committed = environment.committed as PromiseLike<unknown>;
  committed.then(ignore, ignore);
}

/** Returns why a commit failed. The library keeps the reason in a promise of its own, which is rejected
 * soon after the batch. Where it is not, it is known at least that the commit failed.
 */
async function commitError(error: unknown): Promise<unknown> {
  const { commitError: reason } = error as { commitError?: Promise<unknown> };
  const cause = reason?.then(() => error, (cause: unknown) => cause);
  return await Promise.race([cause ?? error, nextTurn().then(nextTurn).then(() => error)]);
}
