/** The keys that callers name: those of a store, or those below a prefix, which are named without it.
 *
 * @module
 */

import type { KeyRange } from "../backends/engine.ts";
import { prefixUpperBound } from "../codec/prefix.ts";
import { toBytes } from "./limits.ts";
import type { RowKind } from "./read/merge.ts";
import type { BytesLike } from "./types.ts";

const NO_BYTES = new Uint8Array(0);

/** Turns the keys that a caller names into those of the store, and back. */
export class KeySpace {
  /** What all keys begin with in the store; empty for the store itself. */
  readonly prefix: Uint8Array;
  readonly #keyBytesMax: number;

  /** @param keyBytesMax Bytes of the longest key of the store. */
  constructor(keyBytesMax: number, prefix: Uint8Array = NO_BYTES) {
    this.#keyBytesMax = keyBytesMax;
    this.prefix = prefix;
  }

  /** Returns the keys below a prefix of these ones.
   *
   * @throws {TypeError | RangeError} The prefix is not valid, is empty, or leaves no room for a key.
   */
  sub(what: string, prefix: BytesLike): KeySpace {
    const bytes = toBytes(what, "the prefix", prefix);
    if (bytes.length === 0) {
      throw new RangeError(`${what}: the prefix is empty; it has at least 1 byte`);
    }
    this.#requireLength(what, "prefix", bytes);
    return new KeySpace(this.#keyBytesMax, concat(this.prefix, bytes));
  }

  /** Checks a key and returns it as the store has it. Its bytes are not copied where they are given as such.
   *
   * @param what What was asked, as the message's beginning: `Cannot put key`.
   * @throws {TypeError} It is neither bytes nor a string; its buffer is detached; it is not well-formed.
   * @throws {RangeError} It is empty, where there is no prefix; or it is too long.
   */
  key(what: string, key: BytesLike): Uint8Array {
    const bytes = toBytes(what, "the key", key);
    const { prefix } = this;
    if (prefix.length > 0) {
      this.#requireLength(what, "key", bytes);
      return concat(prefix, bytes);
    }
    if (bytes.length === 0) {
      throw new RangeError(`${what}: the key is empty; it has at least 1 byte`);
    }
    this.#requireLength(what, "key", bytes);
    return bytes;
  }

  /** Returns the bound of a range as the store has it, as a copy: the caller may change its own before it is
   * used.
   *
   * @throws {TypeError} As {@linkcode KeySpace.key} does.
   */
  bound(what: string, name: string, bound: BytesLike): Uint8Array {
    return concat(this.prefix, toBytes(what, name, bound));
  }

  /** Returns a key of the store as the caller names it. */
  outside(key: Uint8Array): Uint8Array {
    return this.prefix.length === 0 ? key : key.slice(this.prefix.length);
  }

  /** Returns a range of these keys as the store has it. It is not checked, and not copied where there is no
   * prefix. */
  range(range: KeyRange): KeyRange {
    const { prefix } = this;
    if (prefix.length === 0) return range;
    const { start, end, reverse } = range;
    return {
      start: concat(prefix, start),
      end: end === undefined ? prefixUpperBound(prefix) : concat(prefix, end),
      reverse,
    };
  }

  /** Returns rows with their keys as the caller names them, as views: nothing is copied. */
  views<Row>(rows: Row[], kind: RowKind<Row>): Row[] {
    const { length } = this.prefix;
    if (length === 0) return rows;
    return rows.map((row) => kind.rename(row, kind.key(row).subarray(length)));
  }

  /** Yields pages of rows with their keys as the caller names them. */
  pages<Row>(pages: Generator<Row[]>, kind: RowKind<Row>): Generator<Row[]> {
    return this.prefix.length === 0 ? pages : this.#outside(pages, kind);
  }

  *#outside<Row>(pages: Generator<Row[]>, kind: RowKind<Row>): Generator<Row[]> {
    for (const page of pages) {
      yield page.map((row) => kind.rename(row, this.outside(kind.key(row))));
    }
  }

  #requireLength(what: string, name: string, bytes: Uint8Array): void {
    const { length } = this.prefix;
    if (length + bytes.length <= this.#keyBytesMax) return;
    const with_ = length === 0 ? "" : ` with the ${length} bytes that are in front of it`;
    throw new RangeError(
      `${what}: the ${name} is ${
        length + bytes.length
      } bytes long${with_}, more than the limit of ` +
        `${this.#keyBytesMax}; shorten it, or put a digest in place of its end`,
    );
  }
}

function concat(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}
