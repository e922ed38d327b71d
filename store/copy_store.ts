/** Copying between stores, whatever they are made of.
 *
 * @module
 */

import { StoreError } from "../codec/error.ts";
import { describe, requireOptions, requireSignal, toBytes } from "./limits.ts";
import type { OrderedBatch, OrderedStore } from "./ordered_store.ts";
import type { BytesLike, Change, ChangesOptions } from "./types.ts";

/** What is read and written at a time. */
const PAGE = { rows: 1000, bytes: 1024 * 1024 };

/** Where a copy stands: with it as `after`, another call goes on from there.
 *
 * @category Contract
 */
export interface CopyPlace {
  /** The last key that was copied; missing where all of them were. */
  key?: Uint8Array;
  /** What the target has of the source's change feed: everything up to this position, or later. Missing where the
   * source has no feed. */
  position?: bigint;
}

/** How `copyStore` copies.
 *
 * @category Contract
 */
export interface CopyOptions {
  /** Only keys that begin with these bytes, which the copies have too. */
  prefix?: BytesLike;
  /** Where an earlier call with the same stores and prefix stood: the `place` of its last progress, where it has not
   * ended, or the `position` of its report. Without one, which a source without a feed does not have, all is copied. */
  after?: bigint | CopyPlace | undefined;
  /** Ends the copying when it is aborted, which then rejects with the signal's reason. */
  signal?: AbortSignal;
  /** Told after each page how many keys are copied, and where the copy then stands. If it throws, the copying ends and
   * rejects with that. */
  onProgress?: (progress: { keys: number; place: CopyPlace }) => void;
}

/** What `copyStore` has copied.
 *
 * @category Contract
 */
export interface CopyReport {
  /** Entries; of changes, writes and deletions. */
  keys: number;
  /** Bytes of their keys and values. */
  bytes: number;
  /** Where the source's change feed goes on behind them; missing where it has none. */
  position?: bigint;
}

/** Copies the entries of one store, as they are at the call, into another one: from a file into memory or onto a
 * cluster, from a part of a store into a store of its own, and back. With the position of an earlier copy it copies what
 * has changed since, in the order of the change feed, a batch of the source always together. So a store that is in use
 * can be moved: it has to pause for the last changes alone.
 *
 * Keys that the target has already are overwritten, and its others stay. The copying is not atomic: where it
 * fails, any part of the entries may be there. Another call makes it right: from the beginning, or from the `place` that
 * `onProgress` was told last. Holds about 1 MiB in memory, or one larger entry or batch of the source.
 *
 * The copies of a call that has gone on from a place show no single moment; with the changes after its `position` they
 * do. A cursor of the source keeps the changes meanwhile.
 *
 * @param from Read through a snapshot, so that it can be written meanwhile.
 * @param to Gets batches of up to 1000 entries.
 * @returns What was copied, once all of it is on disk in the target.
 * @throws {TypeError} An argument is not valid.
 * @throws {RangeError} A key is too long for the target, or empty there; a batch of the source is too long for it.
 * @throws {StoreError} `UNSUPPORTED`: the source has no change feed, and changes were asked for; `CURSOR_LOST`: it does
 * not reach back to `after`; as the stores' own methods do.
 *
 * @example
 * ```ts
 * import { copyStore, HybridStore } from "@hybrid/store";
 * import { assertEquals } from "@std/assert";
 *
 * await using store = await HybridStore.openTemp();
 * await store.batch().put("user/1", "Ada").put("user/2", "Grace").put("log", "").commit();
 * await using memory = await HybridStore.openMemory();
 * const { keys, bytes } = await copyStore(store.sub("user/"), memory);
 * assertEquals([keys, bytes], [2, 10]);
 * assertEquals(await memory.has("1"), true);
 * ```
 *
 * @example Moving a store that is in use
 * ```ts
 * import { copyStore, HybridStore } from "@hybrid/store";
 * import { assertEquals } from "@std/assert";
 *
 * await using from = await HybridStore.openTemp();
 * await using to = await HybridStore.openTemp();
 * await from.put("a", "1");
 *
 * await from.createCursor("move"); // keeps the changes
 * let { position: after } = await copyStore(from, to);
 * await from.put("b", "2"); // the program goes on
 * ({ position: after } = await copyStore(from, to, { after }));
 * await from.delete("a");
 * // Here the program pauses, and then goes on with the other store.
 * await copyStore(from, to, { after });
 * await from.deleteCursor("move");
 *
 * assertEquals(await to.count(), 1);
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
  requireOptions(what, options, ["prefix", "after", "signal", "onProgress"]);
  const { signal } = options;
  requireSignal(what, signal);
  const prefix = toBytes(what, "prefix", options.prefix ?? "");
  const after = resolvePlace(what, options.after);
  const target = new Target(to, options.onProgress);
  const range = { prefix, ...(signal && { signal }) };
  const position = after.position !== undefined && after.key === undefined
    ? await copyChanges(what, from, target, { after: after.position, ...range })
    : await copyEntries(from, target, after, range);
  await to.flush();
  return { ...target.copied, ...(position !== undefined && { position }) };
}

interface CopiedRange {
  readonly prefix: Uint8Array;
  readonly signal?: AbortSignal;
}

/** Returns where the change feed goes on, where there is one. */
async function copyEntries(
  from: OrderedStore,
  target: Target,
  { key: first, position: known }: CopyPlace,
  range: CopiedRange,
): Promise<bigint | undefined> {
  await using snapshot = await from.snapshot();
  // What was copied before may have changed since: the changes begin where that began.
  const position = known ?? (snapshot as { readonly position?: bigint }).position;
  const place = position === undefined ? {} : { position };
  const rest = first === undefined ? range : { ...range, gt: first };
  for await (const page of snapshot.scanPages(rest, PAGE)) {
    for (const { key, value } of page) target.add(key, value);
    await target.commit({ ...place, key: page.at(-1)!.key.slice() });
  }
  return position;
}

