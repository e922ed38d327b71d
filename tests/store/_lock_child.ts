// Opens the store that is named, writes to it, and keeps it open until its input ends, or it is killed.

import process from "node:process";
import { HybridStore } from "../../mod.ts";
import { appendKey, btreeKey, bytes } from "./_support.ts";

process.stdin.resume().on("end", () => process.exit());
const store = await HybridStore.open(process.argv[2]!, { durability: "always" });
// Bun closes the databases of a store that nothing reaches any more.
Object.assign(globalThis, { store });
await store.batch().put(appendKey(1), bytes("kept")).put(btreeKey(1), bytes("kept")).commit();
console.log(process.pid);
