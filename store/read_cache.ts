import type { EngineReader, Entry, KeyRange } from "../backends/engine.ts";
import { lookupKey, type Memtable } from "./memtable.ts";

/** What an entry takes beside its key and value: two strings and objects, roughly. */
const ENTRY_BYTES = 200;
/** A value that would take more than this part of the cache is not kept. */
const LARGEST_SHARE = 8;

/** Point reads of an engine through a bounded cache of the values read last.
 *
 * It is exact without being told of single writes: an engine changes only where a memtable is applied,
 * until then the memtable hides the key, and when it goes, `forget` drops its keys from here.
 *
 * Two generations stand in for a list in order of use: what is read moves to the young one, and when
 * that is full, it becomes the old one and the old one goes.
 */
export class CachedReader implements EngineReader {
  readonly #engine: EngineReader;
  readonly #generationBytes: number;
  #young = new Map<string, Uint8Array>();
  #old = new Map<string, Uint8Array>();
  #youngBytes = 0;

  /**
   * @param engine What is read on a miss.
   * @param bytes The most that the cache holds, 0 for none.
   */
  constructor(engine: EngineReader, bytes: number) {
    this.#engine = engine;
    this.#generationBytes = bytes / 2;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    if (this.#generationBytes === 0) return this.#engine.get(key);
    const lookup = lookupKey(key);
    const young = this.#young.get(lookup);
    if (young !== undefined) return new Uint8Array(young);
    const kept = this.#old.get(lookup);
    const value = kept ?? this.#engine.get(key);
    if (value === undefined) return undefined;
    this.#keep(lookup, value);
    return new Uint8Array(value);
  }

  has(key: Uint8Array): boolean {
    return this.#engine.has(key);
  }

  range(range: KeyRange, limit: number): Entry[] {
    return this.#engine.range(range, limit);
  }

  keys(range: KeyRange, limit: number): Uint8Array[] {
    return this.#engine.keys(range, limit);
  }

  /** Drops the keys of a memtable that the engine holds by now. */
  forget(memtable: Memtable): void {
    if (this.#young.size === 0 && this.#old.size === 0) return;
    for (const lookup of memtable.lookupKeys()) {
      this.#young.delete(lookup);
      this.#old.delete(lookup);
    }
  }

  #keep(lookup: string, value: Uint8Array): void {
    const bytes = ENTRY_BYTES + lookup.length + value.length;
    if (bytes > this.#generationBytes / LARGEST_SHARE) return;
    if (this.#youngBytes + bytes > this.#generationBytes) {
      this.#old = this.#young;
      this.#young = new Map();
      this.#youngBytes = 0;
    }
    this.#young.set(lookup, value);
    this.#youngBytes += bytes;
  }
}
