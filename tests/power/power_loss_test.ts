import { test } from "node:test";
import process from "node:process";
import { assert, assertEquals, assertGreater } from "@std/assert";
import { tempDirectory } from "../support/temp.ts";
import { powerLossCampaign } from "./_campaign.ts";
import { whyNoTrace } from "./_record.ts";
import { THIS_RUNTIME } from "./_runtime.ts";
import { SCENARIOS } from "./_scenarios.ts";

// A short campaign; `deno task power-loss` runs the long one. A failure names its seed, and
// HYBRIDSTORE_POWER_SEED=… runs that one: what the processes do is then the same, as far as time lets it.
const { HYBRIDSTORE_POWER_SEED } = process.env;
const SEED = HYBRIDSTORE_POWER_SEED === undefined
  ? Math.floor(Math.random() * 2 ** 31)
  : Number(HYBRIDSTORE_POWER_SEED);
const IMAGES = 90;

const NAMES = [
  ..."always hybrid flush create replay backup restore close feed".split(" "),
  "failed call",
  "failed call in creation",
];

const options = { timeout: 900_000, skip: whyNoTrace() ?? false };

async function campaign(names: readonly string[], images: number) {
  using temp = tempDirectory();
  const scenarios = SCENARIOS.filter(({ name }) => names.includes(name));
  assertEquals(scenarios.length, names.length);
  return await powerLossCampaign({
    ...{ runtime: THIS_RUNTIME, seed: SEED, images, scenarios, keep: undefined },
    directory: temp.path,
    onImage: () => {},
  });
}

test(
  "whenever the power goes, a store keeps what it has promised",
  options,
  async () => {
    const reports = await campaign(NAMES, IMAGES);
    const what = `HYBRIDSTORE_POWER_SEED=${SEED}`;
    assertEquals(reports.flatMap(({ messages }) => messages), [], what);
    assert(reports.every(({ isAsExpected }) => isAsExpected), what);
    assertGreater(reports.reduce((sum, { images }) => sum + images, 0), IMAGES / 2);
  },
);

test("what a disk that ignores syncs leaves is found to be bad", options, async () => {
  // With a feed as well, it takes the long campaign.
  const controls = ["the journal", "SQLite"].map((of) => `control: ignored syncs of ${of}`);
  for (const { scenario, isAsExpected, faults } of await campaign(controls, 1)) {
    assert(isAsExpected, `${scenario}: HYBRIDSTORE_POWER_SEED=${SEED}`);
    assertEquals(faults, 0);
  }
});
