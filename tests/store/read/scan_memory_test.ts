import { existsSync } from "node:fs";
import { test } from "node:test";
import { assertLess } from "@std/assert";
import { join } from "@std/path";
import { tempDirectory } from "../../support/temp.ts";
import { Child, RUNTIMES } from "../_child.ts";

const [name, runtime] = RUNTIMES[0]!;
const command = name === "deno"
  ? [...runtime.slice(0, 2), "--v8-flags=--expose-gc", ...runtime.slice(2)]
  : runtime;
// All large values together take 72 MiB; one takes 6, and is in memory two or three times when it is read.
const MEMORY_MIB_MAX = 50;
// Where Linux shows what memory a process has.
const skip = existsSync("/proc/self/status")
  ? false
  : "no /proc to read the memory of a process from";

for (const side of ["append", "btree"]) {
  test(`reads of large values on the ${side} side stay in constant memory, in ${name}`, {
    skip,
    timeout: 600_000,
  }, async () => {
    using temp = tempDirectory();
    const path = join(temp.path, "store");
    for (const step of ["fill", "read"]) {
      await using child = new Child(command, "_scan_memory_child.ts", [step, path, side]);
      for (let line = await child.line(); line !== "done"; line = await child.line()) {
        const [what, grown] = line.split(" ");
        assertLess(Number(grown), MEMORY_MIB_MAX, `${what}: memory grew by ${grown} MiB`);
      }
    }
  });
}
