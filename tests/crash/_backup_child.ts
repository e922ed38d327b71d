/** Backs up a store again and again, while it writes what it holds already, until it is killed.
 *
 * Arguments: the store's directory, and the target.
 */

import process from "node:process";
import * as fs from "node:fs";
import { HybridStore } from "../../mod.ts";

const [path, target] = process.argv.slice(2);
const store = await HybridStore.open(path!, { memtableBytes: 50_000 });
console.log("open");
for (;;) {
  const backup = store.backup(target!);
  for await (const { key, value } of store.scan({ limit: 500 })) await store.put(key, value);
  await backup;
  fs.rmSync(target!, { recursive: true });
}
