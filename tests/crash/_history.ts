/** What was asked of a store, what it said, and whether a store that is found later keeps to that. */

import { Buffer } from "node:buffer";
import { assert, assertEquals } from "@std/assert";
import { assertionKey, type Durability, type HybridStore, mvKey, StoreError } from "../../mod.ts";

/** The contents of a store: keys and values as text, a character for each byte. */
export type State = ReadonlyMap<string, string>;

type Random = (limit: number) => number;

/** `written`: the operating system has it. `unknown`: it was refused by a store that cannot tell. */
type Status = "pending" | "written" | "durable" | "refused" | "unknown";

/** One call, and the writes that it stands for. */
interface Operation {
  readonly keys: readonly string[];
  /** What the call made of the keys, `undefined` where they are gone. */
  values: readonly (string | undefined)[];
  readonly touchesBtree: boolean;
  /** Calls of one group are one record. */
  readonly group: number;
  status: Status;
}

const KEYS = 8;

/** Every other key is one of the append side. The last two are counters. */
function keyOf(number: number): Uint8Array {
  return number % 2 === 0 ? assertionKey("s", `${number}`) : mvKey("s", `${number}`);
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("latin1");
}

/** Returns everything that a store shows. */
export function stateOf(store: HybridStore): State {
  const state = new Map<string, string>();
  for (const { key, value } of store.scanSync()) state.set(textOf(key), textOf(value));
  return state;
}

/** Makes random calls, and remembers them. */
export class History {
  readonly #durability: Durability;
  readonly #random: Random;
  #base: State = new Map();
  #operations: Operation[] = [];
  #group = 0;
  #values = 0;
  /** Calls that were acknowledged, in all. */
  acknowledged = 0;
  /** Called with each refusal. */
  onRefusal: (error: StoreError) => void = () => {};

  constructor(durability: Durability, random: Random) {
    this.#durability = durability;
    this.#random = random;
  }

  /** Ends the group: what is called from here on may survive or not, whatever became of the calls before. */
  endGroup(): void {
    this.#group++;
  }

  /** Makes one call. Resolves when the store has answered it. */
  write(store: HybridStore): Promise<void> {
    const random = this.#random;
    const [first] = [random(KEYS - 2)];
    switch (random(8)) {
      case 0:
        return this.#call(store, [first], () => store.delete(keyOf(first)));
      case 1:
      case 2: {
        const numbers = [...new Set([first, random(KEYS - 2), random(KEYS - 2)])];
        return this.#call(store, numbers, () => {
          const batch = store.batch();
          for (const number of numbers) {
            if (random(4) === 0) batch.delete(keyOf(number));
            else batch.put(keyOf(number), this.#value());
          }
          return batch.commit();
        });
      }
      case 3: {
        const counter = KEYS - 1 - random(2);
        return this.#call(store, [counter], () => store.fetchAndAddU64(keyOf(counter), 3n));
      }
      case 4: {
        const second = random(KEYS - 2);
        return this.#call(store, [first, second], () =>
          store.transact((tx) => {
            const found = tx.get(keyOf(first));
            tx.put(keyOf(second), found ?? this.#value());
            tx.put(keyOf(first), this.#value());
          }));
      }
      default:
        return this.#call(store, [first], () => store.put(keyOf(first), this.#value()));
    }
  }

  /** Asks for everything to be put on disk, one way or another. */
  async promise(call: () => Promise<unknown>): Promise<boolean> {
    const operations = [...this.#operations];
    this.endGroup();
    if (await this.attempt(call) !== true) return false;
    for (const operation of operations) {
      if (["pending", "written"].includes(operation.status)) operation.status = "durable";
    }
    return true;
  }

  /** Returns whether a call did what it was asked; it may fail only as a store does whose files do. */
  async attempt(call: () => Promise<unknown>): Promise<StoreError | true> {
    try {
      await call();
      return true;
    } catch (error) {
      assert(error instanceof StoreError, `${error instanceof Error ? error.stack : error}`);
      assert(["IO", "NO_SPACE", "POISONED"].includes(error.code), error.stack);
      this.onRefusal(error);
      return error;
    }
  }

  /** Fails unless the open store shows what was not refused. */
  assertShown(store: HybridStore, what: string): void {
    if (this.#operations.some(({ status }) => status === "unknown")) {
      stateOf(store);
    } else {
      assertEquals(show(stateOf(store)), show(this.#expected(this.#kept().length)), what);
    }
  }

  /** Fails unless what is found after a crash has all that was promised, and beyond that a prefix of the
   * groups. What was found is then promised from here on: opening makes it durable.
   */
  assertKept(found: State, crash: "process" | "power", what: string): void {
    this.assertFound(found, crash, what);
    this.#base = found;
    this.#operations = [];
  }

  /** Fails as `assertKept` does, and changes nothing: for one of several ways in which it may crash. */
  assertFound(found: State, crash: "process" | "power", what: string): void {
    const kept = this.#kept();
    const promised = crash === "power" ? ["durable"] : ["durable", "written"];
    const least = kept.findLastIndex(({ status }) => promised.includes(status)) + 1;
    const matches = (length: number) => {
      const isBetweenGroups = kept.length === 0 || kept[length - 1]?.group !== kept[length]?.group;
      return isBetweenGroups && show(this.#expected(length)).join() === show(found).join();
    };
    let length = kept.length;
    while (length >= least && !matches(length)) length--;
    if (length < least) {
      const expected = show(this.#expected(kept.length));
      assertEquals(show(found), expected, `${what}: no prefix of ${least} to ${kept.length} calls`);
    }
  }

  async #call(store: HybridStore, numbers: number[], call: () => Promise<unknown>): Promise<void> {
    const operation: Operation = {
      keys: numbers.map((number) => textOf(keyOf(number))),
      values: [],
      touchesBtree: numbers.some((number) => number % 2 === 1),
      group: this.#group,
      status: "pending",
    };
    this.#operations.push(operation);
    const answer = this.attempt(call);
    // Reads see a write from the call on.
    operation.values = numbers.map((number) => {
      const value = store.getSync(keyOf(number));
      return value && textOf(value);
    });
    const result = await answer;
    if (result === true) {
      this.acknowledged++;
      const { touchesBtree, status } = operation;
      const isDurable = status === "durable" || this.#durability === "always" ||
        (this.#durability === "hybrid" && touchesBtree);
      operation.status = isDurable ? "durable" : "written";
    } else {
      operation.status = result.code === "POISONED" ? "unknown" : "refused";
    }
  }

  #value(): Uint8Array {
    const value = new Uint8Array(4 + this.#random(60));
    new DataView(value.buffer).setUint32(0, ++this.#values);
    return value;
  }

  #kept(): Operation[] {
    return this.#operations.filter(({ status }) => status !== "refused");
  }

  #expected(length: number): State {
    const state = new Map(this.#base);
    for (const { keys, values } of this.#kept().slice(0, length)) {
      for (const [index, key] of keys.entries()) {
        const value = values[index];
        if (value === undefined) state.delete(key);
        else state.set(key, value);
      }
    }
    return state;
  }
}

/** Sorts a state and makes it readable. */
function show(state: State): string[] {
  return [...state].map(([key, value]) =>
    `${JSON.stringify(key)}=${Buffer.from(value, "latin1").toString("hex")}`
  )
    .sort();
}
