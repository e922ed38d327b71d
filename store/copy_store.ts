/** Copying between stores, whatever they are made of.
 *
 * @module
 */

import { describe, requireOptions, requireSignal, toBytes } from "./limits.ts";
import type { OrderedStore } from "./ordered_store.ts";
import type { BytesLike } from "./types.ts";

/** What is read and written at a time. */
const PAGE = { rows: 1000, bytes: 1024 * 1024 };

/** How `copyStore` copies.
 *
 * @category Contract
 */
export interface CopyOptions {
  /** Only keys that begin with these bytes, which the copies have too. */
  prefix?: BytesLike;
  /** Ends the copying when it is aborted, which then rejects with the signal's reason. */
  signal?: AbortSignal;
  /** Told after each page how many keys are copied. If it throws, the copying ends and rejects with that. */
  onProgress?: (progress: { keys: number }) => void;
}

/** What `copyStore` has copied.
 *
 * @category Contract
 */
export interface CopyReport {
  /** Entries. */
  keys: number;
  /** Bytes of their keys and values. */
  bytes: number;
}

/** Copies the entries of one store, as they are at the call, into another one: from a file into memory or onto a
 * cluster, from a part of a store into a store of its own, and back.
 *
 * Keys that the target has already are overwritten, and its others stay. The copying is not atomic: where it
 * fails, any part of the entries may be there, and copying again makes it right. Holds about 1 MiB in memory, or
 * one larger entry.
 *
 * @param from Read through a snapshot, so that it can be written meanwhile.
 * @param to Gets batches of up to 1000 entries.
 * @returns What was copied, once all of it is on disk in the target.
 * @throws {TypeError} An argument is not valid.
 * @throws {RangeError} A key is too long for the target, or empty there.
 * @throws {StoreError} As the stores' own methods do.
 *
 * @example
 * ```ts
 * import { copyStore, HybridStore } from "@hybrid/store";
 * import { assertEquals } from "@std/assert";
 *
 * await using store = await HybridStore.openTemp();
 * await store.batch().put("user/1", "Ada").put("user/2", "Grace").put("log", "").commit();
 * await using memory = await HybridStore.openMemory();
 * assertEquals(await copyStore(store.sub("user/"), memory), { keys: 2, bytes: 10 });
 * assertEquals(await memory.has("1"), true);
 * ```
 */
export async function copyStore(
  from: OrderedStore,
  to: OrderedStore,
  options: CopyOptions = {},
): Promise<CopyReport> {
  const what = "Cannot copy store";
  for (const [name, store] of Object.entries({ from, to })) {
    if (typeof store?.scanPrefix === "function") continue;
    throw new TypeError(`${what}: ${name} is ${describe(store)}, not a store`);
  }
  requireOptions(what, options, ["prefix", "signal", "onProgress"]);
  const { prefix = "", signal, onProgress } = options;
  requireSignal(what, signal);
  const range = { prefix: toBytes(what, "prefix", prefix), ...(signal && { signal }) };
  await using snapshot = await from.snapshot();
  const report = { keys: 0, bytes: 0 };
  for await (const page of snapshot.scanPages(range, PAGE)) {
    const batch = to.batch();
    for (const { key, value } of page) {
      batch.put(key, value);
      report.bytes += key.length + value.length;
    }
    await batch.commit();
    report.keys += page.length;
    onProgress?.({ keys: report.keys });
  }
  await to.flush();
  return report;
}
