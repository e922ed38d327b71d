import { assert, assertEquals, assertFalse, assertNotStrictEquals } from "@std/assert";
import {
  all,
  assertPlain,
  bytes,
  type EngineKind,
  engineTest,
  pattern,
  put,
  sorted,
} from "./_kit.ts";

const MEBIBYTE = 2 ** 20;

export function readTests(kind: EngineKind): void {
  engineTest(kind, "get() and has() know what was put and nothing else", async ({ engine }) => {
    await engine.apply([put(bytes(1), bytes(7)), put(bytes(1, 2), bytes(8))], 1n);
    assertEquals(engine.get(bytes(1)), bytes(7));
    assertEquals(engine.get(bytes(1, 2)), bytes(8));
    assert(engine.has(bytes(1)));
    for (const absent of [bytes(0), bytes(1, 0), bytes(1, 2, 0), bytes(2), pattern(2600)]) {
      assertEquals(engine.get(absent), undefined);
      assertFalse(engine.has(absent));
    }
  });

  engineTest(kind, "get() of an empty engine is undefined", async ({ engine }) => {
    assertEquals(engine.get(bytes(1)), undefined);
    assertFalse(engine.has(bytes(1)));
    assertEquals(all(engine), []);
    await Promise.resolve();
  });

  engineTest(kind, "a value of 0 bytes is a value", async ({ engine, reopen }) => {
    await engine.apply([put(bytes(1), new Uint8Array(0))], 1n);
    const read = kind.isPersistent ? await reopen() : engine;
    assertEquals(read.get(bytes(1)), new Uint8Array(0));
    assert(read.has(bytes(1)));
    assertEquals(all(read), [{ key: bytes(1), value: new Uint8Array(0) }]);
  });

  engineTest(kind, "keeps values from 1 byte to 20 MiB", async ({ engine, reopen }) => {
    const lengths = [1, 100, 2000, 4095, 4096, 4097, 65535, 65536, MEBIBYTE, 20 * MEBIBYTE];
    const writes = lengths.map((length, i) => put(bytes(i), pattern(length, i)));
    await engine.apply(writes, 1n);
    const read = kind.isPersistent ? await reopen() : engine;
    for (const { key, value } of writes) {
      const found = read.get(key);
      assertPlain(found);
      assertSame(found, value);
      assert(read.has(key));
    }
    // Small ones behind large ones, and the other way round.
    for (const { key, value } of writes.toReversed()) assertSame(read.get(key), value);
    all(read).forEach(({ value }, i) => assertSame(value, writes[i]!.value));
  });

  engineTest(kind, "keeps keys from 00 to 2600 bytes of FF", async ({ engine, reopen }) => {
    const keys = [
      bytes(0),
      bytes(0, 0),
      bytes(0, 0xff),
      bytes(0xff),
      bytes(0xff, 0xff),
      new Uint8Array(2600),
      new Uint8Array(1977).fill(0xff),
      new Uint8Array(2600).fill(0xff),
      pattern(2600),
    ];
    const writes = sorted(keys.map((key, i) => put(key, bytes(i))));
    await engine.apply(writes, 1n);
    const read = kind.isPersistent ? await reopen() : engine;
    keys.forEach((key, i) => assertEquals(read.get(key), bytes(i)));
    assertEquals(all(read), writes as unknown[]);
  });

  engineTest(kind, "what reads return belongs to the caller", async ({ engine }) => {
    const writes = [put(bytes(1), pattern(10)), put(bytes(2), pattern(100_000))];
    await engine.apply(writes, 1n);
    for (const { key, value } of writes) {
      const first = engine.get(key)!;
      const second = engine.get(key)!;
      assertNotStrictEquals(first.buffer, second.buffer);
      first.fill(0xee);
      assertEquals(second, value);
      assertEquals(engine.get(key), value);
    }
    const entries = all(engine);
    const keys = engine.keys({ start: bytes(0), end: undefined, reverse: false }, Infinity);
    for (const { key, value } of entries) {
      for (const part of [key, value]) {
        assertPlain(part);
        part.fill(0xee);
      }
    }
    for (const key of keys) {
      assertPlain(key);
      key.fill(0xee);
    }
    assertEquals(all(engine), writes);
  });

  engineTest(kind, "reads leave the key alone and do not keep it", async ({ engine }) => {
    await engine.apply([put(bytes(1, 2), bytes(7))], 1n);
    const key = bytes(1, 2);
    engine.get(key);
    engine.has(key);
    assertEquals(key, bytes(1, 2));
    key.fill(9);
    assertEquals(engine.get(bytes(1, 2)), bytes(7));
    // A view into a larger buffer is its own bytes alone.
    assertEquals(engine.get(bytes(0, 1, 2, 3).subarray(1, 3)), bytes(7));
  });
}

/** Compares long byte strings faster than `assertEquals`. */
function assertSame(actual: Uint8Array | undefined, expected: Uint8Array | undefined): void {
  assertEquals(actual?.length, expected?.length);
  assert(actual!.every((byte, i) => byte === expected![i]));
}
