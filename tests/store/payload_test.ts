import fc from "fast-check";
import { test } from "node:test";
import { assertEquals } from "@std/assert";
import {
  cursorBytes,
  decodeWrites,
  encodeCursor,
  encodeWrite,
  writeBytes,
} from "../../store/payload.ts";
import { bytes } from "./_support.ts";
import { assertThrowsCode } from "../support/assert.ts";

const someWrite = fc.record({
  key: fc.uint8Array({ minLength: 1, maxLength: 300 }),
  value: fc.option(fc.uint8Array({ maxLength: 300 }), { nil: undefined }),
});

interface Write {
  key: Uint8Array;
  value: Uint8Array | undefined;
}

function encode(writes: Write[]): Uint8Array {
  const payload = new Uint8Array(
    writes.reduce((n, { key, value }) => n + writeBytes(key, value), 0),
  );
  let at = 0;
  for (const { key, value } of writes) at = encodeWrite(payload, at, key, value);
  assertEquals(at, payload.length);
  return payload;
}

test("a put and a delete are the bytes that the format says", () => {
  const payload = encode([
    { key: bytes("key"), value: bytes("value") },
    { key: bytes("gone"), value: undefined },
    { key: new Uint8Array(258).fill(1), value: new Uint8Array(0x010203).fill(2) },
  ]);
  assertEquals(payload.subarray(0, 15), Uint8Array.of(1, 3, 0, 5, 0, 0, 0, ...bytes("keyvalue")));
  assertEquals(payload.subarray(15, 26), Uint8Array.of(2, 4, 0, 0, 0, 0, 0, ...bytes("gone")));
  assertEquals(payload.subarray(26, 34), Uint8Array.of(1, 2, 1, 3, 2, 1, 0, 1));
});

test("what was encoded is decoded, in order", () => {
  fc.assert(fc.property(fc.array(someWrite, { maxLength: 10 }), (writes) => {
    // Where a payload stands in a larger buffer must not matter.
    const outer = Uint8Array.from([9, ...encode(writes), 9]);
    const payload = outer.subarray(1, -1);
    const found = Array.from(decodeWrites(payload), ({ keyStart, keyLength, valueLength }) => {
      const keyEnd = keyStart + keyLength;
      return {
        key: payload.slice(keyStart, keyEnd),
        value: valueLength < 0 ? undefined : payload.slice(keyEnd, keyEnd + valueLength),
      };
    });
    assertEquals(found, writes);
  }));
});

test("a payload that no store wrote is CORRUPT", () => {
  const put = [1, 1, 0, 1, 0, 0, 0, 0x61, 0x62];
  const wrong = [
    // Cut in its value, its key, its header.
    put.slice(0, -1),
    put.slice(0, 7),
    put.slice(0, 6),
    [1],
    // Of an unknown kind.
    [3, ...put.slice(1)],
    [0, ...put.slice(1)],
    // With an empty key, and with one that is too long.
    [1, 0, 0, 1, 0, 0, 0, 0x61],
    [1, 0x29, 0x0a, 0, 0, 0, 0, ...new Array<number>(2601).fill(1)],
    // With a value for a deleted key, with one of 4 GiB, with bytes behind it.
    [2, ...put.slice(1)],
    [1, 1, 0, 0xff, 0xff, 0xff, 0xff, 0x61],
    [...put, 1, 2],
  ];
  for (const payload of wrong) {
    assertThrowsCode(() => [...decodeWrites(Uint8Array.from(payload))], "CORRUPT");
    assertThrowsCode(() => [...decodeWrites(Uint8Array.from([...put, ...payload]))], "CORRUPT");
  }
  assertEquals([...decodeWrites(new Uint8Array(0))], []);
});

test("a cursor comes back under the name that it was given, whatever that begins with", () => {
  for (const name of ["view", "\uFEFFview", "\uFEFF", "\0", "Ärger 🎈"]) {
    const encoded = new TextEncoder().encode(name);
    const payload = new Uint8Array(cursorBytes(encoded, 7n) + cursorBytes(encoded, undefined));
    const end = encodeCursor(payload, 0, encoded, 7n);
    assertEquals(encodeCursor(payload, end, encoded, undefined), payload.length);
    const found: unknown[] = [];
    const onCursor = (...cursor: unknown[]) => void found.push(cursor);
    assertEquals([...decodeWrites(payload, onCursor)], []);
    assertEquals(found, [[name, 7n], [name, undefined]]);
  }
});
