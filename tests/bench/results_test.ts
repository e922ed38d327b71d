import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { assertEquals, assertThrows } from "@std/assert";
import { dirname, fromFileUrl, join } from "@std/path";
import { CONTESTANTS, GROWTH, RESOURCES } from "../../bench/_contestants.ts";
import { findingsOf } from "../../bench/_findings.ts";
import {
  formatResults,
  mergeResults,
  parseResults,
  readResults,
  requireMergeable,
  RUNTIMES,
  writeResults,
} from "../../bench/_results.ts";
import { WORKS } from "../../bench/works/mod.ts";
import { tempDirectory } from "../support/temp.ts";
import { DATE, makeResults, workLines } from "./_made_results.ts";

const RESULTS = join(dirname(fromFileUrl(import.meta.url)), "..", "..", "bench", "results");

test("results that are written are read again, a line for each work and contestant", () => {
  using temp = tempDirectory();
  const path = join(temp.path, "new", "bun.ndjson");
  assertEquals(readResults(path), undefined);

  const results = makeResults("bun", "1.9.1");
  writeResults(path, results);
  assertEquals(readResults(path), results);
  const lines = readFileSync(path, "utf8").split("\n");
  assertEquals(lines.length, 1 + 6 + 2 + 3 + 1);
  assertEquals(
    lines[1],
    `{"work":"put_sequential_append","by":"hybrid","date":"${DATE}","rounds":[182345]}`,
  );
});

test("figures are stored with four digits", () => {
  const results = makeResults("bun", "1.9.1");
  results.works = workLines("burst_stall", [1.23456789, 123_456], [0.000123456]);
  const [own, peer] = parseResults(formatResults(results), "results").works;
  assertEquals([own!.rounds, peer!.rounds], [[1.235, 123_456], [0.0001235]]);
});

test("a run of some works replaces these as a whole, and keeps the others", () => {
  const old = makeResults("bun", "1.9.1");
  const found = {
    ...makeResults("bun", "1.9.1"),
    works: [
      ...workLines("ycsb_b", [7], [8]),
      ...workLines("put_sequential_append", [1], [2], "level"),
    ],
    resources: [],
    growth: old.growth.slice(0, 1),
  };
  const merged = mergeResults(old, found);
  assertEquals(
    merged.works.map(({ work, by, rounds }) => [work, by, rounds[0]]),
    [
      ["put_sequential_append", "hybrid", 1],
      ["put_sequential_append", "level", 2],
      ["get_sync_append_uncached", "hybrid", 1_420_000],
      ["get_sync_append_uncached", "lmdb_safe", 2_840_000],
      ["ycsb_a", "hybrid", 8_764],
      ["ycsb_a", "lmdb_safe", 2_000],
      ["ycsb_b", "hybrid", 7],
      ["ycsb_b", "lmdb_safe", 8],
    ],
  );
  assertEquals(merged.resources, old.resources);
  assertEquals(merged.growth, found.growth);
  assertEquals(mergeResults(undefined, found), found);
});

test("figures of another machine, version or size are not added to a file", () => {
  using temp = tempDirectory();
  const path = join(temp.path, "bun.ndjson");
  const { head } = makeResults("bun", "1.9.1");
  requireMergeable(path, head);
  writeResults(path, makeResults("bun", "1.9.1"));
  const newer = { ...head.versions, hybridstore: "0.2.0" };
  requireMergeable(path, {
    ...head,
    versions: newer,
    machine: { ...head.machine, fsyncMs: 1, memoryMiB: 999 },
  });
  const others = {
    "bun 1.9.1, now 1.9.2": { runtime: { name: "bun", version: "1.9.2" } },
    "lmdb 3.9.9, now 4.0.0": { versions: { ...head.versions, lmdb: "4.0.0" } },
    "cores 2, now 64": { machine: { ...head.machine, cores: 64 } },
    "keys 12345, now 5; trialMs 200, now 1": { settings: { keys: 5, trialMs: 1 } },
  };
  for (const [message, other] of Object.entries(others)) {
    assertThrows(() => requireMergeable(path, { ...head, ...other }), Error, message);
  }
});

