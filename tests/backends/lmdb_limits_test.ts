import { test } from "node:test";
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { openLmdbEngine } from "../../backends/mod.ts";
import { bytes, numberedKey, put, remove, withEngine } from "../conformance/_kit.ts";
import { runChild } from "./_child.ts";

const LMDB = { name: "LMDB engine:", isPersistent: true, open: openLmdbEngine };
const TIMEOUT = { timeout: 600_000 };

test(
  "LMDB engine: a key that LMDB cannot hold is a RangeError and harms nothing",
  TIMEOUT,
  async () => {
    await withEngine(LMDB, async ({ engine, reopen }) => {
      await engine.apply([put(bytes(1), bytes(1))], 1n);
      const writes = Array.from({ length: 20_000 }, (_, i) => put(numberedKey(i), bytes(2)));
      for (const length of [0, 2601, 4096, 100_000]) {
        const key = new Uint8Array(length).fill(0xff);
        for (const bad of [put(key, bytes(1)), remove(key)]) {
          // Among the first writes, with many behind it, and as the last one.
          for (const at of [0, 5000, 15_000, 20_000]) {
            const error = await assertRejects(
              () => engine.apply(writes.toSpliced(at, 0, bad), 2n),
              RangeError,
            );
            assertMatch(
              error.message,
              new RegExp(`^Cannot apply writes: a key has ${length} bytes, not 1 to 2600$`),
            );
            assertEquals(engine.position, 1n);
          }
        }
      }
      assertEquals(engine.get(bytes(1)), bytes(1));
      const reopened = await reopen();
      assertEquals(reopened.position, 1n);
      await reopened.apply(writes, 2n);
      assertEquals((await reopen()).stats().keys, 20_001);
    });
  },
);

test(
  "LMDB engine: keys and values may be parts of larger buffers, and pooled",
  TIMEOUT,
  async () => {
    await withEngine(LMDB, async ({ engine, reopen }) => {
      const large = new Uint8Array(300_000);
      for (let i = 0; i < large.length; i++) large[i] = i % 251;
      const writes = Array.from({ length: 2000 }, (_, i) => {
        const at = i * 100;
        const key = Buffer.from(`pooled ${String(i).padStart(6, "0")}`);
        return put(key, i % 2 === 0 ? large.subarray(at, at + i % 97) : Buffer.from(`value ${i}`));
      });
      const applied = engine.apply(writes, 1n);
      // Small buffers of their own, which a collection would move or free.
      for (let i = 0; i < 50; i++) new Array(10_000).fill(0).map(() => new Uint8Array(16));
      await applied;
      const read = await reopen();
      for (const { key, value } of writes) {
        assertEquals(read.get(key), new Uint8Array(value!));
      }
    });
  },
);

test("LMDB engine: bytes of a slice of large values are bounded", TIMEOUT, async () => {
  await withEngine(LMDB, async ({ engine, reopen }) => {
    let bytesInThisTurn = 0;
    let mostInOneTurn = 0;
    const writes = Array.from({ length: 200 }, (_, i) => ({
      key: numberedKey(i),
      get value() {
        bytesInThisTurn += 500_000;
        mostInOneTurn = Math.max(mostInOneTurn, bytesInThisTurn);
        return new Uint8Array(500_000).fill(i);
      },
    }));
    let isDone = false;
    const applied = engine.apply(writes, 1n).finally(() => isDone = true);
    while (!isDone) {
      await new Promise((resolve) => setImmediate(resolve));
      bytesInThisTurn = 0;
    }
    await applied;
    assert(mostInOneTurn > 0);
    assert(mostInOneTurn <= 40 * 2 ** 20, `${mostInOneTurn} bytes in one turn`);
    const read = await reopen();
    for (let i = 0; i < 200; i++) assertEquals(read.get(numberedKey(i))![0], i);
  });
});

test(
  "LMDB engine: the slice with the position waits until all before it are committed",
  TIMEOUT,
  async () => {
    await withEngine(LMDB, async ({ engine }) => {
      const count = 3;
      // Each of them is a slice by itself, and takes a while.
      const large = new Uint8Array(20 * 2 ** 20);
      const writes = Array.from({ length: count }, (_, i) => put(numberedKey(i), large));
      const seen: boolean[] = [];
      const last = {
        key: numberedKey(count),
        get value() {
          seen.push(...writes.map(({ key }) => engine.has(key)));
          return bytes(1);
        },
      };
      await engine.apply([...writes, last], 1n);
      assertEquals(seen, [true, true, true]);
      assertEquals(engine.stats().keys, count + 1);
    });
  },
);

test(
  "LMDB engine: a process that does not close it ends, and has what was applied",
  TIMEOUT,
  async () => {
    const { code, signal, lines, errors } = await runChild("_unclosed_child.ts", "lmdb");
    assertEquals([code, signal, lines], [0, null, ["applied"]], errors);
  },
);

test("LMDB engine: a commit that never ends is given up, and reads go on", TIMEOUT, async () => {
  const { code, signal, lines, errors } = await runChild("_stuck_child.ts");
  assertEquals([code, signal], [0, null], errors);
  const [failed, state, found, again, closed] = lines;
  assertMatch(
    failed!,
    /^IO: Cannot write to .*data\.mdb: no answer within 0\.2 s; the append side/,
  );
  assertEquals([state, found, again], ["true true 1", "1 undefined 1", "true"]);
  assertMatch(closed!, /^IO: Cannot close .*: a write to it has not come to an end/);
});
