import { Buffer } from "node:buffer";
import type { Entry, OrderedStore } from "@hybrid/store";
import { JobError } from "./job_error.ts";
import type { Progress } from "./progress.ts";

/** Entries between two looks at the clock and the signal. */
const STEP = 16_384;

/** Walks over two stores side by side, and checks that they hold the same, byte for byte.
 *
 * @param keys How many keys there are, for the progress.
 * @returns How many entries each of them has.
 * @throws {JobError} They differ.
 */
export async function requireSame(
  store: OrderedStore,
  other: OrderedStore,
  { keys, progress, signal }: { keys: number; progress: Progress; signal: AbortSignal },
): Promise<number> {
  progress.begin("compare", keys, "keys");
  const entries = store.scan({ signal });
  const others = other.scan({ signal });
  for (let count = 0;;) {
    const [{ value: entry }, { value: another }] = await Promise.all([
      entries.next(),
      others.next(),
    ]);
    if (entry === undefined && another === undefined) {
      progress.end(count);
      return count;
    }
    if (!isSame(entry, another)) {
      const key = JSON.stringify(new TextDecoder().decode((entry ?? another)!.key));
      throw new JobError(`The stores differ from entry ${count + 1} on, at the key ${key}`);
    }
    if (++count % STEP === 0) progress.update(count);
  }
}

function isSame(a: Entry | undefined, b: Entry | undefined): boolean {
  return a !== undefined && b !== undefined &&
    Buffer.compare(a.key, b.key) === 0 && Buffer.compare(a.value, b.value) === 0;
}
