import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { dirname, fromFileUrl } from "@std/path";
import fc from "fast-check";
import { StoreError } from "../../codec/error.ts";
import { KvU64 } from "../../kv/u64.ts";
import {
  counterOf,
  encodeEntry,
  expiryOf,
  openEntry,
  seal,
  stampOf,
  stampText,
  valueOf,
} from "../../kv/value.ts";
import { show, values } from "./_values.ts";

const ROOT = join(dirname(fromFileUrl(import.meta.url)), "..", "..");

function sealed(value: unknown, stamp = 1n, expiresAt = 0): Uint8Array {
  const entry = encodeEntry(value);
  seal(entry, stamp, expiresAt);
  return entry;
}

function roundtrip<T>(value: T): T {
  return valueOf(openEntry(sealed(value), 0)!) as T;
}

test("values of every kind come back as they were", () => {
  for (const [name, value] of Object.entries(values())) {
    assertEquals(show(roundtrip(value)), show(value), name);
  }
  const { value } = roundtrip(new KvU64(2n ** 64n - 1n));
  assertEquals(value, 2n ** 64n - 1n);
});

test("what comes back shares nothing with what was given, nor with the bytes", () => {
  const bytes = new Uint8Array([1, 2, 3]);
  const entry = sealed({ bytes });
  bytes[0] = 9;
  const first = valueOf(openEntry(entry, 0)!) as { bytes: Uint8Array };
  assertEquals([...first.bytes], [1, 2, 3]);
  first.bytes[1] = 9;
  assertEquals([...(valueOf(entry) as { bytes: Uint8Array }).bytes], [1, 2, 3]);
  assertEquals([first.bytes.byteOffset, first.bytes.buffer.byteLength], [0, 3]);
});

test("an error keeps name, message, stack and cause", () => {
  const error = new TypeError("wrong", { cause: new Error("before") });
  const back = roundtrip(error);
  assertEquals(back instanceof TypeError, true);
  assertEquals([back.name, back.message, back.stack], ["TypeError", "wrong", error.stack!]);
  assertEquals((back.cause as Error).message, "before");
  assertEquals(Object.keys(back), []);
  class Own extends Error {
    override name = "Own";
  }
  assertEquals(roundtrip(new Own("m")).name, "Error");
});

test("what has properties alone becomes a plain object, getters read once", () => {
  class Point {
    x = 1;
    get y() {
      return 2;
    }
  }
  assertEquals(roundtrip(new Point()) as unknown, { x: 1 });
  assertEquals(Object.getPrototypeOf(roundtrip(Object.create(null))), Object.prototype);
  assertEquals(roundtrip({ [Symbol("x")]: 1, a: 2 }) as unknown, { a: 2 });
  let count = 0;
  const counting = {
    get n() {
      return ++count;
    },
    toJSON: undefined,
  };
  assertEquals(roundtrip(counting), { n: 1, toJSON: undefined });
  assertEquals(roundtrip({ u: new KvU64(3n) }) as unknown, { u: { value: 3n } });
  const expression = /a/g;
  expression.lastIndex = 1;
  assertEquals(roundtrip(expression).lastIndex, 0);
});

test("a getter may encode another value", () => {
  const nested = {
    before: "x".repeat(100),
    get inner() {
      return [...encodeEntry({ y: "y".repeat(5000) })].length;
    },
    after: "z",
  };
  const back = roundtrip(nested);
  assertEquals([back.before.length, back.after], [100, "z"]);
});

test("of a view on a part of a buffer, that part alone is stored", () => {
  const buffer = new Uint8Array(8192).map((_, i) => i).buffer;
  const value = { part: new Uint8Array(buffer, 2, 2), words: new Uint16Array(buffer, 4, 1) };
  assertEquals(encodeEntry(value).length < 100, true);
  const back = roundtrip({ ...value, all: [value, value.part] });
  assertEquals([...back.part, ...back.words], [2, 3, 0x504]);
  assertEquals(back.part.buffer.byteLength, 2);
  assertStrictEquals(back.all[1], back.part);
  assertStrictEquals((back.all[0] as typeof value).words, back.words);
  const resizable = new ArrayBuffer(2, { maxByteLength: 8 });
  const again = roundtrip([resizable, new Uint8Array(resizable), resizable]) as ArrayBuffer[];
  assertEquals([again[0]!.resizable, again[0]!.maxByteLength], [true, 8]);
  assertStrictEquals(again[2], again[0]);
});

test("values that cannot be cloned are refused, in Deno's words", () => {
  const refused = (value: unknown, message: string) => {
    for (const given of [value, { value }, [value], new Map([[value, 1]])]) {
      assertThrows(() => encodeEntry(given), TypeError, message);
    }
  };
  refused(Symbol("x"), "Symbol(x) could not be cloned.");
  refused(() => 1, "1 could not be cloned.");
  refused(Promise.resolve(), "#<Promise> could not be cloned.");
  refused(new WeakMap(), "#<WeakMap> could not be cloned.");
  refused(new WeakSet(), "#<WeakSet> could not be cloned.");
  refused(new WeakRef({}), "#<WeakRef> could not be cloned.");
  refused(Object(Symbol("x")), "[object Symbol] could not be cloned.");
  refused(new Proxy({}, {}), "#<Object> could not be cloned.");
  refused(new Proxy([], {}), "#<Object> could not be cloned.");
  refused(new SharedArrayBuffer(1), "#<SharedArrayBuffer> could not be cloned.");
  refused(new Uint16Array(new SharedArrayBuffer(2)), "#<SharedArrayBuffer> could not be cloned.");
  const empty = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]);
  refused(new WebAssembly.Module(empty), "Wasm modules cannot be stored");
  const detached = new ArrayBuffer(1);
  structuredClone(detached, { transfer: [detached] });
  refused(detached, "An ArrayBuffer is detached and could not be cloned.");
});

