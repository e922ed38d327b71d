/** Raw lmdb.
 *
 * @module
 */

import { open, type RootDatabase, type RootDatabaseOptions } from "lmdb";
import type { KeySet, Prefix } from "../_data.ts";
import { increased, type Open, type Session, updated } from "./peer.ts";

class LmdbSession implements Session {
  readonly #db: RootDatabase<Uint8Array, Uint8Array>;

  constructor(db: RootDatabase<Uint8Array, Uint8Array>) {
    this.#db = db;
  }

  keysOf = (keys: KeySet) => keys.bytes;
  put = (key: Uint8Array, value: Uint8Array) => this.#db.put(key, value);
  settle = () => this.#db.flushed;
  get = (key: Uint8Array) => this.#db.get(key);
  getSync = (key: Uint8Array) => this.#db.getBinary(key);
  delete = (key: Uint8Array) => this.#db.remove(key);
  close = () => this.#db.close();

  getInSnapshot = (key: Uint8Array) => {
    const transaction = this.#db.useReadTransaction();
    try {
      return this.#db.get(key, { transaction });
    } finally {
      transaction.done();
    }
  };

  /** Commits come in order, so that the last promise stands for all. */
  async putAll(keys: readonly Uint8Array[], values: readonly Uint8Array[]): Promise<void> {
    let last: Promise<boolean> | undefined;
    for (let i = 0; i < keys.length; i++) last = this.#db.put(keys[i]!, values[i]!);
    await last;
  }

  putBatch = (keys: readonly Uint8Array[], values: readonly Uint8Array[]) =>
    this.#db.batch(() => {
      for (let i = 0; i < keys.length; i++) this.#db.put(keys[i]!, values[i]!);
    });

  scan = ({ start, end }: Prefix) => [...this.#db.getRange({ start, end })].length;

  scanFrom = (start: Uint8Array, limit: number) => [...this.#db.getRange({ start, limit })].length;

  scanAll = () => {
    let rows = 0;
    for (const _entry of this.#db.getRange({})) rows++;
    return rows;
  };

  add = (key: Uint8Array) =>
    this.#db.transactionSync(() => {
      this.#db.putSync(key, increased(this.#db.getBinary(key)));
    });

  update = (key: Uint8Array) =>
    this.#db.transactionSync(() => {
      this.#db.putSync(key, updated(this.#db.getBinary(key)));
    });
}

function lmdb(options: RootDatabaseOptions): Open {
  return (path) => {
    const db = open<Uint8Array, Uint8Array>({
      path,
      keyEncoding: "binary",
      encoding: "binary",
      ...options,
    });
    return Promise.resolve(new LmdbSession(db));
  };
}

export const lmdbSafe = lmdb({
  overlappingSync: false,
  // As HybridStore has it, and faster than the default in all that is measured here.
  pageSize: 8192,
});
export const lmdbDefault = lmdb({});
