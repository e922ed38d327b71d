/** A bank whose transfers ask somebody before they are made: a transaction with an `await` in its middle.
 *
 *     bun examples/bank.ts
 *
 * Balances are read, the answer is waited for, and both are written, as if nothing had happened in between: if
 * one of them was changed meanwhile, the transfer begins anew.
 *
 * @module
 */

import { HybridStore, toText } from "@hybrid/store";

/** Answers whether a transfer is to be made: a service elsewhere, which takes its time. */
export type Approval = (from: string, to: string, cents: number) => Promise<boolean>;

/** Accounts in a store. */
export class Bank {
  readonly #store: HybridStore;
  readonly #approve: Approval;

  constructor(store: HybridStore, approve: Approval) {
    this.#store = store;
    this.#approve = approve;
  }

  /** Opens an account with some cents. */
  async open(name: string, cents: number): Promise<void> {
    await this.#store.put(accountKey(name), `${cents}`);
  }

  /** Returns the cents of an account. */
  async balance(name: string): Promise<number> {
    return centsOf(await this.#store.get(accountKey(name)));
  }

  /** Moves cents from one account to another, and returns whether that was approved.
   *
   * @throws {RangeError} There are not as many; nothing has changed.
   */
  transfer(from: string, to: string, cents: number): Promise<boolean> {
    return this.#store.transaction(async (tx) => {
      const left = centsOf(await tx.get(accountKey(from))) - cents;
      if (left < 0) throw new RangeError(`${from} lacks ${-left} cents`);
      // It may be asked again, if something was in the way: so asking must change nothing.
      if (!await this.#approve(from, to, cents)) return false;
      tx.put(accountKey(from), `${left}`);
      tx.put(accountKey(to), `${centsOf(await tx.get(accountKey(to))) + cents}`);
      return true;
    });
  }

  /** Returns the cents of all accounts together, at one moment. */
  total(): Promise<number> {
    return this.#store.transaction(async (tx) => {
      let total = 0;
      for await (const { value } of tx.scan({ prefix: "account/" })) total += centsOf(value);
      return total;
    });
  }
}

function accountKey(name: string): string {
  return `account/${name}`;
}

function centsOf(value: Uint8Array | undefined): number {
  return Number(toText(value) ?? 0);
}

if (import.meta.main) {
  await using store = await HybridStore.openTemp();
  const bank = new Bank(store, () => new Promise((answer) => setTimeout(answer, 5, true)));
  await bank.open("ada", 100_00);
  await bank.open("bob", 100_00);
  await Promise.all([bank.transfer("ada", "bob", 30_00), bank.transfer("bob", "ada", 10_00)]);
  console.log(await bank.balance("ada"), await bank.balance("bob"), await bank.total());
}
