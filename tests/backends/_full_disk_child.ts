/** Fills the file system of a directory, and sees how an engine in it takes that. Prints what it did;
 * the lines stop where it went wrong.
 *
 * Arguments: the kind of engine, the directory, and `close` to close while there is no space.
 */

import * as fs from "node:fs";
import process from "node:process";
import { assertEquals, assertGreater } from "@std/assert";
import { join } from "@std/path";
import type { Write } from "../../backends/mod.ts";
import { bytes, numberedKey, pattern, put } from "../conformance/_kit.ts";
import { ENGINES, IDENTITY } from "./_engines.ts";
import { assertCode } from "../support/assert.ts";

const LEFT_BYTES = 2 ** 20;
const [kind, directory, mode] = process.argv.slice(2);
const engineDirectory = join(directory!, "engine");
const fillerPath = join(directory!, "filler");
const { open } = ENGINES[kind!]!;

process.on("unhandledRejection", (reason) => {
  console.log(`unhandled rejection: ${reason}`);
  process.exit(3);
});

/** More than fits. */
function tooMuch(seed: number): Write[] {
  return Array.from({ length: 20_000 }, (_, i) => put(numberedKey(i), pattern(300, i + seed)));
}

function fill(): void {
  const { bavail, bsize } = fs.statfsSync(directory!);
  fs.writeFileSync(fillerPath, new Uint8Array(bavail * bsize - LEFT_BYTES));
}

let engine = await open(engineDirectory, { identity: IDENTITY, create: true });
await engine.apply([put(bytes(1), bytes(1))], 1n);
const view = engine.view();
fill();
for (let attempt = 0; attempt < 3; attempt++) {
  const error = await assertCode(() => engine.apply(tooMuch(0), 2n), "NO_SPACE");
  console.log(error.message.split(":")[0]);
  assertEquals(engine.position, 1n);
  assertEquals(engine.get(bytes(1)), bytes(1));
  assertEquals(view.get(bytes(1)), bytes(1));
}
// One value that is too large by itself.
const large = put(bytes(2), pattern(9 * LEFT_BYTES));
await assertCode(() => engine.apply([large], 2n), "NO_SPACE");
// The last slice would fit by itself, and must not take the position along.
await assertCode(
  () => engine.apply([large, large, put(bytes(3), bytes(3))], 2n),
  "NO_SPACE",
);
assertEquals(engine.position, 1n);
// Long enough for a rejection that nobody handles to show.
await new Promise((resolve) => setTimeout(resolve, 50));
console.log("refused");

if (mode === "close") {
  await engine.close();
  console.log("closed");
  fs.rmSync(fillerPath);
  engine = await open(engineDirectory, { identity: IDENTITY, create: false });
} else {
  fs.rmSync(fillerPath);
}
assertEquals(engine.position, 1n);
assertEquals(engine.get(bytes(1)), bytes(1));
await engine.apply(tooMuch(7), 2n);
assertEquals(engine.position, 2n);
console.log("applied");
await engine.close();

engine = await open(engineDirectory, { identity: IDENTITY, create: false });
assertEquals(engine.position, 2n);
for (const { key, value } of tooMuch(7)) assertEquals(engine.get(key), value);
assertGreater(engine.stats().keys, 20_000);
await engine.close();
console.log("reopened");
