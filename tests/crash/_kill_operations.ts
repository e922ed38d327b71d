/** The operations of the kill campaigns. Operation `n` of a seed is the same in every process, so that
 * numbers alone have to pass between the process that is killed and the one that checks.
 */

import { Buffer } from "node:buffer";
import {
  assertionKey,
  decodeF32,
  decodeU64,
  encodeF32,
  encodeU64,
  type HybridStore,
  mvKey,
  quotaKey,
  trustRankKey,
  voteCountKey,
  voteWeightKey,
} from "../../mod.ts";
import { Random } from "../support/random.ts";
import { foldInto } from "./_feed_views.ts";

const SUBJECTS = 6;
const KEYS_PER_SUBJECT = 20;
const COUNTERS = 5;
/** More than the chunk in which the store builds its records. */
const LARGE_BYTES = 300_000;

interface Write {
  readonly key: Uint8Array;
  readonly value: Uint8Array | undefined;
}

/** One call of the store. */
export type Operation =
  | { readonly kind: "put"; readonly key: Uint8Array; readonly value: Uint8Array }
  | { readonly kind: "delete"; readonly key: Uint8Array }
  | { readonly kind: "batch"; readonly writes: readonly Write[] }
  | { readonly kind: "add"; readonly key: Uint8Array; readonly delta: bigint }
  | { readonly kind: "swap"; readonly key: Uint8Array; readonly by: number }
  | { readonly kind: "deleteRange"; readonly prefix: Uint8Array }
  | {
    /** Moves an amount from one counter to another, or throws where there is too little. */
    readonly kind: "transfer";
    readonly from: Uint8Array;
    readonly to: Uint8Array;
    readonly amount: bigint;
    readonly note: Write;
  };

/** What an operation did to a model. */
export interface Effect {
  /** What the store's promise says, as text. */
  readonly outcome: string;
  /** The keys that were written, also where that changed nothing. */
  readonly keys: readonly string[];
}

/** Returns operation `n` of a seed. */
export function operationAt(seed: number, n: number): Operation {
  const random = new Random(Math.imul(seed ^ n, 0x9e3779b1) + n);
  const kind = random.below(100);
  if (kind < 36) return { kind: "put", key: someKey(random), value: someValue(random, n) };
  if (kind < 46) return { kind: "delete", key: someKey(random) };
  if (kind < 66) return { kind: "batch", writes: someWrites(random, n) };
  if (kind < 80) {
    return { kind: "add", key: someCounter(random), delta: BigInt(1 + random.below(9)) };
  }
  if (kind < 86) return { kind: "swap", key: someWeight(random), by: 1 + random.below(9) };
  if (kind < 99) {
    return {
      kind: "transfer",
      from: someCounter(random),
      to: someCounter(random),
      amount: BigInt(random.below(40)),
      note: { key: someKey(random), value: someValue(random, n) },
    };
  }
  return { kind: "deleteRange", prefix: new TextEncoder().encode(someSubject(random)) };
}

function someSubject(random: Random): string {
  return `subject${random.below(SUBJECTS)}`;
}

function someKey(random: Random): Uint8Array {
  const name = `${random.below(KEYS_PER_SUBJECT)}`;
  return random.once(2)
    ? assertionKey(someSubject(random), name)
    : mvKey(someSubject(random), name);
}

/** Counters on both sides, so that a transfer between them is one over both engines. */
function someCounter(random: Random): Uint8Array {
  const number = random.below(COUNTERS);
  return random.once(2) ? voteCountKey("counters", `${number}`) : quotaKey("agent", number);
}

function someWeight(random: Random): Uint8Array {
  return random.once(2) ? voteWeightKey("weights", "hash") : trustRankKey("agent");
}

/** Returns a value that no other operation writes. */
function someValue(random: Random, n: number): Uint8Array {
  const bytes = random.once(1500) ? LARGE_BYTES : 8 + random.below(random.once(10) ? 3000 : 150);
  const value = new Uint8Array(bytes).fill(n);
  new DataView(value.buffer).setFloat64(0, n);
  return value;
}

/** Returns writes to both engines. */
function someWrites(random: Random, n: number): Write[] {
  return Array.from({ length: 2 + random.below(10) }, () => ({
    key: someKey(random),
    value: random.once(5) ? undefined : someValue(random, n),
  }));
}

/** Starts an operation on a store.
 *
 * @returns A promise of its outcome: see {@linkcode Effect}.
 */
