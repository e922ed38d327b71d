import { test } from "node:test";
import { assertEquals, assertThrows } from "@std/assert";
import { isLicense, isSpellingOf, parseSense, parseSubject } from "../../examples/wordnet/parse.ts";

// The lines are WordNet's own, some of them shortened.

test("parseSubject() reads the gloss, the words and the pointers of a noun", () => {
  const line = "00001930 03 n 01 physical_entity 0 003 @ 00001740 n 0000 ~ 00002452 n 0000 " +
    "+ 00595654 a 0101 | an entity that has physical existence  ";
  assertEquals(parseSubject(line), {
    id: "n00001930",
    statements: [
      ["gloss", "an entity that has physical existence"],
      ["word", "physical_entity"],
      ["@", "n00001740:0000"],
      ["~", "n00002452:0000"],
      ["+", "a00595654:0101"],
    ],
  });
});

test("parseSubject() counts words in hexadecimal and pointers in decimal digits", () => {
  const words = Array.from({ length: 0x1a }, (_, index) => `w${index}`);
  const pointers = Array.from({ length: 12 }, (_, index) => `000000${10 + index}`);
  const line = `00000001 03 n 1a ${words.map((word) => `${word} 0`).join(" ")} ` +
    `012 ${pointers.map((offset) => `~ ${offset} n 0000`).join(" ")} | text`;
  const { statements } = parseSubject(line);
  assertEquals(statements.filter(([predicate]) => predicate === "word").length, 26);
  assertEquals(statements.filter(([predicate]) => predicate === "~").length, 12);
});

test("parseSubject() stops before the frames of a verb", () => {
  const line = "00598456 31 v 01 taste 5 002 @ 00598039 v 0000 + 07302729 n 0101 01 + 08 00 | " +
    'experience briefly; "The ex-slave tasted freedom shortly before she died"   ';
  assertEquals(parseSubject(line), {
    id: "v00598456",
    statements: [
      ["gloss", 'experience briefly; "The ex-slave tasted freedom shortly before she died"'],
      ["word", "taste"],
      ["@", "v00598039:0000"],
      ["+", "n07302729:0101"],
    ],
  });
});

test("parseSubject() counts satellites as adjectives and keeps words as they are spelled", () => {
  const line = "00014377 00 s 02 abounding 0 galore(ip) 0 001 & 00013906 a 0000 | " +
    'existing in abundance; "abounding confidence"; "whiskey galore"  ';
  assertEquals(parseSubject(line), {
    id: "a00014377",
    statements: [
      ["gloss", 'existing in abundance; "abounding confidence"; "whiskey galore"'],
      ["word", "abounding"],
      ["word", "galore(ip)"],
      ["&", "a00013906:0000"],
    ],
  });
});

test("parseSubject() trims a gloss at its end alone", () => {
  const line = "02935294 01 a 01 Hmong 0 001 \\ 09733160 n 0101 |  of or related to the Hmong  ";
  assertEquals(parseSubject(line).statements, [
    ["gloss", " of or related to the Hmong"],
    ["word", "Hmong"],
    ["\\", "n09733160:0101"],
  ]);
});

test("parseSubject() takes a subject without pointers, and symbols of two characters", () => {
  const { statements } = parseSubject("00000001 03 r 01 so 0 000 | text");
  assertEquals(statements, [["gloss", "text"], ["word", "so"]]);
  const member = parseSubject("00000002 03 n 01 a 0 001 #m 00000001 n 0000 | text");
  assertEquals(member.statements.at(-1), ["#m", "n00000001:0000"]);
});

test("parseSubject() rejects lines that are not of the format", () => {
  for (
    const line of [
      "",
      "  1 This software and database is being provided to you, the LICENSEE, by  ",
      "00002452 03 n 01 thing 12 005 @ 00001930 n 0000",
      "00002452 03 n 01 thing 12 005 @ 00001930 n 0000 | cut before its last pointers",
      "00002452 03 x 01 thing 12 000 | no such part of speech",
      "00002452 03 n zz thing 12 000 | no such count",
    ]
  ) {
    assertThrows(() => parseSubject(line), Error, "Cannot parse line", line);
  }
});

test("isLicense() tells the license from the data", () => {
  assertEquals(isLicense("  1 This software and database is being provided to you"), true);
  assertEquals(isLicense("00001740 03 n 01 entity 0 003 ~ 00001930 n 0000 | that which is"), false);
});

test("parseSense() reads a key, and satellites as adjectives", () => {
  assertEquals(parseSense("desolation%1:26:00:: 14585734 1 1"), {
    subject: "n14585734",
    lemma: "desolation",
    number: 1,
    count: 1,
  });
  assertEquals(parseSense("desolate%5:00:00:inhospitable:00 01245624 1 4"), {
    subject: "a01245624",
    lemma: "desolate",
    number: 1,
    count: 4,
  });
  const subjects = [1, 2, 3, 4, 5].map((type) => parseSense(`w%${type}:00:00:: 00000001 1 0`));
  assertEquals(subjects.map(({ subject }) => subject[0]).join(""), "nvara");
});

test("parseSense() rejects lines that are not of the format", () => {
  for (const line of ["", "dog 1 2 3", "dog%1:05:00:: 02086723 1", "dog%6:05:00:: 02086723 1 42"]) {
    assertThrows(() => parseSense(line), Error, "Cannot parse line", line);
  }
});

test("isSpellingOf() leaves out case and adjective markers", () => {
  assertEquals(isSpellingOf("Canis_familiaris", "canis_familiaris"), true);
  for (const word of ["galore(ip)", "galore(a)", "galore(p)", "Galore"]) {
    assertEquals(isSpellingOf(word, "galore"), true, word);
  }
  assertEquals(isSpellingOf("galore(x)", "galore"), false);
  assertEquals(isSpellingOf("domestic_dog", "dog"), false);
});
