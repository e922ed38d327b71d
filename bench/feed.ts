/** Measures the change feed: a backlog beside the journal itself, the memory that a reader takes for a short and a
 * long one, how soon a live reader is shown a durable write, and what watchers cost a put.
 *
 *     bun bench/feed.ts [changes]
 *     deno run -A bench/feed.ts [changes]
 *
 * Rounds alternate between what is compared; the figures are medians of them.
 *
 * @module
 */

import process from "node:process";
import { join } from "node:path";
import { HybridStore } from "../mod.ts";
import { JournalReader } from "../journal/mod.ts";
import { appendKeyOf, makeValues } from "./_data.ts";
import { median } from "./_measure.ts";
import { makeTemp, removeTemp } from "./_temp.ts";

const ROUNDS = 5;
const LATENCIES = 500;
const PUTS = 100_000;
const WATCHERS = [0, 1, 1000];
const BACKLOGS_MIB = [64, 1024];
const LARGE_BYTES = 4096;
const MIB = 2 ** 20;

const count = Number(process.argv[2] ?? 200_000);
const [value] = makeValues(1, 100);

async function seconds(run: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await run();
  return (performance.now() - start) / 1000;
}

function show(name: string, figure: number, unit: string): void {
  const text = figure.toLocaleString("en", { maximumFractionDigits: figure < 100 ? 2 : 0 });
  console.log(`${name.padEnd(44)} ${text.padStart(12)} ${unit}`);
}

/** Reads a backlog of groups of one write. */
async function measureBacklog(directory: string): Promise<void> {
  await using store = await HybridStore.open(directory, { durability: "flush" });
  await store.createCursor("reader");
  const after = store.position;
  for (let i = 0; i < count; i++) await store.put(appendKeyOf(i), value!);
  await store.flush();
  const found: Record<string, number[]> = { journal: [], changes: [] };
  for (let round = 0; round < ROUNDS; round++) {
    found.journal!.push(
      count / await seconds(async () => {
        const reader = await JournalReader.open(join(directory, "journal"));
        for await (const _ of reader.entries({ from: after }));
        reader.close();
      }),
    );
    found.changes!.push(
      count / await seconds(async () => {
        for await (const _ of store.changes({ after, live: false }));
      }),
    );
  }
  const [journal, changes] = [median(found.journal!), median(found.changes!)];
  show("the journal, by JournalReader.entries", journal, "records/s");
  show("changes", changes, "changes/s");
  show("changes / journal", changes / journal, "");
}

/** Reads backlogs of larger values, and looks at the memory of the process meanwhile. */
async function measureMemory(directory: string): Promise<void> {
  await using store = await HybridStore.open(directory, {
    durability: "flush",
    feedBytesMax: 2 * Math.max(...BACKLOGS_MIB) * MIB,
  });
  const large = new Uint8Array(LARGE_BYTES);
  let after = await store.createCursor("reader");
  for (const mib of BACKLOGS_MIB) {
    for (let left = mib * MIB; left > 0; left -= LARGE_BYTES) {
      // The same keys again and again: the engines stay small.
      await store.put(appendKeyOf(left / LARGE_BYTES % 1000), large);
    }
    await store.checkpoint();
    const before = process.memoryUsage().rss;
    let most = before;
    let read = 0;
    const took = await seconds(async () => {
      for await (const { position, writes } of store.changes({ after, live: false })) {
        read += writes.length;
        if (read % 64 === 0) most = Math.max(most, process.memoryUsage().rss);
        after = position;
      }
    });
    show(`backlog of ${mib} MiB, more memory at the most`, (most - before) / MIB, "MiB");
    show(`backlog of ${mib} MiB, read`, mib / took, "MiB/s");
    await store.batch().advance("reader", after).commit();
  }
}

/** Shows each durable write to a live reader before the next one is made. */
async function measureLatency(directory: string): Promise<void> {
  await using store = await HybridStore.open(directory);
  let shown: (at: number) => void = () => {};
  const stop = new AbortController();
  const reading = (async () => {
    for await (const _ of store.changes({ signal: stop.signal })) shown(performance.now());
  })();
  const delays: number[] = [];
  for (let i = 0; i < LATENCIES; i++) {
    const { promise, resolve } = Promise.withResolvers<number>();
    shown = resolve;
    await store.put(appendKeyOf(i), value!, { durable: true });
    const acknowledged = performance.now();
    delays.push(Math.max(0, await promise - acknowledged));
  }
  stop.abort();
  await reading.catch(() => {});
  delays.sort((a, b) => a - b);
  for (const part of [0.5, 0.99, 1]) {
    const name = part === 1 ? "max" : `p${part * 100}`;
    const delay = delays[Math.min(delays.length - 1, Math.floor(part * delays.length))]!;
    show(`from acknowledged to shown, ${name}`, delay, "ms");
  }
}

/** Puts one by one, while some other keys are watched. */
async function measureWatchers(directory: string): Promise<void> {
  await using store = await HybridStore.open(directory);
  const rates = new Map<number, number[]>(WATCHERS.map((watchers) => [watchers, []]));
  for (let round = 0; round < ROUNDS; round++) {
    for (const watchers of WATCHERS) {
      const stop = new AbortController();
      const watching = Array.from({ length: watchers }, async (_, i) => {
        for await (const _ of store.watch([`watched ${i}`], { signal: stop.signal }));
      });
      while (store.stats().feed.watches < watchers) await new Promise((turn) => setTimeout(turn));
      rates.get(watchers)!.push(
        PUTS / await seconds(async () => {
          for (let i = 0; i < PUTS; i++) await store.put(appendKeyOf(i), value!);
        }),
      );
      stop.abort();
      await Promise.allSettled(watching);
    }
  }
  const alone = median(rates.get(0)!);
  for (const watchers of WATCHERS) {
    show(`put, append side, ${watchers} watchers`, median(rates.get(watchers)!), "puts/s");
  }
  show("cost of a put with 1,000 watchers", alone / median(rates.get(1000)!), "× without");
}

for (const measure of [measureBacklog, measureMemory, measureLatency, measureWatchers]) {
  const directory = makeTemp();
  try {
    await measure(directory);
  } finally {
    removeTemp(directory);
  }
}
