// Writes to the store that is named while the process has no file descriptors left, and then again, and
// prints what came of it. To be started with few descriptors.

import { closeSync, openSync } from "node:fs";
import process from "node:process";
import { HybridStore, StoreError } from "../../mod.ts";
import { appendKey, btreeKey } from "./_support.ts";

/** What may fail for want of a descriptor. */
const RETRYABLE = ["IO", "NO_SPACE"];

const path = process.argv[2]!;
const store = await HybridStore.open(path, { durability: "always", segmentBytes: 4096 });
const acknowledged: Uint8Array[] = [];
const unexpected = new Set<string>();
let refused = 0;

async function attempt(action: () => Promise<unknown>): Promise<boolean> {
  try {
    await action();
    return true;
  } catch (error) {
    const code = error instanceof StoreError ? error.code : String(error);
    if (!RETRYABLE.includes(code)) unexpected.add(`${code}: ${error}`);
    return false;
  }
}

async function putMany(from: number): Promise<void> {
  for (let i = from; i < from + 100; i++) {
    const key = i % 2 === 0 ? appendKey(i) : btreeKey(i);
    if (await attempt(() => store.put(key, new Uint8Array(100)))) acknowledged.push(key);
    else refused++;
  }
}

await putMany(0);
const held: number[] = [];
try {
  for (;;) held.push(openSync("/dev/null", "r"));
} catch (error) {
  console.log((error as { code?: string }).code);
}
await putMany(100);
await attempt(() => store.checkpoint());
console.log(refused > 0 ? "some refused" : "none refused");
for (const descriptor of held) closeSync(descriptor);

const before = refused;
await putMany(200);
await store.checkpoint();
await store.close();
console.log(`afterwards ${refused - before} refused, unexpected: ${[...unexpected].join("; ")}`);

const again = await HybridStore.open(path);
const lost = acknowledged.filter((key) => !again.hasSync(key)).length;
const { faults } = await again.verify();
await again.close();
console.log(
  `lost ${lost} of ${acknowledged.length >= 100 ? "them" : "few"}, faults ${faults.length}`,
);
