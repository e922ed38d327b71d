/** What the tests of the contract are made with. */

import { assertEquals, assertRejects } from "@std/assert";
import { type Entry, type OrderedStore, StoreError, toText } from "../../mod.ts";

/** What a store differs in from others. */
export interface ContractTraits {
  /** Whether the empty key is one. */
  readonly hasEmptyKey: boolean;
  /** Bytes of the longest key. */
  readonly keyBytesMax: number;
  /** Whether the error of a transaction that was in vain has the key that was in the way. */
  readonly namesConflicts: boolean;
}

/** Registers a test, which gets an empty store. */
export type Contract = (what: string, run: (store: OrderedStore) => Promise<void>) => void;

export const text = (value: Uint8Array | undefined) => value && toText(value);

export const texts = (entries: Iterable<Entry>) =>
  Array.from(entries, ({ key, value }) => [toText(key), toText(value)]);

export const keysOf = async (keys: AsyncIterable<Uint8Array>) =>
  (await Array.fromAsync(keys)).map((key) => toText(key));

/** Fails unless the call throws, or its promise rejects with, a `StoreError` of a code. */
export async function assertCode(call: () => unknown, code: string): Promise<StoreError> {
  const error = await assertRejects(async () => await call(), StoreError);
  assertEquals(error.code, code, error.message);
  return error;
}
