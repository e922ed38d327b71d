import { readFileSync } from "node:fs";
import { test } from "node:test";
import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { dirname, fromFileUrl, join } from "@std/path";
import { paragraphOf, tableOf, withPart } from "../../bench/_markdown.ts";
import { readResults, type Results, RUNTIMES } from "../../bench/_results.ts";
import { withAllWorks, withSpeedTables } from "../../bench/_table.ts";
import { makeResults, workLines } from "./_made_results.ts";

const ROOT = join(dirname(fromFileUrl(import.meta.url)), "..", "..");

const PARTS = ["speed", "faster", "works"].map((name) =>
  `<!-- ${name}: written by npm run bench:table -->\n\nold\n\n<!-- end of ${name} -->\n`
).join("\n");

/** Returns the cells of the rows of a document's tables. */
function cellsOf(document: string): string[][] {
  return document.split("\n").filter((line) => line.startsWith("|") && !/^\| -/.test(line))
    .map((line) => line.split("|").slice(1, -1).map((cell) => cell.trim()));
}

function makeAll(): Results[] {
  const [bun, deno] = [makeResults("bun", "1.9.1"), makeResults("deno", "2.9.2")];
  bun.works = [
    ...workLines("put_sequential_append", [182_345], [3_000]),
    ...workLines("put_sequential_append", [182_345], [36_469], "sqlite_normal").slice(1),
    ...workLines("put_sequential_append", [182_345], [91_173], "level").slice(1),
    ...workLines("burst_acknowledged", [1_000], [2_000]),
    ...workLines("burst_stall", [8.14], [4.07]),
  ];
  deno.works = [
    ...workLines("put_sequential_append", [100_000], [200_000]),
    ...workLines("put_sequential_append", [100_000], [4_000], "deno_kv").slice(1),
  ];
  return [bun, deno];
}

test("README and bench/README have the tables that the results give: npm run bench:table", () => {
  const all = RUNTIMES.map((name) => readResults(join(ROOT, "bench/results", `${name}.ndjson`))!);
  for (
    const [name, write] of [
      ["README.md", withSpeedTables],
      ["bench/README.md", withAllWorks],
    ] as const
  ) {
    const text = readFileSync(join(ROOT, name), "utf8");
    assertEquals(write(text, all), text, name);
  }
});

test("README's table has the fastest peer that promises the same, then the fastest other one", () => {
  const document = withSpeedTables(PARTS, makeAll());
  const [head, ...rows] = cellsOf(document.slice(0, document.indexOf("end of speed")));
  assertEquals(head, [
    ...["work", "HybridStore: on disk", "Bun", "Deno"],
    ...["peer", "peer: on disk", "ratio, Bun", "ratio, Deno"],
  ]);
  assertEquals(rows, [
    [
      ...["put, append side", "all but the last 1 s", "182,300/s", "100,000/s"],
      ...["classic-level", "no promise", "2.00×", ""],
    ],
    ["", "", "", "", "lmdb, safe", "all", "61×", "**0.50×**"],
    [
      ...["burst of puts, until acknowledged", "all but the last 1 s", "1,000/s", ""],
      ...["lmdb, safe", "all", "**0.50×**", ""],
    ],
    [
      ...["stall of the event loop in a burst", "all", "8.14 ms", ""],
      ...["lmdb, safe", "all", "**0.50×**", ""],
    ],
  ]);
  assertStringIncludes(document, "2026-02-03 · Bun 1.9.1, Deno 2.9.2 · lmdb 3.9.9");
  assertEquals(document.includes("old\n\n<!-- end of speed"), false);
  assertEquals(document.includes("old\n\n<!-- end of works"), true);
});

test("every peer that is faster in some runtime is listed, the furthest first", () => {
  const all = makeAll();
  all[0]!.works.push(
    ...workLines("burst_in_engines", [1_000], [4_000]),
    ...workLines("burst_in_engines", [1_000], [1_001], "level").slice(1),
    ...workLines("burst_acknowledged_btree", [1_000], [1_250], "lmdb_default"),
    ...workLines("batch_100_both", [1_000], [999]),
    ...workLines("delete_sequential", [1_000], [1_000]),
  );
  const document = withSpeedTables(PARTS, all);
  const [head, ...rows] = cellsOf(document.slice(document.indexOf("end of speed")));
  assertEquals(head, ["work", "Bun 1.9.1", "Deno 2.9.2"]);
  assertEquals(
    rows,
    [
      [
        "burst of puts, append side, until in the engines",
        "lmdb, safe 0.25× · classic-level 0.999×",
        "",
      ],
      ["put, awaited one by one, append side", "", "lmdb, safe ↑ 0.50×"],
      ["burst of puts, append side, until acknowledged", "lmdb, safe ↑ 0.50×", ""],
      [
        "stall of the event loop, p99: burst in chunks of 500 and setImmediate, append side",
        "lmdb, safe 0.50×",
        "",
      ],
      ["burst of puts, B-tree side, until acknowledged", "lmdb, default ↓ 0.80×", ""],
    ],
  );
});

test("bench/README has all contestants of all works, those that promise the same first", () => {
  const document = withAllWorks(PARTS, makeAll());
  assertEquals(
    [...document.matchAll(/^## (.*)$/gm)].map(([, title]) => title),
    ["Puts", "Bursts", "Stalls of the event loop"],
  );
  const stores = cellsOf(document).slice(1, 6).map((row) => row.slice(1));
  assertEquals(stores, [
    ["HybridStore", "all but the last 1 s", "182,300/s", "100,000/s", "", ""],
    ["SQLite", "up to the last checkpoint", "36,470/s", "", "5.00×", ""],
    ["classic-level", "no promise", "91,170/s", "", "2.00×", ""],
    ["lmdb, safe", "all", "3,000/s", "200,000/s", "61×", "**0.50×**"],
    ["Deno KV", "all", "", "4,000/s", "", "25×"],
  ]);
  assertStringIncludes(document, "What the engines do not have yet when the clock stops");
});

test("tables and paragraphs are as deno fmt leaves them", () => {
  assertEquals(
    tableOf([{ title: "a" }, { title: "bc", isNumber: true }], [["long", "1"], ["", "**22×**"]]),
    [
      "| a    |      bc |",
      "| ---- | ------: |",
      "| long |       1 |",
      "|      | **22×** |",
    ].join("\n"),
  );
  const words = Array.from({ length: 40 }, (_, i) => `word${i}`).join(" ");
  const lines = paragraphOf(words).split("\n");
  assertEquals(lines.join(" "), words);
  assertEquals(lines.every(({ length }) => length <= 100), true);
  assertEquals(lines.length, 3);
});

test("a document without the comments of a part is refused", () => {
  assertThrows(() => withPart("text", "speed", ""), Error, "Cannot find <!-- speed: written by");
});
