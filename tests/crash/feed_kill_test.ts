import process from "node:process";
import { test } from "node:test";
import { assertEquals, assertGreater } from "@std/assert";
import { tempDirectory } from "../support/temp.ts";
import { killCampaign } from "./_kill_campaign.ts";

// `deno task crash --feed` is the long form. A failure names its seed, and HYBRIDSTORE_KILL_SEED=… runs that one:
// see kill_test.ts.
const { HYBRIDSTORE_KILL_SEED } = process.env;
const KILLS = 14;
const SEED = HYBRIDSTORE_KILL_SEED === undefined
  ? Math.floor(Math.random() * 2 ** 32)
  : Number(HYBRIDSTORE_KILL_SEED);

test("views that cursors keep have each change once, whenever their process is killed", {
  timeout: 600_000,
}, async () => {
  using temp = tempDirectory();
  const report = await killCampaign(temp.path, SEED, KILLS, { isFed: true });
  assertEquals(report.faults, [], `HYBRIDSTORE_KILL_SEED=${SEED}`);
  assertEquals(report.kills, KILLS);
  assertGreater(report.shown, 0);
});
