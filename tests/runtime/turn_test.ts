import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { isTurnOver, nextTurn } from "../../runtime/turn.ts";

function hold(ms: number): void {
  for (const start = performance.now(); performance.now() - start < ms;);
}

test("isTurnOver() says so once a turn has lasted for 4 ms, until the event loop turns", async () => {
  await nextTurn();
  assertEquals(isTurnOver(), false);
  hold(5);
  assert(isTurnOver());
  // Microtasks belong to the turn.
  await Promise.resolve();
  assert(isTurnOver());
  await nextTurn();
  assertEquals(isTurnOver(), false);
});

test("nextTurn() lets a timer fire that is due", async () => {
  let fired = false;
  setTimeout(() => fired = true, 1);
  hold(3);
  await nextTurn();
  await nextTurn();
  assert(fired);
});
