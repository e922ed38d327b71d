/** Deno KV's API on a HybridStore, for Deno, Bun and Node: keys that are lists of parts, values that are structured
 * clones, atomic operations with checks, expiry, watching.
 *
 * @example
 * ```ts
 * import { openKv } from "@hybrid/store/kv";
 * import { assertEquals } from "@std/assert";
 *
 * using kv = await openKv(":memory:"); // or: openKv("./data/kv")
 * await kv.set(["user", "ada"], { name: "Ada", since: new Date(), tags: new Set(["admin"]) });
 * await kv.atomic().sum(["visits"], 1n).commit();
 * const { value } = await kv.get<{ tags: Set<string> }>(["user", "ada"]);
 * assertEquals(value?.tags.has("admin"), true);
 * ```
 *
 * @module
 */

export { AtomicOperation } from "./atomic.ts";
export { KvBlob } from "./blob.ts";
export type { KvBlobSource } from "./blobs.ts";
export { Kv } from "./kv.ts";
export { copyKv, type KvCopyOptions, type KvSource, type KvTarget } from "./copy.ts";
export { KvListIterator } from "./list.ts";
export { KvU64 } from "./u64.ts";
export { MAX_KV_KEY_BYTES } from "./key.ts";
export {
  exportNdjson,
  importNdjson,
  type KvExportOptions,
  type KvImportOptions,
} from "./ndjson.ts";
export { openKv } from "./open.ts";
export { KvTransaction } from "./transaction.ts";
export type {
  AtomicCheck,
  KvBlobEntry,
  KvCommitError,
  KvCommitResult,
  KvConsistencyLevel,
  KvEnqueueOptions,
  KvEntry,
  KvEntryMaybe,
  KvKey,
  KvKeyPart,
  KvListenOptions,
  KvListOptions,
  KvListSelector,
  KvMutation,
  KvSetOptions,
} from "./types.ts";
