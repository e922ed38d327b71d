import { mkdirSync, writeFileSync } from "node:fs";
import process from "node:process";
import { test } from "node:test";
import { assertEquals, assertStringIncludes } from "@std/assert";
import { assertionCountKey, cursorKey, decodeU64, extractTag, HybridStore } from "../../mod.ts";
import { tempDirectory } from "../support/temp.ts";
import { digestDirectory, runExample } from "./_wordnet.ts";

const TIMEOUT = { timeout: 600_000 };

/** The first 500 subjects of WordNet 3.1, counted with awk. */
const LIMIT = ["--limit", "500"];
const KEYS = { "H:": 4434, "VC:": 235, "VW:": 235, "META:": 5, "S:": 500, "SP:": 2048, "MV:": 500 };
const VOTES = 10_765n;

/** Both runtimes have to end with these bytes. */
const DIGEST = "f583a1995df43fc3aeaefad7943e6473d45f579ad4ad9ee8e76df79f387fb7e7";

test("the example makes a claims database that has what WordNet has", TIMEOUT, async () => {
  using temp = tempDirectory();
  const first = await runExample([temp.path, ...LIMIT]);
  assertEquals([first.code, first.errors], [0, ""]);
  for (const line of [/H: +4,434 +assertions/, /SP: +2,048/, /1 +person +6,833 .* n00007846/]) {
    assertEquals(line.test(first.output), true, `${line} in ${first.output}`);
  }

  {
    await using store = await HybridStore.open(temp.path);
    const tags: Record<string, number> = {};
    let votes = 0n;
    for await (const { key, value } of store.scan()) {
      const tag = new TextDecoder().decode(extractTag(key));
      tags[tag] = (tags[tag] ?? 0) + 1;
      if (tag === "VC:") votes += decodeU64(value);
    }
    assertEquals(tags, KEYS);
    assertEquals(votes, VOTES);
    assertEquals(decodeU64((await store.get(assertionCountKey()))!), 4434n);
    assertEquals(await store.has(cursorKey()), true);
  }
  const { digest } = await digestDirectory(temp.path);
  assertEquals(digest, DIGEST);

  const again = await runExample([temp.path, ...LIMIT]);
  assertEquals([again.code, again.errors], [0, ""]);
  assertStringIncludes(again.output, "It is complete: 4,434 assertions");
  // All but how much room the store takes, which depends on what the engines did in between.
  const answers = (output: string) =>
    output.slice(output.indexOf("\nKeys")).replace(/\nOn disk[^]*?\n\n/, "");
  assertStringIncludes(answers(again.output), "The 10 most voted senses");
  assertEquals(answers(again.output), answers(first.output));
  assertEquals((await digestDirectory(temp.path)).digest, digest);
});

test("the example refuses a store that was begun with another limit", TIMEOUT, async () => {
  using temp = tempDirectory();
  assertEquals((await runExample([temp.path, "--limit", "5"])).code, 0);
  const { code, output, errors } = await runExample([temp.path, "--limit", "6"]);
  assertEquals([code, output], [1, ""]);
  assertEquals(errors, `Cannot go on in ${temp.path}: it was begun with --limit 5\n`);
});

test("the example refuses what is not its own, in one line", TIMEOUT, async () => {
  using temp = tempDirectory();
  const foreign = `${temp.path}/foreign`;
  const file = `${temp.path}/file`;
  const other = `${temp.path}/other`;
  mkdirSync(foreign);
  writeFileSync(`${foreign}/notes`, "");
  writeFileSync(file, "");
  {
    await using store = await HybridStore.open(other);
    await store.put(new Uint8Array([1]), new Uint8Array());
  }
  for (
    const [directory, message] of [
      [foreign, "it has files in it that are not those of a store"],
      [file, "it is not a directory"],
      [other, "it is a store, but holds other data"],
    ] as const
  ) {
    const { code, errors } = await runExample([directory, ...LIMIT]);
    assertEquals([code, errors], [1, `Cannot use ${directory}: ${message}\n`]);
  }
});

test("the example says who has the store open, in one line", TIMEOUT, async () => {
  using temp = tempDirectory();
  await using _store = await HybridStore.open(temp.path);
  const { code, errors } = await runExample([temp.path, ...LIMIT]);
  assertEquals([code, errors.split("\n").length], [1, 2], errors);
  assertStringIncludes(errors, `${process.pid}`);
});

test("the example closes the store when it is interrupted", TIMEOUT, async () => {
  using temp = tempDirectory();
  let isSent = false;
  const result = await runExample([temp.path, "--limit", "10000"], (send) => (line) => {
    if (isSent || !line.startsWith("ingest")) return;
    isSent = true;
    send("SIGINT");
  });
  assertEquals([result.code, result.signal], [130, null], result.output);
  assertEquals(result.errors, "Stopped. The same command goes on from here.\n");

  await using store = await HybridStore.open(temp.path);
  // Closing had moved everything into the engines.
  assertEquals(store.stats().recovery.replayed, 0);
});

test("the example explains itself, and what is wrong with its arguments", TIMEOUT, async () => {
  const help = await runExample(["--help"]);
  assertEquals([help.code, help.errors], [0, ""]);
  assertStringIncludes(help.output, "--limit N");
  for (const args of [["--limit", "0"], ["--limit", "x"], ["--limits"], ["a", "b"]]) {
    const { code, output, errors } = await runExample(args);
    assertEquals([code, output], [1, ""]);
    assertEquals(errors.trimEnd().split("\n").length, 1, errors);
  }
});
