/** Options of single calls: their defaults and checks.
 *
 * @module
 */

import { describe, requireOptions, requireSignal } from "./limits.ts";
import type { WriteOptions } from "./types.ts";
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
