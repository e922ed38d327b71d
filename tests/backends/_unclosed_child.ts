/** Applies something, looks at it through a view, and comes to its end without closing anything.
 *
 * Argument: the kind of engine.
 */

import { assertEquals } from "@std/assert";
import { bytes, put } from "../conformance/_kit.ts";
import { tempDirectory } from "../support/temp.ts";
import { ENGINES, IDENTITY } from "./_engines.ts";

using temp = tempDirectory();
const engine = await ENGINES[process.argv[2]!]!.open(temp.path, {
  identity: IDENTITY,
  create: true,
});
await engine.apply([put(bytes(1), bytes(1))], 1n);
assertEquals(engine.view().get(bytes(1)), bytes(1));
assertEquals(engine.get(bytes(1)), bytes(1));
console.log("applied");
