// What the origin's own tests show, written anew, and what it gets wrong.

import { test } from "node:test";
import { assertEquals } from "@std/assert";
import {
  assertionCountKey,
  assertionKey,
  auditKey,
  cursorKey,
  type EngineName,
  epochKey,
  escalationKey,
  goldStandardKey,
  HybridStore,
  mvKey,
  quotaKey,
  Router,
  subjectIndexKey,
  subjectPredicateKey,
  subjectScanPrefix,
  supersededKey,
  tagScanPrefix,
  trustPackKey,
  trustRankKey,
  trustRankScanPrefix,
  voteCountKey,
  voteKey,
  voteWeightKey,
} from "../mod.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

function bytes(text: string): Uint8Array {
  return encoder.encode(text);
}

async function keysOf(store: HybridStore, prefix: Uint8Array): Promise<string[]> {
  return (await store.scanPrefix(prefix)).map(({ key }) => decoder.decode(key));
}

test("a value that is put is got back, and is gone once it is deleted", async () => {
  await using store = await HybridStore.openTemp();
  for (const key of [assertionKey("Tesla", "h1"), mvKey("Tesla", "revenue")]) {
    assertEquals(await store.get(key), undefined);
    await store.put(key, bytes("value"));
    assertEquals(await store.get(key), bytes("value"));
    await store.delete(key);
    assertEquals(await store.get(key), undefined);
  }
});

test("a scan of a subject finds its two index keys and not another subject's", async () => {
  await using store = await HybridStore.openTemp();
  await store.put(subjectIndexKey("Tesla"), bytes("1"));
  await store.put(subjectPredicateKey("Tesla", "revenue"), bytes("2"));
  await store.put(subjectIndexKey("Ford"), bytes("3"));
  assertEquals(await store.scanPrefix(subjectScanPrefix("Tesla")), [
    { key: subjectIndexKey("Tesla"), value: bytes("1") },
    { key: subjectPredicateKey("Tesla", "revenue"), value: bytes("2") },
  ]);
});

test("fetch-and-add on a vote count gives 5 and then 8, on a quota 10", async () => {
  await using store = await HybridStore.openTemp();
  const count = voteCountKey("Tesla", "h1");
  assertEquals(await store.fetchAndAddU64(count, 5n), 5n);
  assertEquals(await store.fetchAndAddU64(count, 3n), 8n);
  assertEquals(await store.fetchAndAddU64(quotaKey("did:key:z6Mk", 1_700_000_000), 10n), 10n);
  assertEquals(await store.get(count), Uint8Array.of(8, 0, 0, 0, 0, 0, 0, 0));
});

test("compare-and-swap adds 1.5 to a vote weight and 0.8 to a trust rank", async () => {
  await using store = await HybridStore.openTemp();
  const weight = voteWeightKey("Tesla", "h1");
  const rank = trustRankKey("did:key:z6Mk");
  assertEquals(await store.compareAndSwapF32(weight, (current) => current + 1.5), 1.5);
  assertEquals(await store.compareAndSwapF32(weight, (current) => current + 1.5), 3);
  assertEquals(
    await store.compareAndSwapF32(rank, (current) => current + 0.8),
    Math.fround(0.8),
  );
});

test("a flush covers both engines", async () => {
  await using store = await HybridStore.openTemp({ durability: "flush" });
  void store.put(assertionKey("Tesla", "h1"), bytes("1"));
  void store.put(subjectIndexKey("Tesla"), bytes("2"));
  assertEquals(store.stats().syncs, 0);
  await store.flush();
  assertEquals(store.stats().syncs, 1);
  assertEquals(await store.count(), 2);
});

const SUBJECT_APPEND = [
  assertionKey("Tesla", "h1"),
  voteKey("Tesla", "h1", "did:key:z6Mk"),
  voteCountKey("Tesla", "h1"),
  voteWeightKey("Tesla", "h1"),
];
const GLOBAL_APPEND = [
  epochKey("2024"),
  supersededKey("h1"),
  cursorKey(),
  assertionCountKey(),
];
const SUBJECT_BTREE = [
  subjectIndexKey("Tesla"),
  subjectPredicateKey("Tesla", "revenue"),
  mvKey("Tesla", "revenue"),
  goldStandardKey("Tesla", "revenue"),
];
const GLOBAL_BTREE = [
  trustRankKey("did:key:z6Mk"),
  quotaKey("did:key:z6Mk", 7),
  auditKey("q1"),
  escalationKey(7, "h1"),
  trustPackKey(new Uint8Array(32).fill(7)),
];

