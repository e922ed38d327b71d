/** Options of a remote store, and the checks of arguments against its limits.
 *
 * @module
 */

import { describe, requireOptions, valueBytes } from "../store/limits.ts";
import type { BytesLike } from "../store/types.ts";

/** The longest key of a remote store, in bytes: an index row of PostgreSQL holds little more.
 *
 * @category RemoteStore
 */
export const REMOTE_KEY_BYTES_MAX = 2600;
const VALUE_BYTES = 1024 * 1024;
const VALUE_BYTES_MAX = 16 * 1024 * 1024;
const BATCH_BYTES = 64 * 1024 * 1024;
const BATCH_BYTES_MAX = 256 * 1024 * 1024;

/** Limits of a store. */
export interface Limits {
  readonly valueBytes: number;
  readonly batchBytes: number;
}

/** How a remote store works.
 *
 * @category RemoteStore
 */
export interface RemoteOptions {
  /** The table of its keys, `NAME` or `SCHEMA.NAME`; `"hybridstore"` by default. Beside it are others, whose names begin
   * with it. */
  table?: string;
  /** Whether the store has a change feed. `setup` adds it to a store that has none, whose writers have to open it again;
   * `open` refuses a store without it. A store that has one keeps it. */
  changes?: boolean;
  /** The most connections for scans, snapshots and transactions, 1 to 1000; 10 by default. Two more are for single
   * keys and batches, and one asks what has become of writes on connections that were lost. */
  poolSize?: number;
  /** Milliseconds: how long an answer, a connection or a free connection is waited for, and how long a lost server is
   * tried again, 1 to 2^31 - 1; 30,000 by default. */
  timeoutMs?: number;
  /** Bytes of the longest value, 1 to 16 MiB; 1 MiB by default. */
  valueBytesMax?: number;
  /** Bytes of keys and values of the largest batch or transaction, 1 to 256 MiB; 64 MiB by default. */
  batchBytesMax?: number;
}

/** Options with every default filled in. */
export interface RemoteSettings {
  readonly table: string;
  readonly changes: boolean;
  readonly poolSize: number;
  readonly timeoutMs: number;
  readonly limits: Limits;
}

/** Checks options, and fills in what is left out.
 *
 * @throws {TypeError | RangeError} One is not valid.
 */
export function resolveRemoteOptions(
  what: string,
  options: RemoteOptions = {},
): RemoteSettings {
  requireOptions(what, options, [
    "table",
    "changes",
    "poolSize",
    "timeoutMs",
    "valueBytesMax",
    "batchBytesMax",
  ]);
  const number = (name: keyof RemoteOptions, fallback: number, most: number) => {
    const value = options[name] ?? fallback;
    if (typeof value !== "number") {
      throw new TypeError(`${what}: ${name} is ${describe(value)}, not a number`);
    }
    if (!Number.isSafeInteger(value) || value < 1 || value > most) {
      throw new RangeError(`${what}: ${name} is ${value}, not an integer from 1 to ${most}`);
    }
    return value;
  };
  const { changes = false } = options;
  if (typeof changes !== "boolean") {
    throw new TypeError(`${what}: changes is ${describe(changes)}, not a boolean`);
  }
  return {
    table: options.table ?? "hybridstore",
    changes,
    poolSize: number("poolSize", 10, 1000),
    timeoutMs: number("timeoutMs", 30_000, 2 ** 31 - 1),
    limits: {
      valueBytes: number("valueBytesMax", VALUE_BYTES, VALUE_BYTES_MAX),
      batchBytes: number("batchBytesMax", BATCH_BYTES, BATCH_BYTES_MAX),
    },
  };
}

/** Checks a value, and returns its bytes.
 *
 * @throws {TypeError | RangeError} As {@linkcode valueBytes} does.
 */
export function valueBytesOf(
  what: string,
  value: BytesLike,
  { valueBytes: most }: Limits,
): Uint8Array {
  return valueBytes(what, value, most, ", or raise valueBytesMax");
}
