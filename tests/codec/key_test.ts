import { test } from "node:test";
import { assertEquals, assertThrows } from "@std/assert";
import {
  assertionCountKey,
  assertionKey,
  auditKey,
  cursorKey,
  epochKey,
  escalationKey,
  goldStandardKey,
  MAX_KEY_BYTES,
  mvKey,
  quotaKey,
  Router,
  subjectIndexKey,
  subjectPredicateKey,
  subjectScanPrefix,
  supersededKey,
  tagScanPrefix,
  trustPackKey,
  trustRankKey,
  trustRankScanPrefix,
  voteCountKey,
  voteKey,
  voteWeightKey,
} from "../../codec/mod.ts";
import { buildKey, KEY_CASES, plainArgsOf } from "./_key_cases.ts";

const encoder = new TextEncoder();
const TESLA = "5465736c615f496e63";

/** Every key as bytes in hex, the tag spelt out between spaces for the reader. */
const VECTORS: [name: string, key: () => Uint8Array, hex: string][] = [
  ["assertionKey()", () => assertionKey("Tesla_Inc", "h1"), `${TESLA} 00 48 3a 6831`],
  ["voteKey()", () => voteKey("Tesla_Inc", "h1", "did:k"), `${TESLA} 00 56 3a 6831 3a 6469643a6b`],
  ["voteKey() without a voter", () => voteKey("Tesla_Inc", "h1", ""), `${TESLA} 00 56 3a 6831 3a`],
  ["voteCountKey()", () => voteCountKey("Tesla_Inc", "h1"), `${TESLA} 00 5643 3a 6831`],
  ["voteWeightKey()", () => voteWeightKey("Tesla_Inc", "h1"), `${TESLA} 00 5657 3a 6831`],
  ["epochKey()", () => epochKey("e7"), "00 45 3a 6537"],
  ["supersededKey()", () => supersededKey("h1"), "00 53555045525345444544 3a 6831"],
  ["cursorKey()", () => cursorKey(), "00 4d455441 3a 637572736f72"],
  [
    "assertionCountKey",
    () => assertionCountKey(),
    "00 4d455441 3a 617373657274696f6e5f636f756e74",
  ],
  ["subjectIndexKey()", () => subjectIndexKey("Tesla_Inc"), `${TESLA} 00 53 3a`],
  ["subjectPredicateKey()", () => subjectPredicateKey("Tesla_Inc", "p"), `${TESLA} 00 5350 3a 70`],
  ["mvKey()", () => mvKey("Tesla_Inc", "p:q"), `${TESLA} 00 4d56 3a 703a71`],
  ["goldStandardKey()", () => goldStandardKey("Tesla_Inc", "p"), `${TESLA} 00 4753 3a 70`],
  ["trustRankKey()", () => trustRankKey("did:k"), "00 5452555354 3a 6469643a6b"],
  [
    "quotaKey",
    () => quotaKey("did:k", 42),
    `00 51554f5441 3a 6469643a6b 3a ${"30".repeat(18)}3432`,
  ],
  [
    "quotaKey() of the largest window",
    () => quotaKey("", 2n ** 64n - 1n),
    "00 51554f5441 3a 3a 3138343436373434303733373039353531363135",
  ],
  ["auditKey()", () => auditKey("q1"), "00 415544 3a 7131"],
  ["escalationKey()", () => escalationKey(0, "h1"), `00 455343 3a ${"30".repeat(20)} 3a 6831`],
  [
    "trustPackKey",
    () => trustPackKey(Uint8Array.from({ length: 32 }, (_, i) => i === 0 ? 0xab : i)),
    `00 5450 3a 6162${
      "3031 3032 3033 3034 3035 3036 3037 3038 3039 3061 3062 3063 3064 3065 3066 " +
      "3130 3131 3132 3133 3134 3135 3136 3137 3138 3139 3161 3162 3163 3164 3165 3166"
    }`,
  ],
  ["subjectScanPrefix()", () => subjectScanPrefix("Tesla_Inc"), `${TESLA} 00`],
  ["tagScanPrefix()", () => tagScanPrefix("ESC"), "00 455343 3a"],
  ["tagScanPrefix() of a subject", () => tagScanPrefix("MV", "Tesla_Inc"), `${TESLA} 00 4d56 3a`],
  ["tagScanPrefix() of the empty tag", () => tagScanPrefix(":"), "00 3a"],
  ["trustRankScanPrefix()", () => trustRankScanPrefix(), "00 5452555354 3a"],
  [
    "assertionKey() of characters of two to four bytes",
    () => assertionKey("é\ufeff", "😀"),
    "c3a9 efbbbf 00 48 3a f09f9880",
  ],
];

for (const [name, key, hex] of VECTORS) {
  test(`${name} builds the bytes of the key table`, () => {
    const actual = Array.from(key(), (byte) => byte.toString(16).padStart(2, "0")).join("");
    assertEquals(actual, hex.replaceAll(" ", ""));
  });
}

