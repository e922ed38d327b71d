/** Reading LMDB: plain bytes in and out, ranges, and errors.
 *
 * @module
 */

import type { Database, Transaction } from "lmdb";
import type { Entry, KeyRange } from "./engine.ts";
import { type Copy, copyWhole } from "../runtime/copy.ts";
import { lmdbError } from "./lmdb_error.ts";
import { writeLmdbKey } from "./_lmdb_queue.ts";
import type { Moment } from "./shared_view.ts";

type Bytes = Uint8Array;
type Db = Database<Bytes, Bytes>;
type RangeOptions = NonNullable<Parameters<Db["getRange"]>[0]>;
type ReadOptions = { transaction?: Transaction };

/** How the running read copies. The library calls the encoding with the bytes alone, within the read. */
let currentCopy = copyWhole;

/** Copies parts of one buffer into plain `Uint8Array`s. A `Buffer` would make `Buffer`s of them, and
 * the library's say that they are as long as the value that they hold right now.
 */
class Copier {
  #buffer: Bytes | undefined;
  #bytes: Bytes = new Uint8Array(0);

  copy(buffer: Bytes, start: number, end: number): Bytes {
    // The library uses the same buffer until a value does not fit.
    if (buffer !== this.#buffer) {
      this.#buffer = buffer;
      this.#bytes = new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
    }
    return currentCopy(this.#bytes, start, end);
  }
}

const keyCopier = new Copier();
const valueCopier = new Copier();

/** How keys and values enter and leave the library: as the bytes they are. */
export const encoding = {
  keyEncoder: {
    writeKey: writeLmdbKey,
    readKey: (source: Bytes, start: number, end: number): Bytes =>
      keyCopier.copy(source, start, end),
  },
  encoder: {
    encode: (value: Bytes): Bytes => value,
    decode: (source: Bytes): Bytes => valueCopier.copy(source, 0, source.length),
  },
};

const FIRST_KEY = new Uint8Array(1);

/** Expresses a half-open range as the library does, which starts where the reading starts and refuses
 * bounds that are longer than a key: a key is at or above a longer bound where it is above that
 * bound's first bytes, as many as a key can have, and below it where it is at or below them.
 */
function rangeOptions(
  { start, end, reverse }: KeyRange,
  limit: number,
  keyBytesMax: number,
): RangeOptions {
  const low = start.subarray(0, keyBytesMax);
  const high = end?.subarray(0, keyBytesMax);
  const lowIsIncluded = low.length === start.length;
  const highIsIncluded = high?.length !== end?.length;
  if (reverse) {
    return {
      ...(high && { start: high, exclusiveStart: !highIsIncluded }),
      // Without an end property the library skips the key 00; an empty end means none.
      end: low.length === 0 ? undefined : low,
      inclusiveEnd: lowIsIncluded,
      reverse,
      limit,
    } as RangeOptions;
  }
  return {
    start: low.length === 0 ? FIRST_KEY : low,
    exclusiveStart: !lowIsIncluded,
    ...(high && { end: high, inclusiveEnd: highIsIncluded }),
    limit,
  };
}

/** Reads one database of an environment: as it is now, or within a transaction. */
export class LmdbReader implements Moment {
  readonly #entries: Db;
  readonly #keyBytesMax: number;
  readonly #options: ReadOptions;

  constructor(
    { entries, keyBytesMax }: { readonly entries: Db; readonly keyBytesMax: number },
    options: ReadOptions,
  ) {
    this.#entries = entries;
    this.#keyBytesMax = keyBytesMax;
    this.#options = options;
  }

  get(key: Bytes, copy: Copy = copyWhole): Bytes | undefined {
    currentCopy = copy;
    try {
      return this.#entries.get(key, this.#options);
    } catch (error) {
      throw lmdbError("Cannot get key from the append side", error);
    }
  }

  has(key: Bytes): boolean {
    try {
      return this.#entries.doesExist(key, undefined as unknown as Bytes, this.#options);
    } catch (error) {
      throw lmdbError("Cannot look for key on the append side", error);
    }
  }

  range(range: KeyRange, rows: number, bytes = Infinity, copy: Copy = copyWhole): Entry[] {
    if (range.end?.length === 0) return [];
    currentCopy = copy;
    try {
      const options = { ...rangeOptions(range, rows, this.#keyBytesMax), ...this.#options };
      const entries: Entry[] = [];
      let left = bytes;
      // An abandoned iterator would keep its reader slot; leaving the loop ends this one.
      for (const entry of this.#entries.getRange(options)) {
        entries.push(entry);
        left -= entry.key.length + entry.value.length;
        if (left <= 0) break;
      }
      return entries;
    } catch (error) {
      throw lmdbError("Cannot scan the append side", error);
    }
  }

  keys(range: KeyRange, rows: number, bytes = Infinity): Bytes[] {
    if (range.end?.length === 0) return [];
    currentCopy = copyWhole;
    try {
      const options = { ...rangeOptions(range, rows, this.#keyBytesMax), ...this.#options };
      const found: Bytes[] = [];
      let left = bytes;
      for (const key of this.#entries.getKeys(options)) {
        found.push(key);
        left -= key.length;
        if (left <= 0) break;
      }
      return found;
    } catch (error) {
      throw lmdbError("Cannot scan the append side", error);
    }
  }

  end(): void {
    this.#options.transaction?.done();
  }
}
