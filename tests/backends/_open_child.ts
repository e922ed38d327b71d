/** Opens engines that may be damaged, reads all of them, and writes a little. Prints for each directory
 * what came of it, as JSON. A crash ends the process, and the lines.
 *
 * Arguments: the kind of engine, and the directories.
 */

import { StoreError } from "../../backends/mod.ts";
import { contentOf, ENGINES, IDENTITY, numberedWrites } from "./_engines.ts";

const [kind, ...directories] = process.argv.slice(2);

for (const directory of directories) {
  console.log(JSON.stringify({ directory, ...await tryEngine(directory) }));
}

async function tryEngine(directory: string): Promise<object> {
  try {
    let engine = await ENGINES[kind!]!.open(directory, { identity: IDENTITY, create: false });
    const content = contentOf(engine);
    await engine.apply(numberedWrites(0, 3000, 77), engine.position + 1n);
    await engine.close();
    engine = await ENGINES[kind!]!.open(directory, { identity: IDENTITY, create: false });
    const contentAfter = contentOf(engine);
    await engine.close();
    return { content, contentAfter };
  } catch (error) {
    if (error instanceof StoreError) return { code: error.code, message: error.message };
    return { error: String(error) };
  }
}