const ROUTED: [title: string, engine: EngineName, keys: Uint8Array[]][] = [
  ["assertion, vote, vote count and vote weight", "append", SUBJECT_APPEND],
  ["epoch, superseded, cursor and assertion count", "append", GLOBAL_APPEND],
  ["subject index, subject and predicate, view and gold standard", "btree", SUBJECT_BTREE],
  ["trust rank, quota, audit, escalation and trust pack", "btree", GLOBAL_BTREE],
];

for (const [title, engine, keys] of ROUTED) {
  test(`the keys of ${title} live on the ${engine} side`, async () => {
    await using store = await HybridStore.openTemp();
    for (const [index, key] of keys.entries()) {
      assertEquals(store.routeOf(key), engine);
      await store.put(key, bytes("1"));
      await store.checkpoint();
      const { append, btree } = store.stats();
      const expected = engine === "append" ? [index + 1, 0] : [0, index + 1];
      assertEquals([append.keys, btree.keys], expected, decoder.decode(key));
      assertEquals(await store.get(key), bytes("1"));
    }
  });
}

test("an unknown key and the empty key route to the B-tree side", async () => {
  await using store = await HybridStore.openTemp();
  const unknown = bytes("unknown:key");
  assertEquals(store.routeOf(unknown), "btree");
  await store.put(unknown, bytes("1"));
  await store.checkpoint();
  assertEquals(store.stats().btree.keys, 1);

  assertEquals(new Router().routeOf(new Uint8Array(0)), "btree");
  assertEquals(store.routeOf(new Uint8Array(0)), "btree");
});

test("deleting in one engine leaves the other's key", async () => {
  await using store = await HybridStore.openTemp();
  const [append, btree] = [assertionKey("Tesla", "h1"), subjectIndexKey("Tesla")];
  await store.put(append, bytes("1"));
  await store.put(btree, bytes("2"));
  await store.delete(append);
  assertEquals([store.getSync(append), store.getSync(btree)], [undefined, bytes("2")]);
  await store.put(append, bytes("1"));
  await store.delete(btree);
  await store.checkpoint();
  assertEquals([store.getSync(append), store.getSync(btree)], [bytes("1"), undefined]);
});

test("a scan within one engine finds two of two, on either side", async () => {
  await using store = await HybridStore.openTemp();
  await store.put(assertionKey("Tesla", "h1"), bytes("1"));
  await store.put(assertionKey("Tesla", "h2"), bytes("2"));
  await store.put(trustRankKey("a"), bytes("3"));
  await store.put(trustRankKey("b"), bytes("4"));
  for (const _ of ["in the memtable", "in the engines"]) {
    assertEquals(await keysOf(store, tagScanPrefix("H", "Tesla")), [
      "Tesla\0H:h1",
      "Tesla\0H:h2",
    ]);
    assertEquals(await keysOf(store, trustRankScanPrefix()), ["\0TRUST:a", "\0TRUST:b"]);
    await store.checkpoint();
  }
});

const SCANNED = [
  "\0E:2024",
  "\0ESC:00000000000000000007:h1",
  "\0S",
  "\0SUPERSEDED:h1",
  "\0SX:1",
  "Tes",
  "Tesla\0H:h1",
  "Tesla\0MV:revenue",
  "Tesla\0S:",
  "Tesla\0V",
  "Tesla\0V:h1:z",
  "Tesla\0VC:h1",
  "Tesla\0VX:1",
  "Tessa\0H:h1",
  "Tessa\0S:",
  "unknown:key",
];

for (const place of ["the memtable", "the engines"]) {
  test(`a scan of half a key or half a tag finds all that is in ${place}`, async () => {
    await using store = await HybridStore.openTemp();
    for (const key of SCANNED.toReversed()) await store.put(bytes(key), bytes(key));
    if (place === "the engines") {
      await store.checkpoint();
      const { append, btree } = store.stats();
      assertEquals([append.keys, btree.keys], [6, 10]);
    }
    for (const prefix of ["", "Tes", "\0S", "\0E", "Tesla\0V"]) {
      const expected = SCANNED.filter((key) => key.startsWith(prefix));
      assertEquals(await keysOf(store, bytes(prefix)), expected, JSON.stringify(prefix));
    }
  });
}
