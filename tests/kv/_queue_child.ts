/** Puts messages into the queue of a store and works on those that it gets, and says what it does, until it is
 * killed or, where it is to end, until there are no more: `… PATH LIFE ends|goes_on`.
 *
 * Lines: `put ID` once that is acknowledged; `begin ID`, and `end ID` or `fail ID`, by the handler; in the end
 * `end ID` for those that were given up, and `empty`.
 *
 * @module
 */
import { writeSync } from "node:fs";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { openKv } from "../../kv/mod.ts";
import { HybridStore } from "../../store/hybrid_store.ts";

const [path, life, mode] = process.argv.slice(2) as [string, string, string];
const store = await HybridStore.open(path, { routes: [], defaultEngine: "append" });
const kv = await openKv(store);

function say(line: string): void {
  writeSync(1, `${line}\n`);
}

console.error = () => {};
for (const concurrency of [2, 5]) {
  void kv.listenQueue(async (id) => {
    say(`begin ${id}`);
    await sleep(Math.random() * 4);
    if (Math.random() < 0.1) {
      say(`fail ${id}`);
      throw new Error("again");
    }
    say(`end ${id}`);
  }, { concurrency });
}

async function put(caller: number): Promise<void> {
  for (let i = 0;; i++) {
    const id = `${life}/${caller}/${i}`;
    const delay = Math.random() < 0.2 ? Math.floor(Math.random() * 50) : 0;
    // What is not dealt with in the end is found in the store.
    const options = { delay, backoffSchedule: [5, 5, 5], keysIfUndelivered: [["failed", id]] };
    if (i % 3 === 0) await kv.atomic().enqueue(id, options).sum(["count"], 1n).commit();
    else await kv.enqueue(id, options);
    say(`put ${id}`);
    await sleep(Math.random() * 3);
  }
}

if (mode === "ends") {
  while (await store.count({ prefix: new Uint8Array([4]) }) > 0) await sleep(5);
  for await (const { value } of kv.list({ prefix: ["failed"] })) say(`end ${value}`);
  await kv.close();
  await store.close();
  say("empty");
} else {
  for (const caller of [1, 2, 3]) void put(caller);
}
