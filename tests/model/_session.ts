import { assertEquals } from "@std/assert";
import {
  type HybridStore,
  type OrderedSnapshot,
  type OrderedStore,
  StoreError,
} from "../../mod.ts";
import { hex, Model, Refused } from "./_model.ts";
import type { Random } from "../support/random.ts";

/** A store and its model, which are asked to do the same, and have to agree each time. */
export abstract class Session<Store extends OrderedStore = OrderedStore> {
  /** What was done, latest last. */
  readonly log: string[] = [];
  readonly random: Random;
  model = new Model();
  store!: Store;
  /** Snapshots that are open, each with the model as it was. */
  readonly snapshots: { snapshot: OrderedSnapshot; model: Model }[] = [];
  #pending: Promise<unknown>[] = [];

  constructor(random: Random) {
    this.random = random;
  }

  /** The store where it also answers at once. */
  get local(): HybridStore | undefined {
    return undefined;
  }

  /** Opens an empty store. */
  abstract open(): Promise<void>;

  /** Closes the store and opens it once more. */
  abstract reopen(): Promise<void>;

  /** Closes the store, opens it once more and compares all of it. */
  async end(): Promise<void> {
    await this.reopen();
    assertEquals(rowsOf(await Array.fromAsync(this.store.scan())), this.model.scan({}));
    assertEquals(await this.store.count(), this.model.size);
    await this.store.close();
  }

  /** Closes what a failure left open. */
  async abandon(): Promise<void> {
    await Promise.allSettled([...this.#pending, this.store.close()]);
  }

  async settle(): Promise<void> {
    await Promise.all(this.#pending.splice(0));
  }

  async flush(): Promise<void> {
    this.log.push("flush");
    await this.store.flush();
  }

  /** Compares what a write comes to with what the model makes of it. The model follows at once; the
   * store may be asked for more before it has acknowledged this. */
  expect<T>(what: string, actual: Promise<T>, change: () => T): void {
    this.log.push(what);
    let expected: T | undefined;
    let refusal: Refused | undefined;
    try {
      expected = change();
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      refusal = error;
    }
    const checked = refusal === undefined
      ? actual.then((value) => assertEquals(value, expected, what))
      : codeOf(actual).then((code) => assertEquals(code, refusal.code, what));
    // It is looked at when the session settles.
    checked.catch(() => {});
    this.#pending.push(checked);
  }

  /** Closes the store while it writes. */
  protected async closeStore(): Promise<void> {
    // Before the writes are acknowledged, which closing has to see to.
    const closing = this.store.close();
    await this.settle();
    await closing;
    for (const { snapshot } of this.snapshots.splice(0)) {
      assertEquals(await codeOf(snapshot.get(Uint8Array.of(1))), "CLOSED");
      if (this.random.once(2)) await snapshot[Symbol.asyncDispose]();
    }
  }
}

/** Returns what a promise rejects with, as the model says it; "nothing" where it resolves. */
export async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof StoreError || error instanceof Refused) return error.code;
    if (error instanceof RangeError) return "RangeError";
    throw error;
  }
  return "nothing";
}

/** Returns entries as the model shows them. */
export function rowsOf(
  entries: Iterable<{ key: Uint8Array; value: Uint8Array }>,
): [string, string][] {
  return Array.from(entries, ({ key, value }) => [hex(key), hex(value)]);
}

/** Returns a key as the log shows it. */
export function name(key: Uint8Array): string {
  const digits = hex(key);
  return digits.length > 60 ? `${digits.slice(0, 60)}… (${key.length})` : digits;
}

/** Returns a range as the log shows it. */
export function show(range: object): string {
  const shown = Object.entries(range).map(([key, value]) =>
    `${key} ${value instanceof Uint8Array ? name(value) : value}`
  );
  return `{ ${shown.join(", ")} }`;
}
