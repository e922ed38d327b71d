import { chmodSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import process from "node:process";
import { test } from "node:test";
import { assertEquals, assertThrows } from "@std/assert";
import { join } from "@std/path";
import { runnable } from "../../servers/programs.ts";
import { tempDirectory } from "../support/temp.ts";

const OPTIONS = { skip: process.platform === "win32" && "its programs are shell scripts" };
const LINKS = [{ source: "native/lib/libx.so.1.2", target: "native/lib/libx.so.1" }];

/** Makes a package whose programs need a library by the name of a link, which is not there. */
function makePackage(path: string): void {
  for (const name of ["bin", "lib"]) mkdirSync(join(path, "native", name), { recursive: true });
  const library = join(path, "native", "lib", "libx.so.1.2");
  writeFileSync(library, "", { mode: 0o600 });
  writeFileSync(join(path, "native", "pg-symlinks.json"), JSON.stringify(LINKS));
  for (const name of ["initdb", "postgres"]) {
    const program = join(path, "native", "bin", name);
    writeFileSync(program, '#!/bin/sh\ncat "$(dirname "$0")/../lib/libx.so.1"\n');
    chmodSync(program, 0o755);
  }
}

test("programs that cannot be run are copied, with the links that are missing", OPTIONS, () => {
  using temp = tempDirectory();
  // As in a directory of root, which others may not enter.
  const path = join(temp.path, "closed");
  makePackage(path);
  chmodSync(path, 0o700);
  const { directory, copy } = runnable(path);
  try {
    assertEquals(directory, copy);
    assertEquals(readdirSync(join(directory, "native", "lib")).sort(), [
      "libx.so.1",
      "libx.so.1.2",
    ]);
    assertEquals(runnable(directory), { directory, copy: undefined });
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test("programs that run nowhere are an error", OPTIONS, () => {
  using temp = tempDirectory();
  makePackage(temp.path);
  rmSync(join(temp.path, "native", "pg-symlinks.json"));
  assertThrows(() => runnable(temp.path), Error, "libx.so.1");
});
