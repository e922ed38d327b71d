import { test } from "node:test";
import { assertEquals, assertStringIncludes } from "@std/assert";
import { run } from "../../scripts/_run.ts";

const TIMEOUT = { timeout: 600_000, skip: process.platform === "win32" };

test("run() stops what hangs, children that keep its output open included", TIMEOUT, async () => {
  // The shell waits for a child, which outlives it and holds the pipe.
  const finished = await run(["sh", "-c", "echo begun; sleep 100; echo ended"], {
    silenceMs: 3000,
  });
  assertEquals([finished.ok, finished.hung], [false, true]);
  assertStringIncludes(finished.output, "begun\n");
  assertStringIncludes(finished.output, "Stopped: it printed nothing for 3 s");
  assertEquals(finished.output.includes("ended"), false);
});

test("run() tells a failure from a command that is not there", TIMEOUT, async () => {
  const failed = await run(["sh", "-c", "echo why >&2; exit 3"]);
  assertEquals(failed, { ok: false, hung: false, output: "why\n" });
  const missing = await run(["no-such-command"]);
  assertEquals([missing.ok, missing.hung], [false, false]);
  assertStringIncludes(missing.output, "Cannot run no-such-command");
  assertEquals((await run(["sh", "-c", "echo fine"])).ok, true);
});

test("run() lets a slow command run for as long as it prints", TIMEOUT, async () => {
  const lines = "for i in 1 2 3 4 5 6; do echo $i; sleep 1; done";
  const finished = await run(["sh", "-c", lines], { silenceMs: 5000 });
  assertEquals(finished, { ok: true, hung: false, output: "1\n2\n3\n4\n5\n6\n" });
});
