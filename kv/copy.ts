/** Copying entries between a Kv and another one, or Deno's own.
 *
 * @module
 */

import { wallClock } from "../runtime/clock.ts";
import { describe, requireOptions, requireSignal } from "../store/limits.ts";
import { ALL, entriesOf, setUntil } from "./_entries.ts";
import type { Mutation } from "./mutation.ts";
import { encodeKey } from "./key.ts";
import { Kv } from "./kv.ts";
import { ENTRY } from "./layout.ts";
import type { KvKey, KvListSelector } from "./types.ts";
import { KvU64, u64Of } from "./u64.ts";
import { encodeEntry, referenceOf, valueOf } from "./value.ts";

/** How much is written by a commit. */
interface Limits {
  readonly writes: number;
  readonly keyBytes: number;
  readonly bytes: number;
}

const OWN_LIMITS: Limits = { writes: 1000, keyBytes: Infinity, bytes: 4 * 1024 * 1024 };
/** Deno KV takes 1,000 writes, 81,920 bytes of keys and 819,200 bytes in all. Its bytes are others than ours, and can
 * be more of them: what it refuses nevertheless is written in parts. */
const OTHER_LIMITS: Limits = { writes: 500, keyBytes: 64 * 1024, bytes: 512 * 1024 };

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
  /** The class of counters of the other implementation, such as the `KvU64` of `@deno/kv`; that of Deno and of this
   * package are known. By default, what a source gives is a counter where its class has that name, and a target gets
   * `Deno.KvU64`, or where there is none the class that the source has. */
  KvU64?: new (value: bigint) => { readonly value: bigint };
  /** Told after each commit how many are copied. */
  onProgress?: (progress: { entries: number }) => void;
  /** Ends the copying when it is aborted, which then rejects with the signal's reason. */
  signal?: AbortSignal;
}

/** Copies entries: from `Deno.Kv` to a {@linkcode Kv}, back, or between any two of their kind, such as those of
 * `@deno/kv`.
 *
 * Values are the same and versionstamps are new ones. A counter becomes one of the target's class. A Kv knows when its
 * entries expire: in another Kv their copies expire at the same time, and elsewhere after what is left of it. Deno's
 * own does not tell, and its copies stay. Messages of the queue are not copied. Blobs are, from one Kv to another.
 *
 * Entries that the target has are overwritten, and its others stay. It is not one operation, but commits that are within
 * the target's limits. Where it fails, those before are there, in the order of their keys, and copying again makes it
 * right.
 *
 * @returns How many entries were copied.
 * @throws {TypeError} An argument is not valid; or an entry is one that the target cannot have, such as one of more than
 * 64 KiB in Deno KV: the message names its key.
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
  const limits = to instanceof Kv ? OWN_LIMITS : OTHER_LIMITS;
  const convert = converter(what, to, options.KvU64);
  let entries = 0;
  let batch: Copied[] = [];
  let [keyBytes, bytes] = [0, 0];

  /** Writes entries together, and where the target refuses that, in parts, to find the one that it does not take. */
  const write = async (some: readonly Copied[]): Promise<void> => {
    const operation = operationOf(to);
    let isBuilt = false;
    try {
      for (const entry of some) operation.set(entry);
      isBuilt = true;
      await operation.commit();
    } catch (error) {
      if (!(error instanceof Error) || (isBuilt && !isTooLarge(error))) throw error;
      if (some.length === 1) throw refused(what, some[0]!.key, error);
      const half = some.length >> 1;
      await write(some.slice(0, half));
      signal?.throwIfAborted();
      return await write(some.slice(half));
    }
    entries += some.length;
    onProgress?.({ entries });
  };
  const flush = async () => {
    if (batch.length > 0) await write(batch);
    batch = [];
    keyBytes = bytes = 0;
  };

  for await (const entry of copied(what, from, selector, isCounter(options.KvU64))) {
    signal?.throwIfAborted();
    if (entry.isBlob) {
      await flush();
      if (await copyBlob(what, from as Kv, to, entry, signal)) onProgress?.({ entries: ++entries });
      continue;
    }
    const length = encodeKey(ENTRY, entry.key).length;
    if (
      batch.length === limits.writes || keyBytes + length > limits.keyBytes ||
      bytes + length + entry.size > limits.bytes
    ) {
      await flush();
    }
    batch.push({ ...entry, value: convert(entry.key, entry.value) });
    keyBytes += length;
    bytes += length + entry.size;
  }
  signal?.throwIfAborted();
  await flush();
  return { entries };
}

