import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { test } from "node:test";
import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { Child, RUNTIMES } from "../store/_child.ts";

const [name, command] = RUNTIMES[0]!;

test(`a store works while the timers of a test runner stand still, in ${name}`, {
  timeout: 600_000,
}, async () => {
  const path = mkdtempSync(join(tmpdir(), "hybridstore-timers-"));
  try {
    await using child = new Child(command, "_fake_timers_child.ts", [path]);
    assertEquals(await child.line(), "done");
  } finally {
    rmSync(path, { recursive: true });
  }
});
