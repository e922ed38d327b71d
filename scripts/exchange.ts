/**
 * Writes a store with values of every kind, or reads the one that another runtime wrote, as a user of the package:
 * `… write DIRECTORY` and `… read DIRECTORY`. `check_package.ts` runs it with a copy of `tests/kv/_values.ts` beside it.
 * Prints `ok`.
 *
 * @module
 */
import { type Kv, KvU64, openKv } from "@hybrid/store/kv";
import process from "node:process";
// @ts-ignore: it is there where this runs.
import { show, values } from "./_values.mjs";

const [action, directory] = process.argv.slice(2) as [string, string];
const kv: Kv = await openKv(directory);
const own: Record<string, unknown> = { ...values(), counter: new KvU64(2n ** 64n - 1n) };
const differing: string[] = [];

for (const [name, value] of Object.entries(own)) {
  if (action === "write") {
    await kv.set(["value", name, 1n, true, new Uint8Array([0])], value);
    continue;
  }
  const entry = await kv.get(["value", name, 1n, true, new Uint8Array([0])]);
  const shown = (it: unknown) => it instanceof KvU64 ? `u64 ${it}` : show(it);
  if (shown(entry.value) !== shown(value)) differing.push(name);
}
if (action === "write") {
  await kv.enqueue({ of: "the writer" }, { delay: 1_000_000 });
  await kv.setBlob(["blob"], new Uint8Array(70_000).fill(9));
} else {
  const { value, size } = await kv.getBlob(["blob"]);
  let sum = 0;
  for await (const chunk of value ?? []) for (const byte of chunk) sum += byte;
  if (size !== 70_000 || sum !== 630_000) differing.push("the blob");
  if (await kv.count({ prefix: [] }) !== Object.keys(own).length + 1) differing.push("the number");
}
await kv.close();
console.log(differing.length === 0 ? "ok" : `other values: ${differing.join(", ")}`);
