/** Runs random operations on Deno's own KV and on this one, and prints the first that differs, or `ok`:
 * `deno run -A --unstable-kv … SEED COUNT`.
 *
 * @module
 */
import process from "node:process";
import {
  type Kv,
  type KvKey,
  type KvListOptions,
  type KvListSelector,
  openKv,
} from "../../kv/mod.ts";
import { KvU64 } from "../../kv/u64.ts";
import { Random } from "../support/random.ts";
import { show, values } from "./_values.ts";

/** Deno's API, which has ours in it. */
interface Native {
  openKv(path: string): Promise<Kv>;
  KvU64: typeof KvU64;
}

const native = (globalThis as unknown as { Deno: Native }).Deno;
const [seed, count] = process.argv.slice(2).map(Number) as [number, number];
const random = new Random(seed);

/** One of the two, with the versionstamps that it has given, in the order in which they were seen. */
class Side {
  readonly stamps: string[] = [];
  constructor(readonly kv: Kv, readonly U64: typeof KvU64) {}

  /** Names a versionstamp by its place. */
  name(stamp: unknown): string {
    if (stamp === null) return "none";
    if (typeof stamp !== "string" || !/^[0-9a-f]{16}0000$/.test(stamp)) return "no versionstamp";
    if (!this.stamps.includes(stamp)) this.stamps.push(stamp);
    return `stamp ${this.stamps.indexOf(stamp)}`;
  }

  key(key: KvKey): string {
    return key.map((part) =>
      typeof part === "string" && /^[0-9a-f]{16}0000$/.test(part) ? this.name(part) : show(part)
    ).join("/");
  }

  entry(
    { key, value, versionstamp }: { key: KvKey; value: unknown; versionstamp: unknown },
  ): string {
    const shown = value instanceof this.U64 ? `u64 ${value.value}` : show(value);
    return `${this.key(key)} = ${shown} @ ${this.name(versionstamp)}`;
  }

  /** Returns the versionstamp at a place. */
  at(place: number): string | null {
    return place < 0 ? null : this.stamps[place % this.stamps.length] ?? null;
  }
}

type Step = (side: Side) => Promise<unknown>;

const sides = [
  new Side(await native.openKv(":memory:"), native.KvU64),
  new Side(await openKv(":memory:"), KvU64),
] as const;

// Deno KV takes no more than 64 KiB, and of another view on a buffer than a whole one we keep that part alone.
const all = Object.entries(values())
  .filter(([name]) => !/long|many|70|^array$|empty/.test(name)).map(([, value]) => value);
const parts: KvKey[number][] = ["", "a", "b", "ab", "\0", "é", 0, -0, 1, -1.5, NaN, Infinity]
  .concat([-Infinity]);
parts.push(0n, 1n, -1n, 300n, -300n, 2n ** 64n, -(2n ** 64n), 2n ** 100n, true, false);
parts.push(new Uint8Array(0), new Uint8Array([0]), new Uint8Array([255, 0]), new Uint8Array([1]));

function someKey(): KvKey {
  if (random.once(100)) return [];
  if (random.once(60)) return ["x", null as unknown as string];
  if (random.once(100)) return ["y".repeat(2040 + random.below(12))];
  return Array.from({ length: 1 + random.below(3) }, () => random.pick(parts));
}

/** Returns the key of what is a counter for sure where there are other writes as well: of an operation that fails
 * because something is none, Deno KV keeps the writes before that one. We do not. */
function counterKey(isAlone: boolean): KvKey {
  return isAlone && random.once(2) ? someKey() : ["counter", random.below(3)];
}

function someSelector(): KvListSelector {
  const [prefix, other] = [random.once(4) ? [] : someKey().slice(0, 1), someKey()];
  switch (random.below(6)) {
    case 0:
      return { prefix, start: [...prefix, ...other] };
    case 1:
      return { prefix, end: [...prefix, ...other] };
    case 2:
      return { start: someKey(), end: other };
    case 3:
      return random.once(4) ? { prefix, start: other, end: other } as KvListSelector : { prefix };
    default:
      return { prefix };
  }
}

function someOptions(): KvListOptions {
  const options: KvListOptions = {};
  if (random.once(2)) options.reverse = random.once(2);
  if (random.once(3)) options.limit = random.below(6);
  if (random.once(3)) options.batchSize = random.below(5);
  if (random.once(9)) options.consistency = random.pick(["eventual", "strong"]);
  return options;
}

async function listed(side: Side, selector: KvListSelector, options: KvListOptions, pause: number) {
  const rows: string[] = [];
  let iterator = side.kv.list(selector, options);
  for (let i = 0;; i++) {
    const { done, value } = await iterator.next();
    if (done) break;
    rows.push(side.entry(value));
    // A key with a versionstamp in it has another cursor, and the listing from there the same rows.
    if (i === pause) iterator = side.kv.list(selector, { ...options, cursor: iterator.cursor });
  }
  return `${rows.join("; ")} (${iterator.cursor})`;
}

