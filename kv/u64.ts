/** Counters: values that `sum`, `min` and `max` change.
 *
 * @module
 */

import { describe } from "../store/limits.ts";

const U64_MAX = 2n ** 64n - 1n;

/** An unsigned integer of 64 bits, as a value of its own: what `sum`, `min` and `max` work on. Within another value
 * it is a plain object.
 *
 * @category Kv
 * @example
 * ```ts
 * import { KvU64, openKv } from "@hybrid/store/kv";
 * import { assertEquals } from "@std/assert";
 *
 * using kv = await openKv(":memory:");
 * await kv.set(["visits"], new KvU64(2n ** 64n - 1n));
 * await kv.atomic().sum(["visits"], 3n).commit();
 * assertEquals((await kv.get<KvU64>(["visits"])).value?.value, 2n);
 * ```
 */
export class KvU64 {
  /** The number. */
  readonly value: bigint;

  /** Creates one.
   *
   * @param value 0 to 2^64 - 1.
   * @throws {TypeError} It is not a bigint.
   * @throws {RangeError} It is below 0, or does not fit.
   */
  constructor(value: bigint) {
    requireU64(value);
    this.value = value;
    Object.freeze(this);
  }

  /** Returns the number. */
  valueOf(): bigint {
    return this.value;
  }

  /** Returns the number's digits. */
  toString(): string {
    return this.value.toString();
  }

  /** The name in `Object.prototype.toString`. */
  get [Symbol.toStringTag](): string {
    return "KvU64";
  }
}

/** Checks that a number fits into 64 bits.
 *
 * @throws {TypeError | RangeError} It does not, in Deno's words.
 */
export function requireU64(value: bigint): void {
  if (typeof value !== "bigint") {
    throw new TypeError(`Value must be a bigint: received ${typeof value}`);
  }
  if (value < 0n) throw new RangeError(`Value must be a positive bigint: received ${value}`);
  if (value > U64_MAX) throw new RangeError("Value must fit in a 64-bit unsigned integer");
}

/** Returns the number of a counter, of this class or of Deno's own; `undefined` for other values. */
export function u64Of(value: unknown): bigint | undefined {
  if (value instanceof KvU64) return value.value;
  const native = (globalThis as { Deno?: { KvU64?: unknown } }).Deno?.KvU64;
  return typeof native === "function" && value instanceof native
    ? (value as { value: bigint }).value
    : undefined;
}

/** Returns the number of a counter.
 *
 * @throws {TypeError} The value is none.
 */
export function requireCounter(type: string, value: unknown): bigint {
  const number = u64Of(value);
  if (number !== undefined) return number;
  throw new TypeError(`Invalid mutation '${type}': the value is ${describe(value)}, not a KvU64`);
}

/** Returns what becomes of the number of a counter.
 *
 * @throws {TypeError} There is something else than a counter.
 */
export function changed(
  type: "sum" | "min" | "max",
  stored: bigint | undefined,
  operand: bigint,
): bigint {
  if (stored === undefined) {
    throw new TypeError(
      `Failed to perform '${type}' mutation on a non-U64 value in the database`,
    );
  }
  if (type === "sum") return BigInt.asUintN(64, stored + operand);
  return (type === "min") === stored < operand ? stored : operand;
}
