import { test } from "node:test";
import { assertEquals } from "@std/assert";
import { extractTag } from "../../codec/mod.ts";

const encoder = new TextEncoder();

test("extractTag() returns what follows the first NUL, up to the next colon and with it", () => {
  const vectors: [key: string, tag: string][] = [
    ["Tesla\0V:h1:voter", "V:"],
    ["\0SUPERSEDED:h1", "SUPERSEDED:"],
    ["a:b\0H:x", "H:"],
    ["s\0:x", ":"],
    ["s\0a\0b:x", "a\0b:"],
    ["s\0é:x", "é:"],
    ["", ""],
    ["\0", ""],
    ["unknown:key", ""],
    ["a:b\0H", ""],
  ];
  for (const [key, tag] of vectors) {
    assertEquals(extractTag(encoder.encode(key)), encoder.encode(tag), JSON.stringify(key));
  }
});

test("extractTag() returns a copy, of a Buffer too", () => {
  for (const key of [encoder.encode("s\0VC:h"), Buffer.from("s\0VC:h")]) {
    const tag = extractTag(key);
    key.fill(0x78);
    assertEquals(tag, encoder.encode("VC:"));
  }
});