/** Steps that may have several faults. */
const composed = new Set<Step>();

function composedStep(parts: number, step: Step): Step {
  if (parts > 1) composed.add(step);
  return step;
}

function someStep(): Step {
  const [key, value, pause] = [someKey(), random.pick(all), random.below(8)];
  switch (random.below(10)) {
    case 0: {
      const expireIn = random.pick([1e9, 1e10, -1, 1.5]);
      const options = random.once(5) ? { expireIn } : {};
      return async (side) => side.name((await side.kv.set(key, value, options)).versionstamp);
    }
    case 1:
      return (side) => side.kv.delete(key);
    case 2: {
      const keys = Array.from({ length: random.below(5) }, someKey);
      return composedStep(keys.length, async (side) => {
        const entries = await side.kv.getMany(keys);
        return (entries as Parameters<Side["entry"]>[0][]).map((entry) => side.entry(entry)).join();
      });
    }
    case 3:
    case 4: {
      const [selector, options] = [someSelector(), someOptions()];
      return composedStep(2, (side) => listed(side, selector, options, pause));
    }
    case 5:
      return async (side) => {
        // A long key would be one that Deno KV can write and not read, and that we refuse.
        const stamped = [
          ...key.slice(0, 2).filter((part) => String(part).length < 100),
          side.kv.commitVersionstamp(),
        ];
        return side.name((await side.kv.set(stamped, value)).versionstamp);
      };
    case 6:
    case 7:
    case 8:
      return someOperation();
    default:
      return async (side) => side.entry(await side.kv.get(key));
  }
}

function someOperation(): Step {
  const adds: ((side: Side, operation: ReturnType<Kv["atomic"]>) => unknown)[] = [];
  const length = random.below(5);
  for (let i = 0; i < length; i++) {
    const [key, value, place] = [someKey(), random.pick(all), random.below(60) - 20];
    const number = random.pick([0n, 1n, 5n, 2n ** 64n - 1n, 2n ** 63n]);
    const [counter, type] = [counterKey(length === 1), random.pick(["sum", "min", "max"] as const)];
    switch (random.below(7)) {
      case 0:
        adds.push((side, operation) => operation.check({ key, versionstamp: side.at(place) }));
        break;
      case 1:
        adds.push((_, operation) => operation.check({ key, versionstamp: null }));
        break;
      case 2:
        adds.push((_, operation) => operation.delete(key));
        break;
      case 3:
        adds.push((_, operation) => operation[type](counter, number));
        break;
      case 4:
        adds.push((side, operation) =>
          operation.mutate({ type, key: counter, value: new side.U64(number) })
        );
        break;
      case 5:
        adds.push((side, operation) => operation.set(counter, new side.U64(number)));
        break;
      default:
        adds.push((_, operation) => operation.set(key, value));
    }
  }
  return composedStep(length, async (side) => {
    const operation = side.kv.atomic();
    for (const add of adds) add(side, operation);
    const result = await operation.commit();
    return result.ok ? side.name(result.versionstamp) : "failed";
  });
}

async function outcome(side: Side, step: Step): Promise<string> {
  try {
    return String(await step(side));
  } catch (error) {
    const { name, message } = error as Error;
    return `${name}: ${message}`;
  }
}

function compare(what: string, [theirs, ours]: string[], isComposed = false): void {
  if (theirs === ours) return;
  // Which of several faults is found first is nobody's promise.
  if (isComposed && theirs!.startsWith("TypeError: ") && ours!.startsWith("TypeError: ")) return;
  let same = 0;
  while (theirs![same] === ours![same]) same++;
  const shown = [theirs, ours].map((text) => text!.slice(Math.max(same - 200, 0), same + 200));
  console.log(`seed ${seed}, ${what}\n  Deno KV: ${shown[0]}\n  this KV: ${shown[1]}`);
  process.exit(1);
}

let refused = 0;
for (let i = 0; i < count; i++) {
  const step = someStep();
  const [theirs, ours] = [await outcome(sides[0], step), await outcome(sides[1], step)];
  // A cursor within a key that ends with a versionstamp is another one.
  const plain = [theirs, ours].map((text) =>
    /stamp \d+ = /.test(text) ? text.replace(/\([\w=-]*\)$/, "") : text
  );
  compare(`step ${i}: ${step}`, plain, composed.has(step));
  if (/^\w+Error: /.test(theirs)) refused++;
}
for (const options of [{}, { reverse: true }]) {
  const states = sides.map((side) => listed(side, { prefix: [] }, options, -1));
  compare("all entries", await Promise.all(states));
}
const orders = sides.map(({ stamps }) => [...stamps].sort().map((stamp) => stamps.indexOf(stamp)));
compare("the order of the versionstamps", orders.map((order) => order.join()));
for (const { kv } of sides) await kv.close();
console.log(`ok, ${refused} refused`);
