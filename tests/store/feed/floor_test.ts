import { test } from "node:test";
import { assertEquals } from "@std/assert";
import { Cursors } from "../../../store/feed/cursors.ts";

const NOTE = JSON.stringify([["view", "10"]]);

test("the journal is not needed below where a cursor is on disk", () => {
  const cursors = new Cursors(1000, NOTE);
  cursors.set("view", 50n);
  cursors.keep(80n);
  const floor = (durableEnd: bigint) => cursors.floor({ end: 100n, durableEnd });
  // A power loss takes the move back, and what follows 10 is needed then.
  assertEquals(floor(79n), 10n);
  assertEquals(cursors.nextFloor(100n), 50n);
  assertEquals(floor(80n), 50n);
});

test("a removal of a cursor that is not on disk keeps the journal", () => {
  const cursors = new Cursors(1000, NOTE);
  cursors.set("view", undefined);
  cursors.keep(80n);
  assertEquals(cursors.floor({ end: 100n, durableEnd: 70n }), 10n);
  assertEquals(cursors.floor({ end: 100n, durableEnd: 90n }), 100n);
});

test("a move that is taken back leaves the cursor and the journal as they were", () => {
  const cursors = new Cursors(1000, NOTE);
  cursors.set("view", 50n);
  cursors.set("view", 60n);
  cursors.set("new", 70n);
  cursors.takeBack();
  assertEquals(cursors.keep(80n), false);
  assertEquals([...cursors.all()], [["view", 10n]]);
  assertEquals(cursors.floor({ end: 100n, durableEnd: 100n }), 10n);
});
