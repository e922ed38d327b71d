/** Sets keys in the store in a directory, prints each versionstamp, and goes on until it is killed.
 *
 * @module
 */
import { writeSync } from "node:fs";
import process from "node:process";
import { openKv } from "../../kv/mod.ts";

const kv = await openKv(process.argv[2]!);
for (let i = 0;; i++) {
  const { versionstamp } = await kv.set(["k", i % 100], i);
  writeSync(1, `${versionstamp}\n`);
}
