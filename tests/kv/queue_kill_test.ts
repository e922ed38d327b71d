import { spawn } from "node:child_process";
import process from "node:process";
import { test } from "node:test";
import { assertEquals, assertGreater } from "@std/assert";
import { dirname, fromFileUrl, join } from "@std/path";
import { tempDirectory } from "../support/temp.ts";

const HERE = dirname(fromFileUrl(import.meta.url));
/** How many messages the listeners of a child work on at a time. */
const AT_A_TIME = 7;

/** Runs a child, kills it once it has said so many lines, and returns what it said. */
function life(path: string, name: string, lines: number): Promise<string[]> {
  const config = join(HERE, "..", "..", "deno.json");
  const runtimeArgs = "Deno" in globalThis ? ["run", "-A", "--no-check", "--config", config] : [];
  const mode = lines === Infinity ? "ends" : "goes_on";
  const child = spawn(process.execPath, [
    ...runtimeArgs,
    join(HERE, "_queue_child.ts"),
    path,
    name,
    mode,
  ], { stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text) => {
    output += text;
    if (output.split("\n").length > lines) child.kill("SIGKILL");
  });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", () => resolve(output.split("\n").slice(0, -1)));
  });
}

test("no kill loses a message of the queue, and none is worked on twice at once", {
  timeout: 600_000,
}, async () => {
  using directory = tempDirectory();
  const path = join(directory.path, "kv");
  const put = new Set<string>();
  const ended = new Map<string, number>();
  const kills = [40, 150, 15, 300, 400, 90];
  for (const [number, lines] of [...kills, Infinity].entries()) {
    const said = await life(path, `${number}`, lines);
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
