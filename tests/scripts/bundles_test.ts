import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { assertEquals, assertGreater } from "@std/assert";
import { bundlingCommands } from "../../scripts/_bundles.ts";
import { ROOT } from "../../scripts/_run.ts";

test("README's bundling lines are read as commands, each with the file that it makes", () => {
  const commands = bundlingCommands(readFileSync(join(ROOT, "README.md"), "utf8"));
  assertGreater(commands.length, 2);
  for (const { command, outfile } of commands) {
    assertEquals(command.some((part) => part === "\\" || part === ""), false);
    assertEquals(/^main\.[cm]?js$/.test(outfile), true, outfile);
  }
});
