/** Opening.
 *
 * @module
 */

import { describe } from "../store/limits.ts";
import { HybridStore } from "../store/hybrid_store.ts";
import { LiveStore, type SubStore } from "../store/live_store.ts";
import { ONE_SIDE } from "../store/options.ts";
import type { OpenOptions } from "../store/types.ts";
import { KvCore } from "./core.ts";
import { Kv } from "./kv.ts";

/** Opens Deno KV's API over a store.
 *
 * A store in a directory is created with `routes: []` and `defaultEngine: "append"`, where the options do not say
 * otherwise. By default a write is then acknowledged once the operating system has it: it survives a killed
 * process, and a power loss can take the last second of writes. With `durability: "always"`, or `durable` for a
 * single write, it is acknowledged once it is on disk.
 *
 * Several Kv over the same store, or the same part of it, may be open at a time, and share their versionstamps. Of
 * the store it has the keys whose first byte is 01 to 06: where a store has other data as well, give it
 * a part of its own, with `store.sub("kv/")`.
 *
 * @param path The directory of a store, or `":memory:"`, which are closed with the Kv; or an open store or a part
 * of one, which stay open.
 * @param options How a directory is opened, or what a store in memory has: those of `HybridStore.open`.
 * @throws {TypeError | RangeError} An argument is not valid.
 * @throws {StoreError} As `HybridStore.open` does. `UNSUPPORTED`: a later version wrote it.
 *
 * @example
 * ```ts
 * import { openKv } from "@hybrid/store/kv";
 * import { assertEquals } from "@std/assert";
 * import { mkdtempSync, rmSync } from "node:fs";
 *
 * const path = mkdtempSync("kv-");
 * const kv = await openKv(path);
 * await kv.set(["config", "theme"], "dark", { durable: true });
 * await kv.close();
 *
 * const again = await openKv(path);
 * assertEquals((await again.get(["config", "theme"])).value, "dark");
 * await again.close();
 * rmSync(path, { recursive: true });
 * ```
 *
 * @example Beside other data
 * ```ts
 * import { HybridStore } from "@hybrid/store";
 * import { openKv } from "@hybrid/store/kv";
 *
 * await using store = await HybridStore.openTemp();
 * using sessions = await openKv(store.sub("sessions/"));
 * await sessions.set(["ada"], { since: new Date() }, { expireIn: 60_000 });
 * ```
 *
 * @category Kv
 */
export async function openKv(
  path: string | URL | HybridStore | SubStore,
  options: OpenOptions = {},
): Promise<Kv> {
  if (path instanceof LiveStore) {
    if (Object.keys(options).length > 0) {
      throw new TypeError("Cannot open Kv: an open store takes no options, those of a path alone");
    }
    return new Kv(await KvCore.of(path), () => Promise.resolve());
  }
  if (typeof path !== "string" && !(path instanceof URL)) {
    throw new TypeError(
      `Cannot open Kv: the path is ${describe(path)}, neither a path, ":memory:", nor a store`,
    );
  }
  const store = await openStore(path, options);
  try {
    return new Kv(await KvCore.of(store), () => store.close());
  } catch (error) {
    await store.close();
    throw error;
  }
}

async function openStore(path: string | URL, options: OpenOptions): Promise<HybridStore> {
  if (path === ":memory:") return await HybridStore.openMemory({ ...ONE_SIDE, ...options });
  // One that is there has what it was created with.
  const defaults = await HybridStore.exists(path) ? {} : ONE_SIDE;
  return await HybridStore.open(path, { ...defaults, ...options });
}
