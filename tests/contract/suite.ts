/** What every ordered store does, whatever it is made of. A store joins by a function that makes an empty one. */

import { test } from "node:test";
import { MAX_KEY_BYTES, type OrderedStore } from "../../mod.ts";
import type { Contract, ContractTraits } from "./_kit.ts";
import { testReads } from "./_reads.ts";
import { testTransactions } from "./_transactions.ts";
import { testWrites } from "./_writes.ts";

const TRAITS: ContractTraits = {
  hasEmptyKey: false,
  keyBytesMax: MAX_KEY_BYTES,
  namesConflicts: true,
};

/** Makes an empty store. What it returns is closed by the suite. */
export type MakeStore = () => Promise<OrderedStore>;

/** Registers the tests of a store.
 *
 * @param name What the tests call it.
 * @param differing What it differs in from others.
 * @param skip Why it cannot be tested here.
 */
export function contractSuite(
  name: string,
  make: MakeStore,
  differing: Partial<ContractTraits> = {},
  skip: string | false = false,
): void {
  const traits = { ...TRAITS, ...differing };
  const contract: Contract = (what, run) => {
    test(`${name}: ${what}`, { timeout: 600_000, skip }, async () => {
      await using store = await make();
      await run(store);
    });
  };
  testReads(contract, traits);
  testWrites(contract);
  testTransactions(contract, traits);
}
