/** Options: those of Level, and those of the store behind it.
 *
 * @module
 */

import type { AbstractDatabaseOptions } from "abstract-level";
import { HybridStore } from "../store/hybrid_store.ts";
import { ONE_SIDE, STORE_OPTIONS } from "../store/options.ts";
import type { OpenOptions, StoreOptions, WriteOptions } from "../store/types.ts";
import { LevelError } from "./error.ts";

/** How a {@linkcode HybridLevel} is opened: what Level has, and what the store has. For a store that is open already,
 * or a part of one, the encodings alone count.
 *
 * @category Level
 */
export interface HybridLevelOptions<K = string, V = string>
  extends AbstractDatabaseOptions<K, V>, StoreOptions {
  /** Whether the store is only read. Writes reject with `LEVEL_READONLY`. `false` by default. */
  readOnly?: boolean;
}

/** How a write is acknowledged.
 *
 * @category Level
 */
export interface LevelWriteOptions {
  /** Whether it is acknowledged once it is on disk, or once the operating system has it. Without it, what the
   * store's `durability` says. */
  sync?: boolean | undefined;
}

/** What Level hands over when a database is opened. */
export interface OpenForms extends Omit<HybridLevelOptions, "createIfMissing" | "errorIfExists"> {
  createIfMissing: boolean;
  errorIfExists: boolean;
}

/** Returns how a write of Level is acknowledged, as the store has it. */
export function durableOf({ sync }: LevelWriteOptions): WriteOptions | undefined {
  return sync === undefined ? undefined : { durable: sync };
}

/** Opens the store of a directory.
 *
 * @throws {LevelError} There is none, or there is one, and the options do not want that.
 * @throws {StoreError} As `HybridStore.open` does.
 */
export async function openDirectory(
  location: string | URL,
  { createIfMissing, errorIfExists, readOnly, ...others }: OpenForms,
): Promise<HybridStore> {
  const options: OpenOptions = {
    ...storeOptions(others),
    ...(readOnly === undefined ? {} : { readOnly }),
  };
  if (await HybridStore.exists(location)) {
    if (!errorIfExists) return await HybridStore.open(location, options);
    throw refusal(location, "exists", "leave out errorIfExists to open it");
  }
  if (!createIfMissing) {
    throw refusal(
      location,
      "does not exist",
      "leave out createIfMissing to create it",
    );
  }
  // Another process may create one in between, and to be the one that creates it may be what this one is for.
  return await HybridStore.open(location, {
    ...ONE_SIDE,
    ...options,
    ...(errorIfExists && { errorIfExists }),
  });
}

/** Opens a store that has no directory. */
export function openMemory(options: OpenForms): Promise<HybridStore> {
  return HybridStore.openMemory({ ...ONE_SIDE, ...storeOptions(options) });
}

/** Returns the options of the store among those of Level. Others are for other databases, and left alone, as
 * databases of Level do. */
function storeOptions(options: StoreOptions): StoreOptions {
  const given = STORE_OPTIONS.filter((name) => options[name] !== undefined);
  return Object.fromEntries(given.map((name) => [name, options[name]]));
}

function refusal(location: string | URL, why: string, advice: string): LevelError {
  return new LevelError("LEVEL_OPEN_FAILED", `Cannot open database: ${location} ${why}; ${advice}`);
}
