import { test } from "node:test";
import { assertEquals, assertThrows } from "@std/assert";
import { toJson, toText } from "../../mod.ts";

const encode = (text: string) => new TextEncoder().encode(text);

test("toText() gives back what was encoded, a mark at the beginning included", () => {
  for (const text of ["", "plain", "Zürich", "日本 🦕", "\u{feff}mark", "\0"]) {
    assertEquals(toText(encode(text)), text);
  }
  assertEquals(toText(undefined), undefined);
});

test("toText() refuses what is not UTF-8", () => {
  for (const bytes of [[0xff], [0xc3], [0xed, 0xa0, 0x80], [0x61, 0x80]]) {
    assertThrows(() => toText(Uint8Array.from(bytes)), TypeError);
  }
});

test("toJson() gives back a value, and refuses what is not JSON", () => {
  const value = { name: "Zürich", list: [1, null, true], empty: {} };
  assertEquals(toJson(encode(JSON.stringify(value))), value);
  assertEquals(toJson(undefined), undefined);
  for (const text of ["", "{", "undefined"]) assertThrows(() => toJson(encode(text)), SyntaxError);
  assertThrows(() => toJson(Uint8Array.of(0x22, 0xff, 0x22)), TypeError);
});
