// Opens the store that is named as soon as there is a file `<store>.go`, and says what comes of it. While it
// has the store open, there is a file `<store>.held`, which must not be there before.

import { existsSync, rmSync, writeFileSync } from "node:fs";
import process from "node:process";
import { setTimeout as delay } from "node:timers/promises";
import { HybridStore, StoreError } from "../../mod.ts";
import { btreeKey, bytes } from "./_support.ts";

process.stdin.resume().on("end", () => process.exit());
const path = process.argv[2]!;
console.log("ready");
while (!existsSync(`${path}.go`)) await delay(1);
try {
  const store = await HybridStore.open(path, { durability: "always" });
  writeFileSync(`${path}.held`, "", { flag: "wx" });
  await store.put(btreeKey(process.pid), bytes("1"));
  await store.checkpoint();
  rmSync(`${path}.held`);
  await store.close();
  console.log("owner");
} catch (error) {
  console.log(error instanceof StoreError ? error.code : String(error));
}
