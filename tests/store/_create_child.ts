// Creates stores below the directory that is named, one after the other, until it is killed.

import process from "node:process";
import { join } from "@std/path";
import { HybridStore } from "../../mod.ts";
import { btreeKey, bytes } from "./_support.ts";

process.stdin.resume().on("end", () => process.exit());
console.log(process.pid);
for (let i = 0;; i++) {
  const store = await HybridStore.open(join(process.argv[2]!, `${i}`));
  await store.put(btreeKey(1), bytes("kept"));
  console.log(`created ${i}`);
  await store.close();
}
