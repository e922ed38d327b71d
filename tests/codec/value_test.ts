import { test } from "node:test";
import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { decodeF32, decodeU64, encodeF32, encodeU64, StoreError } from "../../codec/mod.ts";

const U64_MAX = 2n ** 64n - 1n;

test("encodeU64() writes 8 bytes, little-endian", () => {
  const vectors: [n: bigint, bytes: number[]][] = [
    [0n, [0, 0, 0, 0, 0, 0, 0, 0]],
    [1n, [1, 0, 0, 0, 0, 0, 0, 0]],
    [0x0102030405060708n, [8, 7, 6, 5, 4, 3, 2, 1]],
    [2n ** 53n + 1n, [1, 0, 0, 0, 0, 0, 0x20, 0]],
    [2n ** 63n, [0, 0, 0, 0, 0, 0, 0, 0x80]],
    [U64_MAX, [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]],
  ];
  for (const [n, bytes] of vectors) {
    assertEquals(encodeU64(n), Uint8Array.from(bytes));
    assertEquals(decodeU64(Uint8Array.from(bytes)), n);
  }
});

test("decodeU64() gives back what encodeU64() was given", () => {
  fc.assert(fc.property(fc.bigInt({ min: 0n, max: U64_MAX }), (n) => {
    assertEquals(decodeU64(encodeU64(n)), n);
  }));
});

test("encodeU64() refuses what is not an unsigned 64-bit integer", () => {
  assertThrows(() => encodeU64(-1n), RangeError, "Cannot encode u64: -1 is below 0");
  assertThrows(
    () => encodeU64(2n ** 64n),
    RangeError,
    "Cannot encode u64: 18446744073709551616 exceeds 2^64 - 1",
  );
  for (const bad of [1, "1", undefined, null]) {
    assertThrows(() => encodeU64(bad as unknown as bigint), TypeError, "Cannot encode u64");
  }
});

test("encodeF32() writes 4 bytes, little-endian, rounded to the nearest float", () => {
  const vectors: [n: number, bytes: number[], back: number][] = [
    [0, [0, 0, 0, 0], 0],
    [-0, [0, 0, 0, 0x80], -0],
    [1, [0, 0, 0x80, 0x3f], 1],
    [-2.5, [0, 0, 0x20, 0xc0], -2.5],
    [0.1, [0xcd, 0xcc, 0xcc, 0x3d], 0.10000000149011612],
    [3.4028234663852886e38, [0xff, 0xff, 0x7f, 0x7f], 3.4028234663852886e38],
    [1e39, [0, 0, 0x80, 0x7f], Infinity],
    [-1e39, [0, 0, 0x80, 0xff], -Infinity],
    [Infinity, [0, 0, 0x80, 0x7f], Infinity],
    [1e-46, [0, 0, 0, 0], 0],
  ];
  for (const [n, bytes, back] of vectors) {
    assertEquals(encodeF32(n), Uint8Array.from(bytes));
    assertEquals(Object.is(decodeF32(Uint8Array.from(bytes)), back), true, `${n}`);
  }
});

test("decodeF32() gives back any 32-bit float", () => {
  fc.assert(fc.property(fc.float({ noNaN: true }), (n) => {
    assertEquals(Object.is(decodeF32(encodeF32(n)), n), true);
  }));
});

test("decodeF32() returns a stored NaN as it is", () => {
  assertEquals(decodeF32(Uint8Array.of(0, 0, 0xc0, 0x7f)), NaN);
});

test("encodeF32() refuses NaN and what is not a number", () => {
  assertThrows(() => encodeF32(NaN), RangeError, "Cannot encode f32: the value is NaN");
  for (const bad of [1n, "1", undefined, null]) {
    assertThrows(() => encodeF32(bad as unknown as number), TypeError, "Cannot encode f32");
  }
});

test("decodeU64() and decodeF32() refuse a value of another length", () => {
  const forms: [decode: (bytes: Uint8Array) => unknown, form: string, width: number][] = [
    [decodeU64, "u64", 8],
    [decodeF32, "f32", 4],
  ];
  for (const [decode, form, width] of forms) {
    for (const length of [0, width - 1, width + 1, 16]) {
      const error = assertThrows(
        () => decode(new Uint8Array(length)),
        StoreError,
        `Cannot decode ${form}: the value is ${length} bytes long, not ${width}`,
      );
      assertEquals(error.code, "INVALID_VALUE");
    }
    const notBytes = "x".repeat(width) as unknown as Uint8Array;
    assertThrows(() => decode(notBytes), TypeError, `Cannot decode ${form}`);
  }
});

test("decodeU64() and decodeF32() respect the bounds of a view", () => {
  const buffer = new Uint8Array(20).fill(0xee);
  buffer.set(encodeU64(258n), 3);
  assertEquals(decodeU64(buffer.subarray(3, 11)), 258n);
  buffer.set(encodeF32(-2.5), 5);
  assertEquals(decodeF32(buffer.subarray(5, 9)), -2.5);
});
