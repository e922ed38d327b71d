import { test } from "node:test";
import { assertEquals } from "@std/assert";
import type { Engine } from "../../backends/mod.ts";
import { tempDirectory } from "../support/temp.ts";
import {
  all,
  bytes,
  type EngineKind,
  engineTest,
  IDENTITY,
  numberedKey,
  put,
  rangeOf,
} from "./_kit.ts";
import { assertCode, assertThrowsCode } from "../support/assert.ts";

export function closeTests(kind: EngineKind): void {
  engineTest(kind, "everything but close() is CLOSED after close()", async ({ engine }) => {
    await engine.apply([put(bytes(1), bytes(1))], 1n);
    await engine.close();
    await assertClosed(engine);
    await engine.close();
    await assertClosed(engine);
    assertEquals(engine.position, 1n);
  });

  engineTest(kind, "everything is CLOSED while close() is under way", async ({ engine }) => {
    await engine.apply([put(bytes(1), bytes(1))], 1n);
    const closes = [engine.close(), engine.close()];
    await assertClosed(engine);
    await Promise.all(closes);
    await assertClosed(engine);
  });

  engineTest(kind, "a view that is alive at close() is CLOSED", async ({ engine, reopen }) => {
    await engine.apply([put(bytes(1), bytes(1))], 1n);
    const old = engine.view();
    await engine.apply([put(bytes(1), bytes(2))], 2n);
    const current = [engine.view(), engine.view()];
    assertEquals(old.get(bytes(1)), bytes(1));
    await engine.close();
    for (const view of [old, ...current]) {
      assertThrowsCode(() => view.get(bytes(1)), "CLOSED");
      assertThrowsCode(() => view.range(rangeOf(), 1), "CLOSED");
      view.release();
      view.release();
    }
    if (kind.isPersistent) assertEquals(all(await reopen()), [put(bytes(1), bytes(2))]);
  });

  engineTest(kind, "close() waits for the apply that runs", async ({ engine, reopen }) => {
    const writes = Array.from({ length: 20_000 }, (_, i) => put(numberedKey(i), bytes(i & 0xff)));
    const applied = engine.apply(writes, 9n);
    const closed = engine.close();
    await assertCode(() => engine.apply([], 10n), "CLOSED");
    await applied;
    await closed;
    assertEquals(engine.position, 9n);
    if (kind.isPersistent) assertEquals((await reopen()).stats().keys, writes.length);
  });

  if (!kind.isPersistent) return;

  test(`${kind.name} is not created where one is, nor opened where none is`, async () => {
    using temp = tempDirectory();
    const open = (create: boolean) => kind.open(temp.path, { identity: IDENTITY, create });
    await assertCode(() => open(false), "CORRUPT");
    const engine = await open(true);
    await engine.apply([put(bytes(1), bytes(1))], 1n);
    await engine.close();
    await assertCode(() => open(true), "NOT_EMPTY");
    const again = await open(false);
    assertEquals(all(again), [put(bytes(1), bytes(1))]);
    await again.close();
  });

  test(`${kind.name} of another store is CORRUPT, and stays as it is`, async () => {
    using temp = tempDirectory();
    const open = (identity: string, create: boolean) => kind.open(temp.path, { identity, create });
    const engine = await open("theirs", true);
    await engine.apply([put(bytes(1), bytes(1))], 1n);
    await engine.close();
    await assertCode(() => open("ours", false), "CORRUPT");
    const theirs = await open("theirs", false);
    assertEquals(theirs.position, 1n);
    assertEquals(all(theirs), [put(bytes(1), bytes(1))]);
    await theirs.close();
  });

  test(
    `${kind.name} opens and closes many times in one process`,
    { timeout: 600_000 },
    async () => {
      using temp = tempDirectory();
      for (let i = 0; i < 50; i++) {
        const engine = await kind.open(temp.path, { identity: IDENTITY, create: i === 0 });
        assertEquals(engine.position, BigInt(i));
        assertEquals(engine.get(numberedKey(i - 1)), i === 0 ? undefined : bytes(i - 1));
        await engine.apply([put(numberedKey(i), bytes(i))], BigInt(i + 1));
        await engine.close();
      }
    },
  );
}

async function assertClosed(engine: Engine): Promise<void> {
  assertThrowsCode(() => engine.get(bytes(1)), "CLOSED");
  assertThrowsCode(() => engine.has(bytes(1)), "CLOSED");
  assertThrowsCode(() => engine.range(rangeOf(), 1), "CLOSED");
  assertThrowsCode(() => engine.keys(rangeOf(), 1), "CLOSED");
  assertThrowsCode(() => engine.view(), "CLOSED");
  assertThrowsCode(() => engine.stats(), "CLOSED");
  await assertCode(() => engine.check(() => {}), "CLOSED");
  await assertCode(() => engine.apply([], 2n), "CLOSED");
}
