import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { assert, assertEquals, assertGreater } from "@std/assert";
import { toText } from "../../mod.ts";
import { RemoteStore, type RemoteTransaction } from "../../remote/mod.ts";
import { Random } from "../support/random.ts";
import { remoteServers } from "./_servers.ts";

const servers = remoteServers();
const STORES = 3;
const CALLERS = 3;
const TRANSACTIONS = 240;
const KEYS = ["a", "b", "c", "d", "e", "f", "g", "h"];
/** Who wrote what nobody has written. */
const NOBODY = "nobody";

/** A transaction that was committed: whose values it has read, by key. Those of its own are left out. */
interface Committed {
  readonly id: string;
  readonly reads: Map<string, string>;
}

/** Reads and writes at random. A value is the id of who writes it, so that each version of a key is known. */
async function runBody(tx: RemoteTransaction, id: string, random: Random): Promise<Committed> {
  const reads = new Map<string, string>();
  const note = (key: string, value: Uint8Array | undefined) => {
    const writer = value === undefined ? NOBODY : toText(value);
    if (writer === id) return;
    // One transaction sees one version of a key.
    assertEquals(reads.get(key) ?? writer, writer, `${id} read ${key}`);
    reads.set(key, writer);
  };
  for (let left = 2 + random.below(4); left > 0; left--) {
    const key = random.pick(KEYS);
    switch (random.below(6)) {
      case 0:
      case 1:
        note(key, await tx.get(key));
        break;
      case 2: {
        const [first, last] = [key, random.pick(KEYS)].sort() as [string, string];
        const found = await Array.fromAsync(tx.scan({ gte: first, lte: last }));
        const values = new Map(found.map(({ key, value }) => [toText(key), value]));
        for (const each of KEYS) if (each >= first && each <= last) note(each, values.get(each));
        break;
      }
      case 3: {
        const values = await tx.getMany(KEYS.slice(0, 3));
        for (const [i, value] of values.entries()) note(KEYS[i]!, value);
        break;
      }
      default:
        tx.put(key, id);
    }
    if (random.once(3)) await delay(random.below(4));
  }
  return { id, reads };
}

/** Returns a circle of a graph, if there is one. */
function circleIn(edges: ReadonlyMap<string, ReadonlySet<string>>): string[] | undefined {
  const done = new Set<string>();
  for (const start of edges.keys()) {
    const path: string[] = [];
    const onPath = new Set<string>();
    const stack: [string, Iterator<string>][] = [];
    const enter = (node: string) => {
      path.push(node);
      onPath.add(node);
      stack.push([node, (edges.get(node) ?? new Set<string>()).values()]);
    };
    if (!done.has(start)) enter(start);
    while (stack.length > 0) {
      const [node, rest] = stack.at(-1)!;
      const { done: isOver, value: next } = rest.next();
      if (isOver) {
        done.add(node);
        onPath.delete(node);
        path.pop();
        stack.pop();
      } else if (onPath.has(next)) return [...path.slice(path.indexOf(next)), next];
      else if (!done.has(next)) enter(next);
    }
  }
  return undefined;
}

test(
  "transactions of several stores are as if one had run after the other",
  servers.options,
  async () => {
    const url = (await servers.server()).url();
    await RemoteStore.setup(url, { table: "serial", changes: true });
    const stores = await Promise.all(
      Array.from({ length: STORES }, () => RemoteStore.open(url, { table: "serial" })),
    );
    const seed = Math.floor(Math.random() * 2 ** 31);
    const committed: Committed[] = [];
    let [begun, attempts] = [0, 0];
    await Promise.all(
      stores.flatMap((store, s) =>
        Array.from({ length: CALLERS }, async (_, caller) => {
          const random = new Random(seed + s * 100 + caller);
          while (begun < TRANSACTIONS) {
            const id = `t${begun++}`;
            if (random.once(6)) {
              await store.put(random.pick(KEYS), id);
              committed.push({ id, reads: new Map() });
              continue;
            }
            committed.push(
              await store.transaction((tx) => (attempts++, runBody(tx, id, random)), {
                attempts: 1000,
              }),
            );
          }
        })
      ),
    );

    // The versions of each key, in the order of the commits.
    const versions = new Map(KEYS.map((key) => [key, [NOBODY]]));
    for await (const { writes } of stores[0]!.changes({ after: 0n, live: false })) {
      for (const { key, value } of writes) {
        const writers = versions.get(toText(key))!;
        const writer = toText(value!);
        if (writers.at(-1) !== writer) writers.push(writer);
      }
    }
    const edges = new Map<string, Set<string>>();
    const addEdge = (from: string, to: string | undefined) => {
      if (to === undefined || from === to || from === NOBODY) return;
      if (!edges.has(from)) edges.set(from, new Set());
      edges.get(from)!.add(to);
    };
    for (const writers of versions.values()) {
      assertEquals(new Set(writers).size, writers.length, `seed ${seed}: a write took place twice`);
      for (const [i, writer] of writers.entries()) addEdge(writer, writers[i + 1]);
    }
    for (const { id, reads } of committed) {
      for (const [key, writer] of reads) {
        const writers = versions.get(key)!;
        const at = writers.indexOf(writer);
        assert(at >= 0, `seed ${seed}: ${id} has read what ${writer} did not commit`);
        addEdge(writer, id);
        // Whoever wrote the next version came after all that have read this one.
        addEdge(id, writers[at + 1]);
      }
    }
    assertEquals(circleIn(edges), undefined, `seed ${seed}`);
    for (const key of KEYS) {
      const value = await stores[0]!.get(key);
      assertEquals(value === undefined ? NOBODY : toText(value), versions.get(key)!.at(-1));
    }
    // There was something to see.
    assertGreater(attempts, TRANSACTIONS);
    assertGreater([...versions.values()].flat().length, TRANSACTIONS / 2);
    await Promise.all(stores.map((store) => store.close()));
  },
);
