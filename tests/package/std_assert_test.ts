import { test } from "node:test";
import {
  assert,
  assertAlmostEquals,
  assertArrayIncludes,
  assertEquals,
  assertExists,
  assertFalse,
  assertGreater,
  assertGreaterOrEqual,
  assertInstanceOf,
  AssertionError,
  assertIsError,
  assertLess,
  assertLessOrEqual,
  assertMatch,
  assertNotEquals,
  assertNotInstanceOf,
  assertNotMatch,
  assertNotStrictEquals,
  assertObjectMatch,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
  equal,
  fail,
  unimplemented,
  unreachable,
} from "@std/assert";

// These run against the stand-in of links/ here, and against the real package where JSR is reached:
// they say where both have to agree.

/** Returns the message of the assertion that fails. Written without the module under test. */
function failure(fn: () => unknown): string {
  try {
    fn();
  } catch (error) {
    if (error instanceof AssertionError) return error.message;
    throw error;
  }
  throw new Error("The assertion holds, and was to fail");
}

async function failureOf(promise: Promise<unknown>): Promise<string> {
  const [result] = await Promise.allSettled([promise]);
  return failure(() => {
    if (result.status === "rejected") throw result.reason;
  });
}

const EQUAL: [string, unknown, unknown][] = [
  ["numbers", 1, 1],
  ["NaN", NaN, NaN],
  ["0 and -0", 0, -0],
  ["nested 0 and -0", { a: [0] }, { a: [-0] }],
  ["bigints", 5n, 5n],
  ["bytes", new Uint8Array([1, 2]), new Uint8Array([0, 1, 2]).subarray(1)],
  ["floats with -0", new Float32Array([0]), new Float32Array([-0])],
  ["entries", [{ key: new Uint8Array([1]), value: new Uint8Array() }], [
    { key: new Uint8Array([1]), value: new Uint8Array() },
  ]],
  ["an object without a prototype", Object.assign(Object.create(null), { a: 1 }), { a: 1 }],
  [
    "maps in another order",
    new Map([[1, { a: 1 }], [2, { a: 2 }]]),
    new Map([
      [2, { a: 2 }],
      [1, { a: 1 }],
    ]),
  ],
  ["maps with -0", new Map([["a", 0]]), new Map([["a", -0]])],
  ["sets in another order", new Set([1, 2]), new Set([2, 1])],
  ["dates", new Date(5), new Date(5)],
  ["expressions", /a/g, /a/g],
  ["URLs", new URL("file:///a"), new URL("file:///a")],
];

const DIFFERENT: [string, unknown, unknown][] = [
  ["numbers", 1, 2],
  ["a number and its text", 1, "1"],
  ["a number and a bigint", 1, 1n],
  ["null and undefined", null, undefined],
  ["a missing and an undefined property", {}, { a: undefined }],
  ["bytes", new Uint8Array([1, 2]), new Uint8Array([1, 3])],
  ["bytes of other lengths", new Uint8Array([1]), new Uint8Array([1, 0])],
  ["bytes of other types", new Uint8Array([1]), new Int8Array([1])],
  ["bytes and an array", new Uint8Array([1]), [1]],
  ["a class and a plain object", new (class A {})(), {}],
  ["arrays", [1, 2], [2, 1]],
  ["an array and an object", [], {}],
  ["maps", new Map([[1, 1]]), new Map([[1, 2]])],
  ["sets", new Set([1]), new Set([2])],
  ["dates", new Date(5), new Date(6)],
  ["expressions", /a/g, /a/i],
  ["errors", new Error("a"), new RangeError("a")],
  ["symbols", { [Symbol.iterator]: 1 }, { [Symbol.iterator]: 2 }],
];

for (const [what, a, b] of EQUAL) {
  test(`assertEquals() takes ${what} as equal`, () => {
    assertEquals(a, b);
    assertEquals(b, a);
    failure(() => assertNotEquals(a, b));
  });
}

for (const [what, a, b] of DIFFERENT) {
  test(`assertEquals() takes ${what} as different`, () => {
    failure(() => assertEquals(a, b));
    failure(() => assertEquals(b, a));
    assertNotEquals(a, b);
  });
}

test("equal() follows circles", () => {
  const a: Record<string, unknown> = { zero: 0 };
  a.self = a;
  const b: Record<string, unknown> = { zero: -0 };
  b.self = b;
  assert(equal(a, b));
});

test("assertEquals() shows what differs, and the message that was given", () => {
  const message = failure(() => assertEquals({ name: "left" }, { name: "right" }, "the names"));
  for (const part of ["left", "right", "the names"]) assertStringIncludes(message, part);
});

