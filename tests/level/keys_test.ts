import { test } from "node:test";
import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { compareBytes } from "../../codec/mod.ts";
import { WHOLE_STORE_NAMES } from "../../level/keys.ts";

const { stored, named } = WHOLE_STORE_NAMES;

// Zeros are what it is about.
const key = fc.uint8Array({ maxLength: 6, max: 2 });

test("every key has a name in the store that is not empty, and is found again", () => {
  fc.assert(fc.property(key, (key) => {
    assertEquals(stored(key).length > 0, true);
    assertEquals(named(stored(key)), key);
    if (key.length > 0) assertEquals(stored(named(key)), key);
  }));
});

test("names have the order of the keys", () => {
  fc.assert(fc.property(key, key, (a, b) => {
    assertEquals(Math.sign(compareBytes(stored(a), stored(b))), Math.sign(compareBytes(a, b)));
  }));
});
