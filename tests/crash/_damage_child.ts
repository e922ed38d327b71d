/** Opens stores that may be damaged, verifies and reads them. Prints for each directory what came of it,
 * as JSON. A crash ends the process, and the lines.
 *
 * Arguments: `open`, or `verify` to leave out what reads through the engines where they are damaged; and
 * the directories.
 */

import process from "node:process";
import { HybridStore, StoreError } from "../../mod.ts";
import { digest } from "./_stores.ts";

const [mode, ...directories] = process.argv.slice(2);

for (const directory of directories) {
  console.log(JSON.stringify({ directory, ...await look(directory) }));
}

async function look(directory: string): Promise<object> {
  try {
    const store = await HybridStore.open(directory);
    const { faults } = await store.verify();
    const isRead = mode === "open" || faults.length === 0;
    const contents = isRead ? digest(store) : undefined;
    const keys = isRead ? await store.count() : undefined;
    await store.close();
    return { contents, keys, faults: faults.map(({ part, message }) => `${part}: ${message}`) };
  } catch (error) {
    if (error instanceof StoreError) return { code: error.code, message: error.message };
    return { error: error instanceof Error ? error.stack : String(error) };
  }
}
