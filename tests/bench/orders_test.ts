import { test } from "node:test";
import { assertEquals, assertGreater, assertNotEquals } from "@std/assert";
import { orderOf, seedOf } from "../../bench/_orders.ts";

const KEYS = 1_000;

test("seedOf() differs by work and round", () => {
  const works = ["get_sync_append_cached", "get_sync_btree_cached", "ycsb_a", "ycsb_b"];
  const seeds = works.flatMap((work) => [0, 1, 2, 3, 4, 5].map((round) => seedOf(work, round)));
  assertEquals(new Set(seeds).size, seeds.length);
});

test("every round reads in an order of its own, the same for all contestants", () => {
  for (const kind of ["once", "uniform", "zipfian", "ranks"] as const) {
    const [first, second] = [1, 2].map((round) => seedOf("work", round));
    const order = orderOf(kind, first!, KEYS);
    assertEquals(orderOf(kind, first!, KEYS), order, kind);
    assertNotEquals(orderOf(kind, second!, KEYS), order, kind);
    // It has been forgotten by then, and is made again.
    assertEquals(orderOf(kind, first!, KEYS), order, kind);
    assertEquals(order.length, KEYS, kind);
    assertEquals(order.every((index) => index < KEYS), true, kind);
  }
});

test("an order of each key once has each key once", () => {
  const order = orderOf("once", 7, KEYS);
  assertEquals(order.toSorted(), Uint32Array.from({ length: KEYS }, (_, i) => i));
  assertNotEquals(order, order.toSorted());
});

test("a zipfian order has few keys often", () => {
  const counts = new Map<number, number>();
  for (const index of orderOf("zipfian", 7, KEYS, 10_000)) {
    counts.set(index, (counts.get(index) ?? 0) + 1);
  }
  const sorted = [...counts.values()].sort((a, b) => b - a);
  assertGreater(sorted.slice(0, 10).reduce((sum, count) => sum + count), 2_500);
});

test("a variant of an order is another one", () => {
  assertNotEquals(orderOf("uniform", 1, KEYS, KEYS, 1), orderOf("uniform", 1, KEYS, KEYS, 2));
});
