/** Applies stamped batches until it is killed, and prints the number of each once it is applied.
 *
 * Arguments: the kind of engine, and its directory.
 */

import process from "node:process";
import { ENGINES, IDENTITY } from "./_engines.ts";
import { stampedWrites } from "./_stamped.ts";

const [kind, directory] = process.argv.slice(2);
const engine = await ENGINES[kind!]!.open(directory!, { identity: IDENTITY, create: false });
for (let batch = Number(engine.position) + 1;; batch++) {
  await engine.apply(stampedWrites(batch), BigInt(batch));
  process.stdout.write(`${batch}\n`);
}
