import { test } from "node:test";
import { assertEquals, assertThrows } from "@std/assert";
import {
  basename,
  dirname,
  extname,
  format,
  fromFileUrl,
  isAbsolute,
  join,
  normalize,
  parse,
  relative,
  resolve,
  SEPARATOR,
  toFileUrl,
} from "@std/path";

test("join(), normalize() and relative() handle dots and separators", () => {
  assertEquals(join("a", "..", "b", "c.seg"), ["b", "c.seg"].join(SEPARATOR));
  assertEquals(normalize("a/./b//c"), ["a", "b", "c"].join(SEPARATOR));
  assertEquals(relative("a/b", "a/c"), ["..", "c"].join(SEPARATOR));
});

test("basename(), dirname() and extname() take a path apart", () => {
  assertEquals(basename("a/b.seg"), "b.seg");
  assertEquals(basename("a/b.seg", ".seg"), "b");
  assertEquals(dirname("a/b.seg"), "a");
  assertEquals(extname("a/b.seg"), ".seg");
});

test("format(parse()) gives a path back", () => {
  assertEquals(parse("a/b.seg"), { root: "", dir: "a", base: "b.seg", ext: ".seg", name: "b" });
  assertEquals(format(parse("a/b.seg")), join("a", "b.seg"));
});

test("fromFileUrl(toFileUrl()) gives an absolute path back, special characters included", () => {
  const path = resolve("a folder", "100% #1");
  assertEquals(isAbsolute(path), true);
  assertEquals(fromFileUrl(toFileUrl(path)), path);
  assertEquals(fromFileUrl(toFileUrl(path).href), path);
});

test("toFileUrl() refuses a relative path", () => {
  assertThrows(() => toFileUrl("a/b"), TypeError);
});
