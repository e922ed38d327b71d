import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { test } from "node:test";
import { assertEquals, assertGreater } from "@std/assert";
import { join } from "@std/path";
import { tempDirectory } from "../support/temp.ts";
import { whyNoTrace } from "./_record.ts";
import { commandOf, THIS_RUNTIME } from "./_runtime.ts";

const DELAY_US = 20_000;

/** Returns the calls of a record between the two marks, and the thread that wrote these. */
function callsBetweenMarks(trace: string): { main: string; calls: string[] } {
  const lines = fs.readFileSync(trace, "utf8").split("\n");
  const from = lines.findIndex((line) => line.includes("MARK begin"));
  const to = lines.findIndex((line) => line.includes("MARK end"));
  assertEquals(from >= 0 && to > from, true, "the store did its work");
  return { main: lines[from]!.split(/\s+/)[0]!, calls: lines.slice(from + 1, to) };
}

test(
  "on a disk with slow syncs, none holds the event loop: groups, rotations, applies, logs, removals",
  { timeout: 600_000, skip: whyNoTrace() ?? false },
  () => {
    using temp = tempDirectory();
    const trace = join(temp.path, "trace");
    const { stderr } = spawnSync(
      "strace",
      [
        ..."strace -f --seccomp-bpf -y -qq -e signal=none -e trace=write,fsync,fdatasync".split(
          " ",
        ),
        ...["-e", `inject=fsync,fdatasync:delay_exit=${DELAY_US}`, `--output=${trace}`],
        ...commandOf(THIS_RUNTIME, "_slow_child.ts"),
        join(temp.path, "store"),
      ].slice(1),
    );
    const { main, calls } = callsBetweenMarks(trace);
    const syncs = calls.filter((call) => /\bf(data)?sync\(/.test(call));
    const isMain = (call: string) => call.split(/\s+/)[0] === main;
    assertEquals(syncs.filter(isMain), [], `${stderr}`);
    // All of these did happen, on other threads.
    for (
      const file of ["/journal/0", "/journal>", "data.sqlite>", "data.sqlite-wal>", "data.mdb>"]
    ) {
      assertGreater(syncs.filter((call) => call.includes(file)).length, 0, file);
    }
  },
);
