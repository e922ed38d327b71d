/** Works with a store in the directory that it is given, and prints what could be loaded.
 *
 *     deno run … _permissions_child.ts DIRECTORY
 */

import { accelerators } from "../../journal/digest.ts";
import { assertionKey, HybridStore, mvKey } from "../../mod.ts";

const [directory] = process.argv.slice(2);
const keys = [assertionKey("s", "h"), mvKey("s", "p")];
let store = await HybridStore.open(directory!);
for (const key of keys) await store.put(key, new Uint8Array(5000).fill(7));
await store.checkpoint();
await store.close();

store = await HybridStore.open(directory!);
let found = 0;
for await (const { value } of store.scan()) found += value.length;
for (const key of keys) found += (await store.get(key))!.length;
const { ok } = await store.verify();
await store.close();
console.log(
  `found ${found}, ok ${ok}, natives ${Object.values(accelerators).filter(Boolean).length}`,
);
