/** RocksDB, as `@nxtedition/rocksdb` has it.
 *
 * The package writes and reads on the thread that calls it, except for `get` and its kin. Some of the methods
 * that read so have an underscore before their names; they are used here because the others are slower.
 *
 * @module
 */

import { createRequire } from "node:module";
import type { KeySet, Prefix } from "../_data.ts";
import { increased, type Open, putInBatches, type Session, updated } from "./peer.ts";

/** Rows that an iterator brings at a time. */
const PAGE_ROWS = 1_000;

/** What is used of the package, which has no types. */
interface RocksLevel {
  open(): Promise<void>;
  put(key: Uint8Array, value: Uint8Array): Promise<void>;
  batch(operations: readonly Operation[], options: { sync: boolean }): Promise<void>;
  get(key: Uint8Array): Promise<Uint8Array>;
  _getManySync(keys: readonly Uint8Array[]): readonly (Uint8Array | undefined)[];
  querySync(options: object): Rows;
  iterator(): RocksIterator;
  close(): Promise<void>;
}

interface RocksIterator {
  seek(key: Uint8Array): void;
  _nextvSync(rows: number): Rows;
  close(): Promise<void>;
}

/** Keys and values in turn. */
interface Rows {
  readonly rows: readonly Uint8Array[];
  readonly finished: boolean;
}

type Operation =
  | { readonly type: "put"; readonly key: Uint8Array; readonly value: Uint8Array }
  | { readonly type: "del"; readonly key: Uint8Array };

type RocksLevelClass = new (location: string, options: object) => RocksLevel;

const BYTES = { keyEncoding: "buffer", valueEncoding: "buffer" };

class RocksSession implements Session {
  readonly #db: RocksLevel;
  readonly #options: { sync: boolean };

  constructor(db: RocksLevel, options: { sync: boolean }) {
    this.#db = db;
    this.#options = options;
  }

  keysOf = (keys: KeySet) => keys.bytes;
  get = (key: Uint8Array) => this.#db.get(key);
  getSync = (key: Uint8Array) => this.#db._getManySync([key])[0];
  delete = (key: Uint8Array) => this.#db.batch([{ type: "del", key }], this.#options);
  close = () => this.#db.close();

  /** An iterator shows the moment at which it was made. */
  getInSnapshot = async (key: Uint8Array) => {
    const iterator = this.#db.iterator();
    iterator.seek(key);
    const { rows: [, value] } = iterator._nextvSync(1);
    await iterator.close();
    return value;
  };

  /** A put of the package's own forgets `sync`, and so does its `del`. */
  put = (key: Uint8Array, value: Uint8Array) =>
    this.#options.sync ? this.putBatch([key], [value]) : this.#db.put(key, value);

  /** A write that is synced takes the log before it along. */
  settle = () => this.#db.batch([{ type: "del", key: new Uint8Array([0]) }], { sync: true });

  putAll = (keys: readonly Uint8Array[], values: readonly Uint8Array[]) =>
    putInBatches(keys, values, this.putBatch);

  putBatch = (keys: readonly Uint8Array[], values: readonly Uint8Array[]) =>
    this.#db.batch(
      keys.map((key, i) => ({ type: "put", key, value: values[i]! })),
      this.#options,
    );

  scan = ({ start, end }: Prefix) => this.#count({ gte: start, lt: end });
  scanFrom = (gte: Uint8Array, limit: number) => this.#count({ gte, limit });

  scanAll = async () => {
    const iterator = this.#db.iterator();
    for (let count = 0;;) {
      const { rows, finished } = iterator._nextvSync(PAGE_ROWS);
      count += rows.length / 2;
      if (!finished) continue;
      await iterator.close();
      return count;
    }
  };

  /** Nothing runs between the read and the write, which are synchronous. */
  add = (key: Uint8Array) => this.put(key, increased(this.getSync(key)));
  update = (key: Uint8Array) => this.put(key, updated(this.getSync(key)));

  #count(range: object): number {
    return this.#db.querySync({ ...range, ...BYTES }).rows.length / 2;
  }
}

/** Returns `undefined` where the package is missing, or has no binary for the platform. */
function loadPackage(): RocksLevelClass | undefined {
  try {
    return createRequire(import.meta.url)("@nxtedition/rocksdb").RocksLevel;
  } catch {
    return undefined;
  }
}

const RocksLevel = loadPackage();

/** RocksDB, with or without a sync of its log for each write. Absent where it cannot be loaded. */
export function rocksdb(sync: boolean): Open | undefined {
  return RocksLevel && (async (directory) => {
    const db = new RocksLevel(directory, BYTES);
    await db.open();
    return new RocksSession(db, { sync });
  });
}
