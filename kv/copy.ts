/** Copying entries between a Kv and another one, or Deno's own.
 *
 * @module
 */

import { wallClock } from "../runtime/clock.ts";
import { describe, requireOptions, requireSignal } from "../store/limits.ts";
import { ALL, entriesOf } from "./_entries.ts";
import { encodeKey } from "./key.ts";
import { Kv } from "./kv.ts";
import { ENTRY } from "./layout.ts";
import type { KvKey, KvListSelector } from "./types.ts";
import { KvU64, u64Of } from "./u64.ts";
import { encodeEntry, referenceOf, valueOf } from "./value.ts";

/** The most writes of a commit, and the bytes after which one is made: those of Deno KV. */
const COMMIT_WRITES = 500;
const COMMIT_BYTES = 512 * 1024;

/** What entries are copied from: a {@linkcode Kv}, a `Deno.Kv`, or anything that lists like them.
 *
 * @category Kv
 */
export interface KvSource {
  /** Yields entries. */
  list(selector: KvListSelector): AsyncIterable<{ key: readonly unknown[]; value: unknown }>;
}

/** What entries are copied to, likewise.
 *
 * @category Kv
 */
export interface KvTarget {
  /** Returns an operation with `set` and `commit`. */
  atomic(): {
    // deno-lint-ignore no-explicit-any -- A class of its own in each implementation.
    set(key: any, value: unknown, options?: { expireIn?: number }): any;
    commit(): Promise<{ ok: boolean }>;
  };
}

/** How entries are copied.
 *
 * @category Kv
 */
export interface KvCopyOptions {
  /** Which ones; all by default. */
  selector?: KvListSelector;
  /** The class of counters of the target; by default that of a {@linkcode Kv}, and `Deno.KvU64` for others. */
  KvU64?: new (value: bigint) => unknown;
  /** Told after each commit how many are copied. */
  onProgress?: (progress: { entries: number }) => void;
  /** Ends the copying when it is aborted, which then rejects with the signal's reason. */
  signal?: AbortSignal;
}

/** Copies entries: from `Deno.Kv` to a {@linkcode Kv}, back, or between any two of their kind.
 *
 * Values are the same and versionstamps are new ones. A Kv knows when its entries expire, and the copies do so as
 * well, later by the time until they were written; Deno's own does not tell, and its copies stay. Messages of the queue
 * are not copied. Blobs are, from one Kv to another.
 *
 * Commits have at most 500 writes and about 512 KiB: with long keys, or values that Deno encodes in more bytes, that
 * is more than Deno KV takes, and the copying fails there. Counters of `@deno/kv` are not known: what comes from it
 * has plain objects in their place.
 *
 * Entries that the target has are overwritten, and its others stay. It is not one operation: where it fails, some are
 * there, in the order of their keys, and copying again makes it right.
 *
 * @returns How many entries were copied.
 * @throws {TypeError} An argument is not valid; or an entry is one that the target cannot have: the message names its
 * key.
 * @throws As reading and writing of the two do; the signal's reason.
 *
 * @example
 * ```ts
 * import { copyKv, openKv } from "@hybrid/store/kv";
 * import { assertEquals } from "@std/assert";
 *
 * using from = await openKv(":memory:"); // or: await Deno.openKv("./old.db")
 * using to = await openKv(":memory:");
 * await from.atomic().set(["user", 1], "Ada").set(["user", 2], "Grace").set(["log"], "").commit();
 * assertEquals(await copyKv(from, to, { selector: { prefix: ["user"] } }), { entries: 2 });
 * assertEquals((await to.get(["user", 2])).value, "Grace");
 * ```
 *
 * @category Kv
 */
export async function copyKv(
  from: KvSource,
  to: KvTarget,
  options: KvCopyOptions = {},
): Promise<{ entries: number }> {
  const what = "Cannot copy Kv";
  requireOptions(what, options, ["selector", "KvU64", "onProgress", "signal"]);
  const { selector = ALL, onProgress, signal } = options;
  requireSignal(what, signal);
  if (typeof from?.list !== "function") {
    throw new TypeError(`${what}: from is ${describe(from)}, and has no list()`);
  }
  if (typeof to?.atomic !== "function") {
    throw new TypeError(`${what}: to is ${describe(to)}, and has no atomic()`);
  }
  const counterOf = counters(what, to, options.KvU64);
  let entries = 0;
  let operation = to.atomic();
  let [writes, bytes] = [0, 0];
  const commit = async () => {
    if (writes === 0) return;
    await operation.commit();
    entries += writes;
    operation = to.atomic();
    writes = bytes = 0;
    onProgress?.({ entries });
  };
  for await (const { key, value, size, expiresAt, isBlob } of copied(from, selector)) {
    signal?.throwIfAborted();
    const length = size + encodeKey(ENTRY, key).length;
    if (writes === COMMIT_WRITES || (writes > 0 && bytes + length > COMMIT_BYTES)) await commit();
    const expireIn = expiresAt === 0 ? {} : { expireIn: Math.max(expiresAt - wallClock.now(), 0) };
    try {
      if (!isBlob) {
        const number = u64Of(value);
        operation.set(key, number === undefined ? value : counterOf(number), expireIn);
        writes++;
        bytes += length;
        continue;
      }
      if (!(to instanceof Kv)) {
        throw new TypeError("it is a blob, which only a Kv of this package can have");
      }
      const { value: stream } = await (from as Kv).getBlob(key);
      // It may have expired, or been deleted, since it was listed.
      if (stream === null) continue;
      await to.setBlob(key, stream, { ...expireIn, ...(signal && { signal }) });
      entries++;
      onProgress?.({ entries });
    } catch (cause) {
      if (signal?.aborted) throw cause;
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new TypeError(
        `${what}: the target refuses the entry of ${
          showKvKey(key)
        }: ${reason}; leave it out, or make it smaller`,
        { cause },
      );
    }
  }
  await commit();
  return { entries };
}

/** Shows a key in a message. */
export function showKvKey(key: KvKey): string {
  return `[${
    key.map((part) => typeof part === "string" ? JSON.stringify(part) : String(part)).join(", ")
  }]`;
}

interface Copied {
  readonly key: KvKey;
  readonly value: unknown;
  /** About how many bytes it takes. */
  readonly size: number;
  readonly expiresAt: number;
  readonly isBlob: boolean;
}

async function* copied(from: KvSource, selector: KvListSelector): AsyncGenerator<Copied> {
  if (from instanceof Kv) {
    for await (const { key, entry, expiresAt } of entriesOf(Kv.coreOf(from), selector)) {
      const isBlob = referenceOf(entry) !== undefined;
      const value = isBlob ? undefined : valueOf(entry);
      yield { key, value, size: entry.length, expiresAt, isBlob };
    }
    return;
  }
  for await (const { key, value } of from.list(selector)) {
    const size = encodeEntry(value).length;
    yield { key: key as KvKey, value, size, expiresAt: 0, isBlob: false };
  }
}

function counters(
  what: string,
  to: KvTarget,
  given: KvCopyOptions["KvU64"],
): (number: bigint) => unknown {
  const { Deno } = globalThis as { Deno?: { KvU64?: new (value: bigint) => unknown } };
  const of = to instanceof Kv ? KvU64 : given ?? Deno?.KvU64;
  return (number) => {
    if (of === undefined) {
      throw new TypeError(
        `${what}: it is a counter; pass the target's class of counters, as KvU64`,
      );
    }
    return new of(number);
  };
}
