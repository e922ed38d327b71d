/** Single operations of the store beside the same operations on raw lmdb.
 *
 *     deno bench -A bench/store_bench.ts
 *
 * 31-byte keys of 1,000 subjects, 100-byte values, 100,000 of them on each side.
 */

import { open } from "lmdb";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { assertionKey, HybridStore, mvKey, tagScanPrefix, voteCountKey } from "../mod.ts";

const KEYS = 100_000;
const SUBJECTS = 1_000;

const subjectOf = (i: number) => `subject${String(i % SUBJECTS).padStart(5, "0")}`;
const suffixOf = (i: number) => String(i).padStart(16, "0");
const indexes = Array.from({ length: KEYS }, (_, i) => i);
const appendKeys = indexes.map((i) => assertionKey(subjectOf(i), suffixOf(i)));
const btreeKeys = indexes.map((i) => mvKey(subjectOf(i), suffixOf(i)));
const counterKeys = indexes.slice(0, SUBJECTS).map((i) => voteCountKey(subjectOf(i), "h"));
const value = new Uint8Array(100).fill(7);

const store = await HybridStore.openTemp();
const directory = mkdtempSync(join(tmpdir(), "hybridstore-bench-"));
const raw = open<Uint8Array, Uint8Array>({
  path: directory,
  keyEncoding: "binary",
  encoding: "binary",
  overlappingSync: false,
});
for (const key of appendKeys) {
  store.put(key, value);
  raw.put(key, value);
}
for (const key of btreeKeys) store.put(key, value);
await store.checkpoint();
await raw.committed;

globalThis.addEventListener("unload", () => {
  rmSync(directory, { recursive: true, force: true });
  rmSync(store.path, { recursive: true, force: true });
});

// A stride that is prime to the number of keys visits them in no order that a cache could like.
let turn = 0;
const next = () => turn = (turn + 7_919) % KEYS;

Deno.bench("lmdb put, awaited", { group: "put" }, async () => {
  await raw.put(appendKeys[next()]!, value);
});
Deno.bench("put to the append side, awaited", { group: "put", baseline: true }, async () => {
  await store.put(appendKeys[next()]!, value);
});
Deno.bench("put to the B-tree side, awaited, durable", { group: "put" }, async () => {
  await store.put(btreeKeys[next()]!, value);
});

Deno.bench("lmdb getBinary", { group: "get" }, () => {
  raw.getBinary(appendKeys[next()]!);
});
Deno.bench("getSync from the append side", { group: "get", baseline: true }, () => {
  store.getSync(appendKeys[next()]!);
});
Deno.bench("getSync from the B-tree side", { group: "get" }, () => {
  store.getSync(btreeKeys[next()]!);
});

Deno.bench("lmdb getRange, 100 rows", { group: "scan" }, () => {
  const start = tagScanPrefix("H", subjectOf(next()));
  [...raw.getRange({ start, limit: KEYS / SUBJECTS })];
});
Deno.bench("scanPrefix, append side, 100 rows", { group: "scan", baseline: true }, async () => {
  await store.scanPrefix(tagScanPrefix("H", subjectOf(next())));
});
Deno.bench("scanPrefix, B-tree side, 100 rows", { group: "scan" }, async () => {
  await store.scanPrefix(tagScanPrefix("MV", subjectOf(next())));
});

Deno.bench("fetchAndAddU64, awaited", { group: "counter" }, async () => {
  await store.fetchAndAddU64(counterKeys[next() % SUBJECTS]!, 1n);
});
