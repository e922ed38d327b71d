/** The child process of `works/open.ts`: fills the journal of a store, leaves the engines empty, and
 * kills itself.
 *
 *     _journal_child.ts <directory> <MiB> <keys>
 *
 * @module
 */

import process from "node:process";
import { HybridStore } from "../mod.ts";
import { makeDataset } from "./_data.ts";

const CHUNK = 1_000;

const [directory = "", mebibytes = "", keyCount = ""] = process.argv.slice(2);
const { keys, values } = (await makeDataset("small_values", Number(keyCount))).append;
// No memtable gets full, so that nothing is applied.
const store = await HybridStore.open(directory, { memtableBytes: 2 ** 32 });
const wanted = Number(mebibytes) * 2 ** 20;
for (let i = 0; store.stats().journal.bytes < wanted;) {
  const writes: Promise<void>[] = [];
  for (let j = 0; j < CHUNK; j++, i++) {
    writes.push(store.put(keys.bytes[i % keys.length]!, values[i % keys.length]!));
  }
  await Promise.all(writes);
}
await store.flush();
process.kill(process.pid, "SIGKILL");
