import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import process from "node:process";
import { test } from "node:test";
import { assertEquals, assertGreater, assertMatch, assertStringIncludes } from "@std/assert";
import { dirname, fromFileUrl, join } from "@std/path";
import { CHARTS, renderSvg } from "../../bench/_charts/mod.ts";
import { shortNumber } from "../../bench/_charts/rows.ts";
import { logScale } from "../../bench/_charts/theme.ts";
import type { ContestantResult, Results, WorkResult } from "../../bench/_results.ts";
import { tempDirectory } from "../support/temp.ts";

const SCRIPT = join(dirname(fromFileUrl(import.meta.url)), "..", "..", "bench", "charts.ts");
const NAMES = ["writes", "reads", "ycsb", "growth", "resources", "ratios"];
const WIDTH_MAX = 900;

function contestant(id: string, name: string, median: number): ContestantResult {
  return { id, name, guarantee: "durable", rounds: [median], median };
}

function work(id: string, title: string, own: number, peer: number): WorkResult {
  return {
    id,
    title,
    group: "group",
    unit: "op/s",
    better: "higher",
    contestants: [
      contestant("hybrid", "HybridStore", own),
      contestant("lmdb_safe", "lmdb, safe", peer),
    ],
    ratios: [{ peer: "lmdb_safe", ratio: own / peer, bar: 3, met: own / peer >= 3 }],
  };
}

function makeResults(name: string, version: string): Results {
  const growth = { id: "hybrid_append", name: "HybridStore, append side", unit: "µs" };
  const points = [{ keys: 10_000, usPerOperation: 2 }, { keys: 100_000, usPerOperation: 3 }];
  const resource = { dataBytes: 1000, peakRssBytes: 77 * 2 ** 20 };
  return {
    format: 1,
    date: "2026-02-03T04:05:06.789Z",
    runtime: { name, version },
    versions: { hybridstore: "0.1.0", lmdb: "3.9.9", sqlite: "3.8.8", "classic-level": "3.7.7" },
    machine: {
      platform: "linux",
      arch: "x64",
      cpu: "Slow CPU",
      cores: 2,
      memoryMiB: 1000,
      fsyncMs: 0.456,
    },
    settings: { keys: 12_345, rounds: 5, trialMs: 200, quick: false },
    works: [
      work("put_sequential_append", "put", 182_345, 3_000),
      work("get_sync_append", "get", 1_420_000, 2_840_000),
      work("ycsb_a", "YCSB A", 8_764, 2_000),
    ],
    resources: [
      { ...resource, id: "hybrid_append", name: "HybridStore, append side", diskBytes: 1460 },
      { ...resource, id: "lmdb_safe", name: "lmdb, safe", diskBytes: 2040, writtenBytes: 3330 },
    ],
    growth: ["put", "get", "scan row"].map((work) => ({ ...growth, work, points })),
  };
}

const ALL = [makeResults("bun", "1.9.1"), makeResults("deno", "2.9.2")];

async function draw(name: string, all: readonly Results[]): Promise<string> {
  const spec = CHARTS[name]!(all);
  if (spec === undefined) throw new Error(`No chart ${name}`);
  return await renderSvg(spec);
}

/** What each chart has to show of the results above. */
const TEXTS: Readonly<Record<string, string[]>> = {
  writes: ["put, append side", "182k", "operations per second, logarithmic", "lmdb"],
  reads: ["getSync, append side", "1.42M", "operations per second, logarithmic", "lmdb"],
  ycsb: ["A: 50 % read, 50 % update", "8.76k", "lmdb"],
  growth: [
    "put, in a burst",
    "scan, per row",
    "µs per operation, logarithmic",
    "10k",
    "append side",
  ],
  resources: ["on disk, bytes per byte of data", "1.46", "2.04", "3.33", "77.0", "lmdb, safe"],
  ratios: ["put, append side vs lmdb, safe", "60.8×", "0.50×", "4.38×", "below its line"],
};

