import type { Router } from "../../codec/route.ts";
import { MAX_BATCH_BYTES } from "../limits.ts";
import { lookupKey, Memtable, type MemtableEntry } from "../memtable/memtable.ts";
import { WRITE_HEADER_BYTES } from "./payload.ts";

const ARENA_BYTES = 4096;

/** The writes of a batch or a transaction before they are committed: one per key, the last wins. */
export class WriteSet {
  /** The writes as a memtable, so that a transaction can read them over those of the store. */
  readonly memtable: Memtable;
  /** Whether a commit was begun, which can be done once. */
  isCommitted = false;
  #arena: Uint8Array = new Uint8Array(0);
  #used = 0;
  #bytes = 0;

  constructor(router: Router) {
    this.memtable = new Memtable(router);
  }

  /** Bytes that the writes take in a payload. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Takes a write, as a copy.
   *
   * @throws {RangeError} The set would grow past the limit of a batch; it is then left as it was.
   */
  add(what: string, key: Uint8Array, value: Uint8Array | undefined): void {
    const length = key.length + (value?.length ?? 0);
    const lookup = lookupKey(key);
    const previous = this.memtable.get(lookup);
    const added = WRITE_HEADER_BYTES + length -
      (previous === undefined ? 0 : encodedBytes(previous));
    if (this.#bytes + added > MAX_BATCH_BYTES) {
      throw new RangeError(
        `${what}: the writes would take ${
          this.#bytes + added
        } bytes together, more than the limit ` +
          `of ${MAX_BATCH_BYTES}; commit them in parts`,
      );
    }
    if (this.#used + length > this.#arena.length) {
      this.#arena = new Uint8Array(Math.max(length, ARENA_BYTES));
      this.#used = 0;
    }
    const start = this.#used;
    this.#arena.set(key, start);
    if (value !== undefined) this.#arena.set(value, start + key.length);
    this.#used += length;
    const valueLength = value === undefined ? -1 : value.length;
    this.memtable.set(key, lookup, this.#arena, start, valueLength);
    this.memtable.keep();
    this.#bytes += added;
  }

  /** The writes in key order. */
  writes(): readonly MemtableEntry[] {
    return this.memtable.entries();
  }
}

function encodedBytes(entry: MemtableEntry): number {
  return WRITE_HEADER_BYTES + entry.keyLength + Math.max(0, entry.valueLength);
}
