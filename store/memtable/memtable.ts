/** The memtable: writes that are in the journal and not yet in the engines, ordered by key.
 *
 * A key is looked up as a string of its bytes (Latin-1): the runtimes hash and compare such strings
 * natively, and their order is that of the bytes. Values stay where the journal record was built; the
 * memtable only remembers the place.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { EngineName, Router } from "../../codec/route.ts";

type Latin1Slice = (this: Uint8Array, start: number, end: number) => string;
const latin1Slice = (Buffer.prototype as unknown as { latin1Slice: Latin1Slice }).latin1Slice;

/** Returns the string under which a key is looked up. */
export function lookupKey(bytes: Uint8Array, start = 0, end: number = bytes.length): string {
  return latin1Slice.call(bytes, start, end);
}

/** The latest write of one key. The bytes are those of a journal record and never change. A newer write makes
 * the entry point to other bytes, until the memtable is sealed.
 */
export class MemtableEntry {
  constructor(
    /** The key as it is looked up and ordered. */
    readonly lookup: string,
    readonly engine: EngineName,
    readonly keyLength: number,
    public bytes: Uint8Array,
    public keyStart: number,
    /** -1: the key was deleted. */
    public valueLength: number,
  ) {}

  get isDeleted(): boolean {
    return this.valueLength < 0;
  }

  /** A view of the key. */
  get key(): Uint8Array {
    return this.bytes.subarray(this.keyStart, this.keyStart + this.keyLength);
  }

  /** A view of the value, `undefined` where the key was deleted. */
  get value(): Uint8Array | undefined {
    if (this.valueLength < 0) return undefined;
    const start = this.keyStart + this.keyLength;
    return this.bytes.subarray(start, start + this.valueLength);
  }

  /** A copy of the value, `undefined` where the key was deleted. */
  copyValue(): Uint8Array | undefined {
    if (this.valueLength < 0) return undefined;
    const start = this.keyStart + this.keyLength;
    return this.bytes.slice(start, start + this.valueLength);
  }
}

/** A write that a newer one of the same key has replaced. */
interface Replaced {
  readonly entry: MemtableEntry;
  readonly bytes: Uint8Array;
  readonly keyStart: number;
  readonly valueLength: number;
}

/** Entries in key order, from one index to before another. */
export interface MemtableRange {
  readonly entries: readonly MemtableEntry[];
  readonly from: number;
  readonly to: number;
}

/** New entries are sorted among themselves when there are this many. */
const RUN_ENTRIES = 8192;
/** Merging this many entries takes about 2 ms. */
const MERGE_STEP_ENTRIES = 16384;
/** For ordered reads a run has to be this many times as long as the next shorter one. So there are few runs
 * to read, and no entry is merged often, however reads and writes alternate. */
const RUN_RATIO = 4;

/** A map from keys to their latest write that can be read in key order.
 *
 * New entries are sorted in runs. Reads in order merge the runs into a few; `entries` and `ordering` merge
 * them into one.
 */
export class Memtable {
  /** Bytes of the journal that went into it, overwritten values included. */
  bytes = 0;
  readonly #router: Router;
  readonly #entries = new Map<string, MemtableEntry>();
  /** Entries in key order. The arrays are replaced, never changed, so that ranges keep theirs. */
  #runs: (readonly MemtableEntry[])[] = [];
  /** New entries, in no order. */
  #fresh: MemtableEntry[] = [];
  #added: MemtableEntry[] = [];
  #replaced: Replaced[] = [];

  constructor(router: Router) {
    this.#router = router;
  }

  /** The number of keys. */
  get size(): number {
    return this.#entries.size;
  }

  /** Returns the latest write of a key. */
  get(lookup: string): MemtableEntry | undefined {
    return this.#entries.get(lookup);
  }

