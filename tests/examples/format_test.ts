import { test } from "node:test";
import { assertEquals } from "@std/assert";
import {
  formatBytes,
  formatCount,
  formatSeconds,
  formatTable,
  truncate,
} from "../../examples/wordnet/format.ts";

test("numbers are formatted with separators and units", () => {
  assertEquals([0, 999, 1469514, 2n ** 40n].map(formatCount), [
    "0",
    "999",
    "1,469,514",
    "1,099,511,627,776",
  ]);
  assertEquals([0, 7_304_224, 209_854_464].map(formatBytes), ["0.0 MB", "7.3 MB", "210 MB"]);
  assertEquals(formatSeconds(12_345), "12.3 s");
});

test("truncate() cuts what is too long, and not within a space", () => {
  assertEquals(truncate("a gloss", 7), "a gloss");
  assertEquals(truncate("a gloss", 6), "a glo…");
  assertEquals(truncate("a gloss", 3), "a…");
});

test("formatTable() aligns columns and fits lines to the width", () => {
  const rows = [["a", "1", "short"], ["bcd", "22", "much longer than that"], ["e"]];
  assertEquals(formatTable(rows, "lrl", 20), [
    "  a     1  short",
    "  bcd  22  much lon…",
    "  e",
  ]);
});
