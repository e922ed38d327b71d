import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { COCKROACHDB } from "../../remote/dialects/cockroachdb.ts";
import { YUGABYTEDB } from "../../remote/dialects/yugabytedb.ts";
import { Tables } from "../../remote/tables.ts";
import { writesOf } from "../../remote/write_tasks.ts";

const MIB = 1024 * 1024;
/** What CockroachDB takes in one message by default. */
const MESSAGE_BYTES_MAX = 16 * MIB;
const tables = new Tables("Cannot test", "t");
const NUMBER = { id: new Uint8Array(16), n: 1 };

test("writes of many bytes are sent in messages that every server takes", () => {
  const writes = Array.from({ length: 64 }, (_, i) => ({
    key: new Uint8Array([i]),
    value: new Uint8Array(MIB),
  }));
  const deletes = Array.from({ length: 10_000 }, () => ({
    key: new Uint8Array(2600),
    value: undefined,
  }));
  const statements = writesOf(tables, [...writes, ...deletes], NUMBER);
  const lengths = statements.map(({ values }) =>
    (values as Uint8Array[]).reduce((sum, { length }) => sum + length, 0)
  );
  assert(lengths.every((length) => length < MESSAGE_BYTES_MAX), `${lengths}`);
  const bytes = lengths.reduce((sum, length) => sum + length);
  assert(bytes > 64 * MIB + 10_000 * 2600, `${bytes}`);
});

test("a few writes are one statement", () => {
  const key = new Uint8Array([1]);
  assertEquals(writesOf(tables, [{ key, value: key }], NUMBER).length, 1);
  assertEquals(writesOf(tables, [], NUMBER), []);
});

test("YugabyteDB is told how stale a read may be before stale reads begin", () => {
  assertEquals(YUGABYTEDB.beginStale(1500), [
    "BEGIN READ ONLY",
    "SET LOCAL yb_follower_read_staleness_ms = 1500",
    "SET LOCAL yb_read_from_followers = true",
  ]);
});

test("YugabyteDB reads the newest state where it may not be as stale as followers are", () => {
  assertEquals(YUGABYTEDB.beginStale(999), ["BEGIN READ ONLY"]);
});

test("CockroachDB ends the session of a lost connection", () => {
  assertEquals(COCKROACHDB.terminate!(["17b0"]).values, ["17b0"]);
});
