/** Batches: writes that are gathered, and committed together.
 *
 * @module
 */

import { StoreError } from "../codec/error.ts";
import type { KeySpace } from "../store/key_space.ts";
import type { OrderedBatch } from "../store/ordered_store.ts";
import { isEmpty, resolveBatchDeletion } from "../store/range.ts";
import type { BytesLike, ScanRange, WriteOptions } from "../store/types.ts";
import { copied } from "../runtime/copy.ts";
import { type BatchPart, type KeyWrite, nameOf } from "./write_tasks.ts";

/** What a batch and its parts share. */
interface Gathered {
  /** Ends with writes of keys, where there is anything. */
  readonly parts: ({ writes: Map<string, KeyWrite> } | Extract<BatchPart, { range: unknown }>)[];
  readonly names: Set<string>;
  bytes: number;
  isCommitted: boolean;
}

/** Where a batch goes. */
export interface BatchSurface {
  readonly batchBytesMax: number;
  /** @throws {RangeError} It is too long. */
  valueBytes(what: string, value: BytesLike): Uint8Array;
  commit(what: string, parts: readonly BatchPart[], options?: WriteOptions): Promise<void>;
}

/** Writes that take effect together, when they are committed: `RemoteStore.batch` returns it.
 *
 * @category RemoteStore
 */
export class RemoteBatch implements OrderedBatch {
  readonly #keys: KeySpace;
  readonly #surface: BatchSurface;
  readonly #gathered: Gathered;

  /** @internal */
  constructor(
    keys: KeySpace,
    surface: BatchSurface,
    gathered: Gathered = { parts: [], names: new Set(), bytes: 0, isCommitted: false },
  ) {
    this.#keys = keys;
    this.#surface = surface;
    this.#gathered = gathered;
  }

  /** The number of keys that are written, without those that only ranges delete. */
  get size(): number {
    return this.#gathered.names.size;
  }

  /** Adds a put; both are copied.
   *
   * @throws {TypeError | RangeError} An argument is not valid, or a limit is exceeded; the batch is unchanged.
   * @throws {StoreError} `CLOSED`: it was committed.
   */
  put(key: BytesLike, value: BytesLike): this {
    const what = "Cannot put key into batch";
    this.#requireOpen(what);
    const bytes = this.#keys.key(what, key);
    this.#add(what, bytes, this.#surface.valueBytes(what, value));
    return this;
  }

  /** Adds a deletion. Throws as {@linkcode RemoteBatch.put} does. */
  delete(key: BytesLike): this {
    const what = "Cannot delete key in batch";
    this.#requireOpen(what);
    this.#add(what, this.#keys.key(what, key), undefined);
    return this;
  }

  /** Adds the deletion of a range: of what the batch has put there so far, and of what the store has when it is
   * committed. Throws as {@linkcode RemoteBatch.put} does. */
  deleteRange(range: Omit<ScanRange, "limit">): this {
    const what = "Cannot delete range in batch";
    this.#requireOpen(what);
    const { range: bounds } = resolveBatchDeletion(what, this.#keys, range);
    if (!isEmpty(bounds)) this.#gathered.parts.push({ range: bounds });
    return this;
  }

  /** Returns this batch as it looks to the keys below a prefix. */
  sub(prefix: BytesLike): RemoteBatch {
    const keys = this.#keys.sub("Cannot begin part of batch", prefix);
    return new RemoteBatch(keys, this.#surface, this.#gathered);
  }

  /** Commits the batch, once: all of it or nothing.
   *
   * @throws {TypeError} An option is not valid.
   * @throws {StoreError} `CLOSED`: it was committed before; as `put` of the store does.
   */
  async commit(options?: WriteOptions): Promise<void> {
    const what = "Cannot commit batch";
    this.#requireOpen(what);
    const parts = this.#gathered.parts.map((part) =>
      "writes" in part ? { writes: [...part.writes.values()] } : part
    );
    const committed = this.#surface.commit(what, parts, options);
    this.#gathered.isCommitted = true;
    await committed;
  }

  #add(what: string, key: Uint8Array, value: Uint8Array | undefined): void {
    const gathered = this.#gathered;
    const bytes = key.length + (value?.length ?? 0);
    if (gathered.bytes + bytes > this.#surface.batchBytesMax) {
      throw new RangeError(
        `${what}: the batch would be ${
          gathered.bytes + bytes
        } bytes long, more than the limit of ` +
          `${this.#surface.batchBytesMax}; commit it, and go on in another one`,
      );
    }
    gathered.bytes += bytes;
    let last = gathered.parts.at(-1);
    if (last === undefined || !("writes" in last)) {
      gathered.parts.push(last = { writes: new Map() });
    }
    const name = nameOf(key);
    last.writes.set(name, { key: copied(key), value: value && copied(value) });
    gathered.names.add(name);
  }

  #requireOpen(what: string): void {
    if (this.#gathered.isCommitted) {
      throw new StoreError("CLOSED", `${what}: it was committed; begin another one`);
    }
  }
}
