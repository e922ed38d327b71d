import { test } from "node:test";
import { assert, assertEquals, assertGreater, assertLess, assertLessOrEqual } from "@std/assert";
import { Router } from "../../../mod.ts";
import { hashKey } from "../../../store/memtable/key_hash.ts";
import type { Memtable } from "../../../store/memtable/memtable.ts";
import { MemtableStack } from "../../../store/memtable/memtable_stack.ts";
import { Random } from "../../support/random.ts";

const KEYS = Array.from({ length: 12 }, (_, i) => Uint8Array.of(0x61 + i));
/** Bytes of the journal of a write. */
const WRITE_BYTES = 10;

/** Writes a value, `undefined` for a deletion, as a group of its own. Returns where the journal ends then. */
function write(
  stack: MemtableStack,
  key: Uint8Array,
  value: number | undefined,
  end: bigint,
): bigint {
  // As the write path does it: what a moment reads takes no write any more.
  if (stack.active.moments > 0) stack.seal(end);
  const content = Uint8Array.from(value === undefined ? key : [...key, value]);
  stack.active.set(key, hashKey(key), content, 0, content.length - key.length || -1);
  stack.active.bytes += WRITE_BYTES;
  stack.active.keep();
  return end + BigInt(WRITE_BYTES);
}

/** Returns the newest value of each key, `none` for a deletion, nothing where no layer has the key. */
function read(layers: readonly Memtable[]): string {
  return KEYS.map((key) => {
    const layer = layers.find((memtable) => memtable.find(key) >= 0);
    return layer === undefined ? "" : `${layer.value(layer.find(key)) ?? "none"}`;
  }).join();
}

test("a stack hides the older memtables under the newer ones", () => {
  const stack = new MemtableStack(new Router(), WRITE_BYTES);
  for (const value of [1, 2, 3]) {
    const end = write(stack, KEYS[0]!, value, BigInt((value - 1) * WRITE_BYTES));
    if (value < 3) stack.seal(end);
  }
  const { layers } = stack;
  assertEquals(layers.map((memtable) => read([memtable]).slice(0, 1)), ["3", "2", "1"]);
  assertEquals([stack.bytes, stack.sealed.map(({ end }) => end)], [30, [10n, 20n]]);
  assertEquals(stack.claim(WRITE_BYTES).length, 1);
  stack.drop();
  assertEquals(stack.layers, layers.slice(0, 2));
  assertEquals([stack.bytes, layers.length, stack.droppedEnd], [20, 3, 10n]);
});

test("a stack seals what came from the journal, be it without keys, and nothing else", () => {
  const stack = new MemtableStack(new Router(), 1000);
  stack.seal(1n);
  assertEquals(stack.sealed, []);
  stack.active.bytes = 10;
  stack.seal(10n);
  assertEquals(stack.sealed.map(({ end }) => end), [10n]);
  stack.seal(10n);
  assertEquals(stack.layers.length, 2);
});

test("what moments share is sealed by the next write, and by none once they are over", () => {
  const stack = new MemtableStack(new Router(), 1000);
  // Nothing is in it, and nothing is shared.
  assertEquals(stack.share().layers, []);
  let end = write(stack, KEYS[0]!, 1, 0n);
  for (let i = 0; i < 5; i++) {
    const moments = [stack.share(), stack.share()];
    assertEquals(moments[0]!.layers, [stack.active]);
    for (const moment of moments) moment.release();
    end = write(stack, KEYS[0]!, i, end);
  }
  assertEquals(stack.sealed, []);
  const held = stack.share();
  stack.share().release();
  end = write(stack, KEYS[0]!, 9, end);
  end = write(stack, KEYS[1]!, 9, end);
  assertEquals([stack.sealed.length, read(held.layers).slice(0, 2)], [1, "4,"]);
  held.release();
  assertEquals(stack.active.moments, 0);
});

test("small memtables that wait become few, and those that are being applied stay", () => {
  const stack = new MemtableStack(new Router(), 400 * WRITE_BYTES);
  let end = 0n;
  const seal = (count: number) => {
    for (let i = 0; i < count; i++) {
      end = write(stack, KEYS[i % KEYS.length]!, i % 256, end);
      stack.seal(end);
    }
  };
  seal(399);
  assertLess(stack.sealed.length, 8);
  assert(!stack.isDue);
  seal(1);
  assert(stack.isDue);
  const claimed = stack.claim(400 * WRITE_BYTES);
  assertEquals([claimed, claimed.at(-1)!.end], [stack.sealed, end]);
  seal(100);
  assertEquals(stack.sealed.slice(0, claimed.length), claimed);
  assertLess(stack.sealed.length, claimed.length + 8);
  stack.drop();
  assertEquals(stack.bytes, 100 * WRITE_BYTES);
});

test("moments and the stack read what they should, in any order of steps", () => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  const random = new Random(seed);
  for (let round = 0; round < 100; round++) {
    const stack = new MemtableStack(new Router(), random.below(60) * WRITE_BYTES + 1);
    // What the engines have, below the stack.
    const engine = new Map<string, string>();
    const all = (layers: readonly Memtable[], below: ReadonlyMap<string, string>) =>
      read(layers).split(",").map((value, i) => value || below.get(`${i}`) || "none").join();
    const model = new Map<number, number>();
    const shown = () => KEYS.map((_, i) => `${model.get(i) ?? "none"}`).join();
    const moments: {
      expected: string;
      moment: ReturnType<MemtableStack["share"]>;
      below: Map<string, string>;
    }[] = [];
    let end = 0n;
    let claimed: ReturnType<MemtableStack["claim"]> = [];
    for (let step = 0; step < 300; step++) {
      const key = random.below(KEYS.length);
      switch (random.below(8)) {
        case 0:
          if (moments.length < 10) {
            moments.push({ expected: shown(), moment: stack.share(), below: new Map(engine) });
          }
          break;
        case 1:
          moments.splice(random.below(moments.length + 1), 1).forEach(({ moment }) =>
            moment.release()
          );
          break;
        case 2:
          stack.seal(end);
          break;
        case 3:
          if (claimed.length > 0) stack.release();
          claimed = stack.claim(random.below(60) * WRITE_BYTES);
          break;
        case 4:
          if (claimed.length === 0) break;
          for (const { memtable } of claimed) {
            read([memtable]).split(",").forEach((value, i) => value && engine.set(`${i}`, value));
          }
          stack.drop();
          assertEquals(stack.droppedEnd, claimed.at(-1)!.end);
          claimed = [];
          break;
        default: {
          const value = random.once(4) ? undefined : random.below(256);
          end = write(stack, KEYS[key]!, value, end);
          if (value === undefined) model.delete(key);
          else model.set(key, value);
        }
      }
      const where = `seed ${seed}, round ${round}, step ${step}`;
      assertEquals(all(stack.layers, engine), shown(), where);
      for (const { expected, moment, below } of moments) {
        assertEquals(all(moment.layers, below), expected, where);
      }
      // The journal's bytes are in the stack or below it, and each memtable ends where its last write does.
      assertEquals(BigInt(stack.bytes), end - stack.droppedEnd, where);
      let bytes = stack.droppedEnd;
      for (const sealed of stack.sealed) {
        bytes += BigInt(sealed.memtable.bytes);
        assertEquals(sealed.end, bytes, where);
      }
      assertLessOrEqual(stack.sealed.length, stack.layers.length - 1);
    }
    assertGreater(end, 0n);
  }
});
