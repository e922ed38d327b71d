import { assert, assertEquals, assertFalse } from "@std/assert";
import type { EngineView } from "../../backends/mod.ts";
import {
  all,
  bytes,
  type EngineKind,
  engineTest,
  numberedKey,
  put,
  rangeOf,
  remove,
} from "./_kit.ts";
import { assertThrowsCode } from "../support/assert.ts";

const MOMENTS = 100;

export function viewTests(kind: EngineKind): void {
  engineTest(kind, "a view keeps its moment while applies go on", async ({ engine }) => {
    await engine.apply([put(bytes(1), bytes(1)), put(bytes(2), bytes(2))], 1n);
    const view = engine.view();
    await engine.apply([put(bytes(0), bytes(0)), remove(bytes(1)), put(bytes(2), bytes(22))], 2n);
    assertEquals(view.get(bytes(1)), bytes(1));
    assertEquals(view.get(bytes(2)), bytes(2));
    assert(view.has(bytes(1)));
    assertFalse(view.has(bytes(0)));
    assertEquals(all(view), [put(bytes(1), bytes(1)), put(bytes(2), bytes(2))]);
    assertEquals(view.keys(rangeOf({ reverse: true }), Infinity), [bytes(2), bytes(1)]);
    assertEquals(all(engine), [put(bytes(0), bytes(0)), put(bytes(2), bytes(22))]);
    view.release();
  });

  engineTest(kind, "a view of an empty engine stays empty", async ({ engine }) => {
    const view = engine.view();
    await engine.apply([put(bytes(1), bytes(1))], 1n);
    assertEquals(all(view), []);
    view.release();
    assertEquals(all(engine.view()), [put(bytes(1), bytes(1))]);
  });

  engineTest(kind, "a view keeps its moment while one long apply runs", async ({ engine }) => {
    const keys = Array.from({ length: 20_000 }, (_, i) => numberedKey(i));
    await engine.apply(keys.map((key) => put(key, bytes(1))), 1n);
    const view = engine.view();
    let isDone = false;
    const applied = engine.apply(keys.map((key) => put(key, bytes(2))), 2n)
      .finally(() => isDone = true);
    const during: { view: EngineView; values: (number | undefined)[] }[] = [];
    while (!isDone) {
      assertEquals(view.get(keys[0]!), bytes(1));
      assertEquals(view.get(keys.at(-1)!), bytes(1));
      if (during.length < 5) {
        const view = engine.view();
        during.push({ view, values: all(view).map(({ value }) => value[0]) });
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
    await applied;
    assert(all(view).every(({ value }) => value[0] === 1));
    for (const { view, values } of during) {
      assertEquals(all(view).map(({ value }) => value[0]), values);
      view.release();
    }
    const after = engine.view();
    assert(all(after).every(({ value }) => value[0] === 2));
    view.release();
    after.release();
  });

  engineTest(kind, "views of one moment share what it costs", async ({ engine }) => {
    await engine.apply([put(bytes(1), bytes(1))], 1n);
    const views = Array.from({ length: 10_000 }, () => engine.view());
    await engine.apply([put(bytes(1), bytes(2))], 2n);
    for (const view of views) assertEquals(view.get(bytes(1)), bytes(1));
    // Released in another order than taken, and some of them twice.
    for (const [i, view] of views.reverse().entries()) {
      view.release();
      if (i % 3 === 0) view.release();
      const next = views[i + 1];
      if (next !== undefined) assertEquals(next.get(bytes(1)), bytes(1));
    }
    assertEquals(engine.view().get(bytes(1)), bytes(2));
  });

  engineTest(kind, "views of many moments know theirs", async ({ engine }) => {
    const views: EngineView[] = [];
    for (let i = 0; i < MOMENTS; i++) {
      await engine.apply([put(bytes(1), bytes(i)), put(numberedKey(i), bytes(i))], BigInt(i + 1));
      views.push(engine.view());
      // Some go while others stay.
      if (i % 5 === 4) views[i - 2]!.release();
    }
    for (const [i, view] of views.entries()) {
      if (i % 5 === 2) {
        assertThrowsCode(() => view.get(bytes(1)), "CLOSED");
        continue;
      }
      assertEquals(view.get(bytes(1)), bytes(i));
      assertEquals(view.keys(rangeOf(), Infinity).length, i + 2);
      assertEquals(view.has(numberedKey(i + 1)), false);
      view.release();
    }
    assertEquals(engine.get(bytes(1)), bytes(MOMENTS - 1));
    await engine.apply([put(bytes(1), bytes(0xff))], 1000n);
    assertEquals(engine.view().get(bytes(1)), bytes(0xff));
  });

  engineTest(kind, "reading a released view is CLOSED", async ({ engine }) => {
    await engine.apply([put(bytes(1), bytes(1))], 1n);
    const view = engine.view();
    const other = engine.view();
    view.release();
    view.release();
    assertThrowsCode(() => view.get(bytes(1)), "CLOSED");
    assertThrowsCode(() => view.has(bytes(1)), "CLOSED");
    assertThrowsCode(() => view.range(rangeOf(), 1), "CLOSED");
    assertThrowsCode(() => view.keys(rangeOf(), 1), "CLOSED");
    assertEquals(other.get(bytes(1)), bytes(1));
    other.release();
    assertEquals(engine.get(bytes(1)), bytes(1));
    // The moment is the same, and what it held is let go.
    const again = engine.view();
    assertEquals(again.get(bytes(1)), bytes(1));
    again.release();
  });

  engineTest(kind, "views come and go between reads and turns", async ({ engine }) => {
    for (let i = 0; i < 200; i++) {
      await engine.apply([put(bytes(1), bytes(i))], BigInt(i + 1));
      engine.get(bytes(1));
      const view = engine.view();
      assertEquals(view.range(rangeOf(), 10), [put(bytes(1), bytes(i))]);
      assertEquals(engine.range(rangeOf(), 10), [put(bytes(1), bytes(i))]);
      if (i % 3 === 0) await new Promise((resolve) => setTimeout(resolve, 0));
      if (i % 2 === 0) assertEquals(view.keys(rangeOf({ reverse: true }), 10), [bytes(1)]);
      view.release();
      assertEquals(engine.keys(rangeOf(), 10), [bytes(1)]);
      if (i % 4 === 0) await new Promise((resolve) => setImmediate(resolve));
      assertEquals(engine.get(bytes(1)), bytes(i));
    }
  });
}
