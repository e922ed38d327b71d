/** A process that looks at images: assignments come as lines of JSON, and findings go as such. What it
 * looks at may end it, so that it says when it is ready for the next one.
 */

import process from "node:process";
import { createInterface } from "node:readline";
import { checkImage } from "./_check.ts";

const input = createInterface({ input: process.stdin });
console.log("ready");
for await (const line of input) console.log(JSON.stringify(await checkImage(JSON.parse(line))));
process.exit(0);
