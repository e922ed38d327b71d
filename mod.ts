/** An ordered key-value store for Deno and Bun: every write is one journal append, a read of one key costs
 * at most one B-tree lookup, and every key lives in the engine that fits its traffic.
 *
 * @example
 * ```ts
 * import { HybridStore, mvKey } from "@hybrid/store";
 * import { assertEquals } from "@std/assert";
 *
 * await using store = await HybridStore.openTemp();
 * const key = mvKey("Tesla", "revenue");
 * await store.put(key, new TextEncoder().encode("96.8e9"));
 * assertEquals(new TextDecoder().decode(await store.get(key)), "96.8e9");
 * ```
 *
 * @module
 */

export { HybridStore } from "./store/hybrid_store.ts";
export {
  type CopyOptions,
  type CopyPlace,
  type CopyReport,
  copyStore,
} from "./store/copy_store.ts";
export { LiveStore, SubStore } from "./store/live_store.ts";
export { AsyncTransaction, type TransactionOptions } from "./store/write/async_transaction.ts";
export { Batch } from "./store/write/batch.ts";
export { StoreReader } from "./store/read/reader.ts";
export { Snapshot } from "./store/read/snapshot.ts";
export { type Synchronous, Transaction } from "./store/write/transaction.ts";
export { StoreWriter } from "./store/write/writer.ts";
export type {
  OrderedBatch,
  OrderedReader,
  OrderedSnapshot,
  OrderedStore,
  OrderedTransaction,
} from "./store/ordered_store.ts";
export { MAX_BATCH_BYTES, MAX_VALUE_BYTES } from "./store/limits.ts";
export type {
  BackupOptions,
  BackupReport,
  BytesLike,
  Change,
  ChangedKey,
  ChangesOptions,
  CursorState,
  Durability,
  EngineSize,
  KVStore,
  OpenOptions,
  PageSize,
  RepairOptions,
  RepairReport,
  ScanRange,
  StoreOptions,
  StoreStats,
  VerifyFault,
  VerifyOptions,
  VerifyReport,
  WatchOptions,
  WriteOptions,
} from "./store/types.ts";
export type { Entry } from "./backends/mod.ts";
export {
  Journal,
  type JournalEntry,
  type JournalOptions,
  JournalReader,
  type JournalRecord,
  type JournalRecovery,
  type JournalStats,
} from "./journal/mod.ts";
export * from "./codec/mod.ts";
