/** An event log with a view of it: events go into a journal, and a reader turns them into balances.
 *
 *     bun examples/event_log.ts
 *
 * How far the view has come is written in the same transaction as the view. So each event counts exactly
 * once, wherever the process is killed.
 *
 * @module
 */

import { decodeU64, encodeU64, HybridStore, Journal, toJson } from "@hybrid/store";
import { mkdtempSync, rmSync } from "node:fs";

/** Money that goes to an account. */
export interface Deposit {
  readonly account: string;
  readonly cents: number;
}

const CURSOR = "cursor";

/** Appends an event. It is on disk when this resolves. */
export async function deposit(journal: Journal, event: Deposit): Promise<void> {
  await journal.append(new TextEncoder().encode(JSON.stringify(event)));
}

/** Brings the view up to the end of the journal, and returns how many events were new to it. */
export async function updateBalances(journal: Journal, store: HybridStore): Promise<number> {
  const cursor = await store.get(CURSOR);
  let events = 0;
  for await (
    const { payload, next } of journal.entries(cursor && { from: decodeU64(cursor) })
  ) {
    const { account, cents } = toJson<Deposit>(payload);
    await store.transact((tx) => {
      tx.fetchAndAddU64(`balance/${account}`, BigInt(cents));
      tx.put(CURSOR, encodeU64(next));
    });
    events++;
  }
  return events;
}

/** Returns the balance of an account, in cents. */
export async function balanceOf(store: HybridStore, account: string): Promise<number> {
  const balance = await store.get(`balance/${account}`);
  return balance === undefined ? 0 : Number(decodeU64(balance));
}

if (import.meta.main) {
  const directory = mkdtempSync("events-");
  {
    await using journal = await Journal.open(`${directory}/journal`);
    await using store = await HybridStore.open(`${directory}/store`);
    await deposit(journal, { account: "ada", cents: 250 });
    await deposit(journal, { account: "ada", cents: 125 });
    console.log(`${await updateBalances(journal, store)} events`);
    console.log(`${await balanceOf(store, "ada")} cents`);
  }
  rmSync(directory, { recursive: true });
}
