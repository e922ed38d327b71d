import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import process from "node:process";
import { test } from "node:test";
import { assertEquals, assertGreater, assertMatch, assertStringIncludes } from "@std/assert";
import { dirname, fromFileUrl, join } from "@std/path";
import { shortNumber } from "../../bench/_charts/rows.ts";
import { logScale } from "../../bench/_charts/scale.ts";
import { hasPackages, NOT_INSTALLED } from "../../bench/_packages.ts";
import { type Results, writeResults } from "../../bench/_results.ts";
import { tempDirectory } from "../support/temp.ts";
import { makeResults, workLines } from "./_made_results.ts";

// What draws the charts is not installed everywhere, so that nothing here imports it: the script draws
// them, and its files are looked at.

const DRAWN = { skip: hasPackages() ? false : NOT_INSTALLED, timeout: 600_000 };
const SCRIPT = join(dirname(fromFileUrl(import.meta.url)), "..", "..", "bench", "charts.ts");
const NAMES = ["writes", "reads", "ycsb", "growth", "resources", "ratios"];
const WIDTH_MAX = 900;
const ALL = [makeResults("bun", "1.9.1"), makeResults("deno", "2.9.2")];

function runScript(...args: string[]) {
  const runtime = "deno" in process.versions ? ["run", "-A"] : [];
  return spawnSync(process.execPath, [...runtime, SCRIPT, ...args], { encoding: "utf8" });
}

/** Draws results, and returns the charts by name and what was printed. */
function draw(all: readonly Results[]): { charts: Record<string, string>; output: string } {
  using temp = tempDirectory();
  const [results, out] = [join(temp.path, "results"), join(temp.path, "charts")];
  for (const one of all) writeResults(join(results, `${one.head.runtime.name}.ndjson`), one);
  const { status, stdout, stderr } = runScript("--results", results, "--out", out);
  assertEquals([status, stderr], [0, ""]);
  const charts = readdirSync(out).map((file) => [
    file.replace(/\.svg$/, ""),
    readFileSync(join(out, file), "utf8"),
  ]);
  return { charts: Object.fromEntries(charts), output: stdout };
}

let drawn: Record<string, string> | undefined;

/** Returns the charts of all results, which are drawn once. */
function drawAll(): Record<string, string> {
  return drawn ??= draw(ALL).charts;
}

/** What each chart has to show of the results above. */
const TEXTS: Readonly<Record<string, string[]>> = {
  writes: ["put, append side", "182k", "operations per second, logarithmic", "lmdb"],
  reads: ["getSync, append side, uncached", "1.42M", "operations per second, logarithmic", "lmdb"],
  ycsb: ["A: 50 % read, 50 % update", "8.76k", "lmdb"],
  growth: [
    "put, in a burst",
    "scan, per row",
    "µs per operation, logarithmic",
    "10k",
    "append side",
  ],
  resources: ["on disk,", "bytes per byte of data", "1.46", "2.04", "3.33", "77.0", "lmdb, safe"],
  ratios: [
    "put, append side vs lmdb, safe ↑",
    "60.8×",
    "getSync, append side, uncached vs lmdb, safe",
    "0.50×",
    "below its line",
  ],
};

test("every chart shows names, values and where they come from", DRAWN, () => {
  const charts = drawAll();
  assertEquals(Object.keys(charts).sort(), NAMES.toSorted());
  for (const name of NAMES) {
    const svg = charts[name]!.replaceAll("\u00a0", " ");
    const notes = ["Bun 1.9.1", "Deno 2.9.2", "2026-02-03", "Slow CPU, 2 cores", "fsync 0.46 ms"];
    for (const text of [...TEXTS[name]!, ...notes, "HybridStore"]) {
      assertStringIncludes(svg, text, `${name} shows ${text}`);
    }
    for (const word of ["NaN", "undefined", "Infinity"]) {
      assertEquals(svg.includes(word), false, `${name} has no ${word}`);
    }
  }
});

test("a chart is opaque, and fits a page", DRAWN, () => {
  for (const [name, svg] of Object.entries(drawAll())) {
    assertMatch(svg, /<rect width="\d+" height="\d+" fill="white"\/>/, name);
    const width = Number(/^<svg [^>]*\bwidth="(\d+)"/.exec(svg)?.[1]);
    assertGreater(width, 0, name);
    assertEquals(width <= WIDTH_MAX, true, `${name} is ${width} wide`);
    const sizes = [...svg.matchAll(/font-size="([\d.]+)px"/g)].map(([, size]) => Number(size));
    assertEquals(Math.min(...sizes) >= 11, true, `${name}: ${Math.min(...sizes)} px`);
  }
});

