import { test } from "node:test";
import { assertEquals, assertStringIncludes } from "@std/assert";
import { findingsOf } from "../../bench/_findings.ts";
import { formatSummary } from "../../bench/_summary.ts";
import { WORKS } from "../../bench/works/mod.ts";
import { DATE, makeResults, workLines } from "./_made_results.ts";

const SETTINGS = { keys: 5_000, rounds: 1 };

/** Returns results of all works in which every contestant reached the same. */
function allResults(ids: (id: string) => boolean = () => true) {
  const works = WORKS.flatMap(({ rows, entries }) =>
    rows.filter(({ id }) => ids(id)).flatMap(({ id: work }) =>
      entries.map(({ id: by }) => ({ work, by, date: DATE, rounds: [12_345_678] }))
    )
  );
  return { ...makeResults("bun", "1.9.1"), works };
}

test("a summary fits a screen and passes no judgement, whatever ran", () => {
  const some = [() => true, (id: string) => id.startsWith("ycsb"), (id: string) => /4k$/.test(id)];
  for (const isWanted of some) {
    const findings = findingsOf(allResults(isWanted));
    const summary = formatSummary(findings, SETTINGS);
    const lines = summary.split("\n");
    assertEquals(lines.length <= 40, true, `${lines.length} lines`);
    assertEquals(lines.filter(({ length }) => length > 100), []);
    assertEquals(/\b(wins?|loses?|better|worse|ok|below|bars?|ratio)\b/i.test(summary), false);
  }
});

test("a summary has the works of README, each with the fastest peer that is as durable", () => {
  const results = makeResults("bun", "1.9.1");
  results.works = [
    ...workLines("put_sequential_append", [182_345], [900_000]),
    ...workLines("put_sequential_append", [182_345], [3_000], "rocksdb").slice(1),
    ...workLines("put_sequential_append", [182_345], [2_000], "level").slice(1),
    ...workLines("burst_stall", [8.14], [4.07]),
    ...workLines("burst_stall", [8.14], [2.5], "level").slice(1),
    ...workLines("delete_sequential", [7], [8]),
  ];
  const [head, , put, stall, rest] = formatSummary(findingsOf(results), SETTINGS).split("\n");
  assertStringIncludes(head!, "5,000 keys and 1 round");
  assertEquals(put!.split(/ {2,}/), ["put, append side", "182,300/s", "RocksDB", "3,000/s"]);
  assertEquals(stall!.split(/ {2,}/).slice(1), ["8.14 ms", "classic-level", "2.5 ms"]);
  assertEquals(rest, "and 1 more, above");
});