test("the envelope holds versionstamp and expiry", () => {
  const entry = sealed("x", 0x0123456789abcdefn, 2 ** 45 + 1);
  assertEquals(stampOf(entry), "0123456789abcdef0000");
  assertEquals(stampText(0x0123456789abcdefn), stampOf(entry));
  assertEquals(expiryOf(entry), 2 ** 45 + 1);
  assertEquals(openEntry(entry, 2 ** 45 + 1), undefined);
  assertStrictEquals(openEntry(entry, 2 ** 45), entry);
  seal(entry, 5n, 0);
  assertEquals([stampOf(entry), expiryOf(entry)], ["00000000000000050000", 0]);
  assertEquals(openEntry(undefined, 0), undefined);
  assertEquals([counterOf(entry), counterOf(sealed(new KvU64(4n)))], [undefined, 4n]);
});

test("any changed byte is CORRUPT, and so is a missing one", () => {
  for (const value of [{ a: [1, "two", new Date(3)] }, new Uint8Array(30), new KvU64(1n), "x"]) {
    const entry = sealed(value);
    for (let i = 0; i < entry.length; i++) {
      const changed = entry.slice();
      changed[i]! ^= 1 << i % 8;
      const error = assertThrows(() => openEntry(changed, 0), StoreError);
      assertEquals(error.code, "CORRUPT");
      assertThrows(() => openEntry(entry.slice(0, i), 0), StoreError, "not what was written");
    }
  }
});

test("property: JSON comes back as it was", () => {
  const json = fc.jsonValue({ noUnicodeString: false } as object);
  fc.assert(fc.property(json, (value) => assertEquals(show(roundtrip(value)), show(value))));
});

test("a value without anything special is marked so, and is read without looking for it", () => {
  const shared = [1];
  const special = [-0, NaN, new Date(0), new Map(), "\ud800", { "": 1 }, [shared, shared], [, 1]];
  for (const value of special) {
    assertEquals(encodeEntry(value)[1], 1, show(value));
    assertEquals(encodeEntry({ a: [value] })[1], 1, show(value));
  }
  const plain = [0, "text", null, undefined, 5n, [], {}, [1, [new Uint8Array(2)]], {
    a: { b: [{}] },
  }];
  for (const value of plain) {
    assertEquals(encodeEntry(value)[1], 5, show(value));
    assertEquals(show(roundtrip(value)), show(value));
    // As it was written before there was the mark.
    const entry = encodeEntry(value);
    entry[1] = 1;
    seal(entry, 1n, 0);
    assertEquals(show(valueOf(openEntry(entry, 0)!)), show(value));
  }
  const long = { text: "x".repeat(5000), list: Array.from({ length: 500 }, (_, i) => i) };
  assertEquals(roundtrip(long), long);
});

test("a value may have a thousand levels of objects, and no more", () => {
  const levels: ((inner: unknown) => unknown)[] = [
    (inner) => ({ inner }),
    (inner) => [inner],
    (inner) => new Map([["inner", inner]]),
    (inner) => new Set([inner]),
    (inner) => new Error("outer", { cause: inner }),
    (inner) => ({ inner, __proto__: null, "": 1 }),
  ];
  for (const level of levels) {
    let value: unknown = 1;
    for (let i = 0; i < 1000; i++) value = level(value);
    const entry = sealed(value);
    assertEquals(encodeEntry(valueOf(entry)).subarray(24), entry.subarray(24));
    assertThrows(() => encodeEntry(level(value)), RangeError, "more than 1000 levels");
  }
  // Beside one another they are no levels.
  assertEquals(roundtrip(Array.from({ length: 5000 }, (_, i) => [i])).length, 5000);
});

test("property: what structuredClone clones, comes back like its clone", () => {
  const anything = fc.anything({
    withBigInt: true,
    withDate: true,
    withMap: true,
    withSet: true,
    withTypedArray: true,
    withSparseArray: true,
    withNullPrototype: true,
    withBoxedValues: true,
  });
  fc.assert(
    fc.property(anything, (value) => {
      assertEquals(show(roundtrip(value)), show(structuredClone(value)));
    }),
    { numRuns: 500 },
  );
});

test(
  "each runtime writes the same bytes, and reads those of the others",
  { timeout: 600_000 },
  () => {
    const child = join(ROOT, "tests", "kv", "_value_child.ts");
    const runtimes: Record<string, string[]> = {
      bun: ["bun"],
      deno: ["deno", "run", "-A", "--no-check"],
    };
    const directory = mkdtempSync(join(tmpdir(), "hybridstore-values-"));
    const run = (runtime: string, action: string, file: string) => {
      const [name, ...args] = runtimes[runtime]!;
      const binary = join(ROOT, "node_modules", ".bin", name!);
      const output = execFileSync(existsSync(binary) ? binary : name!, [
        ...args,
        child,
        action,
        file,
      ], {
        cwd: ROOT,
        encoding: "utf8",
      });
      assertEquals(output, "ok\n", `${action} in ${runtime}`);
    };
    try {
      for (const runtime of Object.keys(runtimes)) {
        run(runtime, "write", join(directory, `${runtime}.json`));
      }
      for (const runtime of Object.keys(runtimes)) {
        for (const file of readdirSync(directory)) run(runtime, "read", join(directory, file));
      }
    } finally {
      rmSync(directory, { recursive: true });
    }
  },
);
