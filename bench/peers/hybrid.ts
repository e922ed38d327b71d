/** HybridStore.
 *
 * @module
 */

import { HybridStore, type OpenOptions } from "../../mod.ts";
import type { KeySet, Prefix } from "../_data.ts";
import type { Open, Session } from "./peer.ts";

class HybridSession implements Session {
  readonly #store: HybridStore;

  constructor(store: HybridStore) {
    this.#store = store;
  }

  keysOf = (keys: KeySet) => keys.bytes;
  put = (key: Uint8Array, value: Uint8Array) => this.#store.put(key, value);
  settle = () => this.#store.checkpoint();
  get = (key: Uint8Array) => this.#store.get(key);
  getSync = (key: Uint8Array) => this.#store.getSync(key);
  add = (key: Uint8Array) => this.#store.fetchAndAddU64(key, 1n);
  update = (key: Uint8Array) => this.#store.compareAndSwapF32(key, (current) => current + 1);
  delete = (key: Uint8Array) => this.#store.delete(key);
  close = () => this.#store.close();

  getInSnapshot = (key: Uint8Array) => {
    using snapshot = this.#store.snapshotSync();
    return snapshot.getSync(key);
  };

  /** Acknowledgements come in the order of the calls, so that the last one is all of them. */
  async putAll(keys: readonly Uint8Array[], values: readonly Uint8Array[]): Promise<void> {
    let last: Promise<void> | undefined;
    for (let i = 0; i < keys.length; i++) last = this.#store.put(keys[i]!, values[i]!);
    await last;
  }

  putBatch = (keys: readonly Uint8Array[], values: readonly Uint8Array[]) => {
    const batch = this.#store.batch();
    for (let i = 0; i < keys.length; i++) batch.put(keys[i]!, values[i]!);
    return batch.commit();
  };

  scan = async ({ start }: Prefix) => (await this.#store.scanPrefix(start)).length;

  scanFrom = (gte: Uint8Array, limit: number) => [...this.#store.scanSync({ gte, limit })].length;

  scanAll = () => {
    let rows = 0;
    for (const _entry of this.#store.scanSync()) rows++;
    return rows;
  };
}

/** HybridStore with some options. */
export function hybrid(options: OpenOptions): Open {
  return async (directory) => new HybridSession(await HybridStore.open(directory, options));
}
