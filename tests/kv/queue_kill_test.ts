import { test } from "node:test";
import { assertEquals, assertGreater } from "@std/assert";
import { join } from "@std/path";
import { tempDirectory } from "../support/temp.ts";
import { linesUntilKilled } from "./_killed.ts";

/** How many messages the listeners of a child work on at a time. */
const AT_A_TIME = 7;

test("no kill loses a message of the queue, and none is worked on twice at once", {
  timeout: 600_000,
}, async () => {
  using directory = tempDirectory();
  const path = join(directory.path, "kv");
  const put = new Set<string>();
  const ended = new Map<string, number>();
  const kills = [40, 150, 15, 300, 400, 90];
  for (const [number, lines] of [...kills, Infinity].entries()) {
    const mode = lines === Infinity ? "ends" : "goes_on";
    const said = await linesUntilKilled("_queue_child.ts", [path, `${number}`, mode], lines);
    const working = new Set<string>();
    for (const line of said) {
      const [what, id] = line.split(" ") as [string, string];
      if (what === "put") put.add(id);
      if (what === "begin") {
        assertEquals(working.has(id), false, id);
        working.add(id);
        assertEquals(working.size <= AT_A_TIME, true);
      } else working.delete(id);
      if (what === "end") ended.set(id, (ended.get(id) ?? 0) + 1);
    }
    if (lines === Infinity) assertEquals(said.at(-1), "empty");
  }
  assertGreater(put.size, 50);
  assertEquals([...put].filter((id) => !ended.has(id)), []);
  // Only what was being worked on, or was just done, when a process was killed, comes again.
  const again = [...ended.values()].filter((times) => times > 1).length;
  assertEquals(again <= kills.length * AT_A_TIME, true, `${again}`);
});
