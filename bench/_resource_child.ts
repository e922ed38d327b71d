/** The child process of `_resources.ts`: one contestant does its work, and says what that took.
 *
 *     _resource_child.ts <contestant, or none> <side> <directory> <keys>
 *
 * @module
 */

import process from "node:process";
import { makeDataset } from "./_data.ts";
import { settle } from "./_measure.ts";
import { diskBytes, peakRssBytes, resetPeakRss, writtenBytes } from "./_process_usage.ts";
import { uniformIndexes } from "./_random.ts";
import { OPENERS } from "./peers/mod.ts";

const [id = "", side = "", directory = "", keyCount = ""] = process.argv.slice(2);
const { keys, values } = (await makeDataset("small_values", Number(keyCount)))[
  side as "append" | "btree"
];
const open = OPENERS[id];
// Garbage of making the data is not the data.
await settle();
const before = writtenBytes() ?? 0;
const peakBefore = peakRssBytes();
const rssBefore = resetPeakRss();
let burstPeak: number | undefined;
if (open !== undefined) {
  const session = await open(directory);
  const own = session.keysOf(keys);
  await session.putAll(own, values);
  await session.settle();
  burstPeak = peakRssBytes();
  for (const index of uniformIndexes(own.length, own.length, 1)) {
    const found = session.getSync(own[index]);
    if (found instanceof Promise) await found;
  }
  await session.close();
}
const written = writtenBytes();
console.log(JSON.stringify({
  diskBytes: diskBytes(directory),
  ...(written !== undefined && { writtenBytes: written - before }),
  dataBytes: keys.bytes.reduce((sum, key, i) => sum + key.length + values[i]!.length, 0),
  peakRssBytes: Math.max(peakBefore ?? 0, peakRssBytes() ?? 0) || undefined,
  ...(rssBefore !== undefined && burstPeak !== undefined &&
    { burstRssBytes: Math.max(0, burstPeak - rssBefore) }),
}));
