/** Atomic operations: checks and writes that take effect together.
 *
 * @module
 */

import { describe } from "../store/limits.ts";
import type { WriteOptions } from "../store/types.ts";
import type { KvCore } from "./core.ts";
import type { Check, Mutation } from "./mutation.ts";
import { encodeWrittenKey, MAX_KV_KEY_BYTES } from "./key.ts";
import { ENTRY } from "./layout.ts";
import { newMessage } from "./message.ts";
import type {
  AtomicCheck,
  KvCommitError,
  KvCommitResult,
  KvEnqueueOptions,
  KvKey,
  KvMutation,
  KvSetOptions,
} from "./types.ts";
import { requireCounter, requireU64 } from "./u64.ts";
import { encodeEntry } from "./value.ts";

/** What {@linkcode Kv.commitVersionstamp} returns. */
export const COMMIT_VERSIONSTAMP: unique symbol = Symbol("KvCommitVersionstamp");

/** Bytes of a versionstamp as a last part. */
const STAMP_PART_BYTES = 22;

/** Checks and writes that take effect together, when they are committed: {@linkcode Kv.atomic} returns it.
 *
 * The writes are made in the order in which they were added, and each sees those before it. If a check fails,
 * nothing is written. There is no limit to their number but the 512 MiB of a batch.
 *
 * @category Kv
 * @example Moving money, if nobody else has done so meanwhile
 * ```ts
 * import { openKv } from "@hybrid/store/kv";
 * import { assertEquals } from "@std/assert";
 *
 * using kv = await openKv(":memory:");
 * await kv.set(["balance", "ada"], 100);
 * const from = await kv.get<number>(["balance", "ada"]);
 * const to = await kv.get<number>(["balance", "bob"]);
 * const { ok } = await kv.atomic()
 *   .check(from, to)
 *   .set(from.key, from.value! - 30)
 *   .set(to.key, (to.value ?? 0) + 30)
 *   .commit();
 * assertEquals([ok, (await kv.get(["balance", "bob"])).value], [true, 30]);
 * ```
 */
export class AtomicOperation {
  readonly #core: () => KvCore;
  readonly #checks: Check[] = [];
  readonly #mutations: Mutation[] = [];

  /**
   * @param core Returns what it is committed to, or throws where that is closed.
   * @internal
   */
  constructor(core: () => KvCore) {
    this.#core = core;
  }

  /** Adds checks that entries are as they were: entries that were read serve as such.
   *
   * @throws {TypeError} A check is not valid.
   */
  check(...checks: AtomicCheck[]): this {
    for (const check of checks) {
      const { key, versionstamp = null } = check;
      if (
        versionstamp !== null &&
        !(typeof versionstamp === "string" && /^[0-9a-f]{20}$/i.test(versionstamp))
      ) {
        throw new TypeError("Invalid check");
      }
      this.#checks.push({
        check,
        key: encodeWrittenKey(ENTRY, key),
        versionstamp: versionstamp?.toLowerCase() ?? null,
      });
    }
    return this;
  }

  /** Adds writes that are given as objects.
   *
   * @throws {TypeError} One is not valid.
   */
  mutate(...mutations: KvMutation[]): this {
    for (const mutation of mutations) {
      const { type, key } = mutation;
      const has = "value" in mutation;
      if (type === "delete") {
        if (has) throw new TypeError("Invalid mutation 'delete' with value");
        this.delete(key);
        continue;
      }
      if (!["set", "sum", "min", "max"].includes(type)) {
        throw new TypeError("Invalid mutation type");
      }
      if (!has) throw new TypeError(`Invalid mutation '${type}' without value`);
      if (type === "set") {
        const { value, expireIn } = mutation;
        this.set(key, value, expireIn === undefined ? {} : { expireIn });
      } else {
        this.#addNumber(type, key, requireCounter(type, mutation.value));
      }
    }
    return this;
  }

  /** Adds to a counter, modulo 2^64; sets it where there is none.
   *
   * @throws {TypeError | RangeError} An argument is not valid.
   */
  sum(key: KvKey, n: bigint): this {
    return this.#addNumber("sum", key, n);
  }

  /** Sets a counter to the smaller one of its number and another one; sets it where there is none. */
  min(key: KvKey, n: bigint): this {
    return this.#addNumber("min", key, n);
  }

  /** Sets a counter to the greater one of its number and another one; sets it where there is none. */
  max(key: KvKey, n: bigint): this {
    return this.#addNumber("max", key, n);
  }

  /** Sets the value of a key. It is copied.
   *
   * @param options `expireIn`: milliseconds after the commit after which it is gone.
   * @throws {TypeError} Key, value or option is not valid.
   */
  set(key: KvKey, value: unknown, options: { expireIn?: number } = {}): this {
    this.#mutations.push(setMutation(key, value, options));
    return this;
  }

  /** Deletes a key. */
  delete(key: KvKey): this {
    this.#mutations.push({ type: "delete", key: encodeWrittenKey(ENTRY, key) });
    return this;
  }

  /** Puts a message into the queue, once it is committed; see {@linkcode Kv.enqueue}.
   *
   * @param options Those of {@linkcode Kv.enqueue} but `durable`, which {@linkcode AtomicOperation.commit} has.
   * @throws {TypeError} Value or option is not valid.
   */
  enqueue(value: unknown, options: Omit<KvEnqueueOptions, "durable"> = {}): this {
    this.#mutations.push({ type: "enqueue", message: newMessage(value, options) });
    return this;
  }

  /** Commits it: all of it or nothing. A second commit does the same again.
   *
   * @param options `durable`: whether to wait for the disk.
   * @returns The versionstamp of what was written, or the checks that failed.
   * @throws {TypeError} A counter has a value that is none. Nothing is written.
   * @throws {StoreError} As {@linkcode Kv.set} does.
   */
  async commit(options: WriteOptions = {}): Promise<KvCommitResult | KvCommitError> {
    // Copies: more may be added while this waits.
    return await this.#core().commit([...this.#checks], [...this.#mutations], options.durable);
  }

  /** Says what was forgotten where an operation is awaited.
   *
   * @throws {TypeError} Always.
   * @internal
   */
  then(): never {
    throw new TypeError("'AtomicOperation' is not a promise: did you forget to call 'commit()'");
  }

  #addNumber(type: "sum" | "min" | "max", key: KvKey, operand: bigint): this {
    requireU64(operand);
    this.#mutations.push({ type, key: encodeWrittenKey(ENTRY, key), operand });
    return this;
  }
}

/** Returns the write of a value.
 *
 * @throws {TypeError} Key, value or option is not valid.
 */
export function setMutation(
  key: KvKey,
  value: unknown,
  { expireIn }: KvSetOptions,
): Mutation & { type: "set" } {
  requireExpireIn(expireIn);
  const isStamped = Array.isArray(key) && key.at(-1) === COMMIT_VERSIONSTAMP;
  const bytes = encodeWrittenKey(ENTRY, isStamped ? key.slice(0, -1) : key);
  if (isStamped && bytes.length - 1 + STAMP_PART_BYTES > MAX_KV_KEY_BYTES) {
    throw new TypeError(`Key too large for write (max ${MAX_KV_KEY_BYTES} bytes)`);
  }
  return { type: "set", key: bytes, isStamped, entry: encodeEntry(value), expireIn };
}

function requireExpireIn(expireIn: number | undefined): void {
  if (expireIn === undefined || (Number.isInteger(expireIn) && expireIn >= 0)) return;
  const shown = typeof expireIn === "number" ? expireIn : describe(expireIn);
  throw new TypeError(`expireIn must be a non-negative integer: received ${shown}`);
}
