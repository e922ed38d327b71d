/** Chained batches of Level.
 *
 * @module
 */

import { AbstractChainedBatch } from "abstract-level";
import type { LiveStore } from "../store/live_store.ts";
import type { Batch } from "../store/write/batch.ts";
import { failed, keyError, levelError } from "./error.ts";
import type { KeyNames } from "./keys.ts";
import { durableOf, type LevelWriteOptions } from "./options.ts";
import { type Form, passingKey, passingValue } from "./text.ts";

/** Writes that are collected, and take effect together. */
export class LevelBatch<TDatabase, K, V> extends AbstractChainedBatch<TDatabase, K, V> {
  readonly #store: LiveStore;
  readonly #names: KeyNames;
  #batch: Batch;

  constructor(db: TDatabase, store: LiveStore, names: KeyNames) {
    super(db);
    this.#store = store;
    this.#names = names;
    this.#batch = beginBatch(store);
  }

  /** @internal */
  _put(key: Form, value: Form): void {
    putInto(this.#batch, this.#names, key, value);
  }

  /** @internal */
  _del(key: Form): void {
    deleteIn(this.#batch, this.#names, key);
  }

  /** @internal */
  _clear(): void {
    this.#batch = beginBatch(this.#store);
  }

  /** @internal */
  _write(options: LevelWriteOptions): Promise<unknown> {
    return this.#batch.commit(durableOf(options)).catch(failed);
  }
}

/** Returns an empty batch. */
export function beginBatch(store: LiveStore): Batch {
  try {
    return store.batch();
  } catch (error) {
    throw levelError(error);
  }
}

/** Adds a put to a batch. */
export function putInto(batch: Batch, names: KeyNames, key: Form, value: Form): void {
  try {
    batch.put(names.stored(passingKey(key)), passingValue(value));
  } catch (error) {
    throw keyError(error);
  }
}

/** Adds a deletion to a batch. */
export function deleteIn(batch: Batch, names: KeyNames, key: Form): void {
  try {
    batch.delete(names.stored(passingKey(key)));
  } catch (error) {
    throw keyError(error);
  }
}
