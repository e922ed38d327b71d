/** Applies to an LMDB engine whose library does not answer, and prints what comes of it. */

import process from "node:process";
import { setTimeout as delay } from "node:timers/promises";
import { openLmdbEngine } from "../../backends/mod.ts";
import { commitLimit } from "../../backends/lmdb.ts";
import { bytes, put } from "../conformance/_kit.ts";
import { tempDirectory } from "../support/temp.ts";
import { Child } from "./_child.ts";
import { IDENTITY } from "./_engines.ts";

using temp = tempDirectory();
const engine = await openLmdbEngine(temp.path, { identity: IDENTITY, create: true });
await engine.apply([put(bytes(1), bytes(1))], 1n);

const holder = new Child("_holder_child.ts", temp.path);
while (holder.lines.length === 0) await delay(5);
commitLimit.ms = 200;
const error = await engine.apply([put(bytes(2), bytes(2))], 2n).catch((error) => error);
console.log(`${error.code}: ${error.message.replace(temp.path, "")}`);
console.log(`${engine.isStuck} ${engine.failure === error} ${engine.position}`);
console.log(`${engine.get(bytes(1))} ${engine.get(bytes(2))} ${engine.view().get(bytes(1))}`);
console.log(await engine.apply([], 3n).catch((again) => again === error));
console.log(await engine.close().catch(({ code, message }) => `${code}: ${message}`));
// The library's thread goes on as soon as it can, which is nobody's concern any more.
holder[Symbol.dispose]();
await holder.ending;
process.exit(0);
