import { test } from "node:test";
import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { compareBytes, equalBytes, startsWith } from "../../codec/mod.ts";

// Few distinct values, among them the ones where signed and unsigned order differ, and short, so
// that equal strings and prefixes of one another are common.
const bytes = fc.array(fc.constantFrom(0, 1, 0x7f, 0x80, 0xff), { maxLength: 4 })
  .map((values) => Uint8Array.from(values));

/** Two digits per byte sort as the bytes do, and a prefix sorts first. */
function hex(value: Uint8Array): string {
  return Array.from(value, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

test("compareBytes() orders unsigned bytes from the left, a prefix before its extensions", () => {
  const ascending = [[], [0], [0, 0], [0, 1], [1], [0x7f, 0xff], [0x80], [0xff], [0xff, 0]]
    .map((values) => Uint8Array.from(values));
  ascending.forEach((a, i) => {
    ascending.forEach((b, j) => assertEquals(Math.sign(compareBytes(a, b)), Math.sign(i - j)));
  });
});

test("compareBytes() agrees with the order of hex strings", () => {
  fc.assert(
    fc.property(bytes, bytes, (a, b) => {
      const expected = hex(a) < hex(b) ? -1 : hex(a) > hex(b) ? 1 : 0;
      assertEquals(Math.sign(compareBytes(a, b)), expected);
    }),
    { numRuns: 2000 },
  );
});

test("equalBytes() and startsWith() agree with hex strings", () => {
  fc.assert(
    fc.property(bytes, bytes, (a, b) => {
      assertEquals(equalBytes(a, b), hex(a) === hex(b));
      assertEquals(startsWith(a, b), hex(a).startsWith(hex(b)));
    }),
    { numRuns: 2000 },
  );
});

test("compareBytes(), equalBytes() and startsWith() respect the bounds of a view", () => {
  const buffer = Uint8Array.of(9, 1, 2, 9, 1, 2, 8);
  const a = buffer.subarray(1, 3);
  const b = buffer.subarray(4, 6);
  assertEquals(compareBytes(a, b), 0);
  assertEquals(equalBytes(a, b), true);
  assertEquals(startsWith(a, b), true);
});
