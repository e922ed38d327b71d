import type { EngineReader, Entry, KeyRange, Write } from "../../backends/mod.ts";
import { compareBytes } from "../../codec/bytes.ts";

/** The model that engines are compared with: a sorted array, which favours being obviously right over being
 * fast.
 */
export class SortedEntries implements EngineReader {
  #entries: readonly Entry[];

  constructor(entries: readonly Entry[] = []) {
    this.#entries = entries;
  }

  get length(): number {
    return this.#entries.length;
  }

  /** Returns the entries as they are now, whatever is applied to these. */
  snapshot(): SortedEntries {
    return new SortedEntries(this.#entries);
  }

  apply(writes: readonly Write[]): void {
    const entries = [...this.#entries];
    for (const { key, value } of writes) {
      const index = lowerBound(entries, key);
      const present = isAt(entries, index, key) ? 1 : 0;
      if (value === undefined) entries.splice(index, present);
      else entries.splice(index, present, { key: key.slice(), value: value.slice() });
    }
    this.#entries = entries;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    const index = lowerBound(this.#entries, key);
    return isAt(this.#entries, index, key) ? this.#entries[index]!.value : undefined;
  }

  has(key: Uint8Array): boolean {
    return this.get(key) !== undefined;
  }

  range(range: KeyRange, rows: number, bytes?: number): Entry[] {
    return this.#select(range, rows, bytes, ({ key, value }) => key.length + value.length);
  }

  keys(range: KeyRange, rows: number, bytes?: number): Uint8Array[] {
    return this.#select(range, rows, bytes, ({ key }) => key.length).map(({ key }) => key);
  }

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

function isAt(entries: readonly Entry[], index: number, key: Uint8Array): boolean {
  const entry = entries[index];
  return entry !== undefined && compareBytes(entry.key, key) === 0;
}