test("assertStrictEquals() compares with Object.is", () => {
  const value = { a: 1 };
  assertStrictEquals(value, value);
  assertStrictEquals(NaN, NaN);
  failure(() => assertStrictEquals(value, { a: 1 }));
  failure(() => assertStrictEquals(0, -0));
  assertNotStrictEquals(value, { a: 1 });
  failure(() => assertNotStrictEquals(value, value));
});

test("assert(), assertFalse() and assertExists() judge truth and presence", () => {
  assert(1);
  failure(() => assert(0));
  assertFalse("");
  failure(() => assertFalse("a"));
  assertExists(0);
  failure(() => assertExists(null));
  failure(() => assertExists(undefined));
});

test("the order assertions take numbers and bigints, actual first", () => {
  assertGreater(2, 1);
  assertGreater(2n, 1n);
  failure(() => assertGreater(1, 1));
  assertGreaterOrEqual(1, 1);
  failure(() => assertGreaterOrEqual(0, 1));
  assertLess(1, 2);
  failure(() => assertLess(1, 1));
  assertLessOrEqual(1, 1);
  failure(() => assertLessOrEqual(2, 1));
});

test("assertAlmostEquals() allows a ten millionth, or what it is told", () => {
  assertAlmostEquals(1 + 1e-8, 1);
  failure(() => assertAlmostEquals(1 + 1e-6, 1));
  assertAlmostEquals(1.4, 1, 0.5);
  failure(() => assertAlmostEquals(1.6, 1, 0.5));
  assertAlmostEquals(NaN, NaN);
  assertAlmostEquals(Infinity, Infinity);
});

test("the text, array and object assertions look for a part", () => {
  assertStringIncludes("abc", "b");
  failure(() => assertStringIncludes("b", "abc"));
  assertMatch("abc", /b/);
  failure(() => assertMatch("abc", /d/));
  assertNotMatch("abc", /d/);
  failure(() => assertNotMatch("abc", /b/));
  assertArrayIncludes([{ a: 1 }, { a: 2 }], [{ a: 2 }]);
  failure(() => assertArrayIncludes([1], [1, 2]));
  assertObjectMatch({ a: { b: 1, c: 2 }, d: [1, 2] }, { a: { b: 1 }, d: [1] });
  failure(() => assertObjectMatch({ a: { b: 1 } }, { a: { b: 1, c: 2 } }));
  failure(() => assertObjectMatch({ a: 1 }, { a: 2 }));
});

test("assertInstanceOf() names both classes", () => {
  assertInstanceOf(new RangeError(), Error);
  const message = failure(() => assertInstanceOf(new Error(), RangeError));
  assertStringIncludes(message, `"RangeError" but was "Error"`);
  assertNotInstanceOf(new Error(), RangeError);
  failure(() => assertNotInstanceOf(new RangeError(), Error));
});

test("assertIsError() checks class and message", () => {
  assertIsError(new RangeError("too long"), RangeError, "long");
  assertIsError(new RangeError("too long"), Error, /^too/);
  failure(() => assertIsError(new Error("too long"), RangeError));
  failure(() => assertIsError(new RangeError("too long"), RangeError, "short"));
  failure(() => assertIsError("text"));
});

test("assertThrows() returns the error and checks class and message", () => {
  const error = new RangeError("too long");
  const fn = () => {
    throw error;
  };
  assertStrictEquals(assertThrows(fn), error);
  assertStrictEquals(assertThrows(fn, RangeError), error);
  assertStrictEquals(assertThrows(fn, Error, "long"), error);
  failure(() => assertThrows(fn, TypeError));
  failure(() => assertThrows(fn, RangeError, "short"));
  assertStringIncludes(failure(() => assertThrows(() => 1, "the limit")), "the limit");
  failure(() => assertThrows(() => 1, RangeError));
  const throwText = () => {
    // deno-lint-ignore no-throw-literal
    throw "text";
  };
  assertEquals(assertThrows(throwText), "text");
  failure(() => assertThrows(throwText, Error));
});

test("assertRejects() resolves to the error and checks class and message", async () => {
  const error = new RangeError("too long");
  const fn = () => Promise.reject(error);
  assertStrictEquals(await assertRejects(fn), error);
  assertStrictEquals(await assertRejects(fn, RangeError, "long"), error);
  await failureOf(assertRejects(fn, TypeError));
  await failureOf(assertRejects(fn, RangeError, "short"));
  await failureOf(assertRejects(() => Promise.resolve(1)));
  await failureOf(assertRejects(() => Promise.reject("text"), Error));
});

test("assertRejects() fails where the function throws instead of rejecting", async () => {
  const message = await failureOf(assertRejects(() => {
    throw new RangeError("too long");
  }, RangeError));
  assertStringIncludes(message, "throws when expected to reject");
});

test("fail(), unreachable() and unimplemented() always fail", () => {
  assertStringIncludes(failure(() => fail("reason")), "reason");
  failure(() => unreachable());
  assertStringIncludes(failure(() => unimplemented("reason")), "reason");
});
