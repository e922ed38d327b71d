import { writeFileSync } from "node:fs";
import { test } from "node:test";
import { join } from "@std/path";
import { assertEquals, assertThrows } from "@std/assert";
import { countSubjects, readLineBlocks, readSubjects } from "../../examples/wordnet/source.ts";
import { tempDirectory } from "../support/temp.ts";

const BLOCK_BYTES = 64 * 1024;

test("readLineBlocks() yields every line once, and blocks end where lines do", () => {
  using temp = tempDirectory();
  const path = join(temp.path, "lines");
  const lines = Array.from({ length: 30_000 }, (_, index) => `line ${index} é`);
  const text = `${lines.join("\n")}\n`;
  writeFileSync(path, text);

  const blocks = [...readLineBlocks(path)];
  assertEquals(blocks.length > 3, true);
  assertEquals(blocks.flatMap((block) => block.lines), lines);
  assertEquals(blocks.at(-1)?.end, new TextEncoder().encode(text).length);
  for (const [index, { end }] of blocks.entries()) {
    const rest = blocks.slice(index + 1).flatMap((block) => block.lines);
    assertEquals([...readLineBlocks(path, end)].flatMap((block) => block.lines), rest);
  }
});

test("readLineBlocks() takes a last line without an end, empty lines and an empty file", () => {
  using temp = tempDirectory();
  const path = join(temp.path, "lines");
  const read = (text: string) => {
    writeFileSync(path, text);
    return [...readLineBlocks(path)].flatMap(({ lines }) => lines);
  };
  assertEquals(read("a\nb"), ["a", "b"]);
  assertEquals(read("a\n\nb\n"), ["a", "", "b"]);
  assertEquals(read(""), []);
  const long = "x".repeat(BLOCK_BYTES - 1);
  assertEquals(read(`${long}\n${long}`), [long, long]);
});

test("readLineBlocks() rejects a line that is longer than a block", () => {
  using temp = tempDirectory();
  const path = join(temp.path, "lines");
  writeFileSync(path, `a\n${"x".repeat(BLOCK_BYTES)}\n`);
  assertThrows(() => [...readLineBlocks(path)], Error, "line at 2 is too long");
});

test("WordNet has 117,791 subjects and makes 703,266 statements about them", () => {
  const counts: Record<string, number> = {};
  let statements = 0;
  for (const subject of readSubjects(Infinity)) {
    const partOfSpeech = subject.id[0]!;
    counts[partOfSpeech] = (counts[partOfSpeech] ?? 0) + 1;
    statements += subject.statements.length;
  }
  assertEquals(counts, { n: 82_192, v: 13_789, a: 18_185, r: 3_625 });
  assertEquals(statements, 703_266);
  assertEquals(countSubjects(Infinity), 117_791);
});

test("readSubjects() and countSubjects() stop at the limit", () => {
  assertEquals([...readSubjects(3)].map(({ id }) => id), ["n00001740", "n00001930", "n00002137"]);
  assertEquals(countSubjects(3), 3);
});
