import { test } from "node:test";
import { assert, assertEquals, assertLess } from "@std/assert";
import { Router } from "../../../mod.ts";
import { hashKey } from "../../../store/memtable/key_hash.ts";
import { Memtable } from "../../../store/memtable/memtable.ts";
import { RecentWrites } from "../../../store/memtable/recent_writes.ts";
import { ReadSet } from "../../../store/write/read_set.ts";
import { Random } from "../../support/random.ts";

const router = new Router();
const KEYS = Array.from({ length: 10 }, (_, i) => Uint8Array.of(0x61 + i));

test("what was written since a transaction began is found, in any order of steps", () => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  const random = new Random(seed);
  for (let round = 0; round < 60; round++) {
    let lookedInto = 0;
    // One that stays open keeps all memtables, and they are merged.
    const keptOpen = round % 2;
    const recent = new RecentWrites(Infinity, () => new Memtable(router));
    let active = new Memtable(router);
    /** Whether a transaction shares the active memtable, so that the next write seals it. */
    let isShared = false;
    const open: { start: number; written: Set<number>; reads: ReadSet; read: number[] }[] = [];
    const seal = () => {
      active = new Memtable(router);
      isShared = false;
      recent.sealed(active);
    };
    for (let step = 0; step < 600; step++) {
      const where = `seed ${seed}, round ${round}, step ${step}`;
      const choice = random.below(10);
      if (choice < 2 && open.length < 6) {
        const read = KEYS.map((_, i) => i).filter(() => random.once(4));
        const reads = new ReadSet(router);
        // A key as such, or as a range of its own.
        for (const i of read) {
          if (random.once(2)) reads.addKey(KEYS[i]!, hashKey(KEYS[i]!));
          else reads.addRange({ start: KEYS[i]!, end: Uint8Array.of(KEYS[i]![0]!, 0) });
        }
        open.push({ start: recent.begin(active), written: new Set(), reads, read });
        isShared ||= active.bytes > 0;
      } else if (choice < 4 && open.length > keptOpen) {
        const index = keptOpen + random.below(open.length - keptOpen);
        const { start, written, reads, read } = open.splice(index, 1)[0]!;
        const conflict = recent.find(start, reads);
        const expected = read.filter((i) => written.has(i));
        assertEquals(conflict !== undefined, expected.length > 0, where);
        if (conflict !== undefined) {
          assert(expected.some((i) => KEYS[i]![0] === conflict.key![0]), where);
        }
        recent.end(start);
        lookedInto++;
      } else if (choice === 4 && active.bytes > 0) {
        seal();
      } else {
        if (isShared) seal();
        const i = random.below(KEYS.length);
        active.set(KEYS[i]!, hashKey(KEYS[i]!), KEYS[i]!, 0, -1);
        active.bytes += 10;
        for (const { written } of open) written.add(i);
      }
      if (open.length === 0) assertEquals([recent.bytes, recent.transactions], [0, 0], where);
    }
    assert(lookedInto > 50);
  }
});

test("what is remembered is bounded, and a transaction that is older conflicts", () => {
  const recent = new RecentWrites(100, () => new Memtable(router));
  let active = new Memtable(router);
  const old = recent.begin(active);
  const write = (i: number) => {
    active.set(KEYS[i]!, hashKey(KEYS[i]!), KEYS[i]!, 0, -1);
    active.bytes += 40;
    recent.sealed(active = new Memtable(router));
  };
  const nothing = new ReadSet(router);
  write(1);
  write(2);
  assertEquals(recent.find(old, nothing), undefined);
  const young = recent.begin(active);
  write(3);
  assertEquals(recent.find(old, nothing), {});
  assertEquals(recent.find(young, nothing), undefined);
  assertLess(recent.bytes, 101);
  recent.end(old);
  recent.end(young);
  // It is known anew once those are over.
  const next = recent.begin(active);
  assertEquals(recent.find(next, nothing), undefined);
});

test("many memtables between transactions become few", () => {
  let made = 0;
  const recent = new RecentWrites(Infinity, () => {
    made++;
    return new Memtable(router);
  });
  let active = new Memtable(router);
  const start = recent.begin(active);
  for (let i = 0; i < 5000; i++) {
    active.set(KEYS[i % 5]!, hashKey(KEYS[i % 5]!), KEYS[i % 5]!, 0, -1);
    active.bytes += 10;
    recent.sealed(active = new Memtable(router));
  }
  let looked = 0;
  const counting = { findIn: () => void looked++ };
  assertEquals(recent.find(start, counting), undefined);
  assertLess(looked, 50);
  assertEquals(recent.bytes, 50_000);
  assert(made > 100);
});
