import { renameSync } from "node:fs";
import { test } from "node:test";
import { assertEquals, assertStrictEquals } from "@std/assert";
import { join } from "@std/path";
import { StoreError, type StoreErrorCode } from "../../codec/mod.ts";
import { keyError, levelError } from "../../level/error.ts";
import { HybridLevel } from "../../level/mod.ts";
import { HybridStore } from "../../mod.ts";
import { tempDirectory } from "../support/temp.ts";
import { assertLevelCode } from "./_errors.ts";

test("errors of the store have the codes of Level, and are kept as the cause", () => {
  const codes: [StoreErrorCode, string][] = [
    ["CLOSED", "LEVEL_DATABASE_NOT_OPEN"],
    ["LOCKED", "LEVEL_LOCKED"],
    ["CORRUPT", "LEVEL_CORRUPTION"],
    ["IO", "LEVEL_IO_ERROR"],
    ["NO_SPACE", "LEVEL_IO_ERROR"],
    ["POISONED", "LEVEL_IO_ERROR"],
    ["READ_ONLY", "LEVEL_READONLY"],
    ["UNSUPPORTED", "LEVEL_NOT_SUPPORTED"],
  ];
  for (const [code, levelCode] of codes) {
    const error = new StoreError(code, "Cannot do: why");
    const mapped = levelError(error) as Error & { code: string };
    assertEquals([mapped.code, mapped.message], [levelCode, "Cannot do: why"]);
    assertStrictEquals(mapped.cause, error);
  }
});

test("errors that Level has no code for are passed on as they are", () => {
  const errors = [
    new StoreError("TOO_MANY_SNAPSHOTS", "x"),
    new TypeError("x"),
    new RangeError("Cannot put key into batch: it would exceed 512 MiB"),
  ];
  for (const error of errors) {
    assertStrictEquals(levelError(error), error);
    assertStrictEquals(keyError(error), error);
  }
});

test("writes to a store that is only read are refused", async () => {
  using directory = tempDirectory();
  const path = join(directory.path, "level");
  const db = new HybridLevel(path);
  await db.put("a", "1");
  await db.close();
  await using reader = new HybridLevel(path, { readOnly: true });
  assertEquals(await reader.iterator().all(), [["a", "1"]]);
  for (
    const write of [
      () => reader.put("a", "2"),
      () => reader.del("a"),
      () => reader.batch([{ type: "del", key: "a" }]),
      () => reader.batch().del("a").write(),
      () => reader.clear(),
    ]
  ) {
    const { cause } = await assertLevelCode(write, "LEVEL_READONLY");
    assertEquals(cause.code, "READ_ONLY");
  }
});

test("a database that could not be closed as it should is closed all the same", async () => {
  using directory = tempDirectory();
  const path = join(directory.path, "level");
  const db = new HybridLevel(path);
  await db.put("a", "1");
  renameSync(path, `${path}-moved`);
  const { cause } = await assertLevelCode(() => db.close(), "LEVEL_DATABASE_NOT_CLOSED");
  assertEquals(cause.code, "LEVEL_IO_ERROR");
  await assertLevelCode(() => db.get("a"), "LEVEL_DATABASE_NOT_OPEN");
  await db.close();
  assertEquals(db.status, "closed");
  const moved = await HybridStore.open(`${path}-moved`);
  assertEquals((await moved.get("a"))?.length, 1);
  await moved.close();
});

test("a store that is closed under a database is not open to it", async () => {
  const store = await HybridStore.openTemp();
  const db = new HybridLevel(store);
  await db.put("a", "1");
  const rows = db.iterator();
  await store.close();
  for (
    const call of [
      () => db.get("a"),
      () => db.getSync("a"),
      () => db.getMany(["a"]),
      () => db.has("a"),
      () => db.hasMany(["a"]),
      () => db.put("a", "2"),
      () => db.del("a"),
      () => db.batch([{ type: "del", key: "a" }]),
      () => db.clear(),
      () => db.iterator().next(),
      () => db.keys().nextv(1),
      () => db.snapshot(),
    ]
  ) {
    const { cause } = await assertLevelCode(call, "LEVEL_DATABASE_NOT_OPEN");
    assertEquals(cause.code, "CLOSED");
  }
  assertEquals(await rows.next(), ["a", "1"]);
  await db.close();
});
