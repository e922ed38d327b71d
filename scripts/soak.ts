/**
 * The soak: everything that a store does, mixed, for some minutes, against a model, in the runtime that
 * runs this script. Exits with 1 on an error, and where memory or the journal grew.
 *
 *     deno task soak        # ten minutes
 *     deno task soak 3 7    # three minutes, seed 7
 *     bun scripts/soak.ts
 *
 * @module
 */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { Progress } from "./_progress.ts";
import { SoakLoad } from "./_soak_load.ts";
import { filesIn, median, Watch } from "./_soak_watch.ts";

const MEBIBYTE = 2 ** 20;
/** The part of the time after which caches are full and every key has been there. */
const WARM_UP_PART = 0.25;
/** Memory is the median over this part of the time: it goes up and down with the collector. */
const SAMPLE_PART = 0.15;
/** How much memory may grow from the end of the warm-up on, and still be called flat. */
const MEMORY_GROWTH_MAX = 1.25;
const MEMORY_GROWTH_BYTES = 48 * MEBIBYTE;
/** Segments of 1 MiB; memtables hold at most four times 512 KiB. */
const SEGMENTS_MAX = 8;

const minutes = Number(process.argv[2] ?? 10);
if (!(minutes > 0)) throw new RangeError(`Cannot soak: ${process.argv[2]} is no number of minutes`);
const seed = Number(process.argv[3] ?? Math.floor(Math.random() * 2 ** 32));

const runtime = "bun" in process.versions ? "bun" : "deno";
console.log(`${minutes} minutes in ${runtime}, seed ${seed}`);
const directory = mkdtempSync(join(tmpdir(), "hybridstore-soak-"));
const store = join(directory, "store");
const seconds = Math.round(minutes * 60);
const progress = new Progress("s", seconds);
let hasFailed = true;
try {
  using watch = new Watch();
  const load = new SoakLoad(store, seed, watch);
  await load.open();
  const start = performance.now();
  const passed = () => (performance.now() - start) / 1000;
  let filesAtStart: ReturnType<typeof filesIn> | undefined;
  while (passed() < seconds) {
    await load.burst();
    if (passed() > seconds * WARM_UP_PART) filesAtStart ??= filesIn(store);
    progress.update(
      Math.min(seconds, Math.floor(passed())),
      `${load.operations} operations, ${load.errorCount} errors, ${
        mebibytes(watch.memory.at(-1) ?? 0)
      } MiB`,
    );
  }
  const filesAtEnd = filesIn(store);
  const { memory } = watch;
  const sampled = Math.ceil(memory.length * SAMPLE_PART);
  const warm = Math.floor(memory.length * WARM_UP_PART);
  const memoryAtStart = median(memory.slice(warm, warm + sampled));
  const memoryAtEnd = median(memory.slice(-sampled));
  await load.compareAll();
  await load.close();
  progress.stop();

  for (const error of load.errors) console.log(error);
  const delays = [...watch.delays].sort(([, a], [, b]) => b.ms - a.ms).slice(0, 8);
  const growthMax = Math.max(
    memoryAtStart * MEMORY_GROWTH_MAX,
    memoryAtStart + MEMORY_GROWTH_BYTES,
  );
  const failures = [
    ...(load.errorCount > 0 ? [`${load.errorCount} errors`] : []),
    ...(memoryAtEnd > growthMax ? ["memory grew"] : []),
    ...(load.segmentsMost > SEGMENTS_MAX ? ["the journal grew"] : []),
  ];
  console.log([
    `operations             ${load.operations}`,
    `of the rarer ones      ${
      Object.entries(load.counts).map(([name, count]) => `${count} ${name}`).join(", ")
    }`,
    `errors                 ${load.errorCount}`,
    `resident memory        ${mebibytes(memoryAtStart)} MiB after the warm-up, ` +
    `${mebibytes(memoryAtEnd)} MiB at the end`,
    `largest loop delay     ${watch.largestDelay.toFixed(0)} ms`,
    ...delays.map(([name, { ms, cpuMs }]) =>
      `  ${`${ms.toFixed(0)} ms`.padEnd(21)}with ${name}; computing for ${
        cpuMs.toFixed(0)
      } ms at most`
    ),
    `files on disk          ${show(filesAtStart)} after the warm-up, ${
      show(filesAtEnd)
    } at the end`,
    `journal segments       ${load.segmentsMost} at most`,
    `result                 ${failures.length === 0 ? "flat, no errors" : failures.join(", ")}`,
  ].join("\n"));
  hasFailed = failures.length > 0;
} finally {
  progress.stop();
  // What a failure left is the evidence.
  if (hasFailed) console.log(`The store is in ${directory}`);
  else rmSync(directory, { recursive: true, force: true });
}
process.exit(hasFailed ? 1 : 0);

function mebibytes(bytes: number): string {
  return (bytes / MEBIBYTE).toFixed(0);
}

function show(found: { files: number; bytes: number } | undefined): string {
  return found === undefined ? "none" : `${found.files} of ${mebibytes(found.bytes)} MiB`;
}
