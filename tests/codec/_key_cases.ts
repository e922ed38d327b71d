import fc from "fast-check";
import * as codec from "../../codec/mod.ts";

/** What a part of a key may hold: text, text that is not empty, text without a colon, a number, or
 * the 32 bytes of a trust pack's id. */
export type PartKind = "text" | "subject" | "colonFree" | "number" | "id";

/** One builder of keys, described by what DESIGN promises about it and not by its code. */
export type KeyCase = {
  name: string;
  tag: string;
  engine: codec.EngineName;
  parts: readonly (readonly [name: string, kind: PartKind])[];
  /** What the suffix is where no part says it. */
  fixedSuffix?: string;
};

const SUBJECT = ["subject", "subject"] as const;
const HASH = ["hash", "text"] as const;
const PREDICATE = ["predicate", "text"] as const;

export const KEY_CASES: readonly KeyCase[] = [
  { name: "assertionKey", tag: "H:", engine: "append", parts: [SUBJECT, HASH] },
  {
    name: "voteKey",
    tag: "V:",
    engine: "append",
    parts: [SUBJECT, ["hash", "colonFree"], ["voter", "text"]],
  },
  { name: "voteCountKey", tag: "VC:", engine: "append", parts: [SUBJECT, HASH] },
  { name: "voteWeightKey", tag: "VW:", engine: "append", parts: [SUBJECT, HASH] },
  { name: "epochKey", tag: "E:", engine: "append", parts: [["id", "text"]] },
  { name: "supersededKey", tag: "SUPERSEDED:", engine: "append", parts: [HASH] },
  { name: "cursorKey", tag: "META:", engine: "append", parts: [], fixedSuffix: "cursor" },
  {
    name: "assertionCountKey",
    tag: "META:",
    engine: "append",
    parts: [],
    fixedSuffix: "assertion_count",
  },
  { name: "subjectIndexKey", tag: "S:", engine: "btree", parts: [SUBJECT] },
  { name: "subjectPredicateKey", tag: "SP:", engine: "btree", parts: [SUBJECT, PREDICATE] },
  { name: "mvKey", tag: "MV:", engine: "btree", parts: [SUBJECT, PREDICATE] },
  { name: "goldStandardKey", tag: "GS:", engine: "btree", parts: [SUBJECT, PREDICATE] },
  { name: "trustRankKey", tag: "TRUST:", engine: "btree", parts: [["agent", "text"]] },
  {
    name: "quotaKey",
    tag: "QUOTA:",
    engine: "btree",
    parts: [["agent", "text"], ["window", "number"]],
  },
  { name: "auditKey", tag: "AUD:", engine: "btree", parts: [["query", "text"]] },
  { name: "escalationKey", tag: "ESC:", engine: "btree", parts: [["timestamp", "number"], HASH] },
  { name: "trustPackKey", tag: "TP:", engine: "btree", parts: [["id", "id"]] },
];

/** Calls the builder of a case, with arguments that its types might refuse. */
export function buildKey(keyCase: KeyCase, args: readonly unknown[]): Uint8Array {
  const builders = codec as unknown as Record<string, (...args: unknown[]) => Uint8Array>;
  return builders[keyCase.name]!(...args);
}

const U64_MAX = 2n ** 64n - 1n;

// Pieces that look like other parts of a key, so that inputs meant to be distinct come as close to
// one another as they can.
const validPieces = [":", "0", "a", "V:", "00000000000000000001", "\ufeff", "\ufffd", "\u{1f600}"];
const invalidPieces = ["\0", "\0V:", "\ud800", "\udc00"];

function textOf(pieces: string[]): fc.Arbitrary<string> {
  return fc.array(fc.constantFrom(...pieces), { maxLength: 4 }).map((chosen) => chosen.join(""));
}

const anyText = fc.string({ unit: "binary" }).map((text) => text.replaceAll("\0", ""));

/** Any text that a part may hold. */
export const partText: fc.Arbitrary<string> = fc.oneof(textOf(validPieces), anyText);

/** Any number that a part may hold, often beside a power of ten, where digits are added. */
export const partNumber: fc.Arbitrary<number | bigint> = fc.oneof(
  fc.bigInt({ min: 0n, max: U64_MAX }),
  fc.bigInt({ min: 0n, max: 20n }),
  fc.maxSafeNat(),
  fc.tuple(fc.integer({ min: 1, max: 19 }), fc.integer({ min: -1, max: 1 }))
    .map(([power, offset]) => 10n ** BigInt(power) + BigInt(offset)),
);

const partByKind: Record<PartKind, fc.Arbitrary<unknown>> = {
  text: partText,
  subject: partText.filter((text) => text !== ""),
  colonFree: partText.map((text) => text.replaceAll(":", "")),
  number: partNumber,
  id: fc.uint8Array({ minLength: 32, maxLength: 32 }),
};

/** The arguments of a builder. */
export function argsOf(keyCase: KeyCase): fc.Arbitrary<unknown[]> {
  return fc.tuple(...keyCase.parts.map(([, kind]) => partByKind[kind]));
}

/** Arguments of a builder, valid or not: any text where text is due. */
export function anyArgsOf(keyCase: KeyCase): fc.Arbitrary<unknown[]> {
  const text = textOf([...validPieces, ...invalidPieces]);
  return fc.tuple(
    ...keyCase.parts.map(([, kind]) =>
      kind === "number" || kind === "id" ? partByKind[kind] : text
    ),
  );
}

/** One valid call of a builder, to spoil part by part. */
export function plainArgsOf(keyCase: KeyCase): unknown[] {
  const plain = { text: "x", subject: "s", colonFree: "h", number: 7, id: new Uint8Array(32) };
  return keyCase.parts.map(([, kind]) => plain[kind]);
}

/** Writes a part as DESIGN says that a key shows it. */
export function showPart(part: unknown): string {
  if (typeof part === "string") return part;
  if (part instanceof Uint8Array) {
    return Array.from(part, (byte) => (byte < 16 ? "0" : "") + byte.toString(16)).join("");
  }
  return ("0".repeat(20) + part).slice(-20);
}
