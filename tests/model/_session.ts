import { cpSync, mkdirSync } from "node:fs";
import { assertEquals, assertGreater } from "@std/assert";
import { join } from "@std/path";
import { HybridStore, type Snapshot, StoreError } from "../../mod.ts";
import { someOptions } from "./_choices.ts";
import { hex, Model, Refused } from "./_model.ts";
import { idle } from "../support/crash_image.ts";
import type { Random } from "../support/random.ts";

/** A store and its model, which are asked to do the same, and have to agree each time. */
export class Session {
  /** What was done, latest last. */
  readonly log: string[] = [];
  readonly random: Random;
  model = new Model();
  store!: HybridStore;
  /** Snapshots that are open, each with the model as it was. */
  readonly snapshots: { snapshot: Snapshot; model: Model }[] = [];
  readonly #parent: string;
  #stores = 0;
  #pending: Promise<unknown>[] = [];

  /** @param parent A directory for the stores. */
  constructor(random: Random, parent: string) {
    this.random = random;
    this.#parent = parent;
  }

  async open(): Promise<void> {
    this.store = await HybridStore.open(this.#path(), someOptions(this.random));
  }

  /** Closes the store, opens it once more and compares all of it. */
  async end(): Promise<void> {
    await this.reopen();
    assertEquals(rowsOf(this.store.scanSync()), this.model.scan({}));
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

  async checkpoint(): Promise<void> {
    this.log.push("checkpoint");
    await this.store.checkpoint();
    const { append, btree, journal, memtable } = this.store.stats();
    assertEquals([journal, memtable.keys], [{ bytes: 0, segments: 1 }, 0]);
    assertEquals(append.keys + btree.keys, this.model.size);
  }

  async reopen(): Promise<void> {
    this.log.push("close and open");
    const path = this.store.path;
    await this.#close();
    this.store = await HybridStore.open(path, someOptions(this.random));
    assertEquals(this.store.stats().recovery, { records: 0, replayed: 0, truncatedBytes: 0 });
  }

  /** Goes on with a copy of the files, as a process finds them after another one died. */
  async crash(): Promise<void> {
    this.log.push("crash");
    await this.settle();
    // A file that LMDB is writing cannot be copied.
    await idle(this.store);
    const { memtable } = this.store.stats();
    const image = this.#path();
    cpSync(this.store.path, image, { recursive: true });
    await this.#close();
    this.store = await HybridStore.open(image, someOptions(this.random));
    const { recovery } = this.store.stats();
    assertEquals(recovery.truncatedBytes, 0);
    if (memtable.keys > 0) assertGreater(recovery.replayed, 0);
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

  async #close(): Promise<void> {
    // Before the writes are acknowledged, which closing has to see to.
    const closing = this.store.close();
    await this.settle();
    await closing;
    for (const { snapshot } of this.snapshots.splice(0)) {
      assertEquals(await codeOf(snapshot.get(Uint8Array.of(1))), "CLOSED");
      if (this.random.once(2)) await snapshot[Symbol.asyncDispose]();
    }
  }

  #path(): string {
    const path = join(this.#parent, `store${this.#stores++}`);
    mkdirSync(path);
    return path;
  }
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
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