  /** Sets the latest write of a key.
   *
   * @param key The key, which is not kept.
   * @param lookup The same key as it is looked up.
   * @param bytes The bytes that hold the key and, behind it, the value.
   * @param keyStart Where the key begins in `bytes`.
   * @param valueLength -1 for a deletion.
   * @returns Its entry.
   */
  set(
    key: Uint8Array,
    lookup: string,
    bytes: Uint8Array,
    keyStart: number,
    valueLength: number,
  ): MemtableEntry {
    const known = this.#entries.get(lookup);
    if (known !== undefined) {
      this.#replaced.push({
        entry: known,
        bytes: known.bytes,
        keyStart: known.keyStart,
        valueLength: known.valueLength,
      });
      known.bytes = bytes;
      known.keyStart = keyStart;
      known.valueLength = valueLength;
      return known;
    }
    const engine = this.#router.routeOf(key);
    const entry = new MemtableEntry(lookup, engine, key.length, bytes, keyStart, valueLength);
    this.#entries.set(lookup, entry);
    this.#added.push(entry);
    this.#fresh.push(entry);
    if (this.#fresh.length === RUN_ENTRIES) this.#endRun();
    return entry;
  }

  /** Makes final what was set so far: `takeBack` returns to this state. */
  keep(): void {
    if (this.#added.length > 0) this.#added = [];
    if (this.#replaced.length > 0) this.#replaced = [];
  }

  /** Takes back what was set since the last `keep`. */
  takeBack(): void {
    for (const { entry, bytes, keyStart, valueLength } of this.#replaced.reverse()) {
      entry.bytes = bytes;
      entry.keyStart = keyStart;
      entry.valueLength = valueLength;
    }
    // Rare enough (a failed write) to look through the lists, though not once for each entry.
    const added = new Set(this.#added);
    for (const { lookup } of added) this.#entries.delete(lookup);
    const isKept = (entry: MemtableEntry) => !added.has(entry);
    this.#runs = this.#runs.map((run) => run.filter(isKept));
    this.#fresh = this.#fresh.filter(isKept);
    this.keep();
  }

  /** Returns all entries, in key order. */
  entries(): readonly MemtableEntry[] {
    for (const _ of this.ordering());
    return this.#runs[0] ?? [];
  }

  /** Puts the entries in order, in steps of a few milliseconds. Nothing may be set between the steps. */
  *ordering(): Generator<void> {
    this.#endRun();
    while (this.#runs.length > 1) {
      // The shortest two, so that no entry is moved more often than necessary.
      const [a, b, ...others] = this.#runs.toSorted(byLength);
      const merged = yield* merge(a!, b!);
      // A caller that could not wait may have put everything in order meanwhile.
      if (this.#runs.length === 1) return;
      this.#runs = [merged, ...others];
    }
  }

  /** Returns the entries from `start` (inclusive) to `end` (exclusive), as ranges that share no key. None of
   * them is empty. */
  ranges(start: string, end: string | undefined): MemtableRange[] {
    this.#endRun();
    this.#mergeSimilar();
    return this.#runs
      .map((entries) => ({
        entries,
        from: lowerBound(entries, start),
        to: end === undefined ? entries.length : lowerBound(entries, end),
      }))
      .filter(({ from, to }) => from < to);
  }

  #endRun(): void {
    if (this.#fresh.length === 0) return;
    this.#runs.push(this.#fresh.sort(byKey));
    this.#fresh = [];
  }

  #mergeSimilar(): void {
    const runs = this.#runs.toSorted(byLength);
    while (
      runs.length > 1 &&
      runs.some((run, i) => i > 0 && run.length < RUN_RATIO * runs[i - 1]!.length)
    ) {
      const [a, b] = runs.splice(0, 2);
      const steps = merge(a!, b!);
      let step = steps.next();
      while (!step.done) step = steps.next();
      runs.push(step.value);
      runs.sort(byLength);
    }
    this.#runs = runs;
  }
}

function byLength(a: readonly MemtableEntry[], b: readonly MemtableEntry[]): number {
  return a.length - b.length;
}

/** Returns the latest write of every key in some memtables, in key order.
 *
 * @param newestFirst The memtables.
 */
export function latestWrites(newestFirst: readonly Memtable[]): readonly MemtableEntry[] {
  if (newestFirst.length === 1) return newestFirst[0]!.entries();
  // The sort is stable: of one key, the newest stays ahead.
  const all = newestFirst.flatMap((memtable) => memtable.entries()).sort(byKey);
  return all.filter(({ lookup }, i) => i === 0 || lookup !== all[i - 1]!.lookup);
}

function byKey(a: MemtableEntry, b: MemtableEntry): number {
  return a.lookup < b.lookup ? -1 : a.lookup > b.lookup ? 1 : 0;
}

/** Merges two runs that share no key. */
function* merge(
  a: readonly MemtableEntry[],
  b: readonly MemtableEntry[],
): Generator<void, MemtableEntry[]> {
  const merged = new Array<MemtableEntry>(a.length + b.length);
  let i = 0;
  let j = 0;
  for (let k = 0; k < merged.length;) {
    const end = Math.min(merged.length, k + MERGE_STEP_ENTRIES);
    for (; k < end; k++) {
      const takesA = j === b.length || (i < a.length && a[i]!.lookup < b[j]!.lookup);
      merged[k] = takesA ? a[i++]! : b[j++]!;
    }
    yield;
  }
  return merged;
}

function lowerBound(entries: readonly MemtableEntry[], key: string): number {
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (entries[middle]!.lookup < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
