/**
 * What a user of the package does, in every runtime: `check_package.ts` copies this file beside an
 * installed package and runs it there. Prints `ok`.
 *
 * @module
 */
import { StoreError, subjectIndexKey, subjectScanPrefix, voteCountKey } from "@hybrid/store/codec";
import { Journal } from "@hybrid/store/journal";
import * as all from "@hybrid/store";
import { type Kv, KvU64, openKv } from "@hybrid/store/kv";
import { HybridLevel } from "@hybrid/store/level";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

function check(holds: boolean, what: string): void {
  if (!holds) throw new Error(`Failed: ${what}`);
}

check(all.StoreError === StoreError, "each entry point shares one StoreError");
check(all.Journal === Journal, "each entry point shares one Journal");
check(StoreError.name === "StoreError", "classes keep their names");

const store: all.HybridStore = await all.HybridStore.openTemp();
await store.put(subjectIndexKey("Tesla"), new Uint8Array([1, 2, 3]));
check(await store.fetchAndAddU64(voteCountKey("Tesla", "h1"), 5n) === 5n, "a counter counts");
const entries: all.Entry[] = await store.scanPrefix(subjectScanPrefix("Tesla"));
check(entries.length === 2, "a scan reads both engines");
const value: Uint8Array | undefined = await store.get(subjectIndexKey("Tesla"));
check(value?.join() === "1,2,3", "a value comes back");
await store.close();

const kv: Kv = await openKv(":memory:");
await kv.set(["user", 1n], { name: "Ada", tags: new Set(["a"]) });
await kv.atomic().sum(["visits"], 2n).commit();
const user = await kv.get<{ tags: Set<string> }>(["user", 1n]);
check(user.value?.tags.has("a") === true, "a structured value comes back");
check((await kv.get(["visits"])).value instanceof KvU64, "a counter is a KvU64");
await kv.close();

const level = new HybridLevel<string, { n: number }>(":memory:", { valueEncoding: "json" });
await level.put("a", { n: 1 }, { sync: true });
await level.sublevel("s").put("b", "text");
const pairs: [string, { n: number }][] = await level.iterator({ gte: "a" }).all();
check(pairs.length === 1 && pairs[0]?.[1].n === 1, "Level's interface reads what it wrote");
await level.close();

const directory = mkdtempSync(join(tmpdir(), "hybridstore-consumer-"));
const journal = await Journal.open(directory);
const offset: bigint = await journal.append(new Uint8Array([4, 5]));
check((await journal.read(offset))?.payload.join() === "4,5", "a record comes back");
await journal.close();
rmSync(directory, { recursive: true });

console.log("ok");
