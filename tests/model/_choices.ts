import {
  assertionCountKey,
  assertionKey,
  auditKey,
  cursorKey,
  epochKey,
  escalationKey,
  goldStandardKey,
  mvKey,
  type OpenOptions,
  quotaKey,
  subjectIndexKey,
  subjectPredicateKey,
  supersededKey,
  trustPackKey,
  trustRankKey,
  voteCountKey,
  voteKey,
  voteWeightKey,
} from "../../mod.ts";
import type { Range } from "./_model.ts";
import type { Random } from "../support/random.ts";

const MANY = 1200;
const WORDS = ["a", "b", "ab", "S", "z\u{1f600}", "0"];
const SUBJECTS = ["Tesla", "Tes", "T", "ÿ"];

const BUILDERS: ((word: string, subject: string) => Uint8Array)[] = [
  (word, subject) => assertionKey(subject, word),
  (word, subject) => voteKey(subject, word, "did:key:z"),
  (word, subject) => voteCountKey(subject, word),
  (word, subject) => voteWeightKey(subject, word),
  (word) => epochKey(word),
  (word) => supersededKey(word),
  () => cursorKey(),
  () => assertionCountKey(),
  (_, subject) => subjectIndexKey(subject),
  (word, subject) => subjectPredicateKey(subject, word),
  (word, subject) => mvKey(subject, word),
  (word, subject) => goldStandardKey(subject, word),
  (word) => trustRankKey(word),
  (word) => quotaKey(word, 7),
  (word) => auditKey(word),
  (word) => escalationKey(2n ** 40n, word),
  (word) => trustPackKey(new Uint8Array(32).fill(word.charCodeAt(0))),
];

const text = new TextEncoder();

/** Keys that no builder makes: on the edges of the order, of the length and of the tags. */
const RAW_KEYS: Uint8Array[] = [
  Uint8Array.of(0),
  Uint8Array.of(0, 0),
  Uint8Array.of(0xff),
  Uint8Array.of(0xff, 0xff),
  Uint8Array.of(0xff, 0),
  new Uint8Array(2600),
  new Uint8Array(1977),
  new Uint8Array(2600).fill(0xff),
  new Uint8Array(1977).fill(0xff),
  ...["\0S", "\0VC", "\0VC:", "\0VC:\0", "\0E", "\0E:", "\0:", ":", "Tesla", "Tesla\0", "Tesla\0V"]
    .map((key) => text.encode(key)),
  ...["Tesla\0X:1", "Tesla\0H", "Tesla\0\0H:1", "unknown:key"].map((key) => text.encode(key)),
];

/** Returns neighbouring keys that alternate between the engines, more than a page of a scan has. */
export function manyKeys(random: Random): Uint8Array[] {
  const from = random.below(MANY);
  return Array.from({ length: random.below(MANY - from) }, (_, i) => numberedKey(from + i));
}

function numberedKey(number: number): Uint8Array {
  const subject = `many${1000 + number}`;
  return number % 3 === 0 ? assertionKey(subject, "1") : subjectIndexKey(subject);
}

/** Returns a key; few enough of them that the same ones come again and again. */
export function someKey(random: Random): Uint8Array {
  if (random.once(3)) return random.pick(RAW_KEYS);
  if (random.once(8)) return numberedKey(random.below(MANY));
  if (random.once(12)) return random.bytes(1 + random.below(3));
  return random.pick(BUILDERS)(random.pick(WORDS), random.pick(SUBJECTS));
}

/** Returns a value; often one that a counter can take. */
export function someValue(random: Random): Uint8Array {
  // Longer than the chunk in which the store builds its records.
  if (random.once(500)) return new Uint8Array(300_000).fill(random.below(256));
  const kind = random.below(60);
  if (kind < 2) return random.bytes(1000);
  if (kind < 12) return random.bytes(8);
  if (kind < 18) return random.bytes(4);
  return random.bytes(random.below(40));
}

/** Returns a range with any of the bounds, which may cross, be longer than a key, or lie nowhere. */
export function someRange(random: Random): Range {
  const range: Range = {};
  const bound = () => {
    const key = someKey(random);
    if (random.once(10)) return new Uint8Array(2000).fill(0xff);
    return random.once(3) ? key.subarray(0, random.below(key.length + 1)) : key;
  };
  if (random.once(2)) range.prefix = bound();
  for (const name of ["gt", "gte", "lt", "lte"] as const) {
    if (random.once(6)) range[name] = bound();
  }
  if (random.once(2)) range.reverse = random.once(2);
  if (random.once(3)) range.limit = random.below(12);
  return range;
}

/** Returns options with which everything happens often: sealing, applying, rotating, trimming. */
export function someOptions(random: Random): OpenOptions {
  return {
    durability: random.pick(["hybrid", "always", "flush"] as const),
    syncIntervalMs: random.pick([1, 1000]),
    memtableBytes: random.pick([1, 300, 3000, 30_000]),
    segmentBytes: random.pick([64, 600, 6000, 60_000]),
    readCacheBytes: random.pick([0, 3000, 1_000_000]),
  };
}
