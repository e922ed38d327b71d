/** Snapshots: one moment of a store, for as long as it is held.
 *
 * @module
 */

import { StoreError } from "../../codec/error.ts";
import type { KeySpace } from "../key_space.ts";
import type { Moment } from "./moment.ts";
import { StoreReader } from "./reader.ts";

// A snapshot that is no longer referenced must not pin the engines for ever. Its moment does not refer to it.
const forgotten = new FinalizationRegistry<Moment>((moment) => moment.release());

/** One moment of a store, over both engines, while writes continue.
 *
 * `HybridStore.snapshot()` returns it. While it is open, the engines keep the space of everything that was
 * overwritten or deleted since, so dispose of it when you no longer need it. Snapshots of one moment share
 * what they hold. The garbage collector releases snapshots that are no longer referenced.
 *
 * @category HybridStore
 * @example
 * ```ts
 * import { HybridStore } from "@hybrid/store";
 * import { assertEquals } from "@std/assert";
 *
 * await using store = await HybridStore.openTemp();
 * const key = new Uint8Array([1]);
 * await store.put(key, new Uint8Array([1]));
 * await using before = await store.snapshot();
 * await store.put(key, new Uint8Array([2]));
 * assertEquals(before.getSync(key), new Uint8Array([1]));
 * assertEquals(store.getSync(key), new Uint8Array([2]));
 * ```
 */
export class Snapshot extends StoreReader implements Disposable, AsyncDisposable {
  readonly #moment: Moment;
  readonly #state: { isOver: boolean };

  /** @internal */
  constructor(moment: Moment, keys: KeySpace, requireOpen: (what: string) => void) {
    const state = { isOver: false };
    super({
      where: " in snapshot",
      isTraced: false,
      keys,
      routeOf: () => undefined,
      source(what) {
        requireOpen(what);
        if (!state.isOver) return moment.source;
        throw new StoreError("CLOSED", `${what}: the snapshot was disposed of`);
      },
    });
    this.#moment = moment;
    this.#state = state;
    forgotten.register(this, moment, this);
  }

  /** The journal position of the moment: what was written up to it is in the snapshot, and nothing else. */
  get position(): bigint {
    return this.#moment.position;
  }

  /** Releases the moment. A second call does nothing; `using` and `await using` call it. */
  close(): void {
    if (this.#state.isOver) return;
    this.#state.isOver = true;
    forgotten.unregister(this);
    this.#moment.release();
  }

  /** Closes the snapshot: `using` calls it. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** Closes the snapshot: `await using` calls it. */
  // deno-lint-ignore require-await
  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }
}
