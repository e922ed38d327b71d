import { readFileSync } from "node:fs";
import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { DENO, ROOT, run } from "../../../scripts/_run.ts";
import { tempDirectory } from "../../support/temp.ts";

// What README says of Deno's permissions, taken from there word by word.

const TIMEOUT = { timeout: 600_000 };
const CHILD = join(ROOT, "tests", "store", "_permissions_child.ts");
const README = readFileSync(join(ROOT, "README.md"), "utf8");

/** Returns the flags that README names, for a store in another directory. */
function flagsFor(store: string): string[] {
  const [, command] = /```sh\ndeno run \\\n([^`]*?) *main\.ts\n```/.exec(README)!;
  return command!.split("\\\n").map((line) => line.trim()).filter((line) => line !== "")
    .map((flag) => flag.replace("data/claims", store));
}

function runChild(flags: readonly string[], store: string) {
  return run([DENO, "run", "--no-prompt", "--no-check", ...flags, CHILD, store]);
}

/** Runs with a store's directory, and fails unless it worked. Returns how many natives were loaded. */
async function nativesIn(flags: readonly string[], store: string): Promise<number> {
  const { output } = await runChild(flags, store);
  const found = /^found 20000, ok true, natives (\d)\n$/.exec(output);
  assert(found !== null, output);
  return Number(found[1]);
}

test(
  "Deno: a store works with no more than the permissions that README names",
  TIMEOUT,
  async () => {
    using temp = tempDirectory(true);
    const store = join(temp.path, "store");
    const flags = flagsFor(store);
    const names = flags.map((flag) => flag.split("=")[0]);
    assertEquals(names, ["--allow-read", "--allow-write", "--allow-ffi", "--allow-env"]);

    // Its parent where it is created, and then only the store itself.
    assertEquals(await nativesIn(flagsFor(temp.path), store), 0);
    assertEquals(await nativesIn(flags, store), 0);

    const whole = [...names, "--allow-sys"] as string[];
    assertEquals(await nativesIn(whole, store), 2);
    for (const name of ["--allow-read", "--allow-ffi", "--allow-env", "--allow-sys"]) {
      const listed = flags.filter((flag) => flag.startsWith(name));
      const less = whole.filter((flag) => flag !== name);
      assertEquals(await nativesIn([...less, ...listed], store), 0, name);
    }

    for (const name of names) {
      const { ok, output } = await runChild(flags.filter((flag) => !flag.startsWith(name!)), store);
      assertEquals([ok, /NotCapable|Requires \w+ access/.test(output)], [false, true], output);
    }
  },
);
