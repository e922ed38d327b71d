/** The writes of a batch or a transaction, until they are committed.
 *
 * @module
 */

import type { Router } from "../../codec/route.ts";
import { requirePosition } from "../call_options.ts";
import { requireName } from "../feed/cursors.ts";
import { MAX_BATCH_BYTES } from "../limits.ts";
import { hashKey } from "../memtable/key_hash.ts";
import { Memtable } from "../memtable/memtable.ts";
import { KEY_ROWS, type ReadSource } from "../read/merge.ts";
import type { Scan } from "../range.ts";
import { pages } from "../read/scan.ts";
import {
  cursorBytes,
  encodeCursor,
  encodeWrite,
  WRITE_HEADER_BYTES,
  writeBytes,
} from "../payload.ts";

const ENCODER = new TextEncoder();

const CHUNK_BYTES_MIN = 1024;
const CHUNK_BYTES_MAX = 256 * 1024;
/** Replaced writes may take up this much, and as much again as those that replaced them. */
const REPLACED_BYTES_MAX = 2 ** 20;

/** The writes of a batch or a transaction before they are committed: one per key, the last wins. They are
 * encoded as a payload has them, so that committing copies them as they are.
 */
export class WriteSet {
  /** Whether a commit was begun, which can be done once. */
  isCommitted = false;
  readonly #router: Router;
  #memtable: Memtable;
  #chunk: Uint8Array = new Uint8Array(0);
  #used = 0;
  #bytes = 0;
  /** Bytes in all chunks, those of replaced writes included. */
  #encoded = 0;
  #touchesBtree = false;
  /** Cursors by name: where they are moved to; `undefined` for those that are removed. */
  readonly cursors: Map<string, bigint | undefined> = new Map();
  /** The names of those that have to be moved forward. */
  readonly advances: Set<string> = new Set();
  /** Ranges whose keys are deleted when it is committed, unless they are written after that. */
  readonly #ranges: Scan[] = [];

  constructor(router: Router) {
    this.#router = router;
    this.#memtable = new Memtable(router);
  }

  /** The writes as a memtable, so that a transaction can read them over those of the store. Another one after
   * many writes: it is asked for anew by each read. */
  get memtable(): Memtable {
    return this.#memtable;
  }

  /** Bytes that the writes take in a payload. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Whether a key of the B-tree side was written. */
  get touchesBtree(): boolean {
    return this.#touchesBtree;
  }

  /** Takes a write, as a copy.
   *
   * @throws {RangeError} The set would grow past the limit of a batch; it is then left as it was.
   */
  add(what: string, key: Uint8Array, value: Uint8Array | undefined): void {
    const hash = hashKey(key);
    const added = this.#bytesAdded(key, hash, value);
    this.#requireRoom(what, this.#bytes + added);
    this.#add(key, hash, value, added);
  }

  /** Takes the move of a cursor that has to be there when it is committed, and to be moved forward.
   *
   * @throws {TypeError | RangeError} An argument is not valid, or as `add` does.
   */
  advance(what: string, name: string, position: bigint): void {
    requireName(what, name);
    requirePosition(what, "the position", position);
    this.moveCursor(what, name, position);
    this.advances.add(name);
  }

  /** Takes the move of a cursor, or its removal where there is no position.
   *
   * @throws {RangeError} As `add` does.
   */
  moveCursor(what: string, name: string, position: bigint | undefined): void {
    const before = this.cursors.has(name) ? this.#cursorBytes(name, this.cursors.get(name)) : 0;
    const bytes = this.#bytes + this.#cursorBytes(name, position) - before;
    this.#requireRoom(what, bytes);
    this.cursors.set(name, position);
    this.#bytes = bytes;
  }

  /** Takes the deletion of a range. What the set itself has written in it goes now, and what the store has when
   * it is committed.
   *
   * @throws {RangeError} As `add` does.
   */
  addRange(what: string, scan: Scan): void {
    const { start, end } = scan.range;
    const memtable = this.#memtable;
    const own = memtable.ranges(start, end)
      .flatMap(({ ids, from, to }) => [...ids.subarray(from, to)])
      .filter((id) => !memtable.isDeleted(id))
      .map((id) => memtable.key(id));
    for (const key of own) this.add(what, key, undefined);
    this.#ranges.push(scan);
  }

