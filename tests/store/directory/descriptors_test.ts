import { spawnSync } from "node:child_process";
import process from "node:process";
import { test } from "node:test";
import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { ROOT } from "../../../scripts/_run.ts";
import { tempDirectory } from "../../support/temp.ts";
import { RUNTIMES } from "../_child.ts";

test("a store whose process is out of descriptors for a while refuses writes, and loses nothing", {
  timeout: 600_000,
  skip: process.platform === "win32" && "there is no ulimit",
}, () => {
  using temp = tempDirectory();
  const script = join(ROOT, "tests", "store", "_exhausted_child.ts");
  // The hard limit too, which both runtimes would raise the other one to.
  const limited = ["-c", 'ulimit -n 200 && exec "$@"', "sh"];
  const { stdout, stderr } = spawnSync(
    "sh",
    [...limited, ...RUNTIMES[0]![1], script, join(temp.path, "store")],
    // Deno looks for a newer one from time to time, and panics where it finds no descriptor for that.
    { encoding: "utf8", env: { ...process.env, DENO_NO_UPDATE_CHECK: "1" } },
  );
  assertEquals(stdout.split("\n"), [
    "EMFILE",
    "some refused",
    "afterwards 0 refused, unexpected: ",
    "lost 0 of them, faults 0",
    "",
  ], stderr);
});
