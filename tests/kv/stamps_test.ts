import { test } from "node:test";
import { assertEquals, assertGreater } from "@std/assert";
import { join } from "@std/path";
import { HybridStore } from "../../store/hybrid_store.ts";
import { type Kv, openKv } from "../../kv/mod.ts";
import { Stamps } from "../../kv/stamps.ts";
import { tempDirectory } from "../support/temp.ts";
import { withClock } from "./_clock.ts";
import { linesUntilKilled } from "./_killed.ts";

async function stamps(kv: Kv, count: number): Promise<string[]> {
  const found = [];
  for (let i = 0; i < count; i++) found.push((await kv.set(["k"], i)).versionstamp);
  return found;
}

function assertGrowing(found: string[]): void {
  assertEquals(found, [...new Set(found)].sort());
}

test("versionstamps grow with every commit, wherever the clock goes", async () => {
  await withClock(async (clock) => {
    await using kv = await openKv(":memory:");
    const found: string[] = [];
    for (const jump of [0, 1, 3000, 20_000, 1e9, -1e10, 5, -5, 1e12, 4000, 4000, 4000]) {
      clock.now += jump;
      found.push(...await stamps(kv, 5));
    }
    assertGrowing(found);
  });
});

test("versionstamps follow the clock", async () => {
  await withClock(async (clock) => {
    await using kv = await openKv(":memory:");
    const time = (stamp: string) => Number(BigInt(`0x${stamp.slice(0, 16)}`) >> 20n);
    await stamps(kv, 1);
    for (let second = 0; second < 30; second++) {
      clock.now += 1000;
      const [stamp] = await stamps(kv, 1);
      assertEquals(time(stamp!), clock.now);
    }
  });
});

test("no versionstamp is given again after a reopening, with a clock that was set back", async () => {
  await withClock(async (clock) => {
    using directory = tempDirectory();
    const path = join(directory.path, "kv");
    const found: string[] = [];
    for (const jump of [0, 100_000, -50_000, -1e9, 0, 0, 1e9]) {
      clock.now += jump;
      const kv = await openKv(path);
      found.push(...await stamps(kv, 3));
      await kv.close();
    }
    assertGrowing(found);
  });
});

test("a limit above what is given is on disk before it is given", async () => {
  await withClock(async (clock) => {
    await using store = await HybridStore.openMemory();
    const limit = () =>
      new DataView(store.getSync(new Uint8Array([2, 0x73]))!.buffer).getBigUint64(0);
    const opened = await Stamps.open(store);
    for (let i = 0; i < 200; i++) {
      clock.now += i % 7 === 0 ? -5000 : 900;
      const stamp = opened.next()!;
      assertEquals(stamp <= limit(), true);
      if (i % 3 === 0) await store.flush();
    }
    // Opening again and again does not run away from the clock.
    const before = limit();
    for (let i = 0; i < 100; i++) await Stamps.open(store);
    assertEquals((limit() - before) >> 20n < 30_000n, true);
  });
});

test("stamps that are used up wait for new ones", async () => {
  await withClock(async () => {
    await using store = await HybridStore.openMemory();
    const opened = await Stamps.open(store);
    const first = opened.next()!;
    await opened.reserve();
    assertEquals(opened.next()! > first, true);
  });
});

test("a restored backup gives later versionstamps than its original had given", async () => {
  using directory = tempDirectory();
  const [path, copy, restored] = ["kv", "copy", "restored"].map((name) =>
    join(directory.path, name)
  );
  const store = await HybridStore.open(path!);
  const kv = await openKv(store);
  await stamps(kv, 3);
  await store.backup(copy!);
  const given = await stamps(kv, 100);
  await kv.close();
  await store.close();
  await HybridStore.restore(copy!, restored!);
  // The clock passes what was given by the time of the opening, however fast that is.
  await withClock(async () => {
    const again = await openKv(restored!);
    assertGrowing([...given, ...await stamps(again, 3)]);
    await again.close();
  }, Date.now() + 1);
});

test("no versionstamp is given again after a kill", { timeout: 600_000 }, async () => {
  using directory = tempDirectory();
  const path = join(directory.path, "kv");
  const found: string[] = [];
  for (const count of [1, 50, 500]) {
    const life = await linesUntilKilled("_stamps_child.ts", [path], count);
    assertGreater(life.length, count - 1);
    found.push(...life);
    const kv = await openKv(path);
    for await (const { versionstamp } of kv.list({ prefix: ["k"] })) {
      // The last writes may have been made and not yet printed.
      if (versionstamp > found.at(-1)!) found.push(versionstamp);
    }
    found.push(...await stamps(kv, 2));
    await kv.close();
  }
  assertEquals(new Set(found).size, found.length);
  assertGrowing(found);
});