export async function run(store: HybridStore, operation: Operation): Promise<string> {
  switch (operation.kind) {
    case "put":
      await store.put(operation.key, operation.value);
      return "";
    case "delete":
      await store.delete(operation.key);
      return "";
    case "batch": {
      const batch = store.batch();
      for (const { key, value } of operation.writes) {
        if (value === undefined) batch.delete(key);
        else batch.put(key, value);
      }
      await batch.commit();
      return "";
    }
    case "add":
      return `${await store.fetchAndAddU64(operation.key, operation.delta)}`;
    case "swap":
      return `${await store.compareAndSwapF32(operation.key, (n) => weigh(n, operation.by))}`;
    case "deleteRange":
      return `${await store.deleteRange({ prefix: operation.prefix })}`;
    case "transfer":
      return await transfer(store, operation);
  }
}

/** What a transfer throws where there is too little, to have nothing of it written. */
class Refusal extends Error {}

async function transfer(
  store: HybridStore,
  { from, to, amount, note }: Operation & { kind: "transfer" },
): Promise<string> {
  try {
    const left = await store.transact((tx) => {
      tx.fetchAndAddU64(to, amount);
      tx.put(note.key, note.value!);
      const stored = tx.get(from);
      if (stored === undefined || decodeU64(stored) < amount) throw new Refusal();
      return tx.fetchAndAddU64(from, -amount);
    });
    return `${left}`;
  } catch (error) {
    if (error instanceof Refusal) return "refused";
    throw error;
  }
}

function weigh(current: number, by: number): number {
  return current * 0.5 + by;
}

/** What a store has to hold: latin-1 strings of keys and values, which compare natively. */
export class Model {
  readonly entries: Map<string, string>;
  readonly #isFed: boolean;

  /** @param isFed Whether the views of `_feed_views.ts` are kept as well, and are up to date. */
  constructor(entries: Iterable<readonly [string, string]> = [], isFed = false) {
    this.entries = new Map(entries);
    this.#isFed = isFed;
  }

  /** Does what the store does. */
  apply(operation: Operation): Effect {
    switch (operation.kind) {
      case "put":
        return this.#write([operation]);
      case "delete":
        return this.#write([{ key: operation.key, value: undefined }]);
      case "batch":
        return this.#write(operation.writes);
      case "add": {
        const { key, delta } = operation;
        const sum = this.#u64(key) + delta;
        return this.#write([{ key, value: encodeU64(sum) }], `${sum}`);
      }
      case "swap": {
        const { key, by } = operation;
        const stored = this.#get(key);
        const value = encodeF32(weigh(stored === undefined ? 0 : decodeF32(stored), by));
        return this.#write([{ key, value }], `${decodeF32(value)}`);
      }
      case "deleteRange": {
        const prefix = text(operation.prefix);
        const keys = [...this.entries.keys()].filter((key) => key.startsWith(prefix));
        for (const key of keys) this.entries.delete(key);
        const views = this.#feed(keys.map((key) => ({ key, value: undefined })));
        return { keys: [...keys, ...views], outcome: `${keys.length}` };
      }
      case "transfer":
        return this.#transfer(operation);
    }
  }

  #transfer({ from, to, amount, note }: Operation & { kind: "transfer" }): Effect {
    const isSame = text(from) === text(to);
    const available = this.#get(from);
    // Within the transaction the amount has been added already.
    const left = (available === undefined ? 0n : decodeU64(available)) + (isSame ? amount : 0n);
    if ((available === undefined && !isSame) || left < amount) {
      return { keys: [], outcome: "refused" };
    }
    const rest = left - amount;
    const writes = isSame
      ? [{ key: from, value: encodeU64(rest) }, note]
      : [{ key: to, value: encodeU64(this.#u64(to) + amount) }, note, {
        key: from,
        value: encodeU64(rest),
      }];
    return this.#write(writes, `${rest}`);
  }

  #write(writes: readonly Write[], outcome = ""): Effect {
    for (const { key, value } of writes) {
      if (value === undefined) this.entries.delete(text(key));
      else this.entries.set(text(key), text(value));
    }
    const named = writes.map(({ key, value }) => ({ key: text(key), value }));
    return { keys: [...named.map(({ key }) => key), ...this.#feed(named)], outcome };
  }

  #feed(writes: Parameters<typeof foldInto>[1]): string[] {
    return this.#isFed ? foldInto(this.entries, writes) : [];
  }

  #get(key: Uint8Array): Uint8Array | undefined {
    const found = this.entries.get(text(key));
    return found === undefined ? undefined : new Uint8Array(Buffer.from(found, "latin1"));
  }

  #u64(key: Uint8Array): bigint {
    const found = this.#get(key);
    return found === undefined ? 0n : decodeU64(found);
  }
}

/** Returns bytes as a string that has one character for each. */
export function text(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
}
