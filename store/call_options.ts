/** Options of single calls: their defaults and checks.
 *
 * @module
 */

import { copied } from "../runtime/copy.ts";
import type { KeySpace } from "./key_space.ts";
import { describe, requireOptions, requireSignal } from "./limits.ts";
import type { BytesLike, ChangesOptions, WatchOptions, WriteOptions } from "./types.ts";
import type { TransactionOptions } from "./write/async_transaction.ts";

const ATTEMPTS = 16;

/** Checks how a write is to be acknowledged.
 *
 * @returns Whether it waits for the disk; `undefined` where the store's durability says so.
 * @throws {TypeError} It is not valid.
 */
export function resolveDurable(
  what: string,
  options: WriteOptions | undefined,
): boolean | undefined {
  if (options === undefined) return undefined;
  requireOptions(what, options, ["durable"]);
  return requireDurable(what, options.durable);
}

/** Checks that an option says whether a write is durable, or is left out.
 *
 * @throws {TypeError} It does not.
 */
export function requireDurable(what: string, durable: unknown): boolean | undefined {
  if (durable === undefined || typeof durable === "boolean") return durable;
  throw new TypeError(`${what}: durable is ${describe(durable)}, not a boolean`);
}

/** Checks how a transaction is run, and fills in what is left out.
 *
 * @throws {TypeError | RangeError} An option is not valid.
 */
export function resolveTransactionOptions(
  what: string,
  options: TransactionOptions,
): { attempts: number; signal: AbortSignal | undefined; durable: boolean | undefined } {
  requireOptions(what, options, ["attempts", "signal", "durable"]);
  const { attempts = ATTEMPTS, signal } = options;
  if (typeof attempts !== "number") {
    throw new TypeError(`${what}: attempts is ${describe(attempts)}, not a number`);
  }
  if (!Number.isSafeInteger(attempts) || attempts < 1) {
    throw new RangeError(`${what}: attempts is ${attempts}, not an integer from 1 on`);
  }
  requireSignal(what, signal);
  return { attempts, signal, durable: requireDurable(what, options.durable) };
}

/** Checks the type of a journal position.
 *
 * @throws {TypeError} It is not a bigint.
 */
export function requirePosition(what: string, name: string, position: unknown): void {
  if (typeof position === "bigint") return;
  throw new TypeError(`${what}: ${name} is ${describe(position)}, not a bigint`);
}

/** Checks which changes are read, and fills in what is left out.
 *
 * @param names The options that there are.
 * @throws {TypeError} One is not valid.
 */
export function resolveChangesOptions(
  what: string,
  keys: KeySpace,
  options: ChangesOptions,
  names: readonly (keyof ChangesOptions)[],
): {
  after: bigint | undefined;
  isLive: boolean;
  /** What the keys begin with in the store. */
  prefix: Uint8Array;
  signal: AbortSignal | undefined;
} {
  requireOptions(what, options, names);
  const { after, prefix, live = true, signal } = options;
  if (after !== undefined) requirePosition(what, "after", after);
  if (typeof live !== "boolean") {
    throw new TypeError(`${what}: live is ${describe(live)}, not a boolean`);
  }
  requireSignal(what, signal);
  const bytes = prefix === undefined ? keys.prefix : keys.bound(what, "prefix", prefix);
  return { after, isLive: live, prefix: copied(bytes), signal };
}

/** What is watched, by the keys of the store. */
export type Watched = { readonly keys: readonly Uint8Array[] } | { readonly prefix: Uint8Array };

/** Checks what is watched, and copies it: the caller may change its bytes.
 *
 * @throws {TypeError | RangeError} It is not valid.
 */
export function resolveWatched(
  what: string,
  keys: KeySpace,
  watched: unknown,
  options: WatchOptions,
): { watched: Watched; signal: AbortSignal | undefined } {
  requireOptions(what, options, ["signal"]);
  const { signal } = options;
  requireSignal(what, signal);
  if (Array.isArray(watched)) {
    const wanted = watched.map((key: BytesLike) => copied(keys.key(what, key)));
    return { watched: { keys: wanted }, signal };
  }
  if (typeof watched === "object" && watched !== null && "prefix" in watched) {
    const prefix = copied(keys.bound(what, "prefix", watched.prefix as BytesLike));
    return { watched: { prefix }, signal };
  }
  throw new TypeError(
    `${what}: what to watch is ${describe(watched)}, neither an array of keys nor { prefix }`,
  );
}
