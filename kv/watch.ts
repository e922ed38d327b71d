/** Watching keys, as a stream.
 *
 * @module
 */

import { wallClock } from "../runtime/clock.ts";
import type { LiveStore } from "../store/live_store.ts";
import { encodeReadKey } from "./key.ts";
import { ENTRY } from "./layout.ts";
import { entryOf } from "./list.ts";
import type { KvEntryMaybe, KvKey } from "./types.ts";

/** Returns a stream of the entries of some keys: as they are, and after each change.
 *
 * @param isRaw Whether states are also given in which no versionstamp has changed.
 * @param closing Ends the stream.
 */
export function watchStream(
  store: LiveStore,
  keys: readonly KvKey[],
  isRaw: boolean,
  closing: AbortSignal,
): ReadableStream<KvEntryMaybe<unknown>[]> {
  const wanted = keys.map((key) => encodeReadKey(ENTRY, key));
  const cancelling = new AbortController();
  const signal = AbortSignal.any([closing, cancelling.signal]);
  const states = store.watch(wanted, { signal });
  let shown: string | undefined;

  return new ReadableStream<KvEntryMaybe<unknown>[]>({
    async pull(controller) {
      try {
        for (;;) {
          const { done, value: found } = keys.length === 0
            ? { done: true, value: undefined }
            : await states.next();
          if (done || found === undefined) return controller.close();
          const values = new Map(found.map(({ key, value }) => [key.join(), value]));
          const now = wallClock.now();
          const entries = wanted.map((key, i) => entryOf(keys[i]!, values.get(key.join()), now));
          const stamps = entries.map(({ versionstamp }) => versionstamp).join();
          if (stamps === shown && !isRaw) continue;
          shown = stamps;
          return controller.enqueue(entries);
        }
      } catch (error) {
        if (!signal.aborted) controller.error(error);
        else if (!cancelling.signal.aborted) controller.close();
      }
    },
    cancel() {
      cancelling.abort();
    },
    // A state is looked up when it is asked for, so that a slow reader gets the newest one.
  }, { highWaterMark: 0 });
}