/** Returns whether there still was one. */
async function copyBlob(
  what: string,
  from: Kv,
  to: KvTarget,
  { key, expiresAt }: Copied,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  if (!(to instanceof Kv)) {
    throw refused(
      what,
      key,
      new TypeError("it is a blob, which only a Kv of this package can have"),
    );
  }
  const { value } = await from.getBlob(key);
  // It may have expired, or been deleted, since it was listed.
  if (value === null) return false;
  await Kv.setBlobUntil(to, key, value, expiresAt, signal);
  return true;
}

/** Returns an operation of a target for entries.
 *
 * @throws {Error} `BadResource`: it is closed.
 */
function operationOf(to: KvTarget): { set(entry: Copied): void; commit(): Promise<unknown> } {
  if (to instanceof Kv) {
    const core = Kv.coreOf(to);
    const sets: Mutation[] = [];
    return {
      set: ({ key, value, expiresAt }) => void sets.push(setUntil(key, value, expiresAt)),
      commit: () => core.commit([], sets, undefined),
    };
  }
  const operation = to.atomic();
  return {
    set: ({ key, value, expiresAt }) => {
      const expireIn = Math.max(expiresAt - wallClock.now(), 0);
      operation.set(key, value, expiresAt === 0 ? {} : { expireIn });
    },
    commit: () => operation.commit(),
  };
}

/** Returns whether the error of a commit is about what was to be written, and not about the writing: `Value too large`
 * in Deno, `ValueTooLong` in `@deno/kv`. */
function isTooLarge(error: Error): boolean {
  return error instanceof RangeError || /too ?(large|long|many)/i.test(error.message);
}

function refused(what: string, key: KvKey, cause: Error): TypeError {
  // Behind it a native one may have the stack.
  const [reason] = cause.message.split("\n", 1);
  return new TypeError(
    `${what}: the target refuses the entry of ${
      showKvKey(key)
    }: ${reason}; leave it out, or make it smaller`,
    { cause },
  );
}

/** Shows a key in a message. */
function showKvKey(key: KvKey): string {
  return `[${
    key.map((part) =>
      typeof part === "string"
        ? JSON.stringify(part)
        : typeof part === "bigint"
        ? `${part}n`
        : String(part)
    ).join(", ")
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

async function* copied(
  what: string,
  from: KvSource,
  selector: KvListSelector,
  isCounter: (value: unknown) => boolean,
): AsyncGenerator<Copied> {
  if (from instanceof Kv) {
    for await (const { key, entry, expiresAt } of entriesOf(Kv.coreOf(from), selector)) {
      const isBlob = referenceOf(entry) !== undefined;
      const value = isBlob ? undefined : valueOf(entry);
      yield { key, value, size: entry.length, expiresAt, isBlob };
    }
    return;
  }
  for await (const { key: given, value } of from.list(selector)) {
    const key = given as KvKey;
    try {
      const size = isCounter(value) ? 8 : encodeEntry(value).length;
      yield { key, value, size, expiresAt: 0, isBlob: false };
    } catch (error) {
      throw error instanceof Error ? refused(what, key, error) : error;
    }
  }
}

type Counters = new (value: bigint) => { readonly value: bigint };

/** Returns what tells counters from other values. */
function isCounter(given: Counters | undefined): (value: unknown) => value is { value: bigint } {
  return (value): value is { value: bigint } => {
    if (u64Of(value) !== undefined || (given !== undefined && value instanceof given)) return true;
    if (typeof value !== "object" || value === null) return false;
    // A list gives plain values but for these: `_KvU64` is the name in @deno/kv.
    return typeof (value as { value?: unknown }).value === "bigint" &&
      /^_?KvU64$/.test(Object.getPrototypeOf(value)?.constructor?.name);
  };
}

/** Returns what makes a counter one of the target's, and leaves other values as they are. */
function converter(
  what: string,
  to: KvTarget,
  given: Counters | undefined,
): (key: KvKey, value: unknown) => unknown {
  const { Deno } = globalThis as { Deno?: { KvU64?: Counters } };
  const isOne = isCounter(given);
  return (key, value) => {
    if (!isOne(value)) return value;
    const theirs = value instanceof KvU64 ? undefined : value.constructor as Counters;
    const of = to instanceof Kv ? KvU64 : given ?? Deno?.KvU64 ?? theirs;
    if (of !== undefined) return new of(value.value);
    throw new TypeError(
      `${what}: ${showKvKey(key)} is a counter; pass the target's class of counters, as KvU64`,
    );
  };
}
