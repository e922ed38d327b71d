/** What opens the contestants that the runtime has.
 *
 * @module
 */

import { denoKv } from "./deno_kv.ts";
import { hybrid } from "./hybrid.ts";
import { level } from "./level.ts";
import { lmdbDefault, lmdbSafe } from "./lmdb.ts";
import type { Open } from "./peer.ts";
import { rocksdb } from "./rocksdb.ts";
import { sqliteArrays, sqliteFull, sqliteNormal } from "./sqlite.ts";

export type { Key, Open, Session } from "./peer.ts";

/** By the ids of `_contestants.ts`; `undefined` where the runtime does not have it. */
export const OPENERS: Readonly<Record<string, Open | undefined>> = {
  hybrid: hybrid({}),
  hybrid_always: hybrid({ durability: "always" }),
  hybrid_uncached: hybrid({ readCacheBytes: 0 }),
  lmdb_safe: lmdbSafe,
  lmdb_default: lmdbDefault,
  sqlite_normal: sqliteNormal,
  sqlite_full: sqliteFull,
  sqlite_arrays: sqliteArrays,
  level: level(false),
  level_sync: level(true),
  rocksdb: rocksdb(false),
  rocksdb_sync: rocksdb(true),
  deno_kv: denoKv,
};