test("the same results give the same bytes", DRAWN, () => {
  assertEquals(draw(ALL).charts, drawAll());
});

test("a dot further right is more", DRAWN, () => {
  const svg = draw([ALL[0]!]).charts.writes!;
  const xOf = (text: string) => {
    const found = new RegExp(`translate\\(([\\d.]+),[\\d.-]+\\)"[^>]*>${text}<`).exec(svg);
    return Number(found?.[1]);
  };
  const [less, more, value] = ["10k", "100k", "182k"].map(xOf);
  assertGreater(more!, less!);
  assertGreater(value!, more!);
});

test("lmdb's two settings are told apart, and so is what is on disk", DRAWN, () => {
  const [bun] = ALL as [Results, Results];
  const [own, safe, byDefault] = [[182_345], [91_000], [90_000]];
  const works = [
    ...workLines("burst_in_engines", own, safe),
    ...workLines("burst_in_engines", own, byDefault, "lmdb_default").slice(1),
    ...workLines("put_sequential_append", own, [910]),
    ...workLines("put_sequential_btree_durable", own, safe, "sqlite_full"),
  ];
  const { writes, ratios } = draw([{ ...bun, works }]).charts;
  for (const name of ["lmdb, safe", "lmdb, default"]) assertStringIncludes(writes!, `>${name}<`);
  // A put on the append side is not on disk yet, one on the B-tree side is.
  const fills = [...ratios!.matchAll(/fill="([^"]+)" stroke="#0b57d0" stroke-width="2"/g)]
    .map(([, fill]) => fill);
  assertEquals(new Set(fills), new Set(["white", "#0b57d0"]));
});

test("what is missing in the results is left out", DRAWN, () => {
  const [bun, deno] = ALL as [Results, Results];
  const partial: Results = {
    ...bun,
    works: workLines("ycsb_b", [2], [1]),
    growth: [],
    resources: [],
  };
  const alone = draw([partial]);
  assertEquals(Object.keys(alone.charts), ["ycsb"]);
  assertStringIncludes(alone.output, "growth: no results");

  const { ycsb, writes } = draw([partial, deno]).charts;
  assertStringIncludes(ycsb!, "B: 95 % read, 5 % update");
  assertStringIncludes(ycsb!, "A: 50 % read, 50 % update");
  assertEquals(writes!.includes("fetch-and-add<"), false);
});

test("a bar that would flatten the others is cut, and says so", DRAWN, () => {
  const [bun] = ALL as [Results, Results];
  const line = { ...bun.resources[0]!, burstRssBytes: 55 * 2 ** 20 };
  const resources = [
    { ...line, writtenBytes: 3_000 },
    { ...line, resources: "lmdb_default", writtenBytes: 2_000 },
    { ...line, resources: "deno_kv", writtenBytes: 155_000 },
  ];
  const svg = draw([{ ...bun, resources }]).charts.resources!;
  for (const text of ["155 →", "3.00", "2.00", "lmdb, default", "55.0", "→: the bar is longer"]) {
    assertStringIncludes(svg, text);
  }
  assertEquals(drawAll().resources!.includes("→"), false);
  assertEquals(drawAll().resources!.includes("memory of the burst"), false);
});

test("charts.ts says where it finds nothing", DRAWN, () => {
  using temp = tempDirectory();
  const results = join(temp.path, "results");
  mkdirSync(results);
  const { status, stderr } = runScript("--results", results, "--out", join(temp.path, "charts"));
  assertEquals(status, 1);
  assertStringIncludes(stderr, `Cannot draw charts: no results in ${results}`);
});

test("numbers are short, and ticks are within the scale", () => {
  const texts = [1_420_000, 999_600, 182_345, 12.34, 0.4567].map(shortNumber);
  assertEquals(texts, ["1.42M", "1.00M", "182k", "12.3", "0.46"]);
  assertEquals(logScale([2_000, 400_000]).ticks, [3_000, 10_000, 30_000, 100_000, 300_000]);
  assertEquals(logScale([1_000, 2_000_000]).ticks, [1_000, 10_000, 100_000, 1_000_000]);
});
