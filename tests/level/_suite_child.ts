/** Runs the suite that `abstract-level` has for its implementations, over one configuration, and prints TAP:
 * `… CONFIGURATION DIRECTORY`.
 *
 * @module
 */
import { createRequire } from "node:module";
import { mkdtempSync } from "node:fs";
import process from "node:process";
import { join } from "@std/path";
import { HybridStore } from "../../mod.ts";
import { HybridLevel, type HybridLevelOptions } from "../../level/mod.ts";

const [configuration, directory] = process.argv.slice(2) as [string, string];
const require = createRequire(import.meta.url);
const tape = require("tape");

const newDirectory = () => mkdtempSync(join(directory, "level-"));
let parts = 0;
const onParts = (store: HybridStore) => {
  tape.onFinish(() => store.close());
  return (options?: HybridLevelOptions) => new HybridLevel(store.sub(`${parts++}/`), options);
};

const factories: Record<string, () => Promise<(options?: HybridLevelOptions) => HybridLevel>> = {
  // deno-lint-ignore require-await
  async directories() {
    return (options) => new HybridLevel(newDirectory(), options);
  },
  async "parts, append side, small memtables"() {
    const options = { routes: [], defaultEngine: "append", memtableBytes: 1 } as const;
    return onParts(await HybridStore.open(newDirectory(), options));
  },
  async "parts, B-tree side"() {
    return onParts(await HybridStore.open(newDirectory(), { routes: [], defaultEngine: "btree" }));
  },
  // deno-lint-ignore require-await
  async memory() {
    return (options) => new HybridLevel(":memory:", options);
  },
};

// The suite runs all of its tests a second time, over sublevels, unless this says that it does so already. In
// directories that second time is left out: it opens as many again, and the parts have it over the same engines.
const isOver = configuration === "directories";
require("abstract-level/test")({
  test: tape,
  factory: await factories[configuration]!(),
  internals: new Proxy({}, { get: () => isOver }),
});
