/** Puts values one by one until it is killed, and prints the number of each once it is durable.
 *
 * Arguments: the directory, and the size of a segment.
 */

import process from "node:process";
import { HybridStore } from "../../mod.ts";
import { pattern } from "../conformance/_kit.ts";
import { keysOf } from "./_stores.ts";

const [directory, segmentBytes] = process.argv.slice(2);
const store = await HybridStore.open(directory!, {
  durability: "always",
  segmentBytes: Number(segmentBytes),
});
for (let number = await store.count();; number++) {
  await store.put(keysOf(number)[number % 2]!, pattern(10 + number % 300, number));
  process.stdout.write(`${number}\n`);
}