  /** Deletes what a store has of the ranges that were taken. What the set has written since then stays.
   *
   * @throws {RangeError} As `deleteFound` does.
   */
  resolveRanges(what: string, source: () => ReadSource): void {
    const written = this.#memtable;
    this.deleteFound(what, source, this.#ranges, (key, hash) => written.find(key, hash) < 0);
  }

  /** Takes the deletion of the keys that are found in some ranges.
   *
   * @param isMeant Whether a key is to be deleted; all are unless told otherwise.
   * @returns How many keys there were.
   * @throws {RangeError} The set would grow past the limit of a batch; none is deleted then.
   */
  deleteFound(
    what: string,
    source: () => ReadSource,
    scans: readonly Scan[],
    isMeant: (key: Uint8Array, hash: number) => boolean = () => true,
  ): number {
    const found: Uint8Array[] = [];
    // Ranges may overlap.
    const seen = scans.length > 1 ? new Memtable(this.#router) : undefined;
    let bytes = this.#bytes;
    for (const scan of scans) {
      for (const keys of pages(source, KEY_ROWS, scan, "large")) {
        for (const key of keys) {
          const hash = hashKey(key);
          if (!isMeant(key, hash) || (seen !== undefined && seen.find(key, hash) >= 0)) continue;
          seen?.set(key, hash, key, 0, -1);
          found.push(key);
          bytes += this.#bytesAdded(key, hash, undefined);
        }
        this.#requireRoom(what, bytes);
      }
    }
    for (const key of found) {
      const hash = hashKey(key);
      this.#add(key, hash, undefined, this.#bytesAdded(key, hash, undefined));
    }
    return found.length;
  }

  /** Copies the writes into a payload, and sets them in a memtable.
   *
   * @param payload Has room for them from `start` on.
   * @returns Where they end.
   */
  writeInto(payload: Uint8Array, start: number, memtable: Memtable): number {
    let at = copyEncoded(this.#memtable, payload, start, memtable);
    for (const [name, position] of this.cursors) {
      at = encodeCursor(payload, at, ENCODER.encode(name), position);
    }
    return at;
  }

  #cursorBytes(name: string, position: bigint | undefined): number {
    return cursorBytes(ENCODER.encode(name), position);
  }

  #add(key: Uint8Array, hash: number, value: Uint8Array | undefined, added: number): void {
    const bytes = writeBytes(key, value);
    if (this.#used + bytes > this.#chunk.length) {
      const next = Math.min(Math.max(2 * this.#chunk.length, CHUNK_BYTES_MIN), CHUNK_BYTES_MAX);
      this.#chunk = new Uint8Array(Math.max(bytes, next));
      this.#used = 0;
    }
    const keyStart = this.#used + WRITE_HEADER_BYTES;
    this.#used = encodeWrite(this.#chunk, this.#used, key, value);
    const valueLength = value === undefined ? -1 : value.length;
    const id = this.#memtable.set(key, hash, this.#chunk, keyStart, valueLength);
    this.#memtable.keep();
    if (this.#memtable.engine(id) === "btree") this.#touchesBtree = true;
    this.#bytes += added;
    this.#encoded += bytes;
    if (this.#encoded > 2 * this.#bytes + REPLACED_BYTES_MAX) this.#dropReplaced();
  }

  /** Leaves behind what was replaced, so that one key can be written for ever. */
  #dropReplaced(): void {
    const before = this.#memtable;
    this.#memtable = new Memtable(this.#router);
    this.#chunk = new Uint8Array(this.#bytes + CHUNK_BYTES_MIN);
    this.#used = copyEncoded(before, this.#chunk, 0, this.#memtable);
    this.#memtable.keep();
    this.#encoded = this.#bytes;
  }

  /** Bytes by which a write makes the payload longer. */
  #bytesAdded(key: Uint8Array, hash: number, value: Uint8Array | undefined): number {
    const replaced = this.#memtable.find(key, hash);
    return writeBytes(key, value) - (replaced < 0 ? 0 : encodedBytes(this.#memtable, replaced));
  }

  #requireRoom(what: string, bytes: number): void {
    if (bytes <= MAX_BATCH_BYTES) return;
    throw new RangeError(
      `${what}: the writes would take ${bytes} bytes together, more than the limit of ` +
        `${MAX_BATCH_BYTES}; commit them in parts`,
    );
  }
}

/** Returns the bytes that a write takes in a payload. */
function encodedBytes(memtable: Memtable, id: number): number {
  return WRITE_HEADER_BYTES + memtable.keyLength(id) + Math.max(0, memtable.valueLength(id));
}

function copyEncoded(
  from: Memtable,
  payload: Uint8Array,
  start: number,
  memtable: Memtable,
): number {
  let at = start;
  for (let id = 0; id < from.size;) {
    const chunk = from.chunk(id);
    const first = from.keyStart(id) - WRITE_HEADER_BYTES;
    let end = first;
    let next = id;
    // Writes that follow one another where they were encoded are copied in one go.
    while (
      next < from.size && from.keyStart(next) - WRITE_HEADER_BYTES === end &&
      from.chunk(next) === chunk
    ) {
      end += encodedBytes(from, next++);
    }
    payload.set(chunk.subarray(first, end), at);
    for (; id < next; id++) {
      memtable.setFrom(from, id, payload, at + WRITE_HEADER_BYTES);
      at += encodedBytes(from, id);
    }
  }
  return at;
}
