import { test } from "node:test";
import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { compareBytes } from "../../codec/bytes.ts";
import { StoreError } from "../../codec/error.ts";
import { decodeKey, encodeReadKey, encodeWrittenKey } from "../../kv/key.ts";
import type { KvKey, KvKeyPart } from "../../kv/types.ts";

function hex(key: KvKey): string {
  return Array.from(encodeReadKey(0, key).subarray(1), (byte) => byte.toString(16).padStart(2, "0"))
    .join(" ");
}

test("encodeReadKey() writes each type of part as the table says", () => {
  assertEquals(hex([]), "");
  assertEquals(hex([new Uint8Array([1, 0, 2])]), "01 01 00 ff 02 00");
  assertEquals(hex(["a\0é"]), "02 61 00 ff c3 a9 00");
  assertEquals(hex([""]), "02 00");
  assertEquals(hex([0n]), "14");
  assertEquals(hex([255n, 256n]), "15 ff 16 01 00");
  assertEquals(hex([-1n, -256n]), "13 fe 12 fe ff");
  assertEquals(hex([2n ** 64n - 1n]), "1c ff ff ff ff ff ff ff ff");
  assertEquals(hex([2n ** 64n]), "1d 09 01 00 00 00 00 00 00 00 00");
  assertEquals(hex([-(2n ** 64n)]), "0b f6 fe ff ff ff ff ff ff ff ff");
  assertEquals(hex([2n ** 2040n - 1n]).slice(0, 20), "1d ff 00 00 00 ff ff");
  assertEquals(hex([-(2n ** 2040n) + 1n]).slice(0, 20), "0b 00 ff ff ff 00 00");
  assertEquals(hex([1]), "21 bf f0 00 00 00 00 00 00");
  assertEquals(hex([-0, 0]), "21 7f ff ff ff ff ff ff ff 21 80 00 00 00 00 00 00 00");
  assertEquals(hex([NaN]), "21 ff f8 00 00 00 00 00 00");
  assertEquals(hex([false, true]), "26 27");
  const words = new Uint16Array([1, 2]);
  assertEquals(hex([words as unknown as Uint8Array]), "01 01 00 ff 02 00 ff 00");
  assertEquals(decodeKey(encodeReadKey(7, ["x\ud800"]), 1), ["x\ufffd"]);
});

test("encodeWrittenKey() refuses what Deno KV refuses, in its words", () => {
  const refused = (key: unknown, message: string) => {
    assertThrows(() => encodeWrittenKey(0, key as KvKey), TypeError, message);
  };
  refused([], "key cannot be empty");
  for (const part of [null, undefined, {}, [], Symbol("x"), new ArrayBuffer(1), () => 1]) {
    refused(["a", part], "expected string, number, bigint, ArrayBufferView, boolean");
  }
  refused("a", "the key is a string, not an array of parts");
  assertEquals(encodeWrittenKey(0, ["a".repeat(2046)]).length, 2049);
  refused(["a".repeat(2047)], "Key too large for write (max 2048 bytes)");
  assertEquals(encodeReadKey(0, ["a".repeat(2046)]).length, 2049);
  assertThrows(
    () => encodeReadKey(0, ["a".repeat(2047)]),
    TypeError,
    "Key too large for read (max 2049 bytes)",
  );
  assertThrows(() => encodeReadKey(0, ["\0".repeat(100_000)]), TypeError, "too large");
});

const PART: fc.Arbitrary<KvKeyPart> = fc.oneof(
  fc.uint8Array({ maxLength: 12 }),
  fc.uint8Array({ min: 0, max: 1, maxLength: 5 }),
  fc.string({ unit: "binary", maxLength: 60 }),
  fc.constantFrom("", "\0", "\0\xff", "a", "a\0", "\ufeff", "\ufeffa", "\ufeff".repeat(50)),
  fc.bigInt({ min: -(2n ** 80n), max: 2n ** 80n }),
  fc.bigInt({ min: -300n, max: 300n }),
  fc.integer({ min: 0, max: 700 }).chain((bytes) =>
    fc.constantFrom(1n, -1n).map((sign) => sign * (2n ** BigInt(8 * bytes) - 1n))
  ),
  fc.double(),
  fc.constantFrom(NaN, -0, 0, Infinity, -Infinity, 5e-324, -5e-324),
  fc.boolean(),
);
const KEY = fc.array(PART, { maxLength: 3 });

test("property: a key comes back as it was", () => {
  fc.assert(fc.property(KEY, (key) => {
    assertEquals(decodeKey(encodeReadKey(1, key), 1), key);
  }));
});

test("property: bytes are ordered as keys are", () => {
  fc.assert(
    fc.property(KEY, KEY, (a, b) => {
      const order = Math.sign(compareBytes(encodeReadKey(1, a), encodeReadKey(1, b)));
      assertEquals(order, compareKeys(a, b));
    }),
    { numRuns: 2000 },
  );
});

test("property: other bytes are CORRUPT or another key, and nothing else", () => {
  fc.assert(fc.property(KEY, fc.nat(), fc.integer({ min: 1, max: 255 }), (key, place, change) => {
    const bytes = encodeReadKey(1, [...key, "x"]);
    bytes[1 + place % (bytes.length - 1)]! ^= change;
    try {
      decodeKey(bytes, 1);
    } catch (error) {
      assertEquals((error as StoreError).code, "CORRUPT");
    }
  }));
  for (const bytes of [[2, 65], [1], [0x15], [0x1d], [0x1d, 255, 1], [0x21, 1], [9], [2, 255, 0]]) {
    assertThrows(() => decodeKey(new Uint8Array(bytes), 0), StoreError, "Cannot read key");
  }
});

const TYPES = ["bytes", "string", "bigint", "number", "boolean"];

function typeOf(part: KvKeyPart): string {
  return typeof part === "object" ? "bytes" : typeof part;
}

/** The order of keys, told without their bytes. */
function compareKeys(a: readonly KvKeyPart[], b: readonly KvKeyPart[]): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const order = compareParts(a[i]!, b[i]!);
    if (order !== 0) return order;
  }
  return Math.sign(a.length - b.length);
}

function compareParts(a: KvKeyPart, b: KvKeyPart): number {
  const types = Math.sign(TYPES.indexOf(typeOf(a)) - TYPES.indexOf(typeOf(b)));
  if (types !== 0) return types;
  if (typeof a === "object") return Math.sign(compareBytes(a, b as Uint8Array));
  if (typeof a === "string") {
    const points = (text: string) => Array.from(text, (letter) => letter.codePointAt(0)!);
    return compareLists(points(a), points(b as string));
  }
  if (Object.is(a, b)) return 0;
  if (typeof a === "number") {
    const rank = (n: number) => Number.isNaN(n) ? 2 : Object.is(n, -0) ? 0 : 1;
    if (a === b || Number.isNaN(a) || Number.isNaN(b)) {
      return Math.sign(rank(a) - rank(b as number));
    }
  }
  return (a as number) < (b as number) ? -1 : 1;
}

function compareLists(a: number[], b: number[]): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    if (a[i] !== b[i]) return a[i]! < b[i]! ? -1 : 1;
  }
  return Math.sign(a.length - b.length);
}