test("every chart shows names, values and where they come from", async () => {
  assertEquals(Object.keys(CHARTS), NAMES);
  for (const name of NAMES) {
    const svg = await draw(name, ALL);
    const notes = ["Bun 1.9.1", "Deno 2.9.2", "2026-02-03", "Slow CPU, 2 cores", "fsync 0.46 ms"];
    for (const text of [...TEXTS[name]!, ...notes, "HybridStore"]) {
      assertStringIncludes(svg.replaceAll("\u00a0", " "), text, `${name} shows ${text}`);
    }
    for (const word of ["NaN", "undefined", "Infinity"]) {
      assertEquals(svg.includes(word), false, `${name} has no ${word}`);
    }
  }
});

test("a chart is opaque, and fits a page", async () => {
  for (const name of NAMES) {
    const svg = await draw(name, ALL);
    assertMatch(svg, /<rect width="\d+" height="\d+" fill="white"\/>/, name);
    const width = Number(/^<svg [^>]*\bwidth="(\d+)"/.exec(svg)?.[1]);
    assertGreater(width, 0, name);
    assertEquals(width <= WIDTH_MAX, true, `${name} is ${width} wide`);
    const sizes = [...svg.matchAll(/font-size="([\d.]+)px"/g)].map(([, size]) => Number(size));
    assertEquals(Math.min(...sizes) >= 11, true, `${name}: ${Math.min(...sizes)} px`);
  }
});

test("the same results give the same bytes", async () => {
  for (const name of NAMES) assertEquals(await draw(name, ALL), await draw(name, ALL), name);
});

test("a dot further right is more", async () => {
  const svg = await draw("writes", [ALL[0]!]);
  const xOf = (text: string) => {
    const found = new RegExp(`translate\\(([\\d.]+),[\\d.-]+\\)"[^>]*>${text}<`).exec(svg);
    return Number(found?.[1]);
  };
  const [less, more, value] = ["10k", "100k", "182k"].map(xOf);
  assertGreater(more!, less!);
  assertGreater(value!, more!);
});

test("what is missing in the results is left out", async () => {
  const [bun, deno] = ALL as [Results, Results];
  const partial: Results = {
    ...bun,
    works: [work("ycsb_b", "YCSB B", 2, 1)],
    growth: [],
    resources: [],
  };
  assertEquals(CHARTS.writes!([partial]), undefined);
  assertEquals(CHARTS.growth!([partial]), undefined);
  assertEquals(CHARTS.resources!([partial]), undefined);

  const ycsb = await draw("ycsb", [partial, deno]);
  assertStringIncludes(ycsb, "B: 95 % read, 5 % update");
  assertStringIncludes(ycsb, "A: 50 % read, 50 % update");
  const writes = await draw("writes", [deno]);
  assertEquals(writes.includes("Bun"), false);
  assertEquals(writes.includes("fetch-and-add<"), false);
});

test("charts.ts draws what it finds, and says where it finds nothing", () => {
  using temp = tempDirectory();
  const [results, out] = [join(temp.path, "results"), join(temp.path, "charts")];
  mkdirSync(results);
  const nothing = runScript("--results", results, "--out", out);
  assertEquals(nothing.status, 1);
  assertStringIncludes(nothing.stderr, `Cannot draw charts: no results in ${results}`);

  writeFileSync(join(results, "bun.json"), JSON.stringify({ ...ALL[0], growth: [] }));
  const { status, stdout, stderr } = runScript("--results", results, "--out", out);
  assertEquals([status, stderr], [0, ""]);
  assertStringIncludes(stdout, "growth: no results");
  const files = NAMES.filter((name) => name !== "growth").map((name) => `${name}.svg`);
  assertEquals(readdirSync(out).sort(), files.sort());
  assertStringIncludes(readFileSync(join(out, "writes.svg"), "utf8"), "182k");
});

test("numbers are short, and ticks are within the scale", () => {
  const texts = [1_420_000, 999_600, 182_345, 12.34, 0.4567].map(shortNumber);
  assertEquals(texts, ["1.42M", "1.00M", "182k", "12.3", "0.46"]);
  assertEquals(logScale([2_000, 400_000]).ticks, [3_000, 10_000, 30_000, 100_000, 300_000]);
  assertEquals(logScale([1_000, 2_000_000]).ticks, [1_000, 10_000, 100_000, 1_000_000]);
});

function runScript(...args: string[]) {
  const runtime = "deno" in process.versions ? ["run", "-A"] : [];
  return spawnSync(process.execPath, [...runtime, SCRIPT, ...args], { encoding: "utf8" });
}