test("readResults() refuses what is damaged, and what is something else", () => {
  using temp = tempDirectory();
  const path = join(temp.path, "deno.ndjson");
  const text = formatResults(makeResults("deno", "2.9.2"));
  const [head, ...lines] = text.trimEnd().split("\n");
  const withLine = (line: string) => `${head}\n${lines[0]}\n${line}\n${lines[1]}\n`;
  const line1 = "line 1 is not the head of results in format 2";
  const cases: [string, string][] = [
    ["", line1],
    ["not JSON\n", line1],
    [`${JSON.stringify({ format: 1, works: [] }, undefined, 2)}\n`, line1],
    [`{"format":1,"runtime":{},"versions":{},"machine":{},"settings":{}}\n`, line1],
    [`${lines.join("\n")}\n`, line1],
    [text.slice(0, -1), "its last line is cut short"],
    [text.slice(0, -40), "its last line is cut short"],
    [withLine(""), "line 3 is damaged"],
    [withLine("null"), "line 3 is damaged"],
    [withLine(lines[0]!.slice(0, 40)), "line 3 is damaged"],
    [withLine(`{"other":"kind"}`), "line 3 is damaged"],
    [withLine(`{"work":"a","by":"b","date":"c","rounds":[]}`), "line 3 is damaged"],
    [withLine(`{"work":"a","by":"b","date":"c","rounds":[1,null]}`), "line 3 is damaged"],
    [withLine(`{"work":"a","by":"b","date":"c","rounds":[1],"latencyUs":[1]}`), "line 3"],
    [withLine(`{"resources":"a","date":"c","diskBytes":"1","dataBytes":1}`), "line 3"],
    [withLine(`{"growth":"a","of":"get","date":"c","points":[[1]]}`), "line 3 is damaged"],
  ];
  for (const [damaged, message] of cases) {
    writeFileSync(path, damaged);
    assertThrows(() => readResults(path), Error, `Cannot read ${path}: ${message}`);
  }
  writeFileSync(path, text);
  assertEquals(readResults(path)?.works.length, 6);
});

test("medians and ratios come of the rounds", () => {
  const results = makeResults("bun", "1.9.1");
  results.works = [
    // The rounds' ratios are 10, 1 and 3; that of the medians would be 2.
    ...workLines("put_sequential_append", [100, 20, 60], [10, 20, 20]),
    ...workLines("burst_stall", [5, 4, 5], [20, 2, 5]),
  ];
  const [put, stall] = findingsOf(results);
  assertEquals(put!.contestants.map(({ median }) => median), [60, 20]);
  assertEquals(put!.ratios, [{ peer: "lmdb_safe", ratio: 3, bar: 15, isMet: false }]);
  // Of a stall less is better, and there is a limit of 10 ms.
  assertEquals(stall!.ratios, [
    { peer: "lmdb_safe", ratio: 1 },
    { peer: "limit", ratio: 2, bar: 1, isMet: true },
  ]);
});

test("the results in the repository are of works and contestants that there are", () => {
  const rows = new Map(WORKS.flatMap(({ rows, entries }) => rows.map(({ id }) => [id, entries])));
  for (const name of RUNTIMES) {
    const path = join(RESULTS, `${name}.ndjson`);
    const { head, works, resources, growth } = readResults(path)!;
    assertEquals(head.runtime.name, name);
    const stale = works.filter(({ work, by }) => !rows.get(work)?.some(({ id }) => id === by));
    assertEquals(stale, []);
    const known = (list: readonly { id: string }[]) => list.map(({ id }) => id);
    assertEquals(resources.filter((line) => !known(RESOURCES).includes(line.resources)), []);
    assertEquals(growth.filter((line) => !known(GROWTH).includes(line.growth)), []);
    const text = readFileSync(path, "utf8");
    assertEquals(formatResults(parseResults(text, path)), text);
  }
});

test("works have distinct ids, and contestants that there are", () => {
  const ids = WORKS.flatMap(({ rows }) => rows.map(({ id }) => id));
  assertEquals(new Set(ids).size, ids.length);
  for (const { rows, entries } of WORKS) {
    assertEquals(entries[0]!.id, "hybrid", rows[0]!.id);
    assertEquals(new Set(entries.map(({ id }) => id)).size, entries.length, rows[0]!.id);
    for (const { contestant } of entries) {
      assertEquals(CONTESTANTS.get(contestant.id), contestant);
    }
  }
});
