/** Scans of random subjects, each with 200 rows that are in the engines.
 *
 * @module
 */

import { inRandomOrder, openBenchStores } from "./_bench_stores.ts";
import type { Prefix } from "./_data.ts";
import type { Session } from "./peers/peer.ts";

const FIRST = 10;

const { data, store, openPeer } = await openBenchStores();
const lmdb = await openPeer("lmdb_safe", "append");
const sqlite = await openPeer("sqlite_normal", "btree");

function benchScans(
  side: string,
  prefixes: readonly Prefix[],
  peerName: string,
  peer: Session,
): void {
  const prefix = inRandomOrder(prefixes);
  const all = `all rows of a prefix, ${side}`;
  Deno.bench("HybridStore, scanPrefix", { group: all, baseline: true }, async () => {
    await store.scanPrefix(prefix().start);
  });
  Deno.bench("HybridStore, scanSync", { group: all }, () => {
    Array.from(store.scanSync({ prefix: prefix().start }));
  });
  Deno.bench(peerName, { group: all }, () => {
    peer.scan(prefix());
  });

  const first = `first ${FIRST} rows of a prefix, ${side}`;
  Deno.bench("HybridStore, scanSync", { group: first, baseline: true }, () => {
    Array.from(store.scanSync({ prefix: prefix().start, limit: FIRST }));
  });
  Deno.bench("HybridStore, scan, awaited", { group: first }, async () => {
    await Array.fromAsync(store.scan({ prefix: prefix().start, limit: FIRST }));
  });
  Deno.bench(peerName, { group: first }, () => {
    peer.scanFrom(prefix().start, FIRST);
  });
}

benchScans("append side", data.append.prefixes, "lmdb, getRange", lmdb);
benchScans("B-tree side", data.btree.prefixes, "node:sqlite, SELECT", sqlite);