for (const keyCase of KEY_CASES) {
  const plain = plainArgsOf(keyCase);

  test(`${keyCase.name}() builds a key of the ${keyCase.engine} engine`, () => {
    assertEquals(new Router().routeOf(buildKey(keyCase, plain)), keyCase.engine);
  });

  test(`${keyCase.name}() names the part that it refuses`, () => {
    keyCase.parts.forEach(([name, kind], index) => {
      for (const [bad, ErrorClass, reason] of badPartsOf(kind)) {
        const spoiled = plain.with(index, bad);
        assertThrows(() => buildKey(keyCase, spoiled), ErrorClass, ` key: ${name} ${reason}`);
      }
    });
  });

  const textIndex = keyCase.parts.findIndex(([, kind]) => kind !== "number" && kind !== "id");
  if (textIndex !== -1) {
    test(`${keyCase.name}() takes a key of 2600 bytes and refuses a longer one`, () => {
      const spare = MAX_KEY_BYTES - buildKey(keyCase, plain).length;
      const filled = `${plain[textIndex]}${"x".repeat(spare)}`;
      assertEquals(buildKey(keyCase, plain.with(textIndex, filled)).length, 2600);
      // Bytes count, not characters: é has two.
      for (const over of [`${filled}x`, filled.replace("x", "é")]) {
        assertThrows(
          () => buildKey(keyCase, plain.with(textIndex, over)),
          RangeError,
          "key: it would be 2601 bytes long, more than the limit of 2600",
        );
      }
    });
  }
}

test("Every part but the subject may be empty", () => {
  assertEquals(voteKey("s", "", ""), encoder.encode("s\0V::"));
  assertEquals(mvKey("s", ""), encoder.encode("s\0MV:"));
  assertEquals(trustRankKey(""), trustRankScanPrefix());
});

test("tagScanPrefix() takes the tag with its colon or without", () => {
  assertEquals(tagScanPrefix("MV:", "s"), tagScanPrefix("MV", "s"));
  assertEquals(tagScanPrefix("TRUST:"), trustRankScanPrefix());
});

test("tagScanPrefix() refuses what cannot be a tag or a subject", () => {
  const refused: [tag: unknown, subject: unknown, reason: string][] = [
    ["", undefined, "tag is empty"],
    ["V::", undefined, 'tag contains ":" at index 1'],
    ["V:h1", "s", 'tag contains ":" at index 1'],
    ["V\0", undefined, "tag contains NUL at index 1"],
    ["\ud800", undefined, "tag contains a lone surrogate at index 0"],
    [undefined, undefined, "tag is not a string"],
    ["V", "", "subject is empty"],
    ["V", null, "subject is not a string"],
    ["V", "a\0", "subject contains NUL at index 1"],
  ];
  for (const [tag, subject, reason] of refused) {
    assertThrows(
      () => tagScanPrefix(tag as string, subject as string),
      TypeError,
      `Cannot build tag scan prefix: ${reason}`,
    );
  }
});

test("subjectScanPrefix() refuses what cannot be a subject", () => {
  for (const [bad, ErrorClass, reason] of badPartsOf("subject")) {
    assertThrows(
      () => subjectScanPrefix(bad as string),
      ErrorClass,
      `Cannot build subject scan prefix: subject ${reason}`,
    );
  }
});

test("Scan prefixes longer than any key are refused", () => {
  const long = "x".repeat(2600);
  assertThrows(
    () => subjectScanPrefix(long),
    RangeError,
    "2601 bytes long, more than the limit of 2600",
  );
  assertThrows(
    () => tagScanPrefix("V", long),
    RangeError,
    "2603 bytes long, more than the limit of 2600",
  );
});

type Refusal = [bad: unknown, ErrorClass: ErrorConstructor, reason: string];

function badPartsOf(kind: string): Refusal[] {
  if (kind === "number") {
    return [
      [-1, RangeError, "-1 is below 0"],
      [-1n, RangeError, "-1 is below 0"],
      [1.5, RangeError, "1.5 is not an integer"],
      [NaN, RangeError, "NaN is not an integer"],
      [Infinity, RangeError, "Infinity is not an integer"],
      [2 ** 53, RangeError, "9007199254740992 exceeds 2^53 - 1"],
      [2 ** 64, RangeError, "18446744073709552000 exceeds 2^64 - 1"],
      [2n ** 64n, RangeError, "18446744073709551616 exceeds 2^64 - 1"],
      ["7", TypeError, "is neither a number nor a bigint"],
      [undefined, TypeError, "is neither a number nor a bigint"],
      [Symbol("7"), TypeError, "is neither a number nor a bigint"],
    ];
  }
  if (kind === "id") {
    return [
      [new Uint8Array(31), TypeError, "is 31 bytes long, not 32"],
      [new Uint8Array(33), TypeError, "is 33 bytes long, not 32"],
      ["x".repeat(32), TypeError, "is not a Uint8Array"],
      [undefined, TypeError, "is not a Uint8Array"],
    ];
  }
  const refusals: Refusal[] = [
    ["abc\0d", TypeError, "contains NUL at index 3"],
    ["\0", TypeError, "contains NUL at index 0"],
    ["\u{1f600}\ud800x", TypeError, "contains a lone surrogate at index 2"],
    ["x\udc00", TypeError, "contains a lone surrogate at index 1"],
    [5, TypeError, "is not a string"],
    [undefined, TypeError, "is not a string"],
    [null, TypeError, "is not a string"],
    [new String("x"), TypeError, "is not a string"],
  ];
  if (kind === "subject") refusals.push(["", TypeError, "is empty"]);
  if (kind === "colonFree") refusals.push(["abc:d", TypeError, 'contains ":" at index 3']);
  return refusals;
}
