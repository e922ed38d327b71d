/** Deno KV, in Deno alone.
 *
 * @module
 */

import { join } from "node:path";
import type { KeyParts, KeySet, Prefix } from "../_data.ts";
import { type Open, type Session, updated } from "./peer.ts";

/** What is used of `Deno.openKv`, which only Deno's own types know, and only when told to. */
interface Kv {
  get(key: KeyParts): Promise<KvEntry>;
  set(key: KeyParts, value: unknown): Promise<unknown>;
  delete(key: KeyParts): Promise<void>;
  list(
    selector: { prefix: KeyParts } | { start: KeyParts; end: KeyParts },
    options: { limit?: number; batchSize?: number },
  ): AsyncIterable<unknown>;
  atomic(): KvAtomic;
  close(): void;
}

interface KvEntry {
  readonly key: KeyParts;
  readonly value: unknown;
  readonly versionstamp: string | null;
}

interface KvAtomic {
  check(entry: KvEntry): KvAtomic;
  set(key: KeyParts, value: unknown): KvAtomic;
  sum(key: KeyParts, delta: bigint): KvAtomic;
  commit(): Promise<{ ok: boolean }>;
}

const { openKv } = (globalThis as unknown as {
  Deno?: { openKv?: (path: string) => Promise<Kv> };
}).Deno ?? {};

/** The most rows that one round trip of a list may bring. */
const LIST_BATCH = 500;
/** Deno KV refuses transactions of more than 1,000 writes, or 800 KiB. */
const ATOMIC_WRITES = 500;
const ATOMIC_BYTES = 500_000;
/** Above every key: subjects are text of ASCII. */
const LAST: KeyParts = ["\u{10ffff}"];

class DenoKvSession implements Session {
  readonly #kv: Kv;

  constructor(kv: Kv) {
    this.#kv = kv;
  }

  keysOf = (keys: KeySet) => keys.parts;
  put = (key: KeyParts, value: Uint8Array) => this.#kv.set(key, value);
  settle = () => Promise.resolve();
  get = (key: KeyParts) => this.#kv.get(key);
  getSync = (key: KeyParts) => this.#kv.get(key);
  add = (key: KeyParts) => this.#kv.atomic().sum(key, 1n).commit();
  delete = (key: KeyParts) => this.#kv.delete(key);

  close(): Promise<void> {
    this.#kv.close();
    return Promise.resolve();
  }

  async putAll(keys: readonly KeyParts[], values: readonly Uint8Array[]): Promise<void> {
    const size = Math.min(ATOMIC_WRITES, Math.floor(ATOMIC_BYTES / (values[0]?.length ?? 1)));
    for (let i = 0; i < keys.length; i += size) {
      await this.putBatch(keys.slice(i, i + size), values.slice(i, i + size));
    }
  }

  putBatch = (keys: readonly KeyParts[], values: readonly Uint8Array[]) => {
    const atomic = this.#kv.atomic();
    for (let i = 0; i < keys.length; i++) atomic.set(keys[i]!, values[i]!);
    return atomic.commit();
  };

  scan = ({ parts }: Prefix) => this.#read({ prefix: parts }, {});
  scanFrom = (start: KeyParts, limit: number) => this.#read({ start, end: LAST }, { limit });

  scanAll = async () => {
    let rows = 0;
    for await (const _entry of this.#kv.list({ prefix: [] }, { batchSize: LIST_BATCH })) rows++;
    return rows;
  };

  update = async (key: KeyParts) => {
    for (;;) {
      const entry = await this.#kv.get(key);
      const value = updated(entry.value as Uint8Array | undefined ?? undefined);
      if ((await this.#kv.atomic().check(entry).set(key, value).commit()).ok) return;
    }
  };

  async #read(selector: Parameters<Kv["list"]>[0], options: { limit?: number }): Promise<number> {
    const entries: unknown[] = [];
    const batchSize = Math.min(options.limit ?? LIST_BATCH, LIST_BATCH);
    for await (const entry of this.#kv.list(selector, { ...options, batchSize })) {
      entries.push(entry);
    }
    return entries.length;
  }
}

/** Absent in other runtimes, and in Deno without `--unstable-kv`. */
export const denoKv: Open | undefined = openKv &&
  (async (directory) => new DenoKvSession(await openKv(join(directory, "kv.sqlite"))));
