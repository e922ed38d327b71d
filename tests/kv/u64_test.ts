import { test } from "node:test";
import { assertEquals, assertThrows } from "@std/assert";
import { KvU64, requireCounter, u64Of } from "../../kv/u64.ts";

test("KvU64 holds 0 to 2^64 - 1, and refuses the rest in Deno's words", () => {
  for (const value of [0n, 1n, 2n ** 64n - 1n]) {
    const number = new KvU64(value);
    assertEquals([number.value, number.valueOf(), String(number)], [value, value, `${value}`]);
    assertEquals([Object.isFrozen(number), u64Of(number)], [true, value]);
  }
  const refused = (value: unknown, type: typeof TypeError, message: string) => {
    assertThrows(() => new KvU64(value as bigint), type, message);
  };
  refused(1, TypeError, "Value must be a bigint: received number");
  refused(-1n, RangeError, "Value must be a positive bigint: received -1");
  refused(2n ** 64n, RangeError, "Value must fit in a 64-bit unsigned integer");
});

test("requireCounter() takes counters alone", () => {
  assertEquals(requireCounter("sum", new KvU64(5n)), 5n);
  for (const value of [5n, 5, undefined, { value: 5n }]) {
    assertThrows(() => requireCounter("sum", value), TypeError, "Invalid mutation 'sum'");
  }
});
