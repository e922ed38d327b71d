/** Deno KV: Deno's own, in other runtimes that of the package `@deno/kv`.
 *
 * @module
 */

import { join } from "node:path";
import { deserialize, serialize } from "node:v8";
import type { KeyParts, KeySet, Prefix } from "../_data.ts";
import { type Open, type Session, updated } from "./peer.ts";

/** What is used of a database. `Deno.openKv` is in Deno's own types alone, and only when told to. */
export interface Kv {
  get(key: KeyParts): Promise<KvEntry>;
  getMany(keys: readonly KeyParts[]): Promise<readonly KvEntry[]>;
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

/** Opens the database in a file. */
export type OpenKv = (path: string) => Promise<Kv>;

/** Returns `undefined` where the package is missing, or has no binary for the platform. */
async function loadPackage(): Promise<OpenKv | undefined> {
  try {
    const { openKv } = await import("@deno/kv");
    // Bun has to be told; bytes, which are all that is put here, never come to them.
    const options = { encodeV8: serialize, decodeV8: deserialize };
    const open = (path: string) => openKv(path, options) as Promise<unknown> as Promise<Kv>;
    (await open(":memory:")).close();
    return open;
  } catch {
    return undefined;
  }
}

const { Deno } = globalThis as unknown as { Deno?: { openKv?: OpenKv } };

/** Absent where the package cannot be loaded, and in Deno without `--unstable-kv`. */
export const openKv: OpenKv | undefined = Deno === undefined ? await loadPackage() : Deno.openKv;

/** The most rows that one round trip of a list may bring. */
export const LIST_BATCH = 500;
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

/** Absent where `openKv` is. */
export const denoKv: Open | undefined = openKv &&
  (async (directory) => new DenoKvSession(await openKv(join(directory, "kv.sqlite"))));
