/** The engines under the store: the interface they share, LMDB for the append side, the runtime's own
 * SQLite for the B-tree side, and memory for either.
 *
 * @module
 */

export { StoreError, type StoreErrorCode } from "../codec/error.ts";
export type {
  Engine,
  EngineOptions,
  EngineReader,
  EngineStats,
  EngineView,
  Entry,
  KeyRange,
  Write,
  Writes,
} from "./engine.ts";
export { openLmdbEngine } from "./lmdb.ts";
export { openMemoryEngine } from "./memory.ts";
export { openSqliteEngine } from "./sqlite.ts";
