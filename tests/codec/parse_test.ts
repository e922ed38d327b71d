import { test } from "node:test";
import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { extractTag, parseKey } from "../../codec/mod.ts";
import { argsOf, buildKey, KEY_CASES, showPart } from "./_key_cases.ts";

const encoder = new TextEncoder();

for (const keyCase of KEY_CASES) {
  test(`parseKey() gives back what ${keyCase.name}() was given`, () => {
    fc.assert(
      fc.property(argsOf(keyCase), (args) => {
        const hasSubject = keyCase.parts[0]?.[0] === "subject";
        const shown = args.map(showPart);
        const suffix = keyCase.fixedSuffix ?? shown.slice(hasSubject ? 1 : 0).join(":");
        const expected = hasSubject
          ? { subject: shown[0], tag: keyCase.tag, suffix }
          : { tag: keyCase.tag, suffix };
        const key = buildKey(keyCase, args);
        assertEquals(parseKey(key), expected);
        assertEquals(extractTag(key), encoder.encode(keyCase.tag));
      }),
      { numRuns: 300 },
    );
  });
}

test("parseKey() takes any key of the layout, with a known tag or not", () => {
  const vectors: [key: string, parsed: ReturnType<typeof parseKey>][] = [
    ["\0:", { tag: ":", suffix: "" }],
    ["s\0ZZ:a:b\0c", { subject: "s", tag: "ZZ:", suffix: "a:b\0c" }],
    ["a:b\0H:", { subject: "a:b", tag: "H:", suffix: "" }],
    ["\ufeffs\0H:\ufeffh", { subject: "\ufeffs", tag: "H:", suffix: "\ufeffh" }],
    ["\ufeff\0H:h", { subject: "\ufeff", tag: "H:", suffix: "h" }],
  ];
  for (const [key, parsed] of vectors) assertEquals(parseKey(encoder.encode(key)), parsed);
});

test("parseKey() refuses a key of another layout", () => {
  const refused: [key: Uint8Array, reason: string][] = [
    [new Uint8Array(0), "it holds no NUL"],
    [encoder.encode("unknown:key"), "it holds no NUL"],
    [encoder.encode("a:b\0H"), 'it holds no ":" after its first NUL'],
    [Uint8Array.of(0xff, 0, 0x48, 0x3a), "it is not UTF-8"],
    [Uint8Array.of(0, 0x48, 0x3a, 0xc3), "it is not UTF-8"],
    // A lone surrogate in the bytes of WTF-8.
    [Uint8Array.of(0, 0x48, 0x3a, 0xed, 0xa0, 0x80), "it is not UTF-8"],
  ];
  for (const [key, reason] of refused) {
    assertThrows(() => parseKey(key), TypeError, `Cannot parse key: ${reason}`);
  }
  const notBytes = "\0H:h" as unknown as Uint8Array;
  assertThrows(() => parseKey(notBytes), TypeError, "Cannot parse key: it is not a Uint8Array");
});
