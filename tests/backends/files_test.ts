import * as fs from "node:fs";
import process from "node:process";
import { test } from "node:test";
import { assertEquals, assertGreaterOrEqual } from "@std/assert";
import { join } from "@std/path";
import { bytes, put } from "../conformance/_kit.ts";
import { tempDirectory } from "../support/temp.ts";
import { ENGINES, IDENTITY } from "./_engines.ts";

const options = { skip: process.platform === "win32" ? "no modes on this platform" : false };

for (const [kind, { open, file }] of Object.entries(ENGINES)) {
  test(`the files of ${kind} are readable by their owner alone`, options, async () => {
    using temp = tempDirectory();
    const directory = join(temp.path, "above", "engine");
    const mode = (path: string) => fs.statSync(path).mode & 0o777;
    for (const create of [true, false]) {
      const engine = await open(directory, { identity: IDENTITY, create });
      await engine.apply([put(bytes(1), bytes(1))], 1n);
      const view = engine.view();
      assertEquals(mode(directory), 0o700);
      assertEquals(mode(join(temp.path, "above")), 0o700);
      const names = fs.readdirSync(directory);
      assertGreaterOrEqual(names.length, 2);
      for (const name of names) assertEquals(mode(join(directory, name)), 0o600, name);
      view.release();
      await engine.close();
      // What is missing is created with the same mode.
      if (kind === "lmdb") fs.rmSync(join(directory, "lock.mdb"));
    }
  });

  test(`opening ${kind} leaves the modes that its owner has set`, options, async () => {
    using temp = tempDirectory();
    await (await open(temp.path, { identity: IDENTITY, create: true })).close();
    const path = join(temp.path, file);
    fs.chmodSync(path, 0o640);
    await (await open(temp.path, { identity: IDENTITY, create: false })).close();
    assertEquals(fs.statSync(path).mode & 0o777, 0o640);
  });
}
