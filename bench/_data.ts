/** What every contestant is given: the same keys, the same values, prepared before any clock runs.
 *
 * @module
 */

import { assertionKey, mvKey, subjectPredicateKey, tagScanPrefix, voteCountKey } from "../mod.ts";
import { readSubjects } from "../examples/wordnet/source.ts";
import { canonicalJson, loadHash } from "../examples/wordnet/assertion.ts";
import { joinDigests } from "../examples/wordnet/values.ts";
import { randomNumbers } from "./_random.ts";

/** Subjects of the synthetic keys: the rows of a prefix scan are the keys divided by these. */
export const SUBJECTS = 1_000;
/** Counters of the works that count. */
export const COUNTERS = 1_000;

/** A key as Deno KV has it: subject, tag, suffix. */
export type KeyParts = readonly string[];

/** Keys in both of the forms that contestants take, in the same order. */
export class KeySet {
  readonly bytes: readonly Uint8Array[];
  #parts: readonly KeyParts[] | undefined;

  constructor(bytes: readonly Uint8Array[]) {
    this.bytes = bytes;
  }

  get length(): number {
    return this.bytes.length;
  }

  /** The keys in parts. Made when they are first asked for, since most contestants take bytes. */
  get parts(): readonly KeyParts[] {
    return this.#parts ??= this.bytes.map(partsOf);
  }
}

/** A prefix in every form that a contestant takes. */
export interface Prefix {
  readonly start: Uint8Array;
  /** The first key behind those with the prefix. */
  readonly end: Uint8Array;
  readonly parts: KeyParts;
}

/** The keys of one side of a store, and what belongs to them. */
export interface Side {
  readonly keys: KeySet;
  /** A value for each key, and possibly more. */
  readonly values: readonly Uint8Array[];
  readonly prefixes: readonly Prefix[];
  /** Keys that are not in a filled store: the ones that a mix inserts. */
  readonly extra: KeySet;
}

/** Names a set of data. */
export type DatasetId = "small_values" | "large_values" | "wordnet";

/** The keys of both sides. They differ in nothing but the tag, except for WordNet's. */
export interface Dataset {
  readonly append: Side;
  readonly btree: Side;
  readonly counters: KeySet;
}

const VALUE_BYTES = { small_values: 100, large_values: 4096 };
/** Large values are fewer: what is measured then is bytes. */
const LARGE_VALUES_PART = 0.1;

/** Makes a set of data, the same for the same arguments. */
export function makeDataset(id: DatasetId, keys: number): Promise<Dataset> {
  if (id === "wordnet") return wordnetDataset(keys);
  const count = id === "large_values" ? Math.ceil(keys * LARGE_VALUES_PART) : keys;
  return Promise.resolve(syntheticDataset(count, VALUE_BYTES[id]));
}

/** The key of the append side with a number: `subject%05d\0H:%016d`, 31 bytes. */
export function appendKeyOf(i: number): Uint8Array {
  return assertionKey(subjectOf(i), digits(i, 16));
}

/** The key of the B-tree side with a number: `subject%05d\0MV:%015d`, 31 bytes. */
export function btreeKeyOf(i: number): Uint8Array {
  return mvKey(subjectOf(i), digits(i, 15));
}

/** Makes values that do not compress, each different. */
export function makeValues(count: number, bytes: number): Uint8Array[] {
  const random = randomNumbers(bytes);
  return Array.from({ length: count }, () => {
    const value = new Uint8Array(bytes);
    for (let i = 0; i < bytes; i++) value[i] = random() >>> 24;
    return value;
  });
}

function syntheticDataset(count: number, valueBytes: number): Dataset {
  const values = makeValues(count, valueBytes);
  const extra = Math.ceil(count / 4);
  const side = (keyOf: (i: number) => Uint8Array, tag: string): Side => ({
    keys: new KeySet(Array.from({ length: count }, (_, i) => keyOf(i))),
    values,
    prefixes: Array.from(
      { length: Math.min(SUBJECTS, count) },
      (_, i) => prefixOf(tagScanPrefix(tag, subjectOf(i))),
    ),
    extra: new KeySet(Array.from({ length: extra }, (_, i) => keyOf(count + i))),
  });
  return { append: side(appendKeyOf, "H"), btree: side(btreeKeyOf, "MV"), counters: counters() };
}

/** WordNet's statements as the example stores them: assertions on the append side, the index of them by
 * predicate on the B-tree side. Keys of 75 bytes or so, values of 30 to 500. */
async function wordnetDataset(count: number): Promise<Dataset> {
  const text = new TextEncoder();
  const hash = await loadHash();
  const append = new SideBuilder("H");
  const btree = new SideBuilder("SP");
  for (const { id: subject, statements } of readSubjects(Infinity)) {
    if (append.isFull(count) && btree.isFull(count)) break;
    const digests = new Map<string, Uint8Array[]>();
    for (const [predicate, object] of statements) {
      const json = text.encode(canonicalJson({ subject, predicate, object }));
      const digest = hash(json);
      append.add(count, subject, assertionKey(subject, hexOf(digest)), json);
      const found = digests.get(predicate);
      if (found === undefined) digests.set(predicate, [digest]);
      else found.push(digest);
    }
    for (const [predicate, some] of digests) {
      btree.add(count, subject, subjectPredicateKey(subject, predicate), joinDigests(some));
    }
  }
  return { append: append.finish(), btree: btree.finish(), counters: counters() };
}

class SideBuilder {
  readonly #tag: string;
  readonly #keys: Uint8Array[] = [];
  readonly #values: Uint8Array[] = [];
  readonly #prefixes = new Map<string, Prefix>();

  constructor(tag: string) {
    this.#tag = tag;
  }

  isFull(count: number): boolean {
    return this.#keys.length >= count;
  }

  add(count: number, subject: string, key: Uint8Array, value: Uint8Array): void {
    if (this.isFull(count)) return;
    this.#keys.push(key);
    this.#values.push(value);
    if (this.#prefixes.has(subject)) return;
    this.#prefixes.set(subject, prefixOf(tagScanPrefix(this.#tag, subject)));
  }

  finish(): Side {
    return {
      keys: new KeySet(this.#keys),
      values: this.#values,
      prefixes: [...this.#prefixes.values()],
      extra: new KeySet([]),
    };
  }
}

function counters(): KeySet {
  const keys = Array.from(
    { length: COUNTERS },
    (_, i) => voteCountKey(subjectOf(i), digits(i, 15)),
  );
  return new KeySet(keys);
}

function subjectOf(i: number): string {
  return `subject${digits(i % SUBJECTS, 5)}`;
}

function digits(number: number, width: number): string {
  return String(number).padStart(width, "0");
}

function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function partsOf(key: Uint8Array): KeyParts {
  const [subject = "", rest = ""] = new TextDecoder().decode(key).split("\0");
  const colon = rest.indexOf(":");
  const suffix = rest.slice(colon + 1);
  const parts = [subject, rest.slice(0, colon)];
  return suffix === "" ? parts : [...parts, suffix];
}

function prefixOf(start: Uint8Array): Prefix {
  // A prefix ends with its tag's colon, so that the last byte can be counted up.
  const end = start.slice();
  end[end.length - 1]!++;
  return { start, end, parts: partsOf(start) };
}
