/** Sorting the entries of a memtable by key: a multikey quicksort that compares four bytes at a time.
 *
 * The next four bytes of each key are kept as a number beside its entry, so that most comparisons touch
 * neither the entry nor the key. Source: Bentley and Sedgewick, "Fast Algorithms for Sorting and Searching
 * Strings", SODA 1997.
 *
 * @module
 */

/** Keys by the ids of their entries. */
export interface KeySource {
  keyLength(id: number): number;
  /** Returns four bytes of a key as a big-endian number; behind its end they are zero. */
  keyWord(id: number, at: number): number;
  /** Compares two keys that are the same up to a byte. */
  compareFrom(a: number, b: number, at: number): number;
}

/** Shorter ranges are sorted by insertion. */
const INSERTION_MAX = 12;
/** Entries that are looked at between two yields, about 2 ms. */
const STEP_ENTRIES = 32_768;

/** Sorts entries by key, in steps of a few milliseconds. No two have the same key.
 *
 * @param ids The entries; they are sorted in place.
 */
export function* sortByKey(keys: KeySource, ids: Uint32Array): Generator<void> {
  const words = new Uint32Array(ids.length);
  // Ranges that are left: where each begins and ends, from which byte on its keys differ, and whether the
  // words of that byte are there already.
  const left: number[] = [0, ids.length, 0, 0];
  let seen = 0;
  while (left.length > 0) {
    const areLoaded = left.pop()!;
    const at = left.pop()!;
    const to = left.pop()!;
    const from = left.pop()!;
    const count = to - from;
    if (count < 2) continue;
    if (seen > STEP_ENTRIES) {
      seen = 0;
      yield;
    }
    seen += count;
    if (areLoaded === 0) {
      for (let i = from; i < to; i++) {
        words[i] = keys.keyWord(ids[i]!, at);
        if ((i - from) % STEP_ENTRIES === STEP_ENTRIES - 1) yield;
      }
    }
    if (count <= INSERTION_MAX) {
      sortByInsertion(keys, ids, words, from, to, at);
      continue;
    }
    const pivot = middleOf(words[from]!, words[from + (count >> 1)]!, words[to - 1]!);
    let below = from;
    let above = to;
    for (let i = from; i < above;) {
      const word = words[i]!;
      if (word < pivot) swap(ids, words, below++, i++);
      else if (word > pivot) swap(ids, words, i, --above);
      else i++;
    }
    left.push(from, below, at, 1, above, to, at, 1);
    const rest = moveEnded(keys, ids, words, below, above, at);
    left.push(rest, above, at + 4, 0);
  }
}

/** Moves the keys that end within their word to the front, the shortest first. All words of the range are the
 * same, so that there is at most one such key for each length.
 *
 * @returns Where the others begin.
 */
function moveEnded(
  keys: KeySource,
  ids: Uint32Array,
  words: Uint32Array,
  from: number,
  to: number,
  at: number,
): number {
  let rest = from;
  for (let i = from; i < to; i++) {
    if (keys.keyLength(ids[i]!) - at < 4) swap(ids, words, rest++, i);
  }
  for (let i = from + 1; i < rest; i++) {
    for (let j = i; j > from && keys.keyLength(ids[j]!) < keys.keyLength(ids[j - 1]!); j--) {
      swap(ids, words, j, j - 1);
    }
  }
  return rest;
}

function sortByInsertion(
  keys: KeySource,
  ids: Uint32Array,
  words: Uint32Array,
  from: number,
  to: number,
  at: number,
): void {
  for (let i = from + 1; i < to; i++) {
    const id = ids[i]!;
    const word = words[i]!;
    let j = i;
    for (; j > from; j--) {
      const other = words[j - 1]!;
      if (other < word) break;
      if (other === word && keys.compareFrom(ids[j - 1]!, id, at) < 0) break;
      ids[j] = ids[j - 1]!;
      words[j] = other;
    }
    ids[j] = id;
    words[j] = word;
  }
}

function swap(ids: Uint32Array, words: Uint32Array, i: number, j: number): void {
  const id = ids[i]!;
  ids[i] = ids[j]!;
  ids[j] = id;
  const word = words[i]!;
  words[i] = words[j]!;
  words[j] = word;
}

function middleOf(a: number, b: number, c: number): number {
  if (a < b) return b < c ? b : a < c ? c : a;
  return a < c ? a : b < c ? c : b;
}
