import { test } from "node:test";
import { assertEquals } from "@std/assert";
import { openWriter } from "../../journal/journal.ts";
import { sealRecord } from "../../journal/record.ts";
import type { JournalWriter } from "../../journal/writer.ts";
import { tempDirectory } from "../support/temp.ts";
import { FaultyFileSystem } from "./_faulty_file_system.ts";
import { segmentName, segmentNames } from "./_format.ts";
import { assertCode } from "../support/assert.ts";

/** Opens a writer whose segments hold two records of 50 bytes. */
async function open(
  directory: string,
  guard: (what: string) => void,
): Promise<JournalWriter> {
  const { writer } = await openWriter(new FaultyFileSystem(), directory, {
    segmentBytes: 116,
    salvage: false,
    guard,
  });
  return writer;
}

function record(): Uint8Array {
  const bytes = new Uint8Array(50);
  sealRecord(bytes, 0, 10);
  return bytes;
}

/** A guard that notes what it is asked, and refuses on request. */
class Guard {
  readonly asked: string[] = [];
  refuses = false;
  readonly check = (what: string): void => {
    this.asked.push(what);
    if (this.refuses) throw new Error("the directory was replaced");
  };
}

test("a guard is asked before each segment is created or removed", async () => {
  using temp = tempDirectory();
  const guard = new Guard();
  const writer = await open(temp.path, guard.check);
  assertEquals(guard.asked, ["Cannot create journal segment"]);
  for (let i = 0; i < 6; i++) writer.write(record());
  assertEquals(guard.asked.length, 3);
  assertEquals(await writer.removeBefore(200n), 2);
  assertEquals(guard.asked.slice(3), [
    "Cannot remove journal segment",
    "Cannot remove journal segment",
  ]);
  await writer.close();
});

test("where a guard throws, no segment is created and the writer is poisoned", async () => {
  using temp = tempDirectory();
  const guard = new Guard();
  const writer = await open(temp.path, guard.check);
  writer.write(record());
  writer.write(record());
  await writer.sync();
  guard.refuses = true;
  const message = "Cannot create journal segment: the directory was replaced; writes are refused";
  // deno-lint-ignore require-await
  await assertCode(async () => writer.write(record()), "POISONED", message);
  guard.refuses = false;
  // deno-lint-ignore require-await
  await assertCode(async () => writer.write(record()), "POISONED", message);
  assertEquals(segmentNames(temp.path), [segmentName(0)]);
  await writer.close();
});

test("where a guard throws, no segment is removed and the writer is poisoned", async () => {
  using temp = tempDirectory();
  const guard = new Guard();
  const writer = await open(temp.path, guard.check);
  for (let i = 0; i < 6; i++) writer.write(record());
  guard.refuses = true;
  const message = "Cannot remove journal segment: the directory was replaced; writes are refused";
  await assertCode(() => writer.removeBefore(200n), "POISONED", message);
  guard.refuses = false;
  await assertCode(() => writer.removeBefore(200n), "POISONED", message);
  assertEquals(segmentNames(temp.path), [0, 100, 200].map(segmentName));
  await writer.close();
});

test("removals follow one another, and closing waits for them", async () => {
  using temp = tempDirectory();
  const writer = await open(temp.path, () => {});
  for (let i = 0; i < 8; i++) writer.write(record());
  const removals = [writer.removeBefore(100n), writer.removeBefore(300n)];
  await writer.close();
  assertEquals(await Promise.all(removals), [1, 2]);
  assertEquals(segmentNames(temp.path), [segmentName(300)]);
});
