/** LevelDB, as `classic-level` has it.
 *
 * @module
 */

import { ClassicLevel } from "classic-level";
import type { KeySet, Prefix } from "../_data.ts";
import { increased, type Open, putInBatches, type Session, updated } from "./peer.ts";

class LevelSession implements Session {
  readonly #db: ClassicLevel<Uint8Array, Uint8Array>;
  readonly #options: { sync: boolean };

  constructor(db: ClassicLevel<Uint8Array, Uint8Array>, options: { sync: boolean }) {
    this.#db = db;
    this.#options = options;
  }

  keysOf = (keys: KeySet) => keys.bytes;
  put = (key: Uint8Array, value: Uint8Array) => this.#db.put(key, value, this.#options);
  get = (key: Uint8Array) => this.#db.get(key);
  getSync = (key: Uint8Array) => this.#db.getSync(key);
  delete = (key: Uint8Array) => this.#db.del(key, this.#options);
  close = () => this.#db.close();

  getInSnapshot = async (key: Uint8Array) => {
    await using snapshot = this.#db.snapshot();
    return this.#db.getSync(key, { snapshot });
  };

  /** LevelDB syncs its log with the next write that asks for it, an empty one too. */
  settle = () => this.#db.del(new Uint8Array([0]), { sync: true });

  putAll = (keys: readonly Uint8Array[], values: readonly Uint8Array[]) =>
    putInBatches(keys, values, this.putBatch);

  putBatch = (keys: readonly Uint8Array[], values: readonly Uint8Array[]) =>
    this.#db.batch(
      keys.map((key, i) => ({ type: "put", key, value: values[i]! })),
      this.#options,
    );

  scan = async ({ start, end }: Prefix) =>
    (await this.#db.iterator({ gte: start, lt: end }).all()).length;

  scanFrom = async (gte: Uint8Array, limit: number) =>
    (await this.#db.iterator({ gte, limit }).all()).length;

  scanAll = async () => {
    let rows = 0;
    for await (const _entry of this.#db.iterator()) rows++;
    return rows;
  };

  /** There is no atomic add: read, then write, right only as long as callers come in turn. */
  add = async (key: Uint8Array) => {
    await this.#db.put(key, increased(await this.#db.get(key)), this.#options);
  };

  update = async (key: Uint8Array) => {
    await this.#db.put(key, updated(await this.#db.get(key)), this.#options);
  };
}

/** LevelDB, with or without a sync of its log for each write. */
export function level(sync: boolean): Open {
  return async (directory) => {
    const encoding = { keyEncoding: "view", valueEncoding: "view" } as const;
    const db = new ClassicLevel<Uint8Array, Uint8Array>(directory, encoding);
    await db.open();
    return new LevelSession(db, { sync });
  };
}