/** Returns where the change feed goes on. */
async function copyChanges(
  what: string,
  from: OrderedStore,
  target: Target,
  options: CopiedRange & { readonly after: bigint },
): Promise<bigint> {
  if (!hasFeed(from)) {
    throw new StoreError(
      "UNSUPPORTED",
      `${what}: there is a position in after, but the source has no change feed; copy all of it`,
    );
  }
  let position = options.after;
  for await (const change of from.changes({ ...options, live: false })) {
    ({ position } = change);
    for (const { key, value } of change.writes) target.add(key, value);
    if (target.isFull) await target.commit({ position });
  }
  await target.commit({ position });
  return position;
}

/** What is copied, on its way into a store. */
class Target {
  readonly #to: OrderedStore;
  readonly #onProgress: CopyOptions["onProgress"];
  #batch: OrderedBatch;
  #bytes = 0;
  #keys = 0;
  /** What was committed. */
  readonly copied = { keys: 0, bytes: 0 };

  constructor(to: OrderedStore, onProgress: CopyOptions["onProgress"]) {
    this.#to = to;
    this.#onProgress = onProgress;
    this.#batch = to.batch();
  }

  get isFull(): boolean {
    return this.#keys >= PAGE.rows || this.#bytes >= PAGE.bytes;
  }

  add(key: Uint8Array, value: Uint8Array | undefined): void {
    if (value === undefined) this.#batch.delete(key);
    else this.#batch.put(key, value);
    this.#keys++;
    this.#bytes += key.length + (value?.length ?? 0);
  }

  async commit(place: CopyPlace): Promise<void> {
    if (this.#keys === 0) return;
    await this.#batch.commit();
    this.copied.keys += this.#keys;
    this.copied.bytes += this.#bytes;
    this.#batch = this.#to.batch();
    this.#keys = this.#bytes = 0;
    this.#onProgress?.({ keys: this.copied.keys, place });
  }
}

function hasFeed(
  store: object,
): store is { changes(options: ChangesOptions): AsyncIterable<Change> } {
  return typeof (store as { changes?: unknown }).changes === "function";
}

function resolvePlace(what: string, after: unknown): CopyPlace {
  if (after === undefined) return {};
  if (typeof after === "bigint") return { position: after };
  const { key, position } = Object(after) as Partial<Record<string, unknown>>;
  if (
    typeof after === "object" && after !== null &&
    (position === undefined || typeof position === "bigint") &&
    (key === undefined || key instanceof Uint8Array)
  ) {
    return after as CopyPlace;
  }
  throw new TypeError(
    `${what}: after is ${
      describe(after)
    }, neither a position nor a place that was told to onProgress`,
  );
}
