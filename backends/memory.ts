/** An engine in memory: a sorted array. It is the model that the others are tested against, and
 * favours being obviously right over being fast.
 *
 * @module
 */

import { compareBytes } from "../codec/bytes.ts";
import { StoreError } from "../codec/error.ts";
import { MAX_KEY_BYTES } from "../codec/limits.ts";
import type { Engine, EngineStats, EngineView, Entry, KeyRange, Write, Writes } from "./engine.ts";
import { listWrites } from "./writes.ts";
import { type Moment, SharedViews } from "./shared_view.ts";

/** Returns the index of the first entry whose key is at or above `key`. */
function lowerBound(entries: readonly Entry[], key: Uint8Array): number {
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compareBytes(entries[middle]!.key, key) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

function find(entries: readonly Entry[], key: Uint8Array): Entry | undefined {
  const entry = entries[lowerBound(entries, key)];
  return entry !== undefined && compareBytes(entry.key, key) === 0 ? entry : undefined;
}

class MemoryMoment implements Moment {
  readonly #entries: readonly Entry[];

  constructor(entries: readonly Entry[]) {
    this.#entries = entries;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return find(this.#entries, key)?.value.slice();
  }

  has(key: Uint8Array): boolean {
    return find(this.#entries, key) !== undefined;
  }

  range(range: KeyRange, rows: number, bytes?: number): Entry[] {
    const sizeOf = ({ key, value }: Entry) => key.length + value.length;
    return this.#select(range, rows, bytes, sizeOf).map(({ key, value }) => ({
      key: key.slice(),
      value: value.slice(),
    }));
  }

  keys(range: KeyRange, rows: number, bytes?: number): Uint8Array[] {
    return this.#select(range, rows, bytes, ({ key }) => key.length).map(({ key }) => key.slice());
  }

  end(): void {}

  #select(
    range: KeyRange,
    rows: number,
    bytes: number | undefined,
    sizeOf: (entry: Entry) => number,
  ): Entry[] {
    const from = lowerBound(this.#entries, range.start);
    const to = range.end === undefined
      ? this.#entries.length
      : lowerBound(this.#entries, range.end);
    const selected = this.#entries.slice(from, to);
    if (range.reverse) selected.reverse();
    let count = 0;
    for (let left = bytes ?? Infinity; count < Math.min(rows, selected.length); count++) {
      if (count > 0 && left <= 0) break;
      left -= sizeOf(selected[count]!);
    }
    return selected.slice(0, count);
  }
}

/** {@linkcode openMemoryEngine} opens it. */
export class MemoryEngine implements Engine {
  #entries: readonly Entry[] = [];
  #position = 0n;
  #closed = false;
  readonly #views = new SharedViews(() => new MemoryMoment(this.#entries));

  get keyBytesMax(): number {
    return MAX_KEY_BYTES;
  }

  get position(): bigint {
    return this.#position;
  }

  get failure(): StoreError | undefined {
    return undefined;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#now().get(key);
  }

  has(key: Uint8Array): boolean {
    return this.#now().has(key);
  }

  range(range: KeyRange, rows: number, bytes?: number): Entry[] {
    return this.#now().range(range, rows, bytes);
  }

  keys(range: KeyRange, rows: number, bytes?: number): Uint8Array[] {
    return this.#now().keys(range, rows, bytes);
  }

  // deno-lint-ignore require-await
  async apply(writes: Writes | readonly Write[], position: bigint): Promise<void> {
    this.#requireOpen();
    // A new array each time, so that views keep theirs.
    const entries = [...this.#entries];
    for (const { key, value } of listWrites(writes)) {
      const index = lowerBound(entries, key);
      const found = entries[index];
      const present = found !== undefined && compareBytes(found.key, key) === 0 ? 1 : 0;
      if (value === undefined) entries.splice(index, present);
      else entries.splice(index, present, { key: key.slice(), value: value.slice() });
    }
    this.#entries = entries;
    this.#position = position;
    this.#views.engineChanges();
  }

  view(): EngineView {
    this.#requireOpen();
    return this.#views.take();
  }

  stats(): EngineStats {
    this.#requireOpen();
    let bytes = 0;
    for (const { key, value } of this.#entries) bytes += key.length + value.length;
    return { keys: this.#entries.length, bytes };
  }

  // deno-lint-ignore require-await
  async check(): Promise<string[]> {
    this.#requireOpen();
    return [];
  }

  // deno-lint-ignore require-await
  async close(): Promise<void> {
    this.#views.endAll();
    this.#closed = true;
  }

  #now(): MemoryMoment {
    this.#requireOpen();
    return new MemoryMoment(this.#entries);
  }

  #requireOpen(): void {
    if (this.#closed) throw new StoreError("CLOSED", "Cannot use engine: it is closed");
  }
}

/** Opens an engine whose contents live in memory and go with it. */
export function openMemoryEngine(): Engine {
  return new MemoryEngine();
}
