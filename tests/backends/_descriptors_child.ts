/** Takes views of an engine, each of a moment of its own, until the process has no file descriptors left.
 * Prints what it met.
 *
 * Arguments: the kind of engine, and its directory.
 */

import process from "node:process";
import { assertEquals } from "@std/assert";
import type { EngineView, StoreError } from "../../backends/mod.ts";
import { bytes, put } from "../conformance/_kit.ts";
import { ENGINES, IDENTITY } from "./_engines.ts";

const [kind, directory] = process.argv.slice(2);
const engine = await ENGINES[kind!]!.open(directory!, { identity: IDENTITY, create: true });
const views: EngineView[] = [];
try {
  for (let i = 0; i < 1000; i++) {
    await engine.apply([put(bytes(1), bytes(i))], BigInt(i + 1));
    views.push(engine.view());
  }
  console.log("no refusal");
} catch (error) {
  const { code, message } = error as StoreError;
  console.log(code, message.replaceAll(String(views.length), "N"));
}
for (const [i, view] of views.entries()) assertEquals(view.get(bytes(1)), bytes(i));
assertEquals(engine.get(bytes(1)), bytes(views.length));
for (const view of views) view.release();
engine.view().release();
await engine.close();
console.log("closed");
