/** All contestants that the runtime has.
 *
 * @module
 */

import { denoKv } from "./deno_kv.ts";
import { hybrid, hybridAlways } from "./hybrid.ts";
import { level, levelSync } from "./level.ts";
import { lmdbDefault, lmdbSafe } from "./lmdb.ts";
import type { Contestant } from "./peer.ts";
import { sqliteArrays, sqliteFull, sqliteNormal } from "./sqlite.ts";

export type { Contestant, Key, Session } from "./peer.ts";

const FOUND = [
  hybrid,
  hybridAlways,
  lmdbSafe,
  lmdbDefault,
  sqliteNormal,
  sqliteFull,
  sqliteArrays,
  level,
  levelSync,
  denoKv,
].filter((contestant) => contestant !== undefined);

/** The contestants by id. */
export const CONTESTANTS: ReadonlyMap<string, Contestant> = new Map(
  FOUND.map((contestant) => [contestant.id, contestant]),
);
